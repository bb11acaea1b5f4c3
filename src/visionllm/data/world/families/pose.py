"""Questions for keypoints: the answer routes objects to `[DET]` and the names of keypoints to `[POSE]`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from visionllm.data.world.families.base import Desk, Family, listed
from visionllm.data.world.figures import FIGURES, skeleton_of
from visionllm.data.world.grammar import Grammar, told_to
from visionllm.data.world.phrases import Phrase
from visionllm.data.world.scene import WorldFigure
from visionllm.data.world.words import joined
from visionllm.types import Part, PoseTruth, Sample

POSE = "[POSE]"
KNOWN_TEMPLATE = "Find every {names}. Mark the {keypoints} of each."
"""What known-class mode asks; the same words as in the processor's own prompts."""
ANIMALS: tuple[str, ...] = tuple(kind for kind in FIGURES if kind != "person")
_NOTHING_SHARE = 0.1

_EVERY = "(every {one}|each {one}|all {many}|all the {many}|the {many})"
WHOLE = Grammar(
    (
        "find the keypoints of every {one}.",
        "find the pose of every {one}.",
        "mark the keypoints of the {many}.",
        "where are the keypoints of the {many}?",
    ),
    (
        told_to(f"(find|mark|show|locate) (the keypoints|all keypoints|the joints|the pose) of {_EVERY}( <where>|)"),
        told_to(f"(estimate|detect) (the pose|the keypoints|all keypoints) of {_EVERY}( <where>|)"),
        told_to(f"(draw|give me) (the skeleton|a skeleton) of {_EVERY}( <where>|)"),
        "where are (the|all) (keypoints|joints) of (the {many}|every {one}|each {one})( <where>|)?",
        "(find|detect) (every {one}|all {many}). mark (all keypoints|the keypoints|the joints) of each.",
    ),
)
SOME = Grammar(
    (
        "find every {one}. mark the {list} of each.",
        "mark the {points} of every {one}.",
        "find the {points} of every {one}.",
        "where do you see the {points} of each {one}?",
    ),
    (
        "(find|detect|locate) (every {one}|all {many}|each {one}|the {many}). (mark|show|find) the {list} of each.",
        told_to(f"(find|mark|show|locate|point to) the {{points}} of {_EVERY}( <where>|)"),
        told_to("(find|detect|locate) (every {one}|all {many}) and (mark|show) the {points}( of each|)"),
        "where (do you see|can you see|can I find) the {points} of (the {many}|every {one}|each {one})( <where>|)?",
        "(find|detect) (every {one}|all {many})( <where>|). keypoints: {list}.",
    ),
)


