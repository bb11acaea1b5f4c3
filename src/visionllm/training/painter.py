"""The U-Nets that draw and edit, as experts: they learn from `BriefEncoder` what the language model will tell them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from visionllm.data.world import draw_picture
from visionllm.data.world.judging import edit_done, psnr_outside, read_wish, shows
from visionllm.data.world.judging.ground import fit_ground, foreground
from visionllm.data.world.tasks import make_sample
from visionllm.decoders.base.diffusing import DiffusionDecoder
from visionllm.nn.diffusion import encode, latent_scale
from visionllm.ops.draws import Draws
from visionllm.training.briefs import BriefEncoder, brief_codes, brief_of
from visionllm.training.vae import signed
from visionllm.types import Options, PictureTruth, Sample

_TRIES = 8
_BROAD = frozenset(("draw-several", "draw-count", "draw-relation", "draw-figures", "edit-background"))
"""Families about more than one small thing, at which nobody looks closely."""


class ExpertPainter(nn.Module):
    """A decoder that makes pictures, told what by briefs instead of slots.

    Args:
        decoder: Its mapper does not take part.
    """

    def __init__(self, decoder: DiffusionDecoder) -> None:
        super().__init__()
        self.decoder = decoder
        self.briefs = BriefEncoder(decoder.config.tokens, decoder.config.width)


@dataclass(frozen=True, kw_only=True, eq=False)
class PainterBatch:
    """Pictures to make.

    Attributes:
        numbers: int[M]. Which pictures of the pool these are.
        codes: int[M, states, words]. See `brief_codes`.
        wanted: float[M, 3, H, W] in [−1, 1].
        given: float[M, 3, H, W] in [−1, 1], the pictures to edit, or None.
        corners: int[M, 2]. (row, column) of the first latent of each close-up, or None for whole pictures.
    """

    numbers: Tensor
    codes: Tensor
    wanted: Tensor
    given: Tensor | None
    corners: Tensor | None = None


class MiddleDraws(Draws):
    """Random numbers of a training step that looks at middle noise most, where things get their shapes.

    Source: the logit-normal density of Stable Diffusion 3, arXiv:2403.03206, section 3.1.
    """

    def integers(self, high: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return int[shape] in [0, high), the middle most often."""
        return (torch.sigmoid(self.normal(shape, device)) * high).long().clamp_max(high - 1)


