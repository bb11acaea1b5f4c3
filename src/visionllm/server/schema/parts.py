"""Parts of messages: text, pictures, regions, and the routed words of earlier answers."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from visionllm.server.schema.base import Closed, Text

Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Pair = Annotated[list[Number], Field(min_length=2, max_length=2)]
MAX_POINTS = 10_000
FORMS = ("box", "point", "scribble", "polygon", "mask")
KINDS = ("system", "user", "assistant", "text", "image_url", "region", "routed")
"""Tags of items of lists, which stand in pydantic's paths to a field, but not in a request."""
CHOICES = ("[words]", "[parts]", "[runs]", "[file]")
"""Tags of values that come in two forms."""


class RunLengths(Closed):
    """A mask as COCO's uncompressed run lengths: column by column, starting with the pixels outside."""

    size: Annotated[list[Annotated[int, Field(ge=1, le=65_536)]], Field(min_length=2, max_length=2)]
    counts: Annotated[list[Annotated[int, Field(ge=0, le=2**32)]], Field(max_length=500_000)]


def _mask_form(value: Any) -> str:
    return "[file]" if isinstance(value, str) else "[runs]"


MaskBody = Annotated[Annotated[str, Tag("[file]")] | Annotated[RunLengths, Tag("[runs]")], Discriminator(_mask_form)]


class RegionBody(Closed):
    """A place in a picture, in pixels of it: exactly one of the five forms.

    A mask is a list of run lengths, such as results hold, or the data URL of a picture whose white pixels are inside.
    """

    box: Annotated[list[Number], Field(min_length=4, max_length=4)] | None = None
    point: Pair | None = None
    scribble: Annotated[list[Pair], Field(min_length=2, max_length=MAX_POINTS)] | None = None
    width: Annotated[int, Field(ge=1, le=1000)] | None = None
    polygon: Annotated[list[Pair], Field(max_length=MAX_POINTS)] | None = None
    mask: MaskBody | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "RegionBody":
        given = [form for form in FORMS if getattr(self, form) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of {', '.join(FORMS)}, got {', '.join(given) or 'none'}")
        if self.width is not None and self.scribble is None:
            raise ValueError(f"expected a width with a scribble only, got one with a {given[0]}")
        return self


class TextPart(Closed):
    """Words; nothing in them is read as structure."""

    type: Literal["text"]
    text: Text


class ImageUrl(Closed):
    """A picture as a data URL, such as `data:image/png;base64,iVBOR…`; other URLs are not fetched."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Closed):
    """A picture."""

    type: Literal["image_url"]
    image_url: ImageUrl


class RegionPart(RegionBody):
    """A place in one of the pictures of the conversation: the last one before it, or the one with this index."""

    type: Literal["region"]
    picture: Annotated[int, Field(ge=0, le=1000)] | None = None
    numbered: bool = True


class RoutedPart(Closed):
    """Words of an earlier answer that opened a decoder, as the field `parts` of an answer holds them."""

    type: Literal["routed"]
    text: Text
    token: Annotated[str, Field(max_length=50)]
    wrapped: bool | None = None


UserPart = Annotated[TextPart | ImagePart | RegionPart, Field(discriminator="type")]
AnswerPart = Annotated[TextPart | RoutedPart, Field(discriminator="type")]
