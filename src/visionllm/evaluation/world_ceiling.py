"""The most that a judge can grant: right pictures at the decoder's size, and sent through its VAE."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from visionllm.data.world.judging import read_wish, shows
from visionllm.evaluation.base import Question, Reconstruct, Scores
from visionllm.evaluation.intervals import Statistic, Tally, mean_of
from visionllm.evaluation.pictures import Pixels, at_size
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored
from visionllm.evaluation.world_draw import PARTS, drawing_of
from visionllm.evaluation.world_edit import edit_of, image_of, judged

_WAYS = ("render", "resized", "vae")


class CeilingBenchmark(WorldBenchmark):
    """How many right pictures and right edits are judged right, as they are, resized, and through the VAE.

    `render` is a right picture as it was drawn, `resized` the same at the size at which the generation decoder makes
    pictures (by area), `vae` the same after its VAE encoded it and decoded the mean of the latents. What `render` lacks
    to 1 is the judge's doing, what `resized` lacks beyond that the size's, and the rest the VAE's: no training of the
    denoiser gets above it. `draw` and `edit` are to be read beside these scores. The true edit is sent through the VAE
    of the generation decoder, too; its PSNR outside is that of the VAE alone.
    """

    name: ClassVar[str] = "world_ceiling"
    group: ClassVar[str] = "ceiling"
    version: ClassVar[int] = 2
    needs: ClassVar[tuple[str, ...]] = ("generation",)

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        families = families_of("draw", "edit", version=2)
        self._right = {way: {name: Tally(setting.limit) for name in families} for way in _WAYS}
        self._psnr = {name: Tally(setting.limit) for name in families_of("edit", version=2)}

    def requests(self) -> Iterator[Question]:
        """Yield a right picture for every question of the groups draw and edit that has one."""
        yield from by_picture(map(self._renders, families_of("draw", "edit", version=2)))

    def _renders(self, family: str) -> Iterator[Question]:
        for index, sample in self.setting.samples(family):
            asked = Asked(picture=index, sample=sample, known=True)
            right = _right_picture(asked)
            if right is not None:
                call = Reconstruct(Image.fromarray(right))
                yield Question(picture=index, sort=f"ceiling {family}", call=call, truth=asked)

    def update(self, truth: Asked, result: Any) -> None:
        """Judge a right picture in its three forms."""
        right, family = _right_picture(truth), truth.sample.family
        if right is None:
            raise ValueError(f"expected a question with a right picture, got one of {family} without")
        again = np.asarray(result)
        height, width, _ = again.shape
        for way, pixels in zip(_WAYS, (right, at_size(right, (height, width)), again), strict=True):
            self._right[way][family].add(truth.picture, self._judge(truth, pixels, psnr=way == "vae"))

    def _judge(self, asked: Asked, pixels: Pixels, *, psnr: bool) -> bool:
        edit = edit_of(asked)
        if edit is None:
            return shows(pixels, read_wish(drawing_of(asked).caption))
        done, ratio = judged(pixels, np.asarray(image_of(asked)), edit)
        if psnr and ratio is not None:
            self._psnr[asked.sample.family].add(asked.picture, ratio)
        return done

    def compute(self) -> Scores:
        """Return what `draw` and `edit` report, for each form of the pictures."""
        statistics: dict[str, Statistic] = {}
        parts = {**PARTS, "edit_done": families_of("edit", version=2)}
        for part, families in parts.items():
            for way, right in self._right.items():
                statistics[f"{part}_{way}"] = mean_of([right[name] for name in families])
        statistics["psnr_outside_vae"] = mean_of(list(self._psnr.values()))
        return scored(self.setting, {"ceiling": statistics})


def _right_picture(asked: Asked) -> Pixels | None:
    if asked.sample.truth.get("editing") is None and asked.sample.truth.get("generation") is None:
        return None
    edit = edit_of(asked)
    return drawing_of(asked).pixels if edit is None else edit.pixels
