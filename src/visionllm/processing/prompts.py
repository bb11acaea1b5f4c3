"""Questions and answers of the known-class mode, as data."""

from collections.abc import Sequence
from dataclasses import dataclass

from visionllm.processing.prompt_families import FAMILIES
from visionllm.types import Mark, Part, Region, Routed


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """The prompts a model was trained with; saved along with its processor.

    Placeholders: `{names}` class names, `{phrase}` a referring phrase, `{regions}` and `{region}` marked regions,
    `{keypoints}` names of keypoints, `{caption}` what a new picture should show, `{wish}` how a picture should change,
    `{routed}` the routed spans of an answer.

    Attributes:
        detect: Question for boxes of classes.
        detect_answer: Its answer.
        segment: Question for a map that gives each pixel its class.
        segment_answer: Its answer.
        refer: Question for the one thing a phrase means.
        refer_answer: Its answer.
        point: Question for the thing at one region.
        points: Question for the things at several regions.
        last_region: What stands between the last two regions of that question.
        point_answer: Answer for one region.
        points_answer: Answer for several regions.
        pose: Question for keypoints; it follows `detect`, which names the objects.
        pose_answer: Its answer, which follows `detect_answer`.
        draw: Question for a new picture.
        draw_answer: Its answer.
        edit: Question for a changed picture.
        edit_answer: Its answer.
        example: What stands behind an example picture; `{region}` is what is meant in it.
        example_label: What follows where the example has a name, `{label}`.
        like: Question for everything in the last picture that is called like some of the examples, `{names}`.
        like_one: How such a thing is called there, `{label}` and more.
        like_unnamed: What the examples are called where they have no name.
        like_answer: Its answer.
        caption: Question for a description of the picture.
        describe_region: Question for a description of one region.
        numbered_region: That region is called `region1`, not just `region`.

    Raises:
        ValueError: If a prompt lacks its placeholder.
    """

    detect: str = "Find every {names}."
    detect_answer: str = "Here you go: {routed}."
    segment: str = "Find every {names}."
    segment_answer: str = "Here you go: {routed}."
    refer: str = "Where is {phrase}?"
    refer_answer: str = "Here it is {routed}."
    point: str = "Segment {regions}."
    points: str = "Segment {regions}."
    last_region: str = " and "
    point_answer: str = "Here it is: {routed}."
    points_answer: str = "Here they are: {routed}."
    pose: str = "Mark the {keypoints} of each."
    pose_answer: str = "Keypoints: {routed}."
    draw: str = "Draw {caption}."
    draw_answer: str = "Here it is {routed}."
    edit: str = "{wish}."
    edit_answer: str = "Here it is {routed}."
    example: str = "{region}"
    example_label: str = "is called {label}."
    like: str = "Mark every {names}."
    like_one: str = "{label} one"
    like_unnamed: str = "wug"
    like_answer: str = "Here you go: {routed}."
    caption: str = "What is in this picture?"
    describe_region: str = "Describe {region}."
    numbered_region: bool = True

    def __post_init__(self) -> None:
        needed = {"detect": "names", "segment": "names", "refer": "phrase", "point": "regions", "points": "regions"}
        needed |= {name: "routed" for name in self.__dataclass_fields__ if name.endswith("_answer")}
        needed |= {"describe_region": "region", "pose": "keypoints", "draw": "caption", "edit": "wish"}
        needed |= {"example": "region", "example_label": "label", "like": "names", "like_one": "label"}
        for name, placeholder in needed.items():
            if getattr(self, name).count(f"{{{placeholder}}}") != 1:
                raise ValueError(f"expected {{{placeholder}}} once in the prompt {name}, got {getattr(self, name)!r}")


PUBLISHED = Prompts(
    detect=FAMILIES["detect"].question,
    detect_answer=FAMILIES["detect"].answer,
    segment=FAMILIES["semantic"].question,
    segment_answer=FAMILIES["semantic"].answer,
    refer=FAMILIES["refer"].question,
    refer_answer=FAMILIES["refer"].answer,
    point=FAMILIES["segment_regions"].question,
    points=FAMILIES["segment_regions"].question,
    last_region=", ",
    point_answer=FAMILIES["segment_regions"].answer,
    points_answer=FAMILIES["segment_regions"].answer,
    pose=FAMILIES["pose"].question,
    pose_answer=FAMILIES["pose"].answer,
    draw=FAMILIES["draw"].question,
    draw_answer=FAMILIES["draw"].answer,
    edit=FAMILIES["edit"].question,
    edit_answer=FAMILIES["edit"].answer,
    caption=FAMILIES["caption"].question,
    describe_region=FAMILIES["describe_region_measured"].question,
    numbered_region=FAMILIES["describe_region_measured"].numbered,
)
"""The prompts that the published numbers were measured with."""


