"""Things that hide: they wear the ground of another place, a little lighter or darker."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from visionllm.data.world.palette import Shade, mixed
from visionllm.data.world.pens import SCALE
from visionllm.data.world.splits import Dice
from visionllm.data.world.staging.items import ObjectItem


def mottled(dice: Dice, size_hw: tuple[int, int], first: Shade, second: Shade) -> Image.Image:
    """Draw a mottled ground of two shades, as leaves or sand.

    Args:
        dice: Random stream of the picture.
        size_hw: (height, width) in pixels.
        first: One shade.
        second: The other.
    """
    height, width = size_hw
    grain = dice.integer(3, 6)
    noise = Image.fromarray(dice.bytes(-(-height // grain) + 1, -(-width // grain) + 1))
    smooth = noise.resize((width, height), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(0.8))
    levels = np.asarray(smooth, dtype=np.float64)
    share = np.clip((levels - 128) / 90 + 0.5, 0, 1).round(3)[..., None]
    one, two = np.array(first, dtype=np.float64), np.array(second, dtype=np.float64)
    return Image.fromarray((one + share * (two - one)).round().astype(np.uint8))


@dataclass(frozen=True, kw_only=True, eq=False)
class HiddenItem(ObjectItem):
    """An object that wears the ground; `veil` is the share of its own shade, `shift` where its texture comes from."""

    veil: float
    shift: tuple[int, int]

    def paint(self, canvas: Image.Image, ground: Image.Image) -> None:
        """Paint the ground of another place over the silhouette, tinted a little."""
        layers, (x, y) = self.layers, (self.corner[0] * SCALE, self.corner[1] * SCALE)
        width, height = layers.silhouette.size
        left = (x + self.shift[0] * SCALE) % max(ground.width - width, 1)
        top = (y + self.shift[1] * SCALE) % max(ground.height - height, 1)
        cloth = ground.crop((left, top, left + width, top + height))
        tint = Image.new("RGB", cloth.size, self.rgb)
        canvas.paste(Image.blend(cloth, tint, self.veil), (x, y), layers.silhouette)


def hidden_shade(shade: Shade, *, lighter: bool) -> Shade:
    """Return a shade that differs from the ground's just enough to be found."""
    return mixed(shade, (255, 255, 255) if lighter else (0, 0, 0), 0.45)
