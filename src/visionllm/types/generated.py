"""Pictures that the model made, with pixels of their own."""

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.rendering import Canvas


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneratedImages:
    """Pictures that were made for one answer, one a query group.

    Attributes:
        pictures: uint8[h, w, 3] each. RGB.
        seeds: The seed of each picture.
        original_hw: (height, width) of the picture they were made from, or None where they are new.
        labels: The words that name each picture; empty before words are known.
        spans: (start, end) in the answer's text, one a picture, or None where there is no text.
        notices: Things the user should know about these results.

    Raises:
        ValueError: If the lengths differ, or a picture is no RGB picture.
    """

    pictures: tuple[NDArray[np.uint8], ...]
    seeds: tuple[int, ...]
    original_hw: tuple[int, int] | None = None
    labels: tuple[str, ...] = ()
    spans: tuple[tuple[int, int] | None, ...] = ()
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for picture in self.pictures:
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
                raise ValueError(f"expected pictures uint8[h, w, 3], got {picture.dtype}{list(picture.shape)}")
        for name, values in (("seeds", self.seeds), ("labels", self.labels), ("spans", self.spans)):
            if len(values) != len(self.pictures) and (values or name == "seeds"):
                raise ValueError(f"expected {len(self.pictures)} {name}, one per picture, got {len(values)}")

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def images(self) -> "tuple[Image.Image, ...]":
        """The pictures for Pillow."""
        from PIL import Image  # lazy: other results need no Pillow

        return tuple(Image.fromarray(picture) for picture in self.pictures)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that states its space; the pictures as PNG files in base 64."""
        found: list[dict[str, Any]] = []
        for i, image in enumerate(self.images):
            file = BytesIO()
            image.save(file, "PNG")
            plain = {"label": self.labels[i] if self.labels else str(i), "seed": self.seeds[i]}
            if self.spans and self.spans[i] is not None:
                plain["span"] = list(self.spans[i] or ())
            png = base64.b64encode(file.getvalue()).decode("ascii")
            found.append(plain | {"size_hw": [image.height, image.width], "png": png})
        edited = "; each shows the whole original image, resized" if self.original_hw is not None else ""
        return {
            "type": "generated_images",
            "space": f"RGB pictures with pixels of their own{edited}",
            "original_hw": None if self.original_hw is None else list(self.original_hw),
            "instances": found,
            "notices": list(self.notices),
        }

    def draw(self, canvas: "Canvas", **style: Any) -> None:
        """Put the pictures beside the one they were made from; see `visionllm.rendering`."""
        from visionllm.rendering import paint_generated  # lazy: drawing is no part of the types

        paint_generated(canvas, self, **style)

    def render(self, image: "Image.Image | None" = None, **style: Any) -> "Image.Image":
        """Return the pictures on one page, behind the one they were made from; see `visionllm.rendering`."""
        from visionllm.rendering import draw_generated  # lazy: drawing is no part of the types

        return draw_generated(image, self, **style)
