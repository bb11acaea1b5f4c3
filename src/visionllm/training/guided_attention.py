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
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from visionllm.data.world.phrases import ATTRIBUTES, Phrase
from visionllm.data.world.scene import WorldObject, WorldPicture
from visionllm.data.world.words import plural
from visionllm.processing.tokenizer import Vocabulary
from visionllm.training.picture_cells import anchored, owner_map
from visionllm.training.tower import HEADS, IGNORED

LAYER, HEAD = 2, 0
_NOUNS = ("thing", "object")


class GuidedAttention:
    """Finds phrases in rows of ids, says where each should look, and measures where it does.

    Args:
        vocabulary: Gives words their ids.
        side: Side of the square that pictures are fitted into, in pixels.
        stride: Pixels a picture token.
    """

    def __init__(self, vocabulary: Vocabulary, side: int, stride: int) -> None:
        self.side, self.stride = side, stride
        self.words: dict[tuple[int, ...], dict[str, str]] = {}
        meanings = [(word, {name: word}) for name, words in ATTRIBUTES.items() for word in words]
        meanings += [("outlined", {"fill": "outline"}), *((noun, {}) for noun in _NOUNS)]
        for word, meaning in meanings:
            for form in {word, plural(word)}:
                for spelt in (f" {form}", form, form.capitalize()):
                    self.words[tuple(vocabulary.encode(spelt))] = meaning
        self.longest = max(map(len, self.words))

    def phrases(self, ids: Sequence[int]) -> Iterator[tuple[int, int, Phrase]]:
        """Yield the indices of the first and the last token of each run of words, and what the run means.

        A run is one phrase even where its noun stands first, as in "is the star red".
        """
        phrase, first, last, at = Phrase(), -1, -1, 0
        while at < len(ids):
            size = next(
                (n for n in range(min(self.longest, len(ids) - at), 0, -1) if tuple(ids[at : at + n]) in self.words), 0
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

    def looks(self, length: int) -> "Looks":
        """Return an empty `Looks` for rows of `length` tokens."""
        return Looks(length, self.side, self.stride)

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
                    see(at, phrase.among(picture.scene.objects))
        return looks


class Looks:
    """Where tokens of a batch should look, gathered token by token.

    Args:
        length: Tokens a row.
        side: Side of the square that pictures are fitted into, in pixels.
        stride: Pixels a picture token.
    """

    def __init__(self, length: int, side: int, stride: int) -> None:
        self.length, self.side, self.stride = length, side, stride
        self.places: list[tuple[int, int]] = []
        self.weights: list[NDArray[np.float32]] = []
        self.meant: list[WorldObject | None] = []

    def row(self, b: int, picture: WorldPicture, first: int) -> Callable[[int, Sequence[WorldObject]], None]:
        """Return what adds a token of row `b`, whose picture tokens begin at `first`, and the objects it should see."""
        objects = picture.scene.objects
        _, anchors = anchored(owner_map(picture, self.side), len(objects), self.stride)
        anchor_of = {id(thing): int(anchor) for thing, anchor in zip(objects, anchors, strict=True)}

        def see(at: int, things: Sequence[WorldObject]) -> None:
            tokens = {0, *(first + anchor_of[id(thing)] for thing in things if anchor_of[id(thing)] >= 0)}
            weights = np.zeros(self.length, np.float32)
            weights[list(tokens)] = 1 / len(tokens)
            self.places.append((b, at))
            self.weights.append(weights)
            self.meant.append(things[0] if len(things) == 1 else None)

        return see

    def tensors(self) -> "LookTargets":
        """Return everything gathered as tensors."""
        words = {
            name: [IGNORED if thing is None else values.index(getattr(thing, name)) for thing in self.meant]
            for name, values in HEADS.items()
        }
        weights = np.stack(self.weights) if self.weights else np.zeros((0, self.length), np.float32)
        return LookTargets(
            places=torch.tensor(self.places, dtype=torch.long).reshape(-1, 2),
            weights=torch.from_numpy(weights),
            meant={name: torch.tensor(codes, dtype=torch.long) for name, codes in words.items()},
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

    That is its attention weights float[B, heads, T, T] and its result float[B, T, D]. The model must use eager
    attention; other kinds don't tell their weights.
    """
    seen: list[tuple[Tensor, Tensor]] = []
    weights: list[Tensor] = []
    layers = language_model.base_model.get_submodule("layers")
    layer = layers.get_submodule(str(number % len(list(layers.children()))))

    def keep_weights(_module: nn.Module, _given: object, output: tuple[Tensor, Tensor]) -> None:
        weights.append(output[1])

    def keep_states(_module: nn.Module, _given: object, output: Tensor) -> None:
        seen.append((weights.pop(), output))

    attention = layer.get_submodule("self_attn")
    handles = [attention.register_forward_hook(keep_weights), layer.register_forward_hook(keep_states)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
