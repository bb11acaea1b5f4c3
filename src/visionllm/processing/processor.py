"""`VisionLLMProcessor`: requests and samples in, tensors out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from transformers import PreTrainedTokenizerFast

from visionllm.config.editing import edited_hw
from visionllm.processing.batches import Row, collate, packed_row, single_row
from visionllm.processing.chat import Group, Written, write
from visionllm.processing.checks import ContextLengthExceeded, check_answer, check_request
from visionllm.processing.configuration import ProcessorConfig
from visionllm.processing.decoder_images import resized_hw
from visionllm.processing.targets import (
    Targets,
    TrainBatch,
    Unit,
    detection_targets,
    detection_truth,
    picture_targets,
    picture_truth,
    pose_targets,
    pose_truth,
    units,
)
from visionllm.processing.tiles import split_count
from visionllm.processing.tokenizer import Vocabulary
from visionllm.types import Part, PictureTruth, Request, Sample
from visionllm.types.tensors import ModelInputs

CONFIG_FILE = "processor_config.json"
_MAKERS = ("generation", "editing")
_DECODERS = ("detection", "pose", *_MAKERS)


class VisionLLMProcessor:
    """Turns requests and samples into tensors; the one way for generation, training and evaluation.

    Args:
        config: Sizes, template and prompts.
        tokenizer: A fast tokenizer with the structure tokens, such as `train_tokenizer` makes.

    Raises:
        ValueError: If the tokenizer lacks a structure token.
    """

    def __init__(self, config: ProcessorConfig, tokenizer: PreTrainedTokenizerFast) -> None:
        self.config, self.tokenizer = config, tokenizer
        self.vocabulary = Vocabulary(
            tokenizer,
            tables=config.tables,
            routes=config.routes,
            size=config.vocabulary_size,
            word_prefix=config.word_prefix,
        )

    def __call__(
        self, requests: Sequence[Request], *, answers: Sequence[Sequence[Part] | None] | None = None
    ) -> ModelInputs:
        """Prepare requests for generation, padded on the left, each with its answer opened.

        Args:
            requests: At least one.
            answers: Parts that follow the opened answer: a known answer, whose slots one prefill fills.

        Raises:
            ValueError: If a request is malformed or longer than the context, or there are fewer or more answers.
        """
        if not requests:
            raise ValueError("expected at least one request, got none")
        if answers is not None and len(answers) != len(requests):
            raise ValueError(f"expected {len(requests)} answers, one per request, got {len(answers)}")
        begun = [None] * len(requests) if answers is None else answers
        rows = [single_row(r, self._write(r, a)) for r, a in zip(requests, begun, strict=True)]
        return collate(rows, self.config, self.vocabulary.pad_id, left=True)

    def pack(self, rows: Sequence[Sequence[tuple[Request, Sequence[Part] | None]]]) -> ModelInputs:
        """Prepare rows of independent questions about the same pictures, each with its known answer; pad on the right.

        Raises:
            ValueError: As `__call__`; if a row is empty or its pictures differ.
        """
        self._check_rows(rows)
        packed = [packed_row([r for r, _ in row], [self._write(r, a) for r, a in row]) for row in rows]
        return collate(packed, self.config, self.vocabulary.pad_id, left=False, packed=True)

    def prefix(self, request: Request) -> list[int]:
        """Return the ids that questions about the same pictures share: all before the first words of the question."""
        written = self._write(request, None)
        return written.ids[: written.shared]

    def continuation(self, request: Request, answer: Sequence[Part] | None = None) -> list[int]:
        """Return the ids after `prefix`: the questions, the opened answer, and the parts of a known answer."""
        written = self._write(request, answer)
        return written.ids[written.shared :]

    def train_batch(self, rows: Sequence[Sequence[Sample]], multiple: int = 1) -> TrainBatch:
        """Prepare samples for training, padded on the right.

        The samples of a row share their pictures and don't see each other.

        Args:
            rows: At least one row of at least one sample. Samples without a picture may share a row too.
            multiple: Pad to a multiple of this length; few different lengths are faster than many.

        Raises:
            ValueError: If a sample is malformed or longer than the context, lacks the truth of a routed answer, or the
                pictures of a row differ; if an answer makes a picture, and `pictures` of the config lacks its decoder.
        """
        self._check_rows(rows)
        packed: list[Row] = []
        targets: list[Targets] = []
        places: list[Unit] = []
        for b, samples in enumerate(rows):
            written = [self._write_sample(sample) for sample in samples]
            row = packed_row([sample.request for sample in samples], written)
            for turn, (sample, w) in enumerate(zip(samples, written, strict=True), 1):
                if not w.groups:
                    row.turn_pictures.pop(turn, None)
                for decoder, first, target in self._targets(sample, w, row, turn):
                    places.append(Unit(b, turn, row.offsets[turn - 1] + first, decoder))
                    targets.append(target)
            packed.append(row)
        inputs = collate(
            packed, self.config, self.vocabulary.pad_id, left=False, packed=True, labels=True, multiple=multiple
        )
        return TrainBatch(inputs=inputs, targets=tuple(targets), units=tuple(places))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the config and the tokenizer into a folder."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.config.save(Path(folder) / CONFIG_FILE)
        self.tokenizer.save_pretrained(folder)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what `save_pretrained` wrote.

        Raises:
            ValueError: If a file is missing, or the config holds an unknown key or a value of a wrong type.
        """
        config = ProcessorConfig.load(Path(folder) / CONFIG_FILE)
        if not (Path(folder) / "tokenizer.json").is_file():
            raise ValueError(f"expected a file tokenizer.json in the folder of a processor, got none in {folder}")
        return cls(config, PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True))

    def _check_rows(self, rows: Sequence[Sequence[object]]) -> None:
        if not rows:
            raise ValueError("expected at least one row, got none")
        for b, row in enumerate(rows):
            if not row:
                raise ValueError(f"expected at least one question in row {b}, got none")

    def _write_sample(self, sample: Sample) -> Written:
        if sample.answer.role != "assistant":
            raise ValueError(f"expected an answer from the assistant, got one from the {sample.answer.role}")
        return self._write(
            sample.request,
            sample.answer.parts,
            close=True,
            learn=sample.learn_text,
            learn_history=sample.learn_history,
        )

    def _write(
        self,
        request: Request,
        answer: Sequence[Part] | None,
        *,
        close: bool = False,
        learn: bool = False,
        learn_history: bool = False,
    ) -> Written:
        config = self.config
        check_request(
            request,
            routing_tokens=self.vocabulary.routes,
            max_pictures=config.max_pictures,
            max_regions=config.max_regions,
            wordless=config.template.caption_only,
        )
        check_answer(answer or (), self.vocabulary.routes)
        tokens = [
            split_count(image.width, image.height, config.vision) * config.tokens_per_split
            for image in request.pictures
        ]
        written = write(
            request,
            self.vocabulary,
            config.template,
            tokens,
            answer=answer,
            close=close,
            learn=learn,
            learn_history=learn_history,
        )
        if len(written.ids) > config.context_length:
            raise ContextLengthExceeded(len(written.ids), config.context_length)
        return written

    def _targets(self, sample: Sample, written: Written, row: Row, turn: int) -> list[tuple[str, int, Targets]]:
        """Return the decoder, the index of the first routing token and the targets of the units of an answer."""
        config, vocabulary = self.config, self.vocabulary
        if config.decoder is None or not written.groups:
            return []
        found: list[tuple[str, int, Targets]] = []
        own = [group for group in written.groups if group.span is not None]
        for decoder, groups in units(written, vocabulary.routes, vocabulary.sentence_end_ids):
            if decoder not in _DECODERS or all(group.span is None for group in groups):
                continue
            token, size_hw = groups[0].token, None
            if vocabulary.routes[token].picture:
                if turn not in row.turn_pictures:
                    raise ValueError(f"expected a picture for the answer's {token}, got none")
                picture = row.pictures[row.turn_pictures[turn]]
                size_hw = (picture.height, picture.width)
            if decoder in _MAKERS:
                count = sum(vocabulary.routes[group.token].decoder == decoder for group in own)
                target = self._made(picture_truth(sample, decoder, count), decoder, size_hw)
            elif size_hw is not None:
                target = _found(sample, decoder, groups, own, size_hw, resized_hw(size_hw, config.decoder))
            else:
                raise ValueError(f"expected a route with a picture for the {decoder} decoder, got {token} without")
            found.append((decoder, groups[0].position, target))
        return found

    def _made(self, truth: PictureTruth, decoder: str, original_hw: tuple[int, int] | None) -> Targets:
        """Return the picture that should be made, of the size that the decoder makes."""
        made = self.config.pictures.get(decoder)
        if made is None:
            raise ValueError(
                f"expected the size of the pictures that the {decoder} decoder makes, got none; set it in the "
                f"processor's config, as in pictures={{{decoder!r}: MadePictureConfig(size_hw=(128, 128))}}"
            )
        if original_hw is None:
            return picture_targets(truth, made.size_hw)
        if truth.pixels.shape[:2] != original_hw:
            raise ValueError(
                f"expected an edited picture of the original's size {original_hw}, got {truth.pixels.shape[:2]}"
            )
        return picture_targets(truth, edited_hw(original_hw, made.size_hw, made.step))


def _found(
    sample: Sample,
    decoder: str,
    groups: Sequence[Group],
    own: Sequence[Group],
    size_hw: tuple[int, int],
    resized: tuple[int, int],
) -> Targets:
    """Return what should be found for a unit's groups; `own` are all groups of the answer."""
    spans = [group.span for group in groups if group.span is not None]
    if decoder != "pose":
        return detection_targets(detection_truth(sample), spans, size_hw, resized)
    asked = [group.span for group in own if group.token == "[POSE]"]
    objects = [span for span in spans if span not in asked]
    keypoints = [asked.index(span) for span in spans if span in asked]
    return pose_targets(pose_truth(sample), objects, keypoints, size_hw)