def joints_of(kinds: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the joints that any of these kinds has, each once."""
    return tuple(dict.fromkeys(name for kind in kinds for name in skeleton_of(kind).names))


def pose_truth_of(found: Sequence[Sequence[WorldFigure]], points: Sequence[str]) -> PoseTruth:
    """Return the truth of an answer.

    Args:
        found: For each span that names objects, the figures that it stands for.
        points: Names of the keypoints that are asked for; a figure that has no such joint has it with visibility 0.
    """
    figures = [(figure, index) for index, group in enumerate(found) for figure in group]
    keypoints = np.zeros((len(figures), len(points), 2), dtype=np.float32)
    visibility = np.zeros((len(figures), len(points)), dtype=np.int64)
    for row, (figure, _) in enumerate(figures):
        names = skeleton_of(figure.kind).names
        for column, name in enumerate(points):
            if name in names:
                keypoints[row, column] = figure.keypoints[names.index(name)]
                visibility[row, column] = figure.visibility[names.index(name)]
    sigmas = {
        name: s for kind in FIGURES for name, s in zip(skeleton_of(kind).names, skeleton_of(kind).sigmas, strict=True)
    }
    return PoseTruth(
        boxes=np.array([figure.box for figure, _ in figures], dtype=np.float32).reshape(-1, 4),
        class_ids=np.array([index for _, index in figures], dtype=np.int64),
        keypoints=keypoints,
        visibility=visibility,
        sigmas=np.array([sigmas[name] for name in points], dtype=np.float32),
        areas=np.array([figure.area for figure, _ in figures], dtype=np.float32),
    )


def ask_pose(desk: Desk, phrases: Sequence[Phrase], points: Sequence[str] | None) -> Sample:
    """Ask for keypoints of everything that fits the phrases; what is absent is said at the end, or alone.

    Args:
        desk: Where the question is written.
        phrases: What figures are meant.
        points: Names of keypoints in the order of the question; None asks for all that these kinds have.
    """
    there = [phrase for phrase in phrases if phrase.among(desk.figures)]
    missing = [phrase for phrase in phrases if phrase not in there]
    one, many = joined([phrase.one for phrase in phrases]), joined([_many(phrase) for phrase in phrases])
    if points is None:
        question = desk.words(WHOLE, one=one, many=many)
        points = joints_of([str(phrase.kind) for phrase in (there or phrases)])
    else:
        question = desk.words(SOME, one=one, many=many, points=joined(points), list=", ".join(points))
    refusal = f"There is {joined([f'no {phrase.one}' for phrase in missing])}."
    if not there:
        return desk.sample(question, refusal)
    answer = _pointed([phrase.one for phrase in there], points, end=f". {refusal}" if missing else ".")
    truth = pose_truth_of([phrase.among(desk.figures) for phrase in there], points)
    return desk.sample(question, answer, truth={"pose": truth})


def _pointed(names: Sequence[str], points: Sequence[str], end: str = ".") -> tuple[Part, ...]:
    """Return an answer that routes names of things and then of keypoints."""
    return (*listed(names), *listed(points, intro=" Keypoints: ", end=end, token=POSE))


def _many(phrase: Phrase) -> str:
    return phrase.many.replace("persons", "people")


def _one_kind(*kinds: str) -> Callable[[Desk], Sample | None]:
    def build(desk: Desk) -> Sample | None:
        there = [kind for kind in kinds if any(figure.kind == kind for figure in desk.figures)]
        if not there:
            return ask_pose(desk, [Phrase(kind=desk.dice.choose(kinds))], None) if desk.dice.chance(0.09) else None
        phrase = Phrase(kind=desk.dice.choose(there))
        if desk.dice.chance(0.2):
            phrase = Phrase(kind=phrase.kind, colour=desk.dice.choose(phrase.among(desk.figures)).colour)
            # "A red person" would be about skin; people are told apart by their clothes in other questions.
            phrase = Phrase(kind=phrase.kind) if phrase.kind == "person" else phrase
        return ask_pose(desk, [phrase], None)

    return build


def _several(desk: Desk) -> Sample | None:
    there = sorted({figure.kind for figure in desk.figures})
    if not there:
        return None
    kept = desk.dice.sample(there, desk.dice.integer(1, len(there)))
    others = [kind for kind in FIGURES if kind not in there]
    missing = desk.dice.sample(others, min(len(others), max(2 - len(kept), desk.dice.integer(0, 1))))
    kinds = desk.dice.sample([*kept, *missing], len(kept) + len(missing))
    whole = all(kind in ANIMALS for kind in kinds) and desk.dice.chance(0.5)
    points = None if whole else _some_points(desk, kinds)
    return ask_pose(desk, [Phrase(kind=kind) for kind in kinds], points)


def _some_points(desk: Desk, kinds: Sequence[str]) -> list[str]:
    """Draw names of keypoints in any order; mostly a few."""
    names = joints_of(kinds)
    count = desk.dice.integer(1, 5) if desk.dice.chance(0.75) else desk.dice.integer(1, len(names))
    return desk.dice.sample(names, count)


def _some(desk: Desk) -> Sample | None:
    there = sorted({figure.kind for figure in desk.figures})
    absent = not there or desk.dice.chance(_NOTHING_SHARE)
    kinds = [kind for kind in FIGURES if kind not in there] if absent else there
    if not kinds:
        return None
    kind = desk.dice.choose(kinds)
    return ask_pose(desk, [Phrase(kind=kind)], _some_points(desk, [kind]))


def _nothing(desk: Desk) -> Sample | None:
    there = {figure.kind for figure in desk.figures}
    kinds = [kind for kind in FIGURES if kind not in there]
    if not kinds:
        return None
    asked = desk.dice.sample(kinds, 2 if len(kinds) > 1 and desk.dice.chance(0.2) else 1)
    points = None if desk.dice.chance(0.5) and len(asked) == 1 else _some_points(desk, asked)
    return ask_pose(desk, [Phrase(kind=kind) for kind in asked], points)


def _known(desk: Desk) -> Sample:
    """List kinds, present and absent, with keypoints, as known-class mode does; the answer routes every one of them."""
    there = sorted({figure.kind for figure in desk.figures})
    kept = desk.dice.sample(there, desk.dice.integer(1, len(there))) if there else []
    absent = [kind for kind in FIGURES if kind not in there]
    count = 1 if not kept else desk.dice.integer(0, 1)
    kinds = [*kept, *desk.dice.sample(absent, min(count, len(absent)))]
    kinds = desk.dice.sample(kinds, len(kinds))
    points = joints_of(kinds) if desk.dice.chance(0.6) else _some_points(desk, kinds)
    question = KNOWN_TEMPLATE.replace("{names}", ", ".join(kinds)).replace("{keypoints}", ", ".join(points))
    truth = pose_truth_of([Phrase(kind=kind).among(desk.figures) for kind in kinds], points)
    return replace(desk.sample((question,), _pointed(kinds, points), truth={"pose": truth}), learn_text=False)


FAMILIES: tuple[Family, ...] = tuple(
    Family(
        name=name,
        group="pose",
        score=score,
        example=example,
        build=build,
        grammars=grammars,
        version=2,
        theme="figures",
    )
    for name, score, example, build, grammars in (
        (
            "pose-person",
            "oks",
            "Find the pose of every person. Here you go: person. Keypoints: nose, left eye, …, right ankle.",
            _one_kind("person"),
            (WHOLE,),
        ),
        *(
            (
                f"pose-{kind}",
                "oks",
                f"Find the keypoints of every {kind}. Here you go: {kind}. Keypoints: left eye, …, right back paw.",
                _one_kind(kind),
                (WHOLE,),
            )
            for kind in ANIMALS
        ),
        (
            "pose-several",
            "oks",
            "Find every person and dog. Mark the nose, left elbow of each. Here you go: person, dog. Keypoints: …",
            _several,
            (WHOLE, SOME),
        ),
        (
            "pose-some",
            "oks",
            "Mark the left wrist and nose of every person. Here you go: person. Keypoints: left wrist, nose.",
            _some,
            (SOME,),
        ),
        (
            "known-poses",
            "oks",
            "Find every person. Mark the nose, left eye of each. Here you go: person. Keypoints: nose, left eye.",
            _known,
            (),
        ),
        ("pose-nothing", "refusal", "Find the pose of every horse. There is no horse.", _nothing, (WHOLE, SOME)),
    )
)
