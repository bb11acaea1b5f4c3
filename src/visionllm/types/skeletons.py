"""Named keypoints with the bones between them and the care they are measured with, as data."""

from collections.abc import Sequence
from dataclasses import dataclass

SIGMA = 0.025
"""How far off a keypoint may be that nobody measured, as a share of the object's size."""


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """The keypoints of one kind of object.

    Attributes:
        names: One a keypoint.
        bones: Pairs of names to draw a line between.
        sigmas: How far off each keypoint may be, as a share of the object's size; empty where nobody measured it.

    Raises:
        ValueError: If a name stands twice, a bone has no keypoint, or the sigmas have another length.
    """

    names: tuple[str, ...]
    bones: tuple[tuple[str, str], ...] = ()
    sigmas: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"expected each keypoint once, got {list(self.names)}")
        for bone in self.bones:
            if not set(bone) <= set(self.names):
                raise ValueError(f"expected bones between keypoints of {list(self.names)}, got {bone}")
        if self.sigmas and len(self.sigmas) != len(self.names):
            raise ValueError(f"expected {len(self.names)} sigmas, one per keypoint, got {len(self.sigmas)}")

    def bones_among(self, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
        """Return the bones whose two ends are among the names, as indices of them.

        >>> COCO_PERSON.bones_among(["right eye", "nose", "tail"])
        ((0, 1),)
        """
        place = {name: i for i, name in enumerate(names)}
        return tuple((place[a], place[b]) for a, b in self.bones if a in place and b in place)

    def sigmas_of(self, names: Sequence[str]) -> tuple[float, ...]:
        """Return the sigma of each name, those of other skeletons included.

        >>> COCO_PERSON.sigmas_of(["nose", "tail"])
        (0.026, 0.025)
        """
        known = dict(zip(self.names, self.sigmas, strict=False))
        return tuple(known.get(name, SIGMA) for name in names)


def _sides(*parts: str) -> tuple[str, ...]:
    return tuple(f"{side} {part}" for part in parts for side in ("left", "right"))


def _limbs(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{side} {a}", f"{side} {b}") for a, b in pairs for side in ("left", "right"))


LIMBS = (
    *_limbs(("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle")),
    ("left shoulder", "right shoulder"),
    ("left hip", "right hip"),
)
BODY = _sides("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
BODY_SIGMAS = tuple(sigma for sigma in (0.079, 0.072, 0.062, 0.107, 0.087, 0.089) for _ in ("left", "right"))
COCO_PERSON = Skeleton(
    names=("nose", *_sides("eye", "ear"), *BODY),
    bones=(("right eye", "nose"), ("left eye", "nose"), *_limbs(("eye", "ear"), ("ear", "shoulder")), *LIMBS),
    sigmas=(0.026, 0.025, 0.025, 0.035, 0.035, *BODY_SIGMAS),
)
"""A person in COCO's keypoint order."""
CROWDPOSE_PERSON = Skeleton(
    names=(*BODY, "head", "neck"),
    bones=(("head", "neck"), ("neck", "left shoulder"), ("neck", "right shoulder"), *LIMBS),
    sigmas=(*BODY_SIGMAS, 0.079, 0.079),
)
"""A person in CrowdPose's keypoint order."""
AP10K_ANIMAL = Skeleton(
    names=(
        "left eye",
        "right eye",
        "nose",
        "neck",
        "root of tail",
        *(f"{side} {part}" for side in ("left", "right") for part in ("shoulder", "elbow", "front paw")),
        *(f"{side} {part}" for side in ("left", "right") for part in ("hip", "knee", "back paw")),
    ),
    bones=(
        ("left eye", "nose"),
        ("right eye", "nose"),
        ("nose", "neck"),
        ("neck", "root of tail"),
        *_limbs(("shoulder", "elbow"), ("elbow", "front paw"), ("hip", "knee"), ("knee", "back paw")),
        ("neck", "left shoulder"),
        ("neck", "right shoulder"),
        ("root of tail", "left hip"),
        ("root of tail", "right hip"),
    ),
    sigmas=(0.025, 0.025, 0.026, 0.035, 0.035, *(0.079, 0.072, 0.062) * 2, *(0.107, 0.087, 0.089) * 2),
)
"""An animal in AP-10K's keypoint order."""
CLASS_SKELETONS = {"person": COCO_PERSON, "dog": AP10K_ANIMAL, "horse": AP10K_ANIMAL, "bird": AP10K_ANIMAL}
"""The skeleton that a class has where nobody says which keypoints are meant."""
SKELETONS = (COCO_PERSON, CROWDPOSE_PERSON, AP10K_ANIMAL)


def skeleton_for(names: Sequence[str]) -> Skeleton | None:
    """Return the first of the known skeletons that has most of the names, or None where none has any.

    >>> skeleton_for(["neck", "head"]) is CROWDPOSE_PERSON, skeleton_for(["door handle"])
    (True, None)
    """
    best = max(SKELETONS, key=lambda skeleton: len(set(names) & set(skeleton.names)))
    return best if set(names) & set(best.names) else None


def bones_among(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return the bones of the skeleton that fits the names, as indices of them; none for words that nobody knows.

    >>> bones_among(["left eye", "nose"])
    ((0, 1),)
    """
    skeleton = skeleton_for(names)
    return () if skeleton is None else skeleton.bones_among(names)
