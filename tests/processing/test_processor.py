import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from visionllm.processing import (
    ProcessorConfig,
    TrainBatch,
    VisionImageConfig,
    VisionLLMProcessor,
    known_class_answer,
    refer_answer,
)
from visionllm.types import (
    Box,
    DetectionTruth,
    Mark,
    Message,
    Part,
    Picture,
    Point,
    PoseTruth,
    Request,
    Routed,
    Sample,
    ask,
)
from visionllm.types.tensors import BoxTargets, DetectionTargets, ModelInputs, PoseTargets

MakePicture = Callable[..., Image.Image]


def truth(image: Image.Image, *spans: int, masks: bool = True) -> DetectionTruth:
    boxes = np.array([[i, 0, i + 4, 8] for i in range(len(spans))], np.float32).reshape(-1, 4)
    drawn = np.ones((len(spans), image.height, image.width), bool) if masks else None
    return DetectionTruth(boxes=boxes, class_ids=np.array(spans, np.int64), masks=drawn)


def sample(request: Request, *answer: Part, found: DetectionTruth | None = None, learn: bool = True) -> Sample:
    truths = {} if found is None else {"detection": found}
    return Sample(request=request, answer=Message("assistant", answer), truth=truths, learn_text=learn)


def boxes_of(batch: TrainBatch) -> Sequence[BoxTargets]:
    """Return the targets of a batch that asks for boxes only."""
    found = [target for target in batch.targets if isinstance(target, BoxTargets)]
    assert len(found) == len(batch.targets)
    return found


def assert_equal(ours: Any, theirs: Any) -> None:
    if isinstance(ours, Tensor):
        assert torch.equal(ours, theirs)
    elif hasattr(ours, "pixel_values"):
        for f in fields(ours):
            assert_equal(getattr(ours, f.name), getattr(theirs, f.name))
    else:
        assert ours == theirs


def real_ids(inputs: ModelInputs, row: int) -> list[int]:
    return inputs.input_ids[row][inputs.attention_mask[row]].tolist()


def test_a_batch_equals_its_requests_alone(processor: VisionLLMProcessor, picture: MakePicture) -> None:
    requests = [
        ask("Find every star.", picture(60, 40, 1), regions=(Point(3, 3), Box(1, 1, 9, 9))),
        ask("Hello"),
        ask("How many?", picture(20, 50, 2)),
    ]
    answers = [known_class_answer(["star"]), None, None]
    together = processor(requests, answers=answers)
    assert together.pixel_values is not None
    assert together.images is not None
    assert together.region_masks is not None
    assert together.turn_images.tolist() == [[-1, 0], [-1, -1], [-1, 1]]
    pictures = regions = 0
    for row, (request, answer) in enumerate(zip(requests, answers, strict=True)):
        alone = processor([request], answers=[answer])
        assert real_ids(together, row) == alone.input_ids[0].tolist()
        assert together.turn_ids[row][together.attention_mask[row]].tolist() == alone.turn_ids[0].tolist()
        if alone.pixel_values is not None and alone.images is not None:
            assert torch.equal(together.pixel_values[pictures : pictures + 1], alone.pixel_values)
            h, w = alone.images.resized_hw[0].tolist()
            ours, theirs = together.images.pixel_values[pictures], alone.images.pixel_values[0]
            assert torch.equal(ours[:, :h, :w], theirs[:, :h, :w])
            pictures += 1
        if alone.region_masks is not None:
            assert torch.equal(together.region_masks[regions : regions + 2], alone.region_masks)
            regions += 2


def test_prompts_are_padded_on_the_left_and_training_rows_on_the_right(processor: VisionLLMProcessor) -> None:
    prompts = processor([ask("Hi"), ask("How many stars are there?")])
    assert prompts.attention_mask[0, -1]
    assert not prompts.attention_mask[0, 0]
    rows = [[sample(ask("Hi"), "Yes.")], [sample(ask("How many stars are there?"), "4.")]]
    inputs = processor.train_batch(rows).inputs
    assert inputs.attention_mask[0, 0]
    assert not inputs.attention_mask[0, -1]
    assert inputs.labels is not None
    assert inputs.labels[~inputs.attention_mask].unique().tolist() == [-100]


def test_placeholders_and_pictures_agree(processor: VisionLLMProcessor, picture: MakePicture) -> None:
    tiled = VisionLLMProcessor(replace(processor.config, vision=VisionImageConfig(image_size=16)), processor.tokenizer)
    image = picture(64, 32)
    inputs = tiled([Request((Message("user", (Picture(image), Picture(picture(16, 16)), "What?")),))])
    assert inputs.splits is not None
    assert inputs.pixel_values is not None
    assert inputs.splits.tolist() == [3, 1]
    assert inputs.pixel_values.shape == (4, 3, 16, 16)
    patch = tiled.vocabulary.token_id("<im_patch>")
    assert (inputs.input_ids == patch).sum() == 4 * tiled.config.tokens_per_split


