"""Random requests out of an API's own description: right ones, nearly right ones, and nonsense."""

import random
import string
from collections.abc import Iterator
from typing import Any

from tests.server.helpers import png, url

METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
NONSENSE: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1e308,
    2**70,
    "",
    "x" * 500,
    [],
    {},
    [[]],
    {"a": {}},
    "\0",
    "[DET]",
    "😀",
]
NONSENSE += ["../../etc/passwd", "http://127.0.0.1/", "stub", ["stub"], [None], 0.5, -0.0, 10**400, "NaN"]


class Maker:
    """Makes values that fit a schema, more or less.

    Args:
        described: An OpenAPI description.
        draw: Where randomness comes from.
    """

    def __init__(self, described: dict[str, Any], draw: random.Random) -> None:
        self._schemas = described.get("components", {}).get("schemas", {})
        self._draw = draw

    def value(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """Return a value for a schema; one in thirty is nonsense."""
        draw = self._draw
        if draw.random() < 0.03:
            return draw.choice(NONSENSE)
        if "$ref" in schema:
            return self.value(self._schemas[schema["$ref"].rpartition("/")[2]], depth)
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return self.value(draw.choice(schema[several]), depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return draw.choice(schema["enum"])
        make = getattr(self, f"_{schema.get('type', 'object')}")
        return make(schema, depth)

    def _object(self, schema: dict[str, Any], depth: int) -> Any:
        needed, draw = schema.get("required", []), self._draw
        made = {
            name: self.value(inner, depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if (name in needed and draw.random() > 0.02) or (name not in needed and draw.random() < 0.3)
        }
        if draw.random() < 0.02:
            made["".join(draw.choices(string.printable, k=5))] = draw.choice(NONSENSE)
        return made

    def _array(self, schema: dict[str, Any], depth: int) -> Any:
        least = schema.get("minItems", 0)
        count = self._draw.randint(least, min(schema.get("maxItems", least + 3), least + 3))
        return [self.value(schema.get("items", {"type": "string"}), depth + 1) for _ in range(count)]

    def _string(self, schema: dict[str, Any], depth: int) -> Any:
        choices = [
            "stub",
            "echo hi",
            "find it",
            url(),
            url(png(8, 8)),
            "star",
            "user",
            "16x16",
            "".join(self._draw.choices(string.printable + "é😀[DET]", k=self._draw.randint(0, 20))),
        ]
        return self._draw.choice(choices)

    def _integer(self, schema: dict[str, Any], depth: int) -> Any:
        low = int(schema.get("minimum", 0))
        return self._draw.randint(
            low - (self._draw.random() < 0.05), int(min(schema.get("maximum", low + 50), low + 50))
        )

    def _number(self, schema: dict[str, Any], depth: int) -> Any:
        low, high = schema.get("minimum", 0), schema.get("maximum", 50)
        return self._draw.choice([low, self._draw.uniform(max(low, -5), min(high, 30)), self._draw.randint(0, 40)])

    def _boolean(self, schema: dict[str, Any], depth: int) -> Any:
        return self._draw.random() < 0.5

    def _null(self, schema: dict[str, Any], depth: int) -> Any:
        return None


def cases(described: dict[str, Any], count: int, seed: int = 0) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and what else a client sends."""
    draw = random.Random(seed)
    make = Maker(described, draw)
    paths = sorted(described["paths"])
    for _ in range(count):
        path = draw.choice(paths)
        method = draw.choice(sorted(described["paths"][path])).upper()
        options: dict[str, Any] = {}
        content = described["paths"][path][method.lower()].get("requestBody", {}).get("content", {})
        if "application/json" in content:
            body = make.value(content["application/json"]["schema"])
            if isinstance(body, dict) and draw.random() < 0.9:
                body["model"] = "stub"
            options = {"json": body}
        elif content:
            fields = make.value(content["multipart/form-data"]["schema"])
            fields = fields if isinstance(fields, dict) else {}
            options["files"] = {"image": ("a.png", draw.choice([png(8, 8), b"", b"x"]))}
            options["data"] = {k: str(v) for k, v in fields.items() if k not in ("image", "mask") and v is not None}
            options["data"]["model"] = "stub"
        if draw.random() < 0.05:
            method = draw.choice(METHODS)
        if draw.random() < 0.05:
            path += draw.choice(["/", "/..", "?format=coco", "?x=1", "%00", "//", "/%ff", "?format="])
        if draw.random() < 0.03:
            junk = bytes(draw.randrange(256) for _ in range(40))
            options = {"content": junk, "headers": {"content-type": "application/json"}}
        yield method, path.replace("{name}", draw.choice(["stub", "x", "%2e%2e"])), options
