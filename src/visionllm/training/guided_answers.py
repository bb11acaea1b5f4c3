"""Where answers should look: a head of a later layer is shown, in training, what an answer is about to name or mark.

A phrase of a question says what fits it (see `GuidedAttention`); an answer has to choose: the star *left of the cross*,
the next thing of a caption. So every token from the beginning of an answer, or from the last phrase in it, to the next
phrase should look at the objects that this phrase will name, and a routing token and its slots at the objects that they
stand for; at the first token of the row, too, which keeps all weight where the answer denies that there is anything.
"""

from collections.abc import Callable, Sequence

import numpy as np

from visionllm.data.world.scene import WorldPicture, WorldThing
from visionllm.processing.targets import TrainBatch
from visionllm.processing.tokenizer import Vocabulary
from visionllm.training.guided_attention import GuidedAttention, Looks
from visionllm.training.readings import IGNORED
from visionllm.types import DetectionTruth, Mark, PoseTruth, Routed, Sample

LAYER = -2  # the last but one
_REFER = ("refer", "find-sign")


class GuidedAnswers:
    """Says where the answers of a batch should look.

    Args:
        guide: Finds phrases and the picture tokens of objects.
        vocabulary: Tells routing tokens and slots.
    """

    def __init__(self, guide: GuidedAttention, vocabulary: Vocabulary) -> None:
        self.guide, self.slots_from = guide, vocabulary.size
        self.routing = {vocabulary.token_id(token) for token in vocabulary.routes}

    def targets(
        self, batch: TrainBatch, picture_id: int, rows: Sequence[tuple[WorldPicture | None, Sequence[Sample]]]
    ) -> Looks:
        """Return the tokens of answers that should look somewhere, and where; see `Looks`.

        Args:
            batch: Rows of one picture at most, padded on the right.
            picture_id: Id of picture tokens.
            rows: The picture of each row, or None, and its samples.
        """
        inputs = batch.inputs
        looks = self.guide.looks(inputs.input_ids.shape[1])
        labels = np.full(inputs.input_ids.shape, IGNORED) if inputs.labels is None else inputs.labels.numpy()
        for b, (picture, samples) in enumerate(rows):
            if picture is None:
                continue
            ids, turns = inputs.input_ids[b].tolist(), inputs.turn_ids[b].numpy()
            see = looks.row(b, picture, ids.index(picture_id))
            for turn, sample in enumerate(samples, 1):
                where = np.flatnonzero(turns == turn)
                begin, end = int(where[0]), int(where[-1]) + 1
                said = np.flatnonzero(labels[b, begin:end] != IGNORED)
                answer = begin + int(said[0]) if len(said) else end
                self._routed(ids[begin:end], begin, picture, sample, see)
                self._named(ids, (begin, answer, end), picture, sample, see)
        return looks

    def _routed(
        self,
        ids: Sequence[int],
        begin: int,
        picture: WorldPicture,
        sample: Sample,
        see: Callable[[int, Sequence[WorldThing]], None],
    ) -> None:
        """Let routing tokens and their slots look at what they stand for."""
        spans = spans_of(sample, picture)
        tokens = [i for i, token in enumerate(ids) if token in self.routing][-len(spans) :] if spans else []
        for at, things in zip(tokens, spans, strict=True):
            see(begin + at, things)
            for slot in range(at + 1, len(ids)):
                if ids[slot] < self.slots_from:
                    break
                see(begin + slot, things)

    def _named(
        self,
        ids: Sequence[int],
        turn: tuple[int, int, int],
        picture: WorldPicture,
        sample: Sample,
        see: Callable[[int, Sequence[WorldThing]], None],
    ) -> None:
        """Let the tokens of an answer look at what it names next."""
        begin, answer, end = turn
        if sample.family.startswith(_REFER):
            spans = spans_of(sample, picture)
            stop = next((i for i in range(answer, end) if ids[i] in self.routing), answer + 1)
            for at in range(answer - 1, stop):
                see(at, spans[0] if spans else [])
            return
        if any(isinstance(part, Mark) for message in sample.request.messages for part in message.parts):
            return  # what it names, the region shows
        asked = [phrase for _, _, phrase in self.guide.phrases(ids[begin:answer])]
        last = answer - 1
        for first, stop, phrase in self.guide.phrases(ids[answer:end]):
            things = phrase.among(picture.scene.things)
            for other in asked:
                things = [thing for thing in things if other.fits(thing)] or things
            for at in range(last, answer + first):
                if ids[at] < self.slots_from and ids[at] not in self.routing:
                    see(at, things)
            last = answer + stop


def spans_of(sample: Sample, picture: WorldPicture) -> list[list[WorldThing]]:
    """Return the things that each routed span of an answer stands for; nothing where no decoder finds things.

    A keypoint stands for all figures that it is asked of.
    """
    truth = sample.detection or sample.truth.get("pose")
    if not isinstance(truth, DetectionTruth | PoseTruth):
        return []
    things = {tuple(float(v) for v in thing.box): thing for thing in picture.scene.things}
    spans = [part for part in sample.answer.parts if isinstance(part, Routed)]
    found: list[list[WorldThing]] = [[] for _ in spans]
    for span, box in zip(truth.class_ids.tolist(), map(tuple, truth.boxes.tolist()), strict=True):
        if box in things:
            found[span].append(things[box])
    if isinstance(truth, PoseTruth):
        everyone = [thing for some in found for thing in some]
        return [everyone if span.token == "[POSE]" else some for span, some in zip(spans, found, strict=True)]
    return found