def test_a_question_has_the_same_tokens_alone_and_packed(processor: VisionLLMProcessor, picture: MakePicture) -> None:
    image = picture()
    requests = [
        ask("Find every star.", image),
        ask("How many red fish?", image, regions=(Point(1, 1),)),
        ask("Where?", image),
    ]
    inputs = processor.pack([[(request, None) for request in requests]])
    assert inputs.packed
    assert inputs.labels is None
    ids, turns = inputs.input_ids[0], inputs.turn_ids[0]
    prefix = processor.prefix(requests[0])
    assert ids[turns == 0].tolist() == prefix
    for k, request in enumerate(requests, 1):
        assert ids[turns == k].tolist() == processor.continuation(request)
        assert prefix + processor.continuation(request) == processor([request]).input_ids[0].tolist()
    patch = processor.vocabulary.token_id("<im_patch>")
    assert (ids == patch).sum() == processor.config.tokens_per_split, "the picture is paid once"


def test_a_known_answer_is_appended_open(processor: VisionLLMProcessor, picture: MakePicture) -> None:
    request, answer = ask("Find every star, fish.", picture()), known_class_answer(["star", "fish"])
    ids = processor([request], answers=[answer]).input_ids[0].tolist()
    prompt = processor([request]).input_ids[0].tolist()
    assert ids[: len(prompt)] == prompt
    assert ids == processor.prefix(request) + processor.continuation(request, answer)
    assert processor.vocabulary.eos_id not in ids
    for slot in processor.vocabulary.slot_ids("[DET]"):
        assert ids.count(slot) == 2
    trained = processor.train_batch([[sample(request, *answer, found=truth(picture()))]]).inputs
    assert real_ids(trained, 0)[: len(ids)] == ids


def test_targets_stand_in_the_order_of_units_with_their_place(
    processor: VisionLLMProcessor, picture: MakePicture
) -> None:
    a, b = picture(60, 40, 1), picture(30, 40, 2)
    star, fish, boat = (Routed(name, "[DET]") for name in ("star", "fish", "boat"))
    rows = [
        [
            sample(ask("Hi", a), "Yes."),
            sample(ask("Find", a), star, ", ", fish, ". ", boat, ".", found=truth(a, 2, 0, 1, 1)),
        ],
        [sample(ask("Hello"), "Hi.")],
        [
            sample(ask("Where?", b), *refer_answer(), found=truth(b, 0)),
            sample(ask("Find", b), star, ".", found=truth(b)),
        ],
    ]
    batch = processor.train_batch(rows)
    vocabulary = processor.vocabulary
    assert [(u.row, u.turn) for u in batch.units] == [(0, 2), (0, 2), (2, 1), (2, 2)]
    tokens = [vocabulary.token_id(t) for t in ("[DET]", "[DET]", "[GRD]", "[DET]")]
    assert [int(batch.inputs.input_ids[u.row, u.position]) for u in batch.units] == tokens
    assert [int(batch.inputs.turn_ids[u.row, u.position]) for u in batch.units] == [2, 2, 1, 2]
    objects = boxes_of(batch)
    assert [t.class_ids.tolist() for t in objects] == [[0, 1, 1], [0], [0], []]
    torch.testing.assert_close(objects[1].boxes, torch.tensor([[2 / 60, 0.1, 4 / 60, 0.2]]))
    masks = [target.masks for target in batch.targets if isinstance(target, DetectionTargets)]
    assert [None if found is None else tuple(found.shape) for found in masks] == [
        (3, 43, 64),
        (1, 43, 64),
        (1, 64, 48),
        (0, 64, 48),
    ]
    assert batch.inputs.turn_images.tolist() == [[-1, -1, 0], [-1, -1, -1], [-1, 1, 1]]
    assert batch.inputs.images is not None
    assert batch.inputs.images.resized_hw.tolist() == [[43, 64], [64, 48]]


def test_a_packed_batch_learns_what_its_samples_learn_alone(
    processor: VisionLLMProcessor, picture: MakePicture
) -> None:
    image = picture()
    samples = [
        sample(ask("How many stars?", image), "There are 4."),
        sample(ask("Find", image), *known_class_answer(["star"]), found=truth(image, 0), learn=False),
        sample(ask("Find", image), *known_class_answer(["fish"]), found=truth(image, 0, 0)),
    ]
    packed = processor.train_batch([samples])
    assert packed.inputs.labels is not None
    for k, one in enumerate(samples, 1):
        alone = processor.train_batch([[one]])
        assert alone.inputs.labels is not None
        assert (
            packed.inputs.labels[packed.inputs.turn_ids == k].tolist()
            == alone.inputs.labels[alone.inputs.turn_ids == 1].tolist()
        )
        found = [t for t, unit in zip(boxes_of(packed), packed.units, strict=True) if unit.turn == k]
        for ours, theirs in zip(found, boxes_of(alone), strict=True):
            assert torch.equal(ours.boxes, theirs.boxes)
    assert packed.inputs.labels[packed.inputs.turn_ids == 2].unique().tolist() == [-100]


