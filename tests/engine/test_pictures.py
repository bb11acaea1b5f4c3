import torch

from tests.small import picture
from visionllm.engine.pictures import PictureCache, PictureKeys
from visionllm.model import EncodedPictures


def encoded(value: float, size: int = 10) -> EncodedPictures:
    return EncodedPictures(
        tokens=torch.full((1, size, 1), float(value)), splits=torch.tensor([1]), pixel_values=torch.zeros(1, 3, 1, 1)
    )


BYTES = 4 * 10 + 8 + 12


def test_features_are_kept_until_newer_ones_need_their_room():
    counted: list[str] = []
    cache = PictureCache(2 * BYTES, counted.append)
    for value, key in enumerate((b"a", b"b")):
        cache.keep(key, encoded(value))
    assert cache.bytes == 2 * BYTES
    assert cache.find(b"a") is not None
    cache.keep(b"c", encoded(2))
    assert cache.find(b"b") is None and cache.find(b"a") is not None and cache.find(b"c") is not None
    assert cache.bytes == 2 * BYTES
    assert counted == ["image_hits", "image_misses", "image_hits", "image_hits"]


def test_features_that_never_fit_are_not_kept():
    cache = PictureCache(BYTES - 1)
    cache.keep(b"a", encoded(0))
    assert cache.find(b"a") is None and cache.bytes == 0


def test_parts_of_a_name_do_not_run_into_each_other():
    keys = PictureKeys(b"salt", "model")
    assert keys.name("a", "bc") != keys.name("ab", "c") != keys.name("", "abc")
    assert keys.name("a", "b") == keys.name("a", b"b")
    assert len(keys.picture("", picture())) == 32
