"""Where words should look: one head of the language model is shown, in training, what phrases mean in the picture.

At the last token of every phrase of the world ("red star", "small things"), in questions and in answers, the head
should look at one picture token of each object that fits, and at the first token of the row, all with the same weight.
So the phrase learns what fits it and where; how much weight the first token keeps says how many there are; and where
nothing fits, it keeps all. Behind that layer a phrase that one object fits is read as picture tokens are: it should
know all words of its object (see `PictureWords`). Later layers make answers of that. The network stays what it is; only
its training is helped.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
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

    def phrases(self, ids: Sequence[int]) -> Iterator[tuple[int, Phrase]]:
        """Yield the index of the last token of each run of words, and what the run means.

        A run is one phrase even where its noun stands first, as in "is the star red".
        """
        phrase, last, at = Phrase(), -1, 0
        while at < len(ids):
            size = next(
                (n for n in range(min(self.longest, len(ids) - at), 0, -1) if tuple(ids[at : at + n]) in self.words), 0
            )
            if size:
                phrase = replace(phrase, **self.words[tuple(ids[at : at + size])])
                last = at + size - 1
            elif last >= 0:
                yield last, phrase
                phrase, last = Phrase(), -1
            at += size or 1
        if last >= 0:
            yield last, phrase

    def targets(
        self, input_ids: Tensor, picture_id: int, pictures: Sequence[WorldPicture | None]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], dict[str, NDArray[np.int64]]]:
        """Say where the phrases of a batch should look.

        Args:
            input_ids: int[B, T]. Rows of one picture at most, padded on the right.
            picture_id: Id of picture tokens.
            pictures: The picture of each row, or None.

        Returns:
            int64[N, 2], row and token of each phrase; float32[N, T], the weight of each token it should look at; and
            int64[N] for each attribute, the word of the one object that fits, or −100 where none or several do.
        """
        places: list[tuple[int, int]] = []
        looks: list[NDArray[np.float32]] = []
        meant: list[WorldObject | None] = []
        for b, (row, picture) in enumerate(zip(input_ids.tolist(), pictures, strict=True)):
            if picture is None:
                continue
            objects = picture.scene.objects
            _, anchors = anchored(owner_map(picture, self.side), len(objects), self.stride)
            first = row.index(picture_id)
            for at, phrase in self.phrases(row):
                fits = [a for a, thing in zip(anchors.tolist(), objects, strict=True) if a >= 0 and phrase.fits(thing)]
                look = np.zeros(len(row), np.float32)
                look[[0, *(first + a for a in fits)]] = 1 / (1 + len(set(fits)))
                places.append((b, at))
                looks.append(look)
                alone = phrase.among(objects)
                meant.append(alone[0] if len(alone) == 1 else None)
        words = {
            name: np.array([IGNORED if o is None else values.index(getattr(o, name)) for o in meant], np.int64)
            for name, values in HEADS.items()
        }
        length = input_ids.shape[1]
        return np.array(places, np.int64).reshape(-1, 2), np.array(looks, np.float32).reshape(-1, length), words

    @staticmethod
    def loss(weights: Tensor, places: Tensor, looks: Tensor) -> Tensor:
        """Return the mean divergence KL(wanted ‖ attention) at phrases.

        Args:
            weights: float[B, heads, T, T]. Attention of the guided layer.
            places: int[N, 2]. Row and token of each phrase.
            looks: float[N, T]. The weights it should give.
        """
        given = weights[places[:, 0], HEAD, places[:, 1]].float().clamp_min(1e-6)
        return (looks * (looks.clamp_min(1e-6).log() - given.log())).sum(-1).mean()


@contextmanager
def watched(language_model: PreTrainedModel) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Collect what the guided layer does while the model reads.

    That is its attention weights float[B, heads, T, T] and its result float[B, T, D]. The model must use eager
    attention; other kinds don't tell their weights.
    """
    seen: list[tuple[Tensor, Tensor]] = []
    weights: list[Tensor] = []
    layer = language_model.base_model.get_submodule(f"layers.{LAYER}")

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
