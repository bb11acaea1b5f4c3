"""An answer while it grows: pieces of its text, and what its sentences route as soon as they are whole."""

from dataclasses import dataclass

import torch

from visionllm.answers import Reading
from visionllm.engine.events import Found, TextPiece
from visionllm.engine.rows import Row
from visionllm.engine.ticket import Ticket
from visionllm.generation import TextStream, extend
from visionllm.predictor import Core, Unit, compose_units, settled
from visionllm.super_link import Unit as Span
from visionllm.super_link import find_units
from visionllm.types import Answer, Options, Result


@dataclass(kw_only=True, eq=False)
class UnitWork:
    """A unit that a decoder has to read.

    Attributes:
        row: Where its states are.
        span: Its query groups; its positions count from the start of the row.
        options: How it is decoded, without what its decoder does not read.
        ticket: Hears of its progress.
        result: What was found, once it is there.
    """

    row: Row
    span: Span
    options: Options
    ticket: Ticket
    result: Result | None = None

    @property
    def states(self) -> torch.Tensor:
        """float[k, Q, D]. The states of its slots."""
        return torch.stack([self.row.states[place] for place in self.span.positions])


def known_units(core: Core, row: Row, ticket: Ticket) -> list[UnitWork]:
    """Return the units of a row with a known answer, in the order of their tokens."""
    options = row.prompt.request.options
    spans = find_units(row.prompt.inputs, core.model.config)
    return [_work(core, row, span, options, ticket) for span in spans]


def _work(core: Core, row: Row, span: Span, options: Options, ticket: Ticket) -> UnitWork:
    relevant = core.model.decoder(span.decoder).relevant(options)
    return UnitWork(row=row, span=span, options=relevant, ticket=ticket)


class Answering:
    """What a row writes, read along.

    Text that follows a sentence with routed words waits until those words are decoded. A sentence that names objects
    waits for the next one, which may ask for their keypoints, if the model has a pose decoder.

    Args:
        core: The model.
        row: Writes the answer.
        ticket: Hears of text and results.
        live: Decode units while the answer grows; otherwise the whole answer is decoded at its end.
        tells: Tell the ticket of text and results; it hears of the steps of pictures in any case.
    """

    def __init__(self, core: Core, row: Row, ticket: Ticket, *, live: bool = True, tells: bool = True) -> None:
        self.core, self.row, self.ticket, self.live, self.tells = core, row, ticket, live, tells
        self.units: list[UnitWork] = []
        self._text = TextStream(lambda ids: core.read(row.prompt.request, ids).text)
        self._outbox: list[str | UnitWork] = []
        self._gate: int | None = None  # text behind it waits for units that are not whole
        self._seen = 0
        self._sentence_ends = frozenset(core.model.config.sentence_end_ids)
        self._poses = "pose" in core.model.config.decoders

    def grow(self) -> list[UnitWork]:
        """Read what was written since the last call; return the units that are whole now."""
        new = self.row.answer[self._seen :]
        self._seen += len(new)
        if not new:
            return []
        if self.tells and (piece := self._text.push(*new)):
            self._outbox.append(piece)
        found = self._whole_units() if self.live and not self._sentence_ends.isdisjoint(new) else []
        self.flush()
        return found

    def close(self) -> list[UnitWork]:
        """Return the units that the whole answer still lacks; those that a later sentence changed are decoded anew."""
        found = self.grow()
        if not self.live:
            return []
        kept = []
        for span, options in self._spans():
            work = _work(self.core, self.row, span, options, self.ticket)
            known = next((u for u in self.units if (u.span, u.options) == (span, work.options)), None)
            kept.append(known or work)
        more = [work for work in kept if work not in self.units]
        self._outbox += more
        self._gate = None
        found = [work for work in found if work in kept] + more
        self.units = kept
        self.flush()
        return found

    def flush(self) -> None:
        """Tell what can be told: everything before the first unit that is not decoded."""
        while self._outbox and self._gate != 0:
            first = self._outbox[0]
            if isinstance(first, UnitWork):
                if first.result is None and first in self.units:
                    return
                if self.tells and first in self.units:
                    self._tell(first)
            else:
                self.ticket.push(TextPiece(first))
            self._outbox.pop(0)
            if self._gate is not None:
                self._gate -= 1

    def answer(self) -> Answer:
        """Put the answer together, once all units are decoded, and tell the rest of its text."""
        request, written = self.row.prompt.request, self.row.written
        if self.live:
            units = [self._unit(work) for work in self.units]
            whole = compose_units(request, self._reading(), written, units, self.row.prompt.notices)
        else:
            (whole,) = self.core.finish(self.core.prepare([request]), [written])
            for result in _results(whole) if self.tells else ():
                self.ticket.push(Found(result, None))
        self.flush()
        if self.tells and (rest := whole.text[self._text.given :]):
            self.ticket.push(TextPiece(rest))
        return whole

    def _whole_units(self) -> list[UnitWork]:
        """Return the units that no later sentence goes on with, and close the gate behind those that one may."""
        start = self.row.prompt.length
        covered = {place for unit in self.units for place in unit.span.positions}
        waiting = {place for place in self.row.states if place >= start} - covered
        if not waiting:
            return []
        found = []
        for span, options in self._spans():
            if not waiting.issuperset(span.positions):
                continue
            behind = self.row.ids[span.positions[-1] :]
            ends = sum(token in self._sentence_ends for token in behind)
            patience = 1 if self._poses and {"[DET]", "[POSE]"} & set(span.routes) else 0
            if ends > patience:
                found.append(_work(self.core, self.row, span, options, self.ticket))
                waiting -= set(span.positions)
        place = len(self._outbox) if self._gate is None else self._gate
        self._outbox[place:place] = found
        self._gate = place + len(found) if waiting else None
        self.units += found
        return found

    def _spans(self) -> list[tuple[Span, Options]]:
        """Return the units of the answer so far, and how each is to be decoded."""
        row = self.row
        reading = self._reading()
        inputs = row.prompt.inputs
        if not self.core.can_decode(inputs, 0, reading):
            return []
        options = settled(row.prompt.request.options, reading)
        spans = find_units(extend(inputs, [row.written]), self.core.model.config)
        return [(span, options) for span in spans if span.positions[0] >= row.prompt.length]

    def _reading(self) -> Reading:
        return self.core.read(self.row.prompt.request, self.row.written.ids)

    def _unit(self, work: UnitWork) -> Unit:
        if work.result is None:
            raise ValueError(f"expected unit {work.span} to be decoded, got none")
        return Unit(0, work.result, tuple(place - self.row.prompt.length for place in work.span.positions))

    def _tell(self, work: UnitWork) -> None:
        reading, unit = self._reading(), self._unit(work)
        answer = compose_units(self.row.prompt.request, reading, self.row.written, [unit], self.row.prompt.notices)
        spans = [routed.span for routed in reading.routed if routed.position in unit.places]
        for result in _results(answer):
            self.ticket.push(Found(result, (spans[0][0], spans[-1][1]) if spans else None))


def _results(answer: Answer) -> list[Result]:
    found = [] if answer.detections is None else [answer.detections]
    return [*found, *answer.poses, *answer.pictures, *answer.others]