class PainterObjective:
    """Draw or edit small studio pictures.

    A pool of pictures is drawn once, and gone through again and again. With close-ups every other step looks at a
    quarter of four times as many pictures, where the one thing is that is drawn or changed: shapes are learned there.

    Args:
        mixture: Relative weight of each family that draws or edits; not of both sorts.
        size_hw: (height, width) of the pictures.
        states: Most states of a brief.
        pictures: Pictures a batch.
        pool: Number of different pictures.
        seed: Index of the first picture in the training split, in units of 10⁸.
        step: Pixels a latent.
        close_ups: Whether there are any.

    Raises:
        ValueError: If the mixture names families that make no pictures, or both sorts, or close-ups are wanted where
            all of them are about more than one small thing.
    """

    def __init__(
        self,
        mixture: Mapping[str, float],
        *,
        size_hw: tuple[int, int],
        states: int,
        pictures: int,
        pool: int,
        seed: int,
        step: int = 4,
        close_ups: bool = False,
    ) -> None:
        sorts = {name.split("-")[0] for name in mixture}
        if sorts not in ({"draw"}, {"edit"}):
            raise ValueError(f"expected families that draw or families that edit, got {', '.join(mixture)}")
        self.decoder = "generation" if sorts == {"draw"} else "editing"
        self.mixture, self.near = dict(mixture), {n: w for n, w in mixture.items() if n not in _BROAD}
        if close_ups and not self.near:
            raise ValueError(f"expected a family about one small thing to look at closely, got {', '.join(mixture)}")
        self.size_hw, self.states, self.pictures, self.pool, self.seed = size_hw, states, pictures, pool, seed
        self.step, self.close_ups = step, close_ups
        self._rows: dict[int, tuple[Tensor, Tensor, Tensor | None]] = {}
        self._corners: dict[int, tuple[int, int]] = {}
        self._latents: dict[int, tuple[Tensor, Tensor | None]] = {}

    def sample(self, number: int, split: str = "train") -> Sample:
        """Write the sample of a number: one of the families about one studio picture."""
        return self._sample(number, split, self.mixture)

    def _sample(self, number: int, split: str, mixture: Mapping[str, float]) -> Sample:
        rng = np.random.default_rng([self.seed, number, len(split)])
        weights = np.array(list(mixture.values()), np.float64)
        first = self.seed * 10**8 + number * _TRIES
        for attempt in range(_TRIES):
            picture = draw_picture(first + attempt, split=split, version=2, theme="studio", size_hw=self.size_hw)
            for name in rng.choice(list(mixture), size=4, p=weights / weights.sum()):
                sample = make_sample(picture, str(name), int(rng.integers(2**31)))
                if sample is not None and brief_of(sample) is not None:
                    return sample
        raise ValueError(f"expected a question in {_TRIES} pictures from {first} on, got none")

    def close_up(self, number: int) -> Sample:
        """Write the sample of a number from `pool` on: one small part of it matters, whose place is remembered."""
        for attempt in range(_TRIES * _TRIES):
            sample = self._sample(number + attempt * self.pool, "train", self.near)
            focus = focus_of(sample, self.size_hw[0] // 2)
            if focus is not None:
                most = [side // self.step - self.window for side in self.size_hw]
                starts = [round(at / self.step) - self.window // 2 for at in focus]
                self._corners[number] = (min(max(starts[0], 0), most[0]), min(max(starts[1], 0), most[1]))
                return sample
        raise ValueError(f"expected a sample about one thing for number {number}, got none")

    @property
    def window(self) -> int:
        """Latents a side of a close-up."""
        return self.size_hw[0] // self.step // 2

    def _row(self, number: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return codes, the wanted and the given picture of a number as uint8; drawn the first time."""
        if number not in self._rows:
            sample = self.sample(number) if number < self.pool else self.close_up(number)
            brief = brief_of(sample)
            wanted = _pixels(sample, self.decoder)
            given = None
            if self.decoder == "editing":
                given = torch.from_numpy(_given(sample))
            codes = brief_codes([brief or ()], self.states)[0]
            self._rows[number] = (codes, torch.from_numpy(wanted), given)
        return self._rows[number]

    def batch(self, index: int) -> PainterBatch:
        """Make the batch of step `index`."""
        near = self.close_ups and index % 2 == 1
        count, turn = (4 * self.pictures, index // 2) if near else (self.pictures, index)
        epoch, place = divmod(turn * count, self.pool)
        order = np.random.default_rng([self.seed, epoch]).permutation(self.pool)
        numbers = [int(order[(place + i) % self.pool]) + near * self.pool for i in range(count)]
        codes, wanted, given = zip(*(self._row(number) for number in numbers), strict=True)
        before = [picture for picture in given if picture is not None]
        return PainterBatch(
            numbers=torch.tensor(numbers),
            codes=torch.stack(codes),
            wanted=signed(torch.stack(wanted).numpy()),
            given=signed(torch.stack(before).numpy()) if before else None,
            corners=torch.tensor([self._corners[number] for number in numbers]) if near else None,
        )

    def losses(self, module: nn.Module, batch: PainterBatch) -> dict[str, Tensor]:
        """Return the loss of the predicted noise."""
        painter = _painter(module)
        latents, context = self._seen(painter, batch)
        states = painter.briefs(batch.codes)
        rate = painter.decoder.config.drop_rate

        def beside(numbers: Tensor) -> Tensor:
            blank = (rate <= numbers) & (numbers < 3 * rate)
            return context.masked_fill(blank[:, None, None, None], 0)

        found = painter.decoder.look(latents, states, MiddleDraws(), beside)
        return {"noise": nn.functional.mse_loss(found.prediction.float(), found.aim.float())}

    @torch.no_grad()
    def _seen(self, painter: ExpertPainter, batch: PainterBatch) -> tuple[Tensor, Tensor]:
        """Return scaled latents of what is wanted and unscaled ones of what is given; the VAE reads a picture once."""
        vae = painter.decoder.vae
        for i, number in enumerate(batch.numbers.tolist()):
            if number not in self._latents:  # each by itself: a run that was cut off reads them in other company
                given = None if batch.given is None else encode(vae, batch.given[i : i + 1]).mean[0]
                wanted = encode(vae, batch.wanted[i : i + 1]).mean[0] * latent_scale(vae)
                self._latents[number] = (wanted, given)
        rows = [self._latents[number] for number in batch.numbers.tolist()]
        latents = torch.stack([latent for latent, _ in rows])
        before = [given for _, given in rows if given is not None]
        context = torch.stack(before) if before else latents[:, :0]
        if batch.corners is None:
            return latents, context
        return self._cut(latents, batch.corners), self._cut(context, batch.corners)

    def _cut(self, latents: Tensor, corners: Tensor) -> Tensor:
        """Return the close-ups of latents float[M, C, h, w]."""
        w = self.window
        places = zip(latents, corners.tolist(), strict=True)
        return torch.stack([one[:, y : y + w, x : x + w] for one, (y, x) in places])

    @torch.no_grad()
    def scores(self, module: nn.Module, pictures: int = 96) -> Mapping[str, float]:
        """Return, by family, the share of validation prompts whose picture the judge accepts.

        `psnr` is the mean peak signal-to-noise ratio outside edits, in dB.
        """
        painter = _painter(module)
        tally: dict[str, list[bool]] = {}
        ratios: list[float] = []
        for first in range(0, pictures, 16):
            samples = [self.sample(first + i, "validation") for i in range(16)]
            for sample, made in zip(samples, self.paint(painter, samples), strict=True):
                tally.setdefault(sample.family, []).append(self._right(sample, made))
                truth = sample.truth[self.decoder]
                if isinstance(truth, PictureTruth) and truth.changed is not None and not truth.changed.all():
                    ratios.append(psnr_outside(_given(sample), made, truth.changed))
        every = [hit for hits in tally.values() for hit in hits]
        shares = {"all": sum(every) / len(every)} | {name: sum(h) / len(h) for name, h in sorted(tally.items())}
        return shares | ({"psnr": sum(ratios) / len(ratios)} if ratios else {})

    def paint(self, painter: ExpertPainter, samples: Sequence[Sample], options: Options | None = None) -> np.ndarray:
        """Make the picture of each sample: uint8[M, H, W, 3]."""
        decoder = painter.decoder
        states = painter.briefs(brief_codes([brief_of(sample) or () for sample in samples], self.states))
        height, width = (side // decoder.config.factor for side in self.size_hw)
        context = torch.zeros(len(samples), 0, height, width)
        if self.decoder == "editing":
            context = encode(decoder.vae, signed(np.stack([_given(sample) for sample in samples]))).mean
        made = decoder.paint(decoder.start(states, context, options or Options(), self.size_hw, range(len(samples))))
        return (made * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()

    def _right(self, sample: Sample, made: np.ndarray) -> bool:
        truth = sample.truth[self.decoder]
        if not isinstance(truth, PictureTruth):
            return False
        if self.decoder == "generation":
            return shows(made, read_wish(truth.caption))
        return edit_done(made, _given(sample), truth.pixels, getattr(truth, "things", None))


def focus_of(sample: Sample, most: int) -> tuple[float, float] | None:
    """Return the middle (y, x) of the one thing that a sample draws or changes.

    Args:
        sample: Of a family that draws or edits.
        most: Pixels that it may be high and wide; None is returned where it is larger, or more than one thing.
    """
    truth = sample.truth.get("editing", sample.truth.get("generation"))
    if not isinstance(truth, PictureTruth):
        return None
    mask = truth.changed
    if mask is None:
        if sum(item.count for item in read_wish(truth.caption).wanted) != 1:
            return None
        mask, _ = foreground(truth.pixels, fit_ground(truth.pixels))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows) or max(np.ptp(rows), np.ptp(columns)) >= most:
        return None
    return float(rows[0] + rows[-1]) / 2, float(columns[0] + columns[-1]) / 2


def _given(sample: Sample) -> np.ndarray:
    """Return the picture to edit: uint8[H, W, 3]."""
    return np.array(sample.request.pictures[0].convert("RGB"))


def _pixels(sample: Sample, decoder: str) -> np.ndarray:
    truth = sample.truth[decoder]
    if not isinstance(truth, PictureTruth):
        raise TypeError(f"expected a PictureTruth, got {type(truth).__name__}")
    return np.array(truth.pixels)


def _painter(module: nn.Module) -> ExpertPainter:
    if not isinstance(module, ExpertPainter):
        raise TypeError(f"expected an ExpertPainter, got {type(module).__name__}")
    return module
