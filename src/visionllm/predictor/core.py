"""Requests through the network: prepare them, write answers or read known ones, decode what they route."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image
from transformers import Cache

from visionllm.answers import Reading, attach, attach_pictures, attach_poses, compose, last_question, read_answer
from visionllm.generation import GeneratedIds, TextStream, extend, generate, stream
from visionllm.model import EncodedPictures, VisionLLMForConditionalGeneration
from visionllm.predictor.edited import edited_there
from visionllm.predictor.photos import NOTICE, looks_like_photo
from visionllm.processing import VisionLLMProcessor
from visionllm.super_link import select_units
from visionllm.types import (
    Answer,
    Detections,
    GeneratedImages,
    Mark,
    Options,
    Part,
    Poses,
    Request,
    Result,
)
from visionllm.types.tensors import ModelInputs, Queries

_Found = TypeVar("_Found", Detections, Poses)


class Unit(NamedTuple):
    """The result of one unit: its row, what was found, and the index in the row of each group's routing token."""

    row: int
    found: Result
    places: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Requests as the model takes them.

    Attributes:
        requests: One a row.
        inputs: The batch, padded on the left or after the shared ids.
        encoded: What the vision encoder made of its pictures, or None without any.
        cache: What the language model kept of the first `shared` ids, which are the same in every row, or None.
        shared: Number of ids in the cache.
        notices: What the user should know about the pictures, for each row; None leaves it to be found out.
    """

    requests: tuple[Request, ...]
    inputs: ModelInputs
    encoded: EncodedPictures | None
    cache: Cache | None = None
    shared: int = 0
    notices: tuple[tuple[str, ...], ...] | None = None

    def rows(self, chosen: Sequence[int]) -> "Prepared":
        """Return some of the requests; the decoder images stay together."""
        pictures = [len(request.pictures) for request in self.requests]
        regions = [_region_count(request) for request in self.requests]
        kept = _members(pictures, chosen)
        marked = _members(regions, chosen)
        inputs = self.inputs
        index = torch.tensor(chosen, dtype=torch.long, device=inputs.input_ids.device)
        places = {picture: place for place, picture in enumerate(kept)}
        owners = [] if inputs.region_pictures is None else inputs.region_pictures.tolist()
        return Prepared(
            requests=tuple(self.requests[i] for i in chosen),
            inputs=replace(
                inputs,
                input_ids=inputs.input_ids[index],
                attention_mask=inputs.attention_mask[index],
                turn_ids=inputs.turn_ids[index],
                turn_images=inputs.turn_images[index],
                pixel_values=None,
                splits=None,
                region_masks=inputs.region_masks[marked] if inputs.region_masks is not None and marked else None,
                region_pictures=index.new_tensor([places[owners[m]] for m in marked]) if marked else None,
            ),
            encoded=self.encoded.select(kept) if self.encoded is not None and kept else None,
            cache=self.cache,
            shared=self.shared,
            notices=None if self.notices is None else tuple(self.notices[i] for i in chosen),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Core:
    """A model with its processor.

    Attributes:
        model: The model.
        processor: Its processor.
        deterministic: Results don't depend on the batch in any bit: rows are read alone, decoders run one by one.
        drawings_only: The model was trained on drawings, and says so when it sees a photo.
    """

    model: VisionLLMForConditionalGeneration
    processor: VisionLLMProcessor
    deterministic: bool = False
    drawings_only: bool = False

    @torch.no_grad()
    def prepare(self, requests: Sequence[Request], answers: Sequence[Sequence[Part] | None] | None = None) -> Prepared:
        """Check requests, turn them into tensors and encode their pictures.

        Raises:
            ValueError: If a request is malformed or longer than the context.
        """
        inputs = self.processor(requests, answers=answers).to(self.model.device)
        encoded = None
        if inputs.pixel_values is not None and inputs.splits is not None:
            encoded = self.model.encode_pictures(inputs.pixel_values, inputs.splits)
        return Prepared(requests=tuple(requests), inputs=inputs, encoded=encoded)

    def answer(self, prepared: Prepared) -> list[Answer]:
        """Write an answer for every request, and decode what it routes."""
        return self.finish(prepared, self.write(prepared))

    def write(self, prepared: Prepared) -> list[GeneratedIds]:
        """Write the ids of an answer for every request."""
        options = [request.options for request in prepared.requests]
        cache = spread(prepared.cache, len(options))
        return generate(self.model, prepared.inputs, options, encoded=prepared.encoded, cache=cache)

    def stream(self, prepared: Prepared) -> Iterator[str | Answer]:
        """Write the answer of one request, piece by piece; the last item is the whole answer."""
        (request,) = prepared.requests
        text = TextStream(lambda ids: self.read(request, ids).text)
        cache = spread(prepared.cache, 1)
        whole = None
        for item in stream(self.model, prepared.inputs, request.options, encoded=prepared.encoded, cache=cache):
            if isinstance(item, GeneratedIds):
                whole = item
            elif piece := text.push(item):
                yield piece
        if whole is not None:
            (answer,) = self.finish(prepared, [whole])
            if rest := answer.text[text.given :]:
                yield rest
            yield answer

    def known(self, prepared: Prepared, answers: Sequence[Sequence[Part]]) -> list[Unit]:
        """Decode requests that were prepared with known answers; nothing is written.

        Args:
            prepared: The requests, with the answers in their rows.
            answers: The same answers.
        """
        if not self.deterministic:
            return self._decode(prepared, prepared.inputs)
        units = []
        for row, (request, answer) in enumerate(zip(prepared.requests, answers, strict=True)):
            alone = self.prepare([request], [answer])
            units += [unit._replace(row=row) for unit in self._decode(alone, alone.inputs)]
        return units

    def notices(self, prepared: Prepared) -> tuple[tuple[str, ...], ...]:
        """Return what the user should know about the last picture of each request."""
        if prepared.notices is not None:
            return prepared.notices
        return tuple(self.notices_about(request.pictures[-1:]) for request in prepared.requests)

    def notices_about(self, pictures: Sequence[Image.Image]) -> tuple[str, ...]:
        """Return what the user should know about some pictures."""
        return (NOTICE,) if self.drawings_only and any(looks_like_photo(picture) for picture in pictures) else ()

    def finish(self, prepared: Prepared, written: Sequence[GeneratedIds]) -> list[Answer]:
        """Read what was written, decode what it routes, and put both together."""
        readings = [self.read(request, w.ids) for w, request in zip(written, prepared.requests, strict=True)]
        units = self._routed(prepared, written, readings)
        answers = []
        for row, (reading, w, notices) in enumerate(zip(readings, written, self.notices(prepared), strict=True)):
            own = [unit for unit in units if unit.row == row]
            answers.append(compose_units(prepared.requests[row], reading, w, own, notices))
        return answers

    def read(self, request: Request, ids: Sequence[int]) -> Reading:
        """Read the ids of an answer to a request."""
        vocabulary, prompts = self.processor.vocabulary, self.processor.config.prompts
        return read_answer(ids, vocabulary, prompts=prompts, question=last_question(request.messages))

    def can_decode(self, inputs: ModelInputs, row: int, reading: Reading) -> bool:
        """Tell whether an answer routes something, and has the picture that this needs."""
        turn = int(inputs.turn_ids[row, -1])
        looking = {token for token, route in self.processor.vocabulary.routes.items() if route.picture}
        seen = int(inputs.turn_images[row, turn]) >= 0
        return bool(reading.routed) and (seen or not any(routed.token in looking for routed in reading.routed))

    def _routed(self, prepared: Prepared, written: Sequence[GeneratedIds], readings: Sequence[Reading]) -> list[Unit]:
        """Decode the rows whose answers route something; what has no picture to decode on is left out.

        Returns:
            The units, with places counted from the start of the answers.
        """
        chosen = [row for row, reading in enumerate(readings) if self.can_decode(prepared.inputs, row, reading)]
        if not chosen:
            return []
        requests = [
            replace(prepared.requests[row], options=settled(prepared.requests[row].options, readings[row]))
            for row in chosen
        ]
        if not self.deterministic:
            some = replace(prepared.rows(chosen), requests=tuple(requests))
            units = self._decode(some, extend(some.inputs, [written[row] for row in chosen]), of_answers=True)
            return [unit._replace(row=chosen[unit.row]) for unit in units]
        units = []
        for row, request in zip(chosen, requests, strict=True):
            alone = self.prepare([request])
            own = self._decode(alone, extend(alone.inputs, [written[row]]), of_answers=True)
            units += [unit._replace(row=row) for unit in own]
        return units

    @torch.no_grad()
    def _decode(self, prepared: Prepared, whole: ModelInputs, *, of_answers: bool = False) -> list[Unit]:
        """Run the decoders on finished rows.

        Args:
            prepared: The requests.
            whole: Their inputs with the answers.
            of_answers: Leave out what stands in the prepared inputs, and count places from their end.

        Returns:
            The units, row by row in the order of their places.
        """
        queries, images = self.queries(prepared, whole), whole.images
        start = prepared.inputs.input_ids.shape[1] if of_answers else 0
        options = [request.options for request in prepared.requests]
        units: list[Unit] = []
        for name, given in queries.items():
            own = [u for u, first in enumerate(given.positions[:, 0].tolist()) if first >= start]
            for group in [[u] for u in own] if self.deterministic else [own] if own else []:
                part = select_units(given, group)
                results = self.model.decode({name: part}, images, options)[name]
                places = [tuple(p - start for p in row if p >= 0) for row in part.positions.tolist()]
                found = zip(part.rows.tolist(), results, places, strict=True)
                units += [Unit(row, result, place) for row, result, place in found]
        return sorted(units, key=lambda unit: (unit.row, unit.places))

    def queries(self, prepared: Prepared, whole: ModelInputs) -> Mapping[str, Queries]:
        """Return the queries of finished rows; what the cache holds is not read again."""
        if prepared.cache is None:
            return self.model.queries(whole, prepared.encoded)
        embeds = self.model.embed_prompt(
            whole.input_ids,
            encoded=prepared.encoded,
            region_masks=whole.region_masks,
            region_pictures=whole.region_pictures,
        )
        shared = prepared.shared
        rest = replace(
            whole,
            input_ids=whole.input_ids[:, shared:],
            attention_mask=whole.attention_mask[:, shared:],
            turn_ids=whole.turn_ids[:, shared:],
        )
        read = self.model(
            input_ids=rest.input_ids,
            attention_mask=whole.attention_mask,
            prompt_embeds=embeds[:, shared:],
            past_key_values=spread(prepared.cache, len(whole.input_ids)),
            logits_to_keep=torch.arange(0, device=whole.input_ids.device),
        )
        queries = self.model.super_link.gather(read.last_hidden_state, rest)
        return {
            name: replace(q, positions=torch.where(q.mask, q.positions + shared, -1)) for name, q in queries.items()
        }


def spread(cache: Cache | None, rows: int) -> Cache | None:
    """Return a copy of the cache of one row for several rows; reading on changes the copy only."""
    if cache is None:
        return None
    own = copy.deepcopy(cache)
    if rows != 1:
        own.batch_repeat_interleave(rows)
    return own


def compose_units(
    request: Request, reading: Reading, written: GeneratedIds, units: Sequence[Unit], notices: tuple[str, ...]
) -> Answer:
    """Put together what an answer says and what its units are.

    Args:
        request: What was asked.
        reading: The answer, read.
        written: Its ids.
        units: What it routed, in the order of their places, which count from its start.
        notices: What the user should know about its picture.
    """
    most = request.options.max_instances
    found = attach(reading, [(u.found, u.places) for u in units if isinstance(u.found, Detections)])
    poses = attach_poses(reading, [(u.found, u.places) for u in units if isinstance(u.found, Poses)])
    made = [(edited_there(u.found, request), u.places) for u in units if isinstance(u.found, GeneratedImages)]
    return compose(
        reading,
        written.finish_reason,
        written.tokens,
        None if found is None else first_instances(found, most),
        notices,
        tuple(first_instances(some, most) for some in poses),
        attach_pictures(reading, made),
        tuple(u.found for u in units if not isinstance(u.found, Detections | Poses | GeneratedImages)),
    )


def settled(options: Options, reading: Reading) -> Options:
    """Ask for what an answer says is there: the best instance of each of its words at least, whatever the scores.

    Words that mean one thing, such as `[GRD]`, have that one alone. A threshold of the request's own is kept.
    """
    if options.threshold is not None:
        return options
    if all(routed.means_one for routed in reading.routed):
        return replace(options, threshold=0.0, max_per_class=1)
    return replace(options, min_per_class=max(1, options.min_per_class))


def first_instances(found: _Found, count: int) -> _Found:
    """Return the first `count` instances."""
    return found if len(found) <= count else found.select(np.arange(count))


def _region_count(request: Request) -> int:
    return sum(isinstance(part, Mark) for message in request.messages for part in message.parts)


def _members(counts: Sequence[int], chosen: Sequence[int]) -> list[int]:
    """Indices of the things of some owners, where each owner in turn has `counts` of them."""
    starts = [0, *accumulate(counts)]
    return [index for owner in chosen for index in range(starts[owner], starts[owner + 1])]
