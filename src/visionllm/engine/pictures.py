"""What the vision encoder made of pictures, kept for later questions about them."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields
from hashlib import blake2b
from typing import Any

from PIL import Image
from torch import Tensor

from visionllm.model import EncodedPictures


class PictureKeys:
    """Names for pictures: two are called the same only if their features are.

    A name tells nothing about the picture to anybody who lacks the salt, and two tenants never share one.

    Args:
        salt: At most 64 bytes.
        model: What the model is, and how it prepares pictures.
    """

    def __init__(self, salt: bytes, model: str) -> None:
        self._salt, self._model = salt, model

    def name(self, tenant: str, *parts: bytes | str) -> bytes:
        """Return the name of something of a tenant's."""
        digest = blake2b(key=self._salt, digest_size=32)
        for part in (self._model, tenant, *parts):
            data = part.encode() if isinstance(part, str) else part
            digest.update(len(data).to_bytes(8, "big") + data)
        return digest.digest()

    def picture(self, tenant: str, image: Image.Image) -> bytes:
        """Return the name of a picture: of its pixels, their shape and their mode."""
        return self.name(tenant, image.mode, f"{image.width}×{image.height}", image.tobytes())


class PictureCache:
    """Features by name, those that were asked for longest ago make room.

    Args:
        most_bytes: Largest size of all features.
        count: Called with `"image_hits"` or `"image_misses"`.
    """

    def __init__(self, most_bytes: int, count: Callable[[str], None] = lambda _: None) -> None:
        self.most_bytes, self.bytes, self._count = most_bytes, 0, count
        self._kept: OrderedDict[bytes, EncodedPictures] = OrderedDict()

    def find(self, key: bytes) -> EncodedPictures | None:
        """Return the features of a picture, or None."""
        found = self._kept.get(key)
        self._count("image_misses" if found is None else "image_hits")
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: bytes, encoded: EncodedPictures) -> None:
        """Keep the features of a picture."""
        size = _bytes(encoded)
        if key in self._kept or size > self.most_bytes:
            return
        while self.bytes + size > self.most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.bytes -= _bytes(oldest)
        self._kept[key] = encoded
        self.bytes += size


def _bytes(encoded: EncodedPictures) -> int:
    values: list[Any] = [getattr(encoded, field.name) for field in fields(encoded)]
    tensors = [tensor for value in values for tensor in (value if isinstance(value, tuple) else (value,))]
    return sum(tensor.nbytes for tensor in tensors if isinstance(tensor, Tensor))
