"""A picture with a marked thing, from which a model learns what is meant."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionllm.types.regions import Region

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, eq=False)
class Example:
    """A picture with a thing that is meant.

    Attributes:
        image: Upright RGB, such as `open_picture` returns.
        region: Where the thing is, in pixels of the picture.
        label: What it is called, or None.
    """

    image: "Image.Image"
    region: Region
    label: str | None = None
