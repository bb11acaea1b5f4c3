"""What is true about a picture as the results that a perfect model would give: to be drawn, or compared with others."""

from collections.abc import Sequence

import numpy as np

from visionllm.data.world.figures import skeleton_of
from visionllm.data.world.scene import Scene, WorldFigure, WorldObject, WorldSign, WorldThing
from visionllm.types import Detections, Poses
from visionllm.types.skeletons import Skeleton


def name_of(thing: WorldThing) -> str:
    """Return a few words for a thing, such as "red star", "person in blue" or the words on a sign."""
    if isinstance(thing, WorldSign):
        return f'sign "{thing.text}"'
    if isinstance(thing, WorldFigure) and thing.kind == "person":
        return f"person in {thing.colour}"
    return f"{thing.colour} {thing.kind}" if isinstance(thing, WorldObject | WorldFigure) else thing.kind


def detections_of(scene: Scene) -> Detections:
    """Return everything that a picture shows, each thing under its name, with a score of 1."""
    things = scene.things
    names = tuple(dict.fromkeys(name_of(thing) for thing in things))
    return Detections(
        boxes=np.array([thing.box for thing in things], dtype=np.float32).reshape(-1, 4),
        scores=np.ones(len(things), dtype=np.float32),
        class_ids=np.array([names.index(name_of(thing)) for thing in things], dtype=np.int64),
        size_hw=scene.size_hw,
        class_names=names,
    )


def poses_of(scene: Scene) -> tuple[Poses, ...]:
    """Return the figures of a picture, those of one skeleton together; joints have a score of 1 in sight, else 0."""
    skeletons = list({id(skeleton): skeleton for skeleton in (skeleton_of(f.kind) for f in scene.figures)}.values())
    return tuple(
        _poses([figure for figure in scene.figures if skeleton_of(figure.kind) is skeleton], skeleton, scene.size_hw)
        for skeleton in skeletons
    )


def _poses(figures: Sequence[WorldFigure], skeleton: Skeleton, size_hw: tuple[int, int]) -> Poses:
    names = tuple(dict.fromkeys(name_of(figure) for figure in figures))
    return Poses(
        boxes=np.array([figure.box for figure in figures], dtype=np.float32),
        scores=np.ones(len(figures), dtype=np.float32),
        class_ids=np.array([names.index(name_of(figure)) for figure in figures], dtype=np.int64),
        keypoints=np.stack([figure.keypoints for figure in figures]),
        keypoint_scores=np.stack([figure.visibility == 2 for figure in figures]).astype(np.float32),
        size_hw=size_hw,
        class_names=names,
        keypoint_names=skeleton.names,
        bones=skeleton.bones_among(skeleton.names),
    )
