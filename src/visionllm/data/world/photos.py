"""Photos behind drawings: crops of the pictures that come in scikit-image's wheel (nothing is downloaded)."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from visionllm.data.world.splits import Dice

# Lossless files only: a JPEG decodes differently from one library version to the next. Test photos are never seen in
# training.
TRAIN_PHOTOS: tuple[str, ...] = ("chelsea", "coffee", "camera", "grass", "gravel", "ihc", "moon", "page")
TEST_PHOTOS: tuple[str, ...] = ("astronaut", "motorcycle_left", "brick", "coins", "text")


@cache
def _photo(name: str) -> Image.Image:
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "photo backgrounds need scikit-image: install visionllm-v2[world], or draw with photos=False",
            name="skimage",
        )
    with Image.open(Path(spec.submodule_search_locations[0]) / "data" / f"{name}.png") as file:
        return file.convert("RGB")


def photo_crop(dice: Dice, names: tuple[str, ...], size_hw: tuple[int, int], *, dark: bool) -> Image.Image:
    """Cut a piece of a photo to a canvas, and soften it so that objects stay in front.

    Args:
        dice: Random stream of the picture.
        names: Photos to choose from, `TRAIN_PHOTOS` or `TEST_PHOTOS`.
        size_hw: (height, width) of the canvas in pixels.
        dark: Whether it may be softened towards black instead of white.

    Raises:
        ImportError: If scikit-image is not installed.
    """
    photo = _photo(dice.choose(names))
    height, width = size_hw
    scale = dice.uniform(0.35, 1.0) * min(photo.width / width, photo.height / height)
    crop_width, crop_height = int(width * scale), int(height * scale)
    left, top = dice.integer(0, photo.width - crop_width), dice.integer(0, photo.height - crop_height)
    crop = photo.resize((width, height), Image.Resampling.BILINEAR, (left, top, left + crop_width, top + crop_height))
    grey = crop.convert("L").convert("RGB")
    muted = Image.blend(crop, grey, dice.uniform(0.2, 0.5))
    veil = Image.new("RGB", crop.size, (16, 16, 20) if dice.chance(0.25) and dark else (255, 255, 255))
    return Image.blend(muted, veil, dice.uniform(0.3, 0.5))
