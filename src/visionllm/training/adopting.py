"""A trained model as the beginning of a run whose vocabulary or slot tables have grown since."""

from collections.abc import Mapping

import torch
from torch import Tensor

from visionllm.processing.tokenizer import Vocabulary


def row_sources(old: Vocabulary, new: Vocabulary) -> list[list[int]]:
    """Return, for each id of the new text vocabulary, the ids of the old one that say the same.

    A token that the old vocabulary has keeps its row. Another one is the old tokens of its text; one whose text is no
    text, as a part of a character, has none.
    """
    old_tokens, structure = old.tokenizer.get_vocab(), new.tokenizer.get_added_vocab()
    sources: list[list[int]] = [[] for _ in range(new.size)]
    for token, number in new.tokenizer.get_vocab().items():
        if token in old_tokens:
            sources[number] = [old_tokens[token]]
        elif token not in structure:
            text = new.decode([number])
            sources[number] = [] if "\ufffd" in text else list(old.encode(text))
    return sources


def carried_rows(table: Tensor, sources: list[list[int]]) -> Tensor:
    """Return the rows of a new vocabulary: means of the old rows that say the same.

    Args:
        table: float[V, D].
        sources: See `row_sources`; where there are none, a row is the mean of all.
    """
    mean = table.mean(0)
    return torch.stack([table[rows].mean(0) if rows else mean for rows in sources])


def carried(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], old: Vocabulary, new: Vocabulary
) -> dict[str, Tensor]:
    """Return a model's weights in the shapes of a wider one.

    Args:
        state: Weights of the trained model.
        own: Weights of the wider model, freshly built; what the trained one lacks is taken from here.
        old: Vocabulary of the trained model.
        new: Vocabulary of the wider one.

    Raises:
        ValueError: If a tensor of the trained model has no place, or another shape for a reason other than words.
    """
    lost = sorted(set(state) - set(own))
    if lost:
        raise ValueError(f"expected a stage with all parts of the model, got one without {', '.join(lost[:3])}")
    sources = row_sources(old, new)
    grown: dict[str, Tensor] = dict(own)
    for name, tensor in state.items():
        if tensor.ndim == 2 and len(tensor) == old.size and own[name].shape == (new.size, tensor.shape[1]):
            grown[name] = carried_rows(tensor, sources)
        elif tensor.shape == own[name].shape:
            grown[name] = tensor
        else:
            shapes = f"{list(own[name].shape)}, got {list(tensor.shape)}"
            raise ValueError(f"expected {name} of the shape {shapes}")
    return grown