def fill(prompt: str, placeholder: str, parts: Sequence[Part], last: str = ", ") -> tuple[Part, ...]:
    """Put parts, separated by a comma and a blank (the last two by `last`), in the place of a prompt's placeholder.

    >>> fill("Find every {names}.", "names", ["star", "fish"])
    ('Find every ', 'star', ', ', 'fish', '.')
    """
    before, after = prompt.split(f"{{{placeholder}}}")
    listed: list[Part] = [before] if before else []
    for i, part in enumerate(parts):
        listed += [last if i == len(parts) - 1 else ", ", part] if i else [part]
    return (*listed, after) if after else tuple(listed)


def known_class_question(names: Sequence[str], prompt: str = Prompts.detect) -> str:
    """Return the question for a list of class names.

    >>> known_class_question(["star", "fish"])
    'Find every star, fish.'

    Raises:
        ValueError: If there is no name, or a blank one.
    """
    _check_names(names)
    return "".join(str(part) for part in fill(prompt, "names", names))


def semantic_question(names: Sequence[str], prompt: str = Prompts.segment) -> str:
    """Return the question for a map of classes, whose names are in small letters, as in published training.

    >>> semantic_question(["Sea", "sky"], PUBLISHED.segment)[-34:]
    'present in sea, sky in this image?'

    Raises:
        ValueError: If there is no name, or a blank one.
    """
    return known_class_question([name.lower() for name in names], prompt)


def known_class_answer(
    names: Sequence[str], token: str = "[DET]", prompt: str = Prompts.detect_answer
) -> tuple[Part, ...]:
    """Return the answer that routes every class name, in order.

    Raises:
        ValueError: If there is no name, or a blank one.
    """
    _check_names(names)
    return fill(prompt, "routed", [Routed(name, token) for name in names])


def pose_question(names: Sequence[str], keypoints: Sequence[str], prompts: Prompts) -> str:
    """Return the question for keypoints of known classes.

    >>> pose_question(["person"], ["nose", "left eye"], Prompts())
    'Find every person. Mark the nose, left eye of each.'

    Raises:
        ValueError: If there is no name or no keypoint, or a blank one.
    """
    _check_names(keypoints, "keypoint")
    asked = "".join(str(part) for part in fill(prompts.pose, "keypoints", keypoints))
    return f"{known_class_question(names, prompts.detect)} {asked}"


def pose_answer(names: Sequence[str], keypoints: Sequence[str], prompts: Prompts) -> tuple[Part, ...]:
    """Return the answer that routes every class name and then every keypoint, in order.

    Raises:
        ValueError: If there is no name or no keypoint, or a blank one.
    """
    _check_names(keypoints, "keypoint")
    objects = known_class_answer(names, prompt=prompts.detect_answer)
    return (*objects, " ", *fill(prompts.pose_answer, "routed", [Routed(name, "[POSE]") for name in keypoints]))


def made_question(words: str, prompt: str) -> str:
    """Return the question for a new or changed picture; the prompt brings its own full stop.

    >>> made_question("two red stars.", Prompts.draw)
    'Draw two red stars.'

    Raises:
        ValueError: If there are no words.
    """
    said = words.strip().rstrip(".").rstrip()
    if not said:
        raise ValueError(f"expected words for a picture, got {words!r}")
    placeholder = "caption" if "{caption}" in prompt else "wish"
    return "".join(str(part) for part in fill(prompt, placeholder, [said]))


def made_answer(token: str, prompt: str) -> tuple[Part, ...]:
    """Return the answer that routes a new or changed picture; it has no words of its own."""
    return fill(prompt, "routed", [Routed("", token)])


def refer_answer(token: str = "[GRD]", prompt: str = Prompts.refer_answer) -> tuple[Part, ...]:
    """Return the answer that routes the one thing a phrase means; it has no words: its label is the phrase."""
    return fill(prompt, "routed", [Routed("", token)])


def point_question(regions: Sequence[Region], prompts: Prompts) -> tuple[Part, ...]:
    """Return the question about marked regions of the last picture.

    Raises:
        ValueError: If there is no region.
    """
    _check_regions(len(regions))
    prompt = prompts.point if len(regions) == 1 else prompts.points
    return fill(prompt, "regions", [Mark(region) for region in regions], prompts.last_region)


def point_answer(count: int, prompts: Prompts, token: str = "[DET]") -> tuple[Part, ...]:
    """Return the answer that routes `region1` to `region{count}`.

    Raises:
        ValueError: If there is no region.
    """
    _check_regions(count)
    routed = [Routed(f"region{i}", token) for i in range(1, count + 1)]
    return fill(prompts.point_answer if count == 1 else prompts.points_answer, "routed", routed)


def _check_names(names: Sequence[str], what: str = "class") -> None:
    if isinstance(names, str) or not names:
        raise ValueError(f"expected a list of at least one {what} name, got {names!r}")
    for i, name in enumerate(names):
        if not name.strip():
            raise ValueError(f"expected words in {what} name {i}, got {name!r}")


def _check_regions(count: int) -> None:
    if count < 1:
        raise ValueError("expected at least one region, got none")
