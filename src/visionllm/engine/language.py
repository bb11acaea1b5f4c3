"""The language model over one cache: prompts join, answers grow by a token a step, and both leave at any step."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visionllm.engine.blocks import Blocks, Prefixes
from visionllm.engine.cache import BlockCache, keeps_every_key
from visionllm.engine.config import EngineConfig
from visionllm.engine.errors import NotFinite
from visionllm.engine.outcome import Attempt, Outcome, each
from visionllm.engine.pictures import PictureCache
from visionllm.engine.rows import Row
from visionllm.model import EncodedPictures, VisionLLMForConditionalGeneration, join_encoded
from visionllm.super_link import SlotForcing

MOST_BYTES = 2 << 30
"""Size of the cache where nobody says another."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pass:
    """What a pass says about a row: the states float[n, D] of its new ids, and the logits float[V + S] behind them.

    `wrong` names what is no number among them.
    """

    hidden: Tensor
    logits: Tensor
    wrong: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Feed:
    """The next ids of a row, embedded: float[n, D]."""

    row: Row
    embeds: Tensor


class Language:
    """Reads and writes rows.

    Args:
        model: The model.
        config: Limits.
        counters: Counts what happens.
    """

    def __init__(self, model: VisionLLMForConditionalGeneration, config: EngineConfig, counters: Counter[str]) -> None:
        self.model, self.config, self.counters = model, config, counters
        text = model.config.text_config
        layers = int(text.num_hidden_layers)
        total = config.cache_blocks or _usual_blocks(model, config)
        context = int(text.max_position_embeddings)
        if total * config.block_size < context:
            raise ValueError(
                f"expected cache_blocks of at least {-(-context // config.block_size)}, a whole context, got {total}"
            )
        self.cache = BlockCache(layers, total, config.block_size, model.device)
        self.blocks = Blocks(total, self.cache.clean)
        self.prefixes = Prefixes(self.blocks, config.prefix_cache_blocks)
        self.pictures = PictureCache(config.image_cache_bytes, self._count)
        self.forcing = SlotForcing(model.config)
        self._joining: set[bytes] = set()

    def _count(self, name: str) -> None:
        self.counters[name] += 1

    @property
    def free_blocks(self) -> int:
        """Number of blocks that a new row can have."""
        return self.blocks.free + self.prefixes.spare

    def warm_up(self) -> bool:
        """Take the cache's memory; tell whether the language model reads through it as it does by itself.

        It does not if its layers keep anything but all keys, or it makes its own masks.
        """
        text = self.model.config.text_config
        if self.model.language_model.config._attn_implementation not in ("sdpa", "eager"):
            return False
        if not keeps_every_key(text):
            return False
        ids = torch.tensor([[0, 1, 2]], device=self.model.device)
        embeds = self.model.super_link.embed(ids, self.model.get_input_embeddings())
        table, fits = self.blocks.take(-(-3 // self.config.block_size)) or [], False
        with Attempt():
            whole = self.model(ids, prompt_embeds=embeds, logits_to_keep=1).last_hidden_state[0].float()
            parts = [self._read([table], [begin], [embeds[0, begin:end]])[0] for begin, end in ((0, 2), (2, 3))]
            fits = torch.allclose(torch.cat(parts).float(), whole, rtol=0.05, atol=0.05)
        self.blocks.release(table)
        return fits

    def reserve(self, row: Row) -> bool | None:
        """Take the blocks that a row will ever need, so that nothing which runs has to be thrown out.

        Returns:
            False if there are not enough; None if another row of this step reads the same prefix first.
        """
        size, prompt = self.config.block_size, row.prompt
        whole = prompt.shared // size
        if whole and prompt.prefix in self._joining:
            return None
        shared = self.prefixes.find(prompt.prefix) if whole else None
        needed = -(-row.most // size) - len(shared or [])
        taken = self.blocks.take(needed) if self.prefixes.make_room(needed) else None
        if taken is None:
            self.blocks.release(shared or [])
            return False
        if shared is not None:
            self._count("prefix_hits")
        elif whole and whole <= self.prefixes.most:
            self._joining.add(prompt.prefix)
        row.table = [*(shared or []), *taken]
        row.read = len(shared or []) * size
        return True

    def leave(self, row: Row) -> None:
        """Give the blocks of a row back."""
        self.blocks.release(row.table)
        row.table = []

    def join(self, rows: Sequence[Row]) -> list[Outcome[None]]:
        """Read the prompts of rows that have their blocks, and write the first id of each answer."""
        self._joining.clear()
        self._count("prefills")
        encoded = self._encode(rows)
        feeds = [self._embed(row, encoded) for row in rows]
        ready = [feed.value for feed in feeds if feed.error is None]
        done = iter(self._advance(ready))
        outcomes = [Outcome[None](error=feed.error) if feed.error is not None else next(done) for feed in feeds]
        whole = self.config.block_size
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome.error is None:
                self.prefixes.keep(row.prompt.prefix, row.table[: row.prompt.shared // whole])
        return outcomes

    def step(self, rows: Sequence[Row]) -> list[Outcome[None]]:
        """Read what each row wrote last, a routing token and its slots in one pass, and write the next id."""
        self._count("steps")
        table = self.model.get_input_embeddings()
        lengths = dict.fromkeys(len(row.unread) for row in rows)
        outcomes: dict[int, Outcome[None]] = {}
        for length in lengths:
            chosen = [i for i, row in enumerate(rows) if len(row.unread) == length]
            ids = torch.tensor([rows[i].unread for i in chosen], device=self.model.device)
            embeds = self.model.super_link.embed(ids, table)
            feeds = [_Feed(row=rows[i], embeds=e) for i, e in zip(chosen, embeds, strict=True)]
            outcomes |= zip(chosen, self._advance(feeds), strict=True)
        return [outcomes[i] for i in range(len(rows))]

    def _encode(self, rows: Sequence[Row]) -> dict[bytes, Outcome[EncodedPictures]]:
        """Return the features of all pictures by name; each is encoded once, those that are new together."""
        found: dict[bytes, Outcome[EncodedPictures]] = {}
        new: dict[bytes, Tensor] = {}
        for row in rows:
            inputs = row.prompt.inputs
            if inputs.pixel_values is None or inputs.splits is None:
                continue
            for key, pixels in zip(row.prompt.pictures, inputs.pixel_values.split(inputs.splits.tolist()), strict=True):
                if key in found or key in new:
                    continue
                known = self.pictures.find(key)
                if known is None:
                    new[key] = pixels
                else:
                    found[key] = Outcome(known)
        names = list(new)
        for key, outcome in zip(names, each([new[key] for key in names], self._encoded), strict=True):
            found[key] = outcome
            if outcome.error is None:
                self.pictures.keep(key, outcome.value)
        return found

    def _encoded(self, pictures: Sequence[Tensor]) -> list[EncodedPictures]:
        device = self.model.device
        splits = torch.tensor([len(pixels) for pixels in pictures], device=device)
        together = self.model.encode_pictures(torch.cat(list(pictures)).to(device), splits)
        return [together.select([i]) for i in range(len(pictures))]

    def _embed(self, row: Row, encoded: dict[bytes, Outcome[EncodedPictures]]) -> Outcome[_Feed]:
        """Embed what is unread of a prompt, pictures and regions in their places."""
        with Attempt() as attempt:
            inputs = row.prompt.inputs
            seen = [encoded[key].value for key in row.prompt.pictures if key in encoded]
            regions = replace(inputs, pixel_values=None, images=None).to(self.model.device)
            embeds = self.model.embed_prompt(
                regions.input_ids,
                encoded=join_encoded(seen) if seen else None,
                region_masks=regions.region_masks,
                region_pictures=regions.region_pictures,
            )
            return Outcome(_Feed(row=row, embeds=embeds[0, row.read :]))
        return Outcome(error=attempt.error)

    def _advance(self, feeds: Sequence[_Feed]) -> list[Outcome[None]]:
        """Read the next ids of rows, keep the states of their slots, and write an id where an answer goes on."""
        passes = each(feeds, self._pass)
        outcomes, going = [], []
        for feed, outcome in zip(feeds, passes, strict=True):
            error = outcome.error
            if error is None and outcome.value.wrong is not None:
                error = NotFinite(f"expected {outcome.value.wrong} that are numbers, got NaN or infinity")
            if error is None:
                feed.row.keep_states(outcome.value.hidden)
                if not feed.row.ended:
                    going.append((feed.row, outcome.value.logits))
            outcomes.append(Outcome[None](error=error))
        if going:
            rows = [row for row, _ in going]
            for row, token in zip(rows, self.choose(rows, torch.stack([scores for _, scores in going])), strict=True):
                row.take(token)
            self.counters["tokens"] += len(going)
        return outcomes

    def choose(self, rows: Sequence[Row], logits: Tensor) -> list[int]:
        """Return the next id of each row: the likeliest, or a sample of its own.

        Args:
            rows: B rows.
            logits: float[B, V + S].
        """
        last = torch.tensor([[row.ids[-1]] for row in rows], device=logits.device)
        scores = logits.float()
        for place, row in enumerate(rows):
            if row.prompt.request.options.temperature:
                scores[place] = row.sampling(last[place : place + 1], scores[place : place + 1])[0]
        return self.forcing(last, scores).argmax(-1).tolist()

    def _pass(self, feeds: Sequence[_Feed]) -> list[_Pass]:
        rows = [feed.row for feed in feeds]
        states = self._read([row.table for row in rows], [row.read for row in rows], [feed.embeds for feed in feeds])
        last = torch.stack([hidden[-1] for hidden in states])
        logits = self.model.logits(last[:, None])[:, 0]
        scored = (logits < torch.inf).all(-1).tolist()  # slots are masked by minus infinity
        passes = []
        for hidden, scores, is_scored in zip(states, logits, scored, strict=True):
            wrong = None if is_scored else "logits"
            if not bool(hidden.isfinite().all()):
                wrong = "hidden states"
            passes.append(_Pass(hidden=hidden, logits=scores, wrong=wrong))
        return passes

    def _read(self, tables: Sequence[Sequence[int]], read: Sequence[int], embeds: Sequence[Tensor]) -> list[Tensor]:
        """Return float[n, D], the last hidden states of each row's new ids, float[n, D] embedded."""
        lengths = [len(e) for e in embeds]
        dtype = embeds[0].dtype
        positions, mask = self.cache.lay_out(tables, read, lengths, dtype)
        padded = torch.nn.utils.rnn.pad_sequence(list(embeds), batch_first=True)
        found = self.model(
            input_ids=torch.zeros(positions.shape, dtype=torch.long, device=positions.device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self.cache,
            prompt_embeds=padded,
            use_cache=True,
            logits_to_keep=torch.arange(0, device=positions.device),
        ).last_hidden_state
        return [hidden[:length] for hidden, length in zip(found, lengths, strict=True)]


def _usual_blocks(model: VisionLLMForConditionalGeneration, config: EngineConfig) -> int:
    """Return enough blocks for all rows of the whole context, or as many as fit into `MOST_BYTES`."""
    text = model.config.text_config
    heads = int(getattr(text, "num_key_value_heads", None) or text.num_attention_heads)
    width = int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
    bytes_each = 2 * int(text.num_hidden_layers) * heads * width * config.block_size * model.dtype.itemsize
    context = -(-int(text.max_position_embeddings) // config.block_size)
    return max(context, min(config.max_running * context, MOST_BYTES // bytes_each))
