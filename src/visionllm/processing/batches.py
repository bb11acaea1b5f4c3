"""Rows of ids with their pictures and regions → `ModelInputs`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from PIL import Image
from torch import Tensor

from visionllm.processing.chat import IGNORED, Written
from visionllm.processing.configuration import ProcessorConfig
from visionllm.processing.decoder_images import decoder_batch
from visionllm.processing.regions import seen_region
from visionllm.processing.tiles import vision_pixels
from visionllm.types import Mark, Picture, Region, Request
from visionllm.types.tensors import ImageBatch, ModelInputs


@dataclass(kw_only=True, eq=False)
class Row:
    """One row of a batch.

    Attributes:
        ids: Token ids.
        labels: Targets, −100 where ignored.
        turns: Turn of each token.
        pictures: Pictures in the order of their tokens.
        marks: Regions in the order of their tokens, each with the index of its picture in the row.
        turn_pictures: Index in the row of the picture that a turn decodes on, by turn.
        offsets: Index in the row at which the own ids of each conversation begin, less the ids it shares.
    """

    ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    pictures: list[Image.Image] = field(default_factory=list)
    marks: list[tuple[Region, int]] = field(default_factory=list)
    turn_pictures: dict[int, int] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)


def single_row(request: Request, written: Written) -> Row:
    """Return the row of one conversation; its turns keep their numbers."""
    row = Row(
        ids=written.ids, labels=written.labels, turns=written.turns, turn_pictures=written.turn_pictures, offsets=[0]
    )
    row.pictures += request.pictures
    row.marks += _marks(request)
    return row


def packed_row(requests: Sequence[Request], written: Sequence[Written]) -> Row:
    """Return the row of several conversations that share their first pictures; conversation k becomes turn k, from 1.

    Raises:
        ValueError: If the system words or the pictures before the first question differ.
    """
    first, shared = written[0], written[0].shared
    row = Row(ids=first.ids[:shared], labels=first.labels[:shared], turns=[0] * shared)
    leading = _leading(requests[0])
    row.pictures += leading
    for turn, (request, w) in enumerate(zip(requests, written, strict=True), 1):
        own = _leading(request)
        if len(own) != len(leading) or any(a is not b for a, b in zip(own, leading, strict=True)):
            raise ValueError(
                f"expected question {turn - 1} of a packed row to begin with the pictures of question 0, got others"
            )
        if w.ids[: w.shared] != first.ids[:shared]:
            raise ValueError(
                f"expected question {turn - 1} of a packed row to share the system words of question 0, got others"
            )
        row.offsets.append(len(row.ids) - shared)
        row.ids += w.ids[shared:]
        row.labels += w.labels[shared:]
        row.turns += [turn] * (len(w.ids) - shared)
        extra = len(row.pictures) - len(leading)
        place = [i if i < len(leading) else i + extra for i in range(len(request.pictures))]
        row.pictures += request.pictures[len(leading) :]
        row.marks += [(region, place[picture]) for region, picture in _marks(request)]
        if w.turn_pictures:
            row.turn_pictures[turn] = place[w.turn_pictures[max(w.turn_pictures)]]
    return row


def _leading(request: Request) -> list[Image.Image]:
    """Return the pictures before the first words."""
    first = next(m for m in request.messages if m.role == "user")
    pictures = []
    for part in first.parts:
        if not isinstance(part, Picture):
            break
        pictures.append(part.image)
    return pictures


def _marks(request: Request) -> list[tuple[Region, int]]:
    """Return the regions of a request, each with the index of its picture."""
    found, seen = [], 0
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, Picture):
                seen += 1
            elif isinstance(part, Mark):
                found.append((part.region, seen - 1 if part.picture is None else part.picture))
    return found


def collate(
    rows: Sequence[Row],
    config: ProcessorConfig,
    pad_id: int,
    *,
    left: bool,
    packed: bool = False,
    labels: bool = False,
    multiple: int = 1,
) -> ModelInputs:
    """Pad rows to one length and prepare their pictures and regions.

    Args:
        rows: At least one.
        config: How pictures are prepared.
        pad_id: Fills `input_ids`.
        left: Pad on the left (generation) instead of the right (training).
        packed: Turns are independent questions.
        labels: Return `labels`.
        multiple: Pad to a multiple of this length.
    """
    length = -(-max(len(row.ids) for row in rows) // multiple) * multiple
    ids = torch.full((len(rows), length), pad_id)
    targets = torch.full((len(rows), length), IGNORED)
    turns = torch.zeros(len(rows), length, dtype=torch.long)
    mask = torch.zeros(len(rows), length, dtype=torch.bool)
    for b, row in enumerate(rows):
        place = slice(length - len(row.ids), length) if left else slice(0, len(row.ids))
        ids[b, place] = torch.tensor(row.ids)
        turns[b, place] = torch.tensor(row.turns)
        targets[b, place] = torch.tensor(row.labels)
        mask[b, place] = True
    pixels = [vision_pixels(picture, config.vision) for row in rows for picture in row.pictures]
    region_masks, region_pictures = _regions(rows, config)
    images, turn_images = _decoder_images(rows, config)
    return ModelInputs(
        input_ids=ids,
        attention_mask=mask,
        turn_ids=turns,
        turn_images=turn_images,
        pixel_values=torch.cat(pixels) if pixels else None,
        splits=torch.tensor([len(p) for p in pixels]) if pixels else None,
        region_masks=region_masks,
        region_pictures=region_pictures,
        images=_decoder_batch(images, config),
        labels=targets if labels else None,
        packed=packed,
    )


def _regions(rows: Sequence[Row], config: ProcessorConfig) -> tuple[Tensor | None, Tensor | None]:
    masks, pictures, first = [], [], 0
    for row in rows:
        for index, (region, picture) in enumerate(row.marks):
            image = row.pictures[picture]
            masks.append(
                seen_region(
                    region,
                    (image.height, image.width),
                    config.vision,
                    published=config.published_regions,
                    example=len(row.pictures) > 1,
                    index=index,
                )
            )
            pictures.append(first + picture)
        first += len(row.pictures)
    return (torch.stack(masks), torch.tensor(pictures)) if masks else (None, None)


def _decoder_batch(images: Sequence[Image.Image], config: ProcessorConfig) -> ImageBatch | None:
    """Return the pictures as the decoders see them, and as single decoders do that see them another way."""
    if not images or config.decoder is None:
        return None
    own = {name: decoder_batch(images, other) for name, other in config.decoder_by_name.items()}
    return replace(decoder_batch(images, config.decoder), own=own)


def _decoder_images(rows: Sequence[Row], config: ProcessorConfig) -> tuple[list[Image.Image], Tensor]:
    """Return the pictures that some turn decodes on, and the index of each turn's."""
    turns = max((t for row in rows for t in row.turns), default=0)
    turn_images = torch.full((len(rows), turns + 1), -1)
    images: list[Image.Image] = []
    if config.decoder is None:
        return images, turn_images
    for b, row in enumerate(rows):
        known: dict[int, int] = {}
        for turn, picture in row.turn_pictures.items():
            if picture not in known:
                known[picture] = len(images)
                images.append(row.pictures[picture])
            turn_images[b, turn] = known[picture]
    return images, turn_images
