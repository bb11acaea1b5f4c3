"""What a task family is, and the desk at which it writes one sample."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import numpy as np
from PIL import Image

from visionllm.data.world.grammar import Filling, Grammar, Phrasing, careless, fill
from visionllm.data.world.phrases import Pattern, Phrase, absent_phrase, speakable
from visionllm.data.world.regions import WAY_WORDS, WAYS, region_on, region_on_nothing
from visionllm.data.world.scene import WorldFigure, WorldObject, WorldPicture, WorldSign, WorldThing
from visionllm.data.world.splits import Dice
from visionllm.types import DetectionTruth, Mark, Message, Part, Picture, Request, Routed, Sample, Truth

DET, GRD = "[DET]", "[GRD]"
NOTHING_THERE = "There is nothing there."


_IMAGES: WeakKeyDictionary[WorldPicture, Image.Image] = WeakKeyDictionary()


def image_of(picture: WorldPicture) -> Image.Image:
    """Return the picture's pixels as an image; questions about one picture share it, as long as the picture lives."""
    image = _IMAGES.get(picture)
    if image is None:
        image = _IMAGES[picture] = Image.fromarray(picture.pixels)
    return image


@dataclass(frozen=True, kw_only=True, eq=False)
class Desk:
    """One picture, one random stream and one set of phrasings: what a family needs to write a sample."""

    picture: WorldPicture
    dice: Dice
    phrasing: Phrasing

    @property
    def objects(self) -> tuple[WorldObject, ...]:
        """Every object that counts in the picture."""
        return self.picture.scene.objects

    @property
    def figures(self) -> tuple[WorldFigure, ...]:
        """Every person and animal in the picture."""
        return self.picture.scene.figures

    @property
    def signs(self) -> tuple[WorldSign, ...]:
        """Every sign in the picture."""
        return self.picture.scene.signs

    def speakable(self, kind: str | None, colour: str | None) -> bool:
        """Return whether words about this picture may join a kind and a colour."""
        return speakable(kind, colour, self.picture.scene.split)

    def absent(self, pattern: Pattern) -> Phrase | None:
        """Draw a phrase of a pattern that describes nothing in the picture."""
        return absent_phrase(self.objects, pattern, self.picture.scene.split, self.dice)

    def words(self, grammar: Grammar, **fillings: Filling) -> tuple[Part, ...]:
        """Draw a form of a grammar and fill it."""
        return careless(fill(grammar.draw(self.dice, self.phrasing), fillings), self.dice)

    def mark(self, thing: WorldThing | None) -> tuple[Mark, str] | None:
        """Point at an object, or at nothing, in a random way; return the mark and words for the way."""
        way = self.dice.choose(WAYS)
        if thing is None:
            region = region_on_nothing(self.picture.scene, way, self.dice)
        else:
            region = region_on(thing, way, self.dice)
        return None if region is None else (Mark(region), WAY_WORDS[way])

    def sample(
        self,
        question: tuple[Part, ...],
        answer: str | tuple[Part, ...],
        found: Sequence[Sequence[WorldThing]] | None = None,
        *,
        history: tuple[Message, ...] = (),
        truth: Mapping[str, Truth] | None = None,
    ) -> Sample:
        """Put a sample together.

        Args:
            question: Parts of the last user message, without the picture.
            answer: The answer's text or parts.
            found: For each routed span of the answer, the objects that it stands for.
            history: Earlier turns; the picture goes into the first of them.
            truth: By decoder name, where the answer opens another decoder than the detector.

        Raises:
            ValueError: If the routed spans of the answer and `found` differ in number.
        """
        parts = (answer,) if isinstance(answer, str) else answer
        routed = sum(isinstance(part, Routed) for part in parts)
        if truth is None and routed != len(found or ()):
            raise ValueError(f"expected {routed} lists of objects, one per routed span, got {len(found or ())}")
        if truth is None:
            truth = {} if not found else {"detection": truth_of(found, self.picture.scene.size_hw)}
        turns = (*history, Message("user", question))
        first = replace(turns[0], parts=(Picture(image_of(self.picture)), *turns[0].parts))
        return Sample(
            request=Request((first, *turns[1:])),
            answer=Message("assistant", parts),
            truth=truth,
        )


def truth_of(found: Sequence[Sequence[WorldThing]], size_hw: tuple[int, int]) -> DetectionTruth:
    """Return boxes, masks and span indices of the objects of each routed span."""
    things = [(thing, index) for index, group in enumerate(found) for thing in group]
    masks = [thing.mask for thing, _ in things]
    return DetectionTruth(
        boxes=np.array([thing.box for thing, _ in things], dtype=np.float32).reshape(-1, 4),
        class_ids=np.array([index for _, index in things], dtype=np.int64),
        masks=np.stack(masks) if masks else np.zeros((0, *size_hw), dtype=bool),
    )


def listed(
    labels: Sequence[str], *, intro: str = "Here you go: ", end: str = ".", token: str = DET
) -> tuple[Part, ...]:
    """Return an answer that routes each label to the detector, as in "Here you go: star, fish."."""
    parts: list[Part] = [intro]
    for index, label in enumerate(labels):
        parts += [*([", "] if index else []), Routed(label, token)]
    return (*parts, end)


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of task.

    Attributes:
        name: Such as `"count"`.
        group: One of `GROUPS`.
        score: How answers are scored: "exact", "facts", "ap", "iou" or "refusal"; in version 2 also "oks" (keypoints),
            "miou", "saliency" (one mask: S-measure and its kin) and "judge" (pictures that the model makes).
        example: One question with its answer, for people.
        build: Writes one sample, or returns None where the picture offers no such question.
        grammars: All phrasings that `build` draws from.
        version: Version of the world whose pictures it asks about.
        theme: The pictures of version 2 that it is made for; it asks about those of other themes as far as they offer
            a question.
    """

    name: str
    group: str
    score: str
    example: str
    build: Callable[[Desk], Sample | None] = field(repr=False)
    grammars: tuple[Grammar, ...] = field(repr=False)
    version: int = 1
    theme: str = "mixed"

    def make(self, picture: WorldPicture, rng: np.random.Generator, phrasing: Phrasing) -> Sample | None:
        """Write a sample about a picture, or return None if it offers no such question."""
        sample = self.build(Desk(picture=picture, dice=Dice(rng), phrasing=phrasing))
        return None if sample is None else replace(sample, family=self.name)


def grammars_of(*groups: Grammar | Mapping[str, Grammar]) -> tuple[Grammar, ...]:
    """Flatten grammars and tables of grammars."""
    return tuple(g for group in groups for g in ([group] if isinstance(group, Grammar) else group.values()))