def test_earlier_turns_stay_in_the_segment_of_their_sample(processor: VisionLLMProcessor, picture: MakePicture) -> None:
    image = picture()
    talk = Request(
        (
            Message("user", (Picture(image), "Find every star.")),
            Message("assistant", known_class_answer(["star"])),
            Message("user", ("And the fish?",)),
        )
    )
    batch = processor.train_batch(
        [[sample(ask("Hi", image), "Yes."), sample(talk, "It is ", Routed("", "[GRD]"), found=truth(image, 0))]]
    )
    assert batch.inputs.turn_ids.max() == 2
    (unit,) = batch.units
    assert unit[:2] == (0, 2)
    assert int(batch.inputs.input_ids[0, unit.position]) == processor.vocabulary.token_id("[GRD]")
    assert batch.inputs.labels is not None
    assert processor.vocabulary.decode([i for i in batch.inputs.labels[0].tolist() if i >= 0]) == "Yes.It is "


def test_several_turns_keep_their_numbers_for_generation(processor: VisionLLMProcessor, picture: MakePicture) -> None:
    first, second = picture(60, 40, 1), picture(40, 60, 2)
    messages = (
        Message("user", (Picture(first), "What is this?")),
        Message("assistant", ("A star.",)),
        Message("user", (Picture(second), "And this?", Mark(Point(1, 1), 0))),
    )
    inputs = processor([Request(messages)])
    assert inputs.turn_ids.max() == 2
    assert not inputs.packed
    assert inputs.turn_images.tolist() == [[-1, 0, 0]]
    assert inputs.region_pictures is not None
    assert inputs.region_pictures.tolist() == [0]


def test_pictures_without_routed_answers_are_not_prepared_for_decoders(
    processor: VisionLLMProcessor, picture: MakePicture
) -> None:
    batch = processor.train_batch([[sample(ask("Hi", picture()), "Yes.")]])
    assert batch.inputs.images is None
    assert batch.inputs.pixel_values is not None
    assert batch.targets == batch.units == ()


def test_a_detector_without_a_picture_is_refused(processor: VisionLLMProcessor, picture: MakePicture) -> None:
    routes = tuple(replace(route, picture=False) for route in processor.config.routes)
    blind = VisionLLMProcessor(replace(processor.config, routes=routes), processor.tokenizer)
    found = sample(ask("Find", picture()), *known_class_answer(["star"]), found=truth(picture(), 0))
    with pytest.raises(ValueError, match=r"expected a route with a picture for the detection decoder, got \[DET\]"):
        blind.train_batch([[found]])


def test_objects_and_their_keypoints_are_one_unit_of_the_pose_decoder(
    processor: VisionLLMProcessor, picture: MakePicture
) -> None:
    found = PoseTruth(
        boxes=np.array([[0, 0, 30, 20]], np.float32),
        class_ids=np.array([1]),
        keypoints=np.array([[[15, 10], [30, 20]]], np.float32),
        visibility=np.array([[2, 0]]),
        sigmas=np.array([0.1, 0.2], np.float32),
    )
    answer = (Routed("cat", "[DET]"), ", ", Routed("dog", "[DET]"), ". ", Routed("nose", "[POSE]"), ", ")
    request = ask("Pose?", picture(60, 40))
    posed = replace(sample(request, *answer, Routed("tail", "[POSE]"), "."), truth={"pose": found})
    batch = processor.train_batch([[posed]])
    (unit,), (targets,) = batch.units, batch.targets
    assert unit.decoder == "pose"
    assert int(batch.inputs.input_ids[0, unit.position]) == processor.vocabulary.token_id("[DET]")
    assert isinstance(targets, PoseTargets)
    assert targets.class_ids.tolist() == [1]
    torch.testing.assert_close(targets.keypoints[0, 0], torch.tensor([0.25, 0.25]))
    assert targets.visible.tolist() == [[True, False]]


def test_a_model_that_only_talks_has_no_targets(processor: VisionLLMProcessor, picture: MakePicture) -> None:
    talker = VisionLLMProcessor(replace(processor.config, decoder=None), processor.tokenizer)
    batch = talker.train_batch([[sample(ask("Find", picture()), *known_class_answer(["star"]))]])
    assert batch.targets == ()
    assert batch.inputs.images is None


