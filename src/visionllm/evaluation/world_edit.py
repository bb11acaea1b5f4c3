"""Changed pictures: whether the edit was done, and whether the rest was left alone."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from visionllm.data.world.families.edit import EditedTruth
from visionllm.data.world.judging import edit_done, psnr_outside
from visionllm.evaluation.base import Edit, Question, Scores
from visionllm.evaluation.intervals import Statistic, Tally, mean_of
from visionllm.evaluation.pictures import (
    Pixels,
    at_size,
    check_unmarked,
    made_in,
    nothing_made,
    shares_at_size,
    things_at_size,
)
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored


class EditBenchmark(WorldBenchmark):
    """The share of edits that were done as told, and the signal-to-noise ratio (PSNR) outside them.

    What the decoder made is judged, before any old pixel is put back: `predictor/edited.py` does that only outside of
    marked regions, and these requests mark none. The decoder may work at another size than the picture's; then the
    picture, the true edit and the things in it are resized by area to the decoder's size and compared there. A pixel
    that lies even partly in what may change is not counted as outside. Edits that may change every pixel, such as
    another background, have no PSNR, nor has an answer that makes no picture; that one is not done, either.

    Where the words fit nothing in the picture, a free answer should make no picture; known classes are not asked there.
    Each picture has a seed of its own.
    """

    name: ClassVar[str] = "world_edit"
    group: ClassVar[str] = "edit"
    version: ClassVar[int] = 2
    needs: ClassVar[tuple[str, ...]] = ("editing",)

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        self._modes = [mode for mode, judged in (("known", setting.known), ("free", setting.free)) if judged]
        families = families_of("edit", version=2)
        self._done = {mode: {name: Tally(setting.limit) for name in families} for mode in self._modes}
        self._psnr = {mode: {name: Tally(setting.limit) for name in families} for mode in self._modes}
        self._refusals = Tally(setting.limit)

    def requests(self) -> Iterator[Question]:
        """Yield every instruction in both modes."""
        families = families_of("edit", version=2)
        known = map(self._known, families) if self.setting.known else ()
        yield from by_picture((*known, *map(self.ask, families if self.setting.free else ())))

    def _known(self, family: str) -> Iterator[Question]:
        for index, sample in self.setting.samples(family):
            asked = Asked(picture=index, sample=sample, known=True)
            if edit_of(asked) is not None:
                call = Edit(image_of(asked), sample.request.messages[-1].text, sample.request.options)
                yield Question(picture=index, sort=f"known {family}", call=call, truth=asked)

    def update(self, truth: Asked, result: Any) -> None:
        """Judge the picture that was made, or that none was where there is nothing to edit.

        Raises:
            ValueError: If the request marks regions, outside of which old pixels are put back.
        """
        check_unmarked(truth.sample.request)
        mode, edit, family = "known" if truth.known else "free", edit_of(truth), truth.sample.family
        if edit is None:
            self._refusals.add(truth.picture, nothing_made(result))
            return
        pixels = made_in(result)
        done, psnr = (False, None) if pixels is None else judged(pixels, np.asarray(image_of(truth)), edit)
        self._done[mode][family].add(truth.picture, done)
        if psnr is not None:
            self._psnr[mode][family].add(truth.picture, psnr)

    def compute(self) -> Scores:
        """Return the means over the families under `edit`, then the scores by family."""
        statistics: dict[str, dict[str, Statistic]] = {"edit": {}}
        for mode in self._modes:
            done, psnr = self._done[mode], self._psnr[mode]
            statistics["edit"][f"done_{mode}"] = mean_of(list(done.values()))
            statistics["edit"][f"psnr_outside_{mode}"] = mean_of(list(psnr.values()))
            for name in done:
                some = statistics.setdefault(name, {})
                some |= {f"done_{mode}": done[name], f"psnr_outside_{mode}": psnr[name]}
        if self.setting.free:
            statistics["edit"]["refusal_free"] = self._refusals
        return scored(self.setting, statistics)


def edit_of(asked: Asked) -> EditedTruth | None:
    """Return a right edit, or None where the words fit nothing."""
    truth = asked.sample.truth.get("editing")
    return truth if isinstance(truth, EditedTruth) else None


def image_of(asked: Asked) -> Image.Image:
    """Return the picture that is to be edited."""
    return asked.sample.request.pictures[0]


def judged(made: Pixels, before: Pixels, edit: EditedTruth) -> tuple[bool, float | None]:
    """Judge an edited picture at its own size.

    Args:
        made: uint8[h, w, 3].
        before: uint8[H, W, 3]. What it was made from.
        edit: A right edit of that.

    Returns:
        Whether the edit was done, and the PSNR outside of it in dB; None where nothing lies outside.
    """
    height, width, _ = made.shape
    size_hw = (height, width)
    original, wanted = at_size(before, size_hw), at_size(edit.pixels, size_hw)
    done = edit_done(made, original, wanted, things_at_size(edit.things, size_hw))
    changed = np.ones(size_hw) if edit.changed is None else shares_at_size(edit.changed, size_hw)
    outside = changed == 0
    return done, psnr_outside(original, made, ~outside) if outside.any() else None
