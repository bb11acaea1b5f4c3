"""What each picture token should say: words of the object it shows, read by the language model's own head.

A small language model that learns from answers alone finds out late which picture token shows what. So picture tokens
are also asked directly: read like the model's last states, each should name the kind, colour, fill and size of the
object it shows, and one token of each object, near its centre, should say that a thing is there. A word in a question
and the tokens that show it then resemble each other from the start, and answers have only to look and copy.
"""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from visionllm.data.world.scene import WorldPicture
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing.tokenizer import Vocabulary
from visionllm.training.picture_cells import anchored, owner_map
from visionllm.training.readings import HEADS, IGNORED, TEXT, Readings, codes_of

THING = "thing"
_FORMS = (" {}", " {}s")


class PictureWords:
    """Targets and loss of picture tokens.

    Args:
        vocabulary: Gives words their ids; a word that is not one token is left out.
        side: Side of the square that pictures are fitted into, in pixels.
        stride: Pixels a picture token.
        readings: Words of each attribute.
    """

    def __init__(self, vocabulary: Vocabulary, side: int, stride: int, readings: Readings = HEADS) -> None:
        self.side, self.stride, self.readings = side, stride, readings
        self.tables: list[tuple[str, Tensor, Tensor]] = []  # reading, ids of its words, place among them of word i
        for name, words in (*readings.items(), (THING, (THING,)), (THING, ("object",))):
            for form in _FORMS[:1] if name == TEXT else _FORMS:
                ids = [vocabulary.encode(form.format(word)) for word in words]
                known = torch.tensor([len(found) == 1 for found in ids])
                if known.any():
                    places = torch.where(known, known.cumsum(0), IGNORED)
                    self.tables.append((name, torch.tensor([found[0] for found in ids])[known], places))

    def targets(self, picture: WorldPicture) -> dict[str, NDArray[np.int64]]:
        """Return int64[n] for each reading, token by token: index of the word, −1 for none, −100 where unclear."""
        known = codes_of(picture.scene, self.readings)
        cells, anchors = anchored(owner_map(picture, self.side), len(known), self.stride)
        found: dict[str, NDArray[np.int64]] = {}
        for name in self.readings:
            codes = np.array([-1, *(words[name] for words in known)])
            found[name] = np.where(cells < 0, IGNORED, codes[np.maximum(cells, 0)]).ravel()
        found[THING] = np.full(cells.size, -1)
        found[THING][anchors[anchors >= 0]] = 0
        return found

    def loss(self, model: VisionLLMForConditionalGeneration, tokens: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Return the mean cross-entropy of all readings, in which tokens with a word weigh as much as those without.

        Args:
            model: Whose norm and head read the tokens.
            tokens: float[…, D]. Picture tokens as the language model gets them, or other states to be read.
            targets: int[…] for each reading; see `targets`. Those without one are left out.
        """
        states = model.language_model.base_model.norm(tokens).flatten(0, -2)
        table = model.get_output_embeddings().get_parameter("weight")
        losses = []
        for name, ids, places in self.tables:
            if name not in targets:
                continue
            logits = F.pad(F.linear(states, table[ids.to(table.device)]).float(), (1, 0))  # the first: no word
            index = targets[name].flatten()
            wanted = torch.where(index >= 0, places.to(index.device)[index.clamp_min(0)], index.clamp_max(0))
            wanted = torch.where(index == -1, 0, wanted)
            each = F.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="none")
            losses += [each[where].sum() / where.sum().clamp_min(1) for where in (wanted > 0, wanted == 0)]
        return torch.stack(losses).mean()