def test_the_same_batch_comes_out_twice(processor: VisionLLMProcessor, picture: MakePicture) -> None:
    request = ask("Find", picture(), regions=(Box(1, 1, 5, 5),))
    first, second = processor([request]), processor([request])
    for f in fields(first):
        assert_equal(getattr(first, f.name), getattr(second, f.name))


def test_a_train_batch_moves_as_one(processor: VisionLLMProcessor, picture: MakePicture) -> None:
    image = picture()
    batch = processor.train_batch([[sample(ask("Find", image), *known_class_answer(["star"]), found=truth(image, 0))]])
    moved = batch.to("meta")
    assert isinstance(moved, TrainBatch)
    assert moved.inputs.input_ids.device.type == boxes_of(moved)[0].boxes.device.type == "meta"
    assert moved.units == batch.units


def test_a_long_prompt_is_refused_with_both_numbers(processor: VisionLLMProcessor) -> None:
    with pytest.raises(ValueError, match=r"expected a conversation of at most 200 tokens, got 30\d"):
        processor([ask("7" * 300)])


def test_packed_questions_count_their_own_length_only(processor: VisionLLMProcessor) -> None:
    inputs = processor.train_batch([[sample(ask("7" * 150), "Yes.")] * 3]).inputs
    assert inputs.input_ids.shape[1] > processor.config.context_length


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, _: p([]), "expected at least one request, got none"),
        (lambda p, _: p([ask("Hi")], answers=[]), "expected 1 answers, one per request, got 0"),
        (lambda p, _: p([ask(" ")]), "expected words in message 0, got an empty prompt"),
        (
            lambda p, i: p([ask("Hi", i, regions=(Point(99, 1),))]),
            "region 0: expected a point inside the 60×40 picture",
        ),
        (
            lambda p, i: p([ask("Hi", i, regions=(Point(1, 1), Box(5, 5, 5, 9)))]),
            "region 1: expected a box with x0 < x1",
        ),
        (lambda p, _: p([ask("Hi")], answers=[[Routed("a", "[HUG]")]]), r"expected a routing token, .*, got '\[HUG\]'"),
        (lambda p, _: p([ask("a\ud800")]), "got a lone surrogate at character 1"),
        (lambda p, _: p.train_batch([]), "expected at least one row, got none"),
        (lambda p, _: p.pack([[]]), "expected at least one question in row 0, got none"),
        (
            lambda p, _: p.train_batch([[Sample(request=ask("Hi"), answer=Message("user", ("Hi",)))]]),
            "expected an answer from the assistant, got",
        ),
        (
            lambda p, i: p.train_batch([[sample(ask("Hi", i), *refer_answer())]]),
            "expected truth for the detection decoder",
        ),
        (
            lambda p, _: p.train_batch([[sample(ask("Hi"), *refer_answer())]]),
            r"expected a picture for the answer's \[GRD\], got none",
        ),
    ],
)
def test_faults_are_refused_before_the_model(
    processor: VisionLLMProcessor, picture: MakePicture, call: Callable[..., Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call(processor, picture())


def test_a_saved_processor_comes_back_as_it_was(
    processor: VisionLLMProcessor, picture: MakePicture, tmp_path: Path
) -> None:
    processor.save_pretrained(tmp_path / "model")
    again = VisionLLMProcessor.from_pretrained(tmp_path / "model")
    assert again.config == processor.config
    request = ask("Find every [DET] star.", picture(), regions=(Point(1, 1),))
    first, second = processor([request]), again([request])
    for f in fields(first):
        assert_equal(getattr(first, f.name), getattr(second, f.name))


def test_a_folder_with_an_unknown_key_is_refused(processor: VisionLLMProcessor, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path)
    path = tmp_path / "processor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"processor_class": "X"}))
    with pytest.raises(ValueError, match=r"expected no key 'processor_class' at processor_config\.json, got one"):
        VisionLLMProcessor.from_pretrained(tmp_path)


def test_a_folder_without_a_tokenizer_is_refused(config: ProcessorConfig, tmp_path: Path) -> None:
    config.save(tmp_path / "processor_config.json")
    with pytest.raises(ValueError, match=r"expected a file tokenizer.json in the folder of a processor, got none in"):
        VisionLLMProcessor.from_pretrained(tmp_path)


def test_the_vocabulary_may_be_padded(config: ProcessorConfig, tokenizer: PreTrainedTokenizerFast) -> None:
    padded = VisionLLMProcessor(replace(config, vocabulary_size=1024), tokenizer)
    assert padded.vocabulary.slot_ids("[DET]")[0] == 1024
