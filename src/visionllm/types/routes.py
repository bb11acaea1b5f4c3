"""Where a routing token leads."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Route:
    """A routing token, the slot table it draws from and the decoder it opens.

    Attributes:
        token: Such as `"[DET]"`.
        table: Name of the slot table, such as `"det"`.
        decoder: Name of the decoder, such as `"detection"`.
        picture: Whether the decoder looks at a picture of the conversation.
    """

    token: str
    table: str
    decoder: str
    picture: bool = True
