"""Where words should look: one head of the language model is shown, in training, what phrases mean in the picture.

At the last token of every phrase of the world ("red star", "small things"), in questions and in answers, the head
should look at one picture token of each object that fits, and at the first token of the row, all with the same weight.
So the phrase learns what fits it and where; how much weight the first token keeps says how many there are; and where
nothing fits, it keeps all. Behind that layer a phrase that one object fits is read as picture tokens are: it should
know all words of its object (see `PictureWords`). Later layers make answers of that. The network stays what it is; only
its training is helped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from visionllm.data.world.phrases import ATTRIBUTES, Phrase
from visionllm.data.world.scene import WorldPicture, WorldThing
from visionllm.data.world.words import plural
from visionllm.processing.tokenizer import Vocabulary
from visionllm.training.picture_cells import anchored, owner_map
from visionllm.training.readings import HEADS, IGNORED, TEXT, Readings, cited, codes_of

LAYER, HEAD = 2, 0
_NOUNS = ("thing", "object")
_IRREGULAR = {"person": ("people",)}


class GuidedAttention:
    """Finds phrases in rows of ids, says where each should look, and measures where it does.

    Args:
        vocabulary: Gives words their ids.
        side: Side of the square that pictures are fitted into, in pixels.
        stride: Pixels a picture token.
        readings: Words of each attribute; where they go beyond version 1, words on signs are phrases, too.
    """

    def __init__(self, vocabulary: Vocabulary, side: int, stride: int, readings: Readings = HEADS) -> None:
        self.side, self.stride, self.readings, self.vocabulary = side, stride, readings, vocabulary
        self.pieces: dict[int, str] = {}
        self.words: dict[tuple[int, ...], dict[str, str]] = {}
        meanings = [(word, {name: word}) for name in ATTRIBUTES for word in readings[name]]
        meanings += [("outlined", {"fill": "outline"}), *((noun, {}) for noun in _NOUNS)]
        for word, meaning in meanings:
            for form in {word, plural(word), *_IRREGULAR.get(word, ())}:
                for spelt in (f" {form}", form, form.capitalize()):
                    self.words[tuple(vocabulary.encode(spelt))] = meaning
        self.longest = max(map(len, self.words))

    def phrases(self, ids: Sequence[int]) -> Iterator[tuple[int, int, Phrase]]:
        """Yield the indices of the first and the last token of each run of words, and what the run means.

        A run is one phrase even where its noun stands first, as in "is the star red".
        """
        first = 0
        for begin, last, phrase in self._cited(ids):
            yield from self._runs(ids, first, begin)
            yield begin, last, phrase
            first = last + 1
        yield from self._runs(ids, first, len(ids))

    def _runs(self, ids: Sequence[int], at: int, end: int) -> Iterator[tuple[int, int, Phrase]]:
        """Yield the runs of words between two tokens."""
        phrase, first, last = Phrase(), -1, -1
        while at < end:
            size = next(
                (n for n in range(min(self.longest, end - at), 0, -1) if tuple(ids[at : at + n]) in self.words), 0
            )
            if size:
                phrase = replace(phrase, **self.words[tuple(ids[at : at + size])])
                first = at if first < 0 else first
                last = at + size - 1
            elif last >= 0:
                yield first, last, phrase
                phrase, first, last = Phrase(), -1, -1
            at += size or 1
        if last >= 0:
            yield first, last, phrase

    def _cited(self, ids: Sequence[int]) -> list[tuple[int, int, Phrase]]:
        """Return the words on signs that ids cite: first and last token, and what they mean."""
        if TEXT not in self.readings:
            return []
        self.pieces |= {token: self.vocabulary.decode([token]) for token in {*ids} - self.pieces.keys()}
        pieces = [self.pieces[token] for token in ids]
        ends = np.cumsum([len(piece) for piece in pieces])
        return [
            (int(np.searchsorted(ends, first, "right")), int(np.searchsorted(ends, stop - 1, "right")), phrase)
            for first, stop, phrase in cited("".join(pieces))
        ]

    def looks(self, length: int) -> "Looks":
        """Return an empty `Looks` for rows of `length` tokens."""
        return Looks(length, self.side, self.stride, self.readings)

    def targets(self, input_ids: Tensor, picture_id: int, pictures: Sequence[WorldPicture | None]) -> "Looks":
        """Say where the phrases of a batch should look.

        Args:
            input_ids: int[B, T]. Rows of one picture at most, padded on the right.
            picture_id: Id of picture tokens.
            pictures: The picture of each row, or None.
        """
        looks = self.looks(input_ids.shape[1])
        for b, (row, picture) in enumerate(zip(input_ids.tolist(), pictures, strict=True)):
            if picture is not None:
                see = looks.row(b, picture, row.index(picture_id))
                for _, at, phrase in self.phrases(row):
                    see(at, phrase.among(picture.scene.things))
        return looks


class Looks:
    """Where tokens of a batch should look, gathered token by token.

    Args:
        length: Tokens a row.
        side: Side of the square that pictures are fitted into, in pixels.
        stride: Pixels a picture token.
        readings: Words of each attribute.
    """

    def __init__(self, length: int, side: int, stride: int, readings: Readings = HEADS) -> None:
        self.length, self.side, self.stride, self.readings = length, side, stride, readings
        self.places: list[tuple[int, int]] = []
        self.weights: list[NDArray[np.float32]] = []
        self.meant: list[Mapping[str, int]] = []

    def row(self, b: int, picture: WorldPicture, first: int) -> Callable[[int, Sequence[WorldThing]], None]:
        """Return what adds a token of row `b`, whose picture tokens begin at `first`, and the things it should see."""
        every = picture.scene.things
        _, anchors = anchored(owner_map(picture, self.side), len(every), self.stride)
        anchor_of = {id(thing): int(anchor) for thing, anchor in zip(every, anchors, strict=True)}
        codes = codes_of(picture.scene, self.readings)
        words_of = {id(thing): words for thing, words in zip(every, codes, strict=True)}
        nothing = dict.fromkeys(self.readings, IGNORED)

        def see(at: int, things: Sequence[WorldThing]) -> None:
            tokens = {0, *(first + anchor_of[id(thing)] for thing in things if anchor_of[id(thing)] >= 0)}
            weights = np.zeros(self.length, np.float32)
            weights[list(tokens)] = 1 / len(tokens)
            self.places.append((b, at))
            self.weights.append(weights)
            self.meant.append(words_of[id(things[0])] if len(things) == 1 else nothing)

        return see

    def tensors(self) -> "LookTargets":
        """Return everything gathered as tensors."""
        weights = np.stack(self.weights) if self.weights else np.zeros((0, self.length), np.float32)
        return LookTargets(
            places=torch.tensor(self.places, dtype=torch.long).reshape(-1, 2),
            weights=torch.from_numpy(weights),
            meant={n: torch.tensor([words[n] for words in self.meant], dtype=torch.long) for n in self.readings},
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class LookTargets:
    """Where N tokens of a batch should look, and what they should know.

    Attributes:
        places: int[N, 2]. Row and index of each token.
        weights: float[N, T]. How much it should attend to each token of its row.
        meant: int[N] for each attribute. The word of the one object that it should see, −100 where none or several are.
    """

    places: Tensor
    weights: Tensor
    meant: Mapping[str, Tensor]

    def loss(self, attention: Tensor) -> Tensor:
        """Return the mean divergence KL(wanted ‖ attention) at the tokens.

        Args:
            attention: float[B, heads, T, T]. Of the guided layer.
        """
        given = attention[self.places[:, 0], HEAD, self.places[:, 1]].float().clamp_min(1e-6)
        return (self.weights * (self.weights.clamp_min(1e-6).log() - given.log())).sum(-1).mean()

    def read(self, states: Tensor) -> Tensor:
        """Return float[N, D], the states of the tokens; `states` is float[B, T, D]."""
        return states[self.places[:, 0], self.places[:, 1]]


@contextmanager
def watched(language_model: PreTrainedModel, number: int = LAYER) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Collect what layer `number` does while the model reads.

    That is its attention weights float[B, heads, T, T] and its result float[B, T, D]. This layer attends eagerly
    meanwhile, as other kinds of attention don't tell their weights; all rows must be packed, because masks of padding
    are not alike for all kinds.

    Raises:
        ValueError: While reading, if rows are not packed.
    """
    seen: list[tuple[Tensor, Tensor]] = []
    weights: list[Tensor] = []
    layers = language_model.base_model.get_submodule("layers")
    layer = layers.get_submodule(str(number % len(list(layers.children()))))

    def check(_module: nn.Module, _given: object, options: Mapping[str, object]) -> None:
        mask = options.get("attention_mask")
        if not isinstance(mask, Tensor) or mask.ndim != 4:
            raise ValueError("expected packed rows where a layer is watched")

    def keep_weights(_module: nn.Module, _given: object, output: tuple[Tensor, Tensor]) -> None:
        weights.append(output[1])

    def keep_states(_module: nn.Module, _given: object, output: Tensor) -> None:
        seen.append((weights.pop(), output))

    attention = layer.get_submodule("self_attn")
    handles = [
        attention.register_forward_pre_hook(check, with_kwargs=True),
        attention.register_forward_hook(keep_weights),
        layer.register_forward_hook(keep_states),
    ]
    usual: Any = attention.config
    eager = copy(usual)
    eager._attn_implementation = "eager"
    attention.config = eager
    try:
        yield seen
    finally:
        attention.config = usual
        for handle in handles:
            handle.remove()
