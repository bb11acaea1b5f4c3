"""The pose decoder as an expert: it learns kinds of figures and names of keypoints from `AimEncoder`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from numpy.random import Generator, default_rng
from PIL import Image
from torch import Tensor, nn

from visionllm.data.world.families.pose import ANIMALS, joints_of, pose_truth_of
from visionllm.data.world.figures import FIGURES
from visionllm.data.world.phrases import Phrase
from visionllm.data.world.scene import WorldPicture
from visionllm.decoders.pose import PoseDecoder
from visionllm.ops.keypoints import object_keypoint_similarity
from visionllm.processing.decoder_images import DecoderImageConfig, decoder_batch
from visionllm.processing.targets import pose_targets
from visionllm.training.aims import Aim, AimEncoder, AskedBatch, aim_codes
from visionllm.training.pictures import Pictures
from visionllm.types import Options
from visionllm.types.tensors import PoseTargets

_NEAR = 0.2


class ExpertPose(nn.Module):
    """A pose decoder that is asked through an aim encoder."""

    def __init__(self, pose: PoseDecoder, width: int, slots: int) -> None:
        super().__init__()
        self.pose = pose
        self.aims = AimEncoder(width, slots)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked about one picture: figures of some phrases, and some of their keypoints."""

    picture: int
    phrases: tuple[Phrase, ...]
    joints: tuple[str, ...]

    @property
    def aims(self) -> list[Aim]:
        """One a query group: figures first."""
        return [*(Aim(phrase) for phrase in self.phrases), *(Aim(joint=name) for name in self.joints)]


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseBatch(AskedBatch):
    """What is asked, and the truth."""

    targets: list[PoseTargets]


def asked_of(picture: WorldPicture, number: int, rng: Generator) -> Question:
    """Draw a question: one or two kinds, mostly those that are there, with all their keypoints or some of them."""
    there = sorted({figure.kind for figure in picture.scene.figures})
    kinds = list(there) if there and rng.random() < 0.9 else [str(rng.choice(FIGURES))]
    if len(kinds) > 1 and rng.random() < 0.6:
        kinds = [str(rng.choice(kinds))]
    if rng.random() < 0.15:
        kinds += [str(kind) for kind in rng.permutation(FIGURES) if kind not in kinds][:1]
    names = list(joints_of(kinds))
    if rng.random() < 0.4:
        names = rng.permutation(names)[: int(rng.integers(1, 7))].tolist()
    phrases = []
    for kind in kinds:
        coats = [figure.colour for figure in picture.scene.figures if figure.kind == kind and kind in ANIMALS]
        colour = str(rng.choice(coats)) if coats and rng.random() < 0.15 else None
        phrases.append(Phrase(kind=kind, colour=colour))
    return Question(picture=number, phrases=tuple(phrases), joints=tuple(map(str, names)))


class PoseObjective:
    """Find the keypoints of figures in drawn pictures; two questions a picture.

    Args:
        images: How the decoder sees a picture.
        drawn: The pictures.
        pictures: Pictures a batch.
    """

    def __init__(self, *, images: DecoderImageConfig, drawn: Pictures, pictures: int) -> None:
        self.images, self.drawn, self.pictures = images, drawn, pictures

    def batch(self, index: int) -> PoseBatch:
        """Make the batch of step `index`."""
        first = self.drawn.first(index, self.pictures)
        rng = default_rng([self.drawn.seed, index, 3])
        pictures = [self.drawn.draw(first + i) for i in range(self.pictures)]
        questions = [asked_of(picture, n, rng) for n, picture in enumerate(pictures) for _ in range(2)]
        return self._tensors(pictures, list(dict.fromkeys(questions)))

    def _tensors(self, pictures: Sequence[WorldPicture], questions: Sequence[Question]) -> PoseBatch:
        codes, places, mask = aim_codes([question.aims for question in questions])
        targets = []
        for question in questions:
            scene = pictures[question.picture].scene
            truth = pose_truth_of([phrase.among(scene.figures) for phrase in question.phrases], question.joints)
            names = range(len(question.joints))
            targets.append(pose_targets(truth, range(len(question.phrases)), names, scene.size_hw))
        return PoseBatch(
            images=decoder_batch([Image.fromarray(picture.pixels) for picture in pictures], self.images),
            images_of=torch.tensor([question.picture for question in questions]),
            codes=torch.from_numpy(codes),
            places=torch.from_numpy(places),
            mask=torch.from_numpy(mask),
            routes=tuple(("[DET]",) * len(q.phrases) + ("[POSE]",) * len(q.joints) for q in questions),
            targets=targets,
        )

    def losses(self, module: nn.Module, batch: PoseBatch) -> dict[str, Tensor]:
        """Return the decoder's losses."""
        expert = _expert(module)
        return expert.pose.loss(expert.aims.queries(batch), batch.images, batch.targets)

    @torch.no_grad()
    def scores(self, module: nn.Module, pictures: int = 160) -> Mapping[str, float]:
        """Measure, on validation figures, how like the best pose is to each: people and animals apart.

        Returns:
            The mean keypoint similarity (OKS), the share of visible keypoints within a fifth of the box's longer side,
            and the share of figures with a similarity of at least a half.
        """
        expert, tally = _expert(module), {"person": [], "animal": []}
        for first in range(0, pictures, 16):
            drawn = [self.drawn.draw(first + i, "validation") for i in range(16)]
            questions = [
                Question(picture=n, phrases=(Phrase(kind=kind),), joints=joints_of([kind]))
                for n, picture in enumerate(drawn)
                for kind in sorted({figure.kind for figure in picture.scene.figures})
            ]
            if not questions:
                continue
            batch = self._tensors(drawn, questions)
            found = expert.pose.decode(expert.aims.queries(batch), batch.images, Options(threshold=0.1))
            for question, target, poses in zip(questions, batch.targets, found, strict=True):
                size = torch.tensor(drawn[question.picture].scene.size_hw[::-1])
                points = torch.from_numpy(poses.keypoints).float()[..., :2] / size
                kind = "person" if question.phrases[0].kind == "person" else "animal"
                tally[kind] += _likeness(points, target)
        measured = {}
        for kind, rows in tally.items():
            values = torch.tensor(rows).reshape(-1, 3)
            for name, column in zip(("oks", "pck", "right"), values.T, strict=True):
                measured[f"{kind} {name}"] = float(column.mean()) if len(column) else 0.0
        return measured


def _likeness(points: Tensor, target: PoseTargets) -> list[list[float]]:
    """Return, for each true figure, OKS and PCK of the pose that is most like it, and whether it is a half."""
    rows = []
    for keypoints, visible, area, box in zip(target.keypoints, target.visible, target.areas, target.boxes, strict=True):
        if not visible.any():
            continue
        if not len(points):
            rows.append([0.0, 0.0, 0.0])
            continue
        alike = object_keypoint_similarity(
            points[:, None], keypoints[None], visible[None], area[None], target.sigmas.expand(1, -1)
        )[:, 0]
        best = int(alike.argmax())
        near = (points[best] - keypoints).norm(dim=-1)[visible] <= _NEAR * box[2:].max()
        rows.append([float(alike[best]), float(near.float().mean()), float(alike[best] >= 0.5)])
    return rows


def _expert(module: nn.Module) -> ExpertPose:
    if not isinstance(module, ExpertPose):
        raise TypeError(f"expected an ExpertPose, got {type(module).__name__}")
    return module
