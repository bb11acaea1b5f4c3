"""What a processor is made of, and its strict JSON form."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from visionllm.processing.chat import TINY, ChatTemplate
from visionllm.processing.decoder_images import DecoderImageConfig, MadePictureConfig
from visionllm.processing.plain import from_plain
from visionllm.processing.prompts import Prompts
from visionllm.processing.tiles import VisionImageConfig
from visionllm.processing.tokenizer import WordPrefix
from visionllm.types.tensors import Route

ROUTES = (
    Route(token="[DET]", table="det", decoder="detection"),
    Route(token="[GRD]", table="det", decoder="detection"),
    Route(token="[SEG]", table="det", decoder="detection"),
    Route(token="[POSE]", table="pose", decoder="pose"),
    Route(token="[GEN]", table="gen", decoder="generation", picture=False),
    Route(token="[EDIT]", table="edit", decoder="editing"),
)
TABLES: Mapping[str, int] = MappingProxyType({"det": 4, "pose": 4, "gen": 64, "edit": 64})


@dataclass(frozen=True, kw_only=True)
class ProcessorConfig:
    """How requests become tensors.

    Attributes:
        vision: Pictures for the vision encoder.
        decoder: Pictures for the decoders; None for a model that only talks.
        decoder_by_name: Pictures for single decoders that see them another way, by decoder name; see
            `DecoderImageConfig.published_pose`.
        pictures: Pictures that decoders make, by the decoder's name; only training asks for them.
        template: How a conversation is written.
        prompts: Questions and answers of the known-class mode.
        tables: Super-link slots of each table, in the order of their rows.
        routes: Which routing token opens which decoder.
        tokens_per_split: Visual tokens of one split.
        context_length: Most tokens of a conversation, slots included.
        vocabulary_size: Rows of the text vocabulary; None takes the tokenizer's length.
        word_prefix: Which runs of text begin a word, for tokenizers of SentencePiece; see `WordPrefix`.
        classes_per_pass: Most classes that one pass of the known-class mode lists; more are split over several passes.
        published_regions: Marked regions are brought to the vision encoder as the published code does; see
            `seen_region`.
        max_pictures: Most pictures of a request.
        max_regions: Most regions of a request.

    Raises:
        ValueError: If a value is out of its range.
    """

    vision: VisionImageConfig = field(default_factory=VisionImageConfig)
    decoder: DecoderImageConfig | None = field(default_factory=DecoderImageConfig)
    decoder_by_name: Mapping[str, DecoderImageConfig] = field(default_factory=dict)
    pictures: Mapping[str, MadePictureConfig] = field(default_factory=dict)
    template: ChatTemplate = TINY
    prompts: Prompts = field(default_factory=Prompts)
    tables: Mapping[str, int] = field(default_factory=lambda: dict(TABLES))
    routes: tuple[Route, ...] = ROUTES
    tokens_per_split: int = 576
    context_length: int = 4096
    vocabulary_size: int | None = None
    word_prefix: WordPrefix = "none"
    classes_per_pass: int = 80
    published_regions: bool = False
    max_pictures: int = 8
    max_regions: int = 64

    def __post_init__(self) -> None:
        for name in ("tokens_per_split", "context_length", "classes_per_pass", "max_pictures"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} of at least 1, got {getattr(self, name)}")
        if self.decoder_by_name and self.decoder is None:
            raise ValueError(f"expected decoder beside decoder_by_name, got None and {list(self.decoder_by_name)}")
        if unknown := sorted(self.decoder_by_name.keys() - {route.decoder for route in self.routes}):
            raise ValueError(f"expected decoders that routes open in decoder_by_name, got {unknown[0]!r}")
        for table, count in self.tables.items():
            if count < 1:
                raise ValueError(f"expected at least 1 slot in table {table!r}, got {count}")

    def save(self, path: Path) -> None:
        """Write the config as JSON."""
        plain = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        path.write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "ProcessorConfig":
        """Read a config that `save` wrote.

        Raises:
            ValueError: If the file is missing or no JSON, a key at any depth is unknown, or a value has a wrong type.
        """
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"expected a file {path.name} in the folder of a processor, got none at {path}") from None
        except ValueError:
            raise ValueError(f"expected JSON in {path}, got something else") from None
        return from_plain(cls, plain, path.name)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
