"""Writing answers: batches of different wishes, seeds of their own, and streams, around `model.generate`."""

import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor
from transformers import (
    Cache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.generation.streamers import BaseStreamer

from visionllm.config import VisionLLMConfig
from visionllm.model import EncodedPictures, VisionLLMForConditionalGeneration
from visionllm.super_link import SlotForcing
from visionllm.types import FinishReason, Options
from visionllm.types.tensors import ModelInputs


@dataclass(frozen=True, kw_only=True)
class GeneratedIds:
    """What the model wrote for one row.

    Attributes:
        ids: Without padding and without the id that ends an answer. Every routing token is followed by all of its
            slots: a group that the limit cut off is dropped.
        finish_reason: "stop" if the model ended its answer, "length" if the limit did.
        tokens: Number of ids; slots don't count.
    """

    ids: tuple[int, ...]
    finish_reason: FinishReason
    tokens: int


def generate(
    model: VisionLLMForConditionalGeneration,
    inputs: ModelInputs,
    options: Options | Sequence[Options],
    *,
    encoded: EncodedPictures | None = None,
    cache: Cache | None = None,
    streamer: BaseStreamer | None = None,
    cancelled: threading.Event | None = None,
) -> list[GeneratedIds]:
    """Write an answer for every row.

    Args:
        model: The model.
        inputs: Prompts, padded on the left.
        options: For all rows, or one a row. Each row draws from its own seed: its answer does not depend on the others.
        encoded: What `model.encode_pictures` made of the batch's pictures, if it is at hand.
        cache: What the model kept of the ids that all prompts begin with, for rows alike in beams; it is used up.
        streamer: Gets the ids as they come; for one row.
        cancelled: Once set, generation stops after the running step.

    Raises:
        ValueError: If the options are not one a row, or a prompt leaves no room in the context.
    """
    rows = len(inputs.input_ids)
    wishes = [options] * rows if isinstance(options, Options) else list(options)
    if len(wishes) != rows:
        raise ValueError(f"expected {rows} options, one a row, got {len(wishes)}")
    if not rows:
        return []
    if not inputs.attention_mask[:, -1].all():
        raise ValueError("expected prompts padded on the left, got padding at the end of a row")
    if cache is not None and any(w.num_beams > 1 for w in wishes):
        raise ValueError("expected one beam a row with a cache, got more")
    with torch.no_grad():
        prompt = model.embed_prompt(
            inputs.input_ids,
            pixel_values=None if encoded is not None else inputs.pixel_values,
            splits=inputs.splits,
            region_masks=inputs.region_masks,
            region_pictures=inputs.region_pictures,
            encoded=encoded,
        )
    written: dict[int, GeneratedIds] = {}
    for beams in dict.fromkeys(w.num_beams for w in wishes):
        chosen = [i for i, wish in enumerate(wishes) if wish.num_beams == beams]
        group = [wishes[i] for i in chosen]
        ids = _write(model, inputs, prompt, chosen, group, cache=cache, streamer=streamer, cancelled=cancelled)
        for i, wish, row in zip(chosen, group, ids, strict=True):
            written[i] = cut(row, wish.max_new_tokens, model.config, end_ids(model))
    return [written[i] for i in range(rows)]


def _write(
    model: VisionLLMForConditionalGeneration,
    inputs: ModelInputs,
    prompt: Tensor,
    chosen: list[int],
    wishes: list[Options],
    *,
    cache: Cache | None,
    streamer: BaseStreamer | None,
    cancelled: threading.Event | None,
) -> list[list[int]]:
    """Return the raw ids that some rows, alike in beams, continue with."""
    index = torch.tensor(chosen, device=inputs.input_ids.device)
    prompt_ids = inputs.input_ids[index]
    length = prompt_ids.shape[1]
    real = inputs.attention_mask[index].sum(dim=-1)
    context = int(model.config.text_config.max_position_embeddings)
    if int(real.max()) >= context:
        raise ValueError(f"expected a prompt of fewer than {context} tokens, the context, got {int(real.max())}")
    limits = torch.tensor([w.max_new_tokens for w in wishes], device=real.device)
    most = [room(model.config, n, wish.max_new_tokens) for n, wish in zip(real.tolist(), wishes, strict=True)]
    rooms = torch.tensor(most, device=real.device)
    ends = end_ids(model)
    pad = model.config.text_config.pad_token_id
    settings = GenerationConfig(
        max_new_tokens=int(rooms.max()),
        num_beams=wishes[0].num_beams,
        do_sample=False,
        eos_token_id=list(ends) or None,
        pad_token_id=pad if pad is not None else next(iter(ends), 0),
    )
    stops = StoppingCriteriaList([TextLength(limits, rooms, length, model.config.text_vocab_size, cancelled)])
    whole: Any = model.generate(
        input_ids=prompt_ids,
        attention_mask=inputs.attention_mask[index],
        prompt_embeds=prompt[index],
        generation_config=settings,
        logits_processor=LogitsProcessorList([SeededSampling(wishes)] if any(w.temperature for w in wishes) else []),
        stopping_criteria=stops,
        past_key_values=cache,
        streamer=streamer,
    )
    return [row[:most] for row, most in zip(whole[:, length:].tolist(), rooms.tolist(), strict=True)]


def room(config: VisionLLMConfig, prompt: int, limit: int) -> int:
    """Return the largest number of new ids, slots included, behind a prompt of so many ids.

    Args:
        config: Names the context and the tables.
        prompt: Ids of the prompt.
        limit: Largest number of text ids.
    """
    context = int(config.text_config.max_position_embeddings)
    return min(context - prompt, limit * (1 + max(config.tables.values(), default=0)))


def end_ids(model: VisionLLMForConditionalGeneration) -> frozenset[int]:
    """Return the ids that end an answer."""
    ends = model.config.text_config.eos_token_id
    return frozenset([ends] if isinstance(ends, int) else ends or ())


def cut(ids: Sequence[int], limit: int, config: VisionLLMConfig, ends: frozenset[int]) -> GeneratedIds:
    """End a row where it ended: at an end id, or at the limit of text ids; a group that is not whole is dropped.

    Args:
        ids: Raw ids; whatever follows the end is padding.
        limit: Largest number of text ids.
        config: Names the routes and the tables.
        ends: Ids that end an answer.
    """
    kept: list[int] = []
    count = 0
    reason: FinishReason = "length"
    for token in ids:
        if token in ends:
            reason = "stop"
            break
        kept.append(token)
        count += token < config.text_vocab_size
        if count == limit:
            break
    routing = {config.token_ids[route.token] for route in config.routes}
    if kept and (kept[-1] in routing or kept[-1] >= config.text_vocab_size) and SlotForcing(config).owes(kept[-1]):
        while kept[-1] >= config.text_vocab_size:
            kept.pop()
        kept.pop()
        count -= 1
    return GeneratedIds(ids=tuple(kept), finish_reason=reason, tokens=count)


def extend(inputs: ModelInputs, written: Sequence[GeneratedIds]) -> ModelInputs:
    """Append to each row what was written for it, so that `model.queries` can read the whole.

    Raises:
        ValueError: If there is not one answer a row.
    """
    if len(written) != len(inputs.input_ids):
        raise ValueError(f"expected {len(inputs.input_ids)} answers, one a row, got {len(written)}")
    longest = max((len(w.ids) for w in written), default=0)
    ids = inputs.input_ids
    answers = torch.tensor(
        [(*w.ids, *[0] * (longest - len(w.ids))) for w in written], dtype=ids.dtype, device=ids.device
    )
    lengths = torch.tensor([len(w.ids) for w in written], device=ids.device)
    real = torch.arange(longest, device=ids.device) < lengths[:, None]
    return replace(
        inputs,
        input_ids=torch.cat([ids, answers.reshape(len(ids), longest)], dim=1),
        attention_mask=torch.cat([inputs.attention_mask.bool(), real], dim=1),
        turn_ids=torch.cat([inputs.turn_ids, inputs.turn_ids[:, -1:].expand(-1, longest)], dim=1),
        labels=None,
    )


class TextLength(StoppingCriteria):
    """Ends each row at its own number of text ids, and every row once the caller gave up.

    Args:
        limits: int[B]. Largest number of new text ids a row.
        rooms: int[B]. Largest number of new ids a row, slots included: what the context has room for.
        start: Length of the prompt.
        text_ids: Number V of text ids; slots follow and don't count.
        cancelled: Set by the caller to stop.
    """

    def __init__(
        self, limits: Tensor, rooms: Tensor, start: int, text_ids: int, cancelled: threading.Event | None = None
    ) -> None:
        self.limits, self.rooms, self.start = limits, rooms, start
        self.text_ids, self.cancelled = text_ids, cancelled

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        """Return bool[rows]; rows may be beams, those of one prompt side by side."""
        if self.cancelled is not None and self.cancelled.is_set():
            return torch.ones(len(input_ids), dtype=torch.bool, device=input_ids.device)
        new = input_ids[:, self.start :]
        beams = len(input_ids) // len(self.limits)
        full = (new < self.text_ids).sum(dim=-1) >= self.limits.repeat_interleave(beams)
        return full | (self.rooms.repeat_interleave(beams) <= new.shape[1])


class SeededSampling(LogitsProcessor):
    """Samples each row with its own generator, by adding Gumbel noise to its logits: the largest sum is the sample.

    Rows of temperature 0 stay as they are. So one greedy search serves a batch of different wishes, and no row's answer
    depends on the others or on a global generator.

    Args:
        wishes: One a row.
    """

    def __init__(self, wishes: Sequence[Options]) -> None:
        self.wishes = list(wishes)
        self.generators = [torch.Generator().manual_seed(w.seed) for w in wishes]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return float[B, V + S]."""
        rows = []
        for row, wish, generator in zip(scores, self.wishes, self.generators, strict=True):
            if wish.temperature:
                noise = torch.empty(row.shape).exponential_(generator=generator).log_().neg_()
                row = _nucleus(row / wish.temperature, wish.top_p) + noise.to(row)
            rows.append(row)
        return torch.stack(rows)

    def skip(self, count: int, size: int) -> None:
        """Draw what `count` ids would have drawn that are forced, so that those behind them draw the same either way.

        Args:
            count: Number of forced ids.
            size: Number V + S of ids.
        """
        for wish, generator in zip(self.wishes, self.generators, strict=True):
            for _ in range(count if wish.temperature else 0):
                torch.empty(size).exponential_(generator=generator)


def _nucleus(logits: Tensor, top_p: float) -> Tensor:
    """Keep the likeliest ids that together reach `top_p`."""
    if top_p >= 1:
        return logits
    ordered, places = logits.softmax(-1).sort(descending=True)
    beyond = ordered.cumsum(-1) - ordered >= top_p
    return logits.masked_fill(torch.zeros_like(beyond).scatter(-1, places, beyond), float("-inf"))


class _Steps(BaseStreamer):
    """Puts the ids of one row into a queue as they come, and None at the end."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[int | None] = SimpleQueue()
        self.begun = False

    def put(self, value: Tensor) -> None:
        """Take the prompt first, then one id at a time."""
        if self.begun:
            self.queue.put(int(value))
        self.begun = True

    def end(self) -> None:
        """Nothing follows."""
        self.queue.put(None)


def stream(
    model: VisionLLMForConditionalGeneration,
    inputs: ModelInputs,
    options: Options,
    *,
    encoded: EncodedPictures | None = None,
    cache: Cache | None = None,
) -> Iterator[int | GeneratedIds]:
    """Write the answer of one row, id by id, slots included; the last item is the whole; see `generate`.

    Closing the iterator stops the generation after the running step.

    Raises:
        ValueError: If there is not exactly one row, or beams are asked for.
    """
    if len(inputs.input_ids) != 1 or options.num_beams != 1:
        raise ValueError(
            f"expected one row and one beam, got {len(inputs.input_ids)} rows and {options.num_beams} beams"
        )
    steps, cancelled = _Steps(), threading.Event()
    ends = end_ids(model)
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(
            generate, model, inputs, options, encoded=encoded, cache=cache, streamer=steps, cancelled=cancelled
        )
        work.add_done_callback(lambda _: steps.end())
        try:
            while (token := steps.queue.get()) is not None:
                if token not in ends:
                    yield token
        finally:
            cancelled.set()
    yield work.result()[0]


class TextStream:
    """Turns ids into text piece by piece: whole words only, never half a character.

    Args:
        decode: Ids to text.

    >>> stream = TextStream(lambda ids: " ".join("word" for _ in ids))
    >>> stream.push(1), stream.push(2), stream.flush()
    ('', 'word', ' word')
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self.decode = decode
        self.ids: list[int] = []
        self.given = 0

    def push(self, *tokens: int) -> str:
        """Take ids; return the text that no later id can change, without the blank after it."""
        self.ids += tokens
        text = self.decode(self.ids)
        if unicodedata.east_asian_width(text[-1:] or " ") in "WF":  # scripts without blanks between words
            whole = len(text)
        else:
            whole = max(text.rfind(" "), text.rfind("\n"), self.given)
        piece, self.given = text[self.given : whole], whole
        return piece

    def flush(self) -> str:
        """Return the rest."""
        text = self.decode(self.ids)
        piece, self.given = text[self.given :], len(text)
        return piece
