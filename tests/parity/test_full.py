"""The whole model beside the published one: text, pictures, regions, slots, generation and the detector's losses."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, LogitsProcessor, LogitsProcessorList

from tests.parity.golden import GRADIENT_TOLERANCE, Golden, assert_close, indexed, sets
from visionllm.config import Quirks
from visionllm.decoders.detection import DetectionDecoder
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.ops.draws import Draws
from visionllm.types.tensors import DetectionTargets, ImageBatch, ModelInputs, Queries
from visionllm.weights.published import (
    TOKENS,
    config_from_published,
    ids_from_published,
    state_from_published,
    state_to_published,
)

KEYS = [
    "pad",
    "img",
    "imp",
    "reg",
    "boi",
    "eoi",
    "sor",
    "eor",
    "sod",
    "eod",
    "sog",
    "eog",
    "det",
    "grd",
    "seg",
    "pose",
    "gen",
    "edit",
    "emb",
    "emb2",
    "emb3",
    "emb4",
    "emb5",
    "emb6",
    "emb7",
    "emb8",
]
READ = ("det", "grdseg", "region", "region_anyres", "region_mmic", "noregion_text", "pose", "t2i", "edit")
DETECTED = ("det", "grdseg", "det_zero_pixels")
FORCED = "gen_forced"


class Case:
    """One call of the published model, as ours sees it."""

    def __init__(self, golden: Golden, name: str, model: VisionLLMForConditionalGeneration) -> None:
        inputs, outputs = tensors(golden)
        self.given = {k.removeprefix(f"{name}."): v for k, v in inputs.items() if k.startswith(f"{name}.")}
        self.expected = {k.removeprefix(f"{name}."): v for k, v in outputs.items() if k.startswith(f"{name}.")}
        self.model, self.ids_there = model, self.given["input_ids"]
        self.ids = ids_from_published(self.ids_there, model.config)

    def labels(self) -> Tensor | None:
        return ids_from_published(self.given["labels"], self.model.config) if "labels" in self.given else None

    def inputs(self) -> ModelInputs:
        splits = indexed(self.given, "num_splits.0.")
        pixels = self.given["images"] if "images" in self.given else self.given["images.0"]
        if "images" in self.given:
            counts = torch.ones(len(pixels), dtype=torch.long)
        else:
            counts = torch.stack(splits) if splits else torch.tensor([len(pixels)])
        masks = self.given.get("regions.0")
        regions = 0 if masks is None else len(masks)
        several = len(counts) > 1
        return ModelInputs(
            input_ids=self.ids,
            attention_mask=self.given["attention_mask"],
            turn_ids=torch.ones_like(self.ids),
            turn_images=torch.zeros(len(self.ids), 2, dtype=torch.long),
            pixel_values=pixels,
            splits=counts,
            region_masks=masks,
            region_pictures=torch.arange(regions) if several else torch.zeros(regions, dtype=torch.long),
            images=self.images(),
            labels=self.labels(),
        )

    def images(self) -> ImageBatch | None:
        pictures = indexed(self.given, "images_aug.")
        if not pictures:
            return None
        sizes = torch.tensor([p.shape[-2:] for p in pictures])
        height, width = (-(-int(side) // 32) * 32 for side in sizes.max(0).values)
        pixels, mask = torch.zeros(len(pictures), 3, height, width), torch.zeros(len(pictures), height, width)
        for i, picture in enumerate(pictures):
            pixels[i, :, : picture.shape[1], : picture.shape[2]] = picture
            mask[i, : picture.shape[1], : picture.shape[2]] = 1
        return ImageBatch(pixel_values=pixels, pixel_mask=mask.bool(), sizes_hw=sizes, resized_hw=sizes)

    def queries(self) -> Queries:
        return self.model.queries(self.inputs())["detection"]


class Replayed(Draws):
    """Gives back the published code's own random numbers, in their order."""

    def __init__(self, given: dict[str, Tensor]) -> None:
        super().__init__()
        self.left = [value for name, value in sorted(given.items()) if name.startswith("rng.")]

    def uniform(self, shape: Any, device: torch.device) -> Tensor:
        return self.left.pop(0).reshape(shape)

    def integers(self, high: int, shape: Any, device: torch.device) -> Tensor:
        return self.left.pop(0).reshape(shape)


class Dictated(LogitsProcessor):
    """Makes some rows write given text, as far as it goes; slots are not part of it."""

    def __init__(self, texts: Sequence[dict[int, int]], start: int, text_ids: int) -> None:
        self.texts, self.start, self.text_ids = texts, start, text_ids

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        for row, text in enumerate(self.texts):
            place = int((input_ids[row, self.start :] < self.text_ids).sum())
            if place in text:
                scores[row] = float("-inf")
                scores[row, text[place]] = 0
        return scores


@cache
def tensors(golden: Golden) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return golden.inputs, golden.outputs


def build(golden: Golden, **changed: bool) -> VisionLLMForConditionalGeneration:
    raw = golden.config | {"use_sd": False, "use_ip2p": False}  # `test_full_diffusion.py` makes pictures
    fixture = golden.json()["fixture"]
    ids = {token: fixture["token_ids"][key] for token, key in zip(TOKENS, KEYS, strict=True)}
    config = config_from_published(raw, token_ids=ids, quirks=replace(Quirks.published(), **changed))
    config.decoders["detection"]["denoise_queries"] = fixture["dn"]
    config.decoders["pose"]["backbone"] |= fixture["swin_unipose"]
    model = VisionLLMForConditionalGeneration(config)
    model.load_state_dict(state_from_published(golden.weights, config))
    return model.eval()


@pytest.fixture(scope="module", params=[pytest.param(g, id=str(g)) for g in sets("full")])
def golden(request: pytest.FixtureRequest) -> Golden:
    return request.param


@pytest.fixture(scope="module")
def model(golden: Golden) -> VisionLLMForConditionalGeneration:
    return build(golden)


def case_of(golden: Golden, name: str, model: VisionLLMForConditionalGeneration) -> Case:
    if f"{name}.input_ids" not in tensors(golden)[0]:
        pytest.skip(f"{golden} has no case {name}")
    return Case(golden, name, model)


@pytest.mark.parametrize("name", READ)
@torch.no_grad()
def test_reading_gives_the_published_states_and_scores(
    golden: Golden, model: VisionLLMForConditionalGeneration, name: str
):
    case = case_of(golden, name, model)
    hidden, labels = model.states(case.inputs()), case.labels()
    logits = model.logits(hidden)
    assert_close(hidden, case.expected["hidden"], "hidden")
    assert_close(logits[..., : model.config.text_vocab_size], case.expected["logits"], "logits")
    assert bool((logits[..., model.config.text_vocab_size :] == float("-inf")).all())
    if labels is not None:
        loss = model.text_loss(hidden, labels)
        assert loss is not None
        assert_close(loss, case.expected["loss"] - case.expected.get("tool_loss", torch.tensor(0.0)), "loss")


@pytest.mark.parametrize("name", READ)
@torch.no_grad()
def test_prompts_are_embedded_as_published(golden: Golden, model: VisionLLMForConditionalGeneration, name: str):
    case = case_of(golden, name, model)
    inputs = case.inputs()
    embeds = model.embed_prompt(
        inputs.input_ids,
        pixel_values=inputs.pixel_values,
        splits=inputs.splits,
        region_masks=inputs.region_masks,
        region_pictures=inputs.region_pictures,
    )
    assert_close(embeds, case.expected["inputs_embeds"], "inputs_embeds")


@pytest.mark.parametrize("name", DETECTED)
@torch.no_grad()
def test_slots_reach_the_detector_and_find_the_published_objects(
    golden: Golden, model: VisionLLMForConditionalGeneration, name: str
):
    case = case_of(golden, name, model)
    queries, images = case.queries(), case.images()
    assert images is not None
    assert_close(queries.states, case.expected["text_query"], "text_query")
    assert torch.equal(queries.mask, case.expected["text_query_masks"])
    detector = model.decoders["detection"]
    assert isinstance(detector, DetectionDecoder)
    found = detector(queries, images)
    groups = queries.mask.shape[1]
    assert_close(found.logits, case.expected["gdino.logits"][..., :groups], "logits")
    assert_close(found.boxes, case.expected["gdino.pred_boxes"], "boxes")
    every = torch.arange(found.boxes.shape[1])
    assert_close(found.mask_logits(0, every)[None], case.expected["gdino.pred_masks"], "masks")


@torch.no_grad()
def test_a_true_padding_mask_gives_the_numbers_of_the_true_mask(golden: Golden):
    model = build(golden, pixel_mask_from_values=False)
    case = case_of(golden, "det_zero_pixels", model)
    images, detector = case.images(), model.decoders["detection"]
    assert images is not None
    assert isinstance(detector, DetectionDecoder)
    expected = tensors(golden)[1]
    found = detector(case.queries(), images)
    assert_close(found.boxes, expected["det_zero_pixels_truemask.gdino.pred_boxes"], "boxes")


def test_a_training_step_has_the_published_losses_and_gradients(golden: Golden):
    model = build(golden).train()
    case = case_of(golden, "det_train", model)
    inputs, expected = case.inputs(), case.expected
    target = DetectionTargets(
        boxes=case.given["targets.0.boxes"], class_ids=class_ids(golden, case.given["targets.0.class_labels"])
    )
    assert inputs.images is not None
    assert inputs.labels is not None
    hidden = model.states(inputs)
    queries = model.super_link.gather(hidden, inputs)["detection"]
    detector = model.decoders["detection"]
    assert isinstance(detector, DetectionDecoder)
    draws = Replayed(case.given)
    terms = detector.criterion(detector(queries, inputs.images, [target], draws), [target], draws)
    found = torch.stack([value * detector.criterion.weight(name) for name, value in terms.items()]).sum()
    assert_close(found, expected["loss_gdino"], "detector's loss")
    text = model.text_loss(hidden, inputs.labels)
    assert text is not None
    loss = text + found
    assert_close(loss, expected["loss"], "loss")
    loss.backward()
    gradients = {n: p.grad if p.grad is not None else torch.zeros_like(p) for n, p in model.named_parameters()}
    published = state_to_published(gradients, model.config)
    for name, value in expected.items():
        if name.startswith("grad."):
            assert_close(published[name.removeprefix("grad.")], value, name, tolerance=GRADIENT_TOLERANCE)
    names = golden.json("det_train_grad_names.json")
    norms = torch.stack([published[name].norm() for name in names])
    assert_close(norms, expected["grad_norms"], "gradient norms", tolerance=GRADIENT_TOLERANCE)


def class_ids(golden: Golden, labels: Tensor) -> Tensor:
    groups = golden.json("img_metas.json")["det_train"][0]["id2index"]
    return torch.tensor([groups[str(int(label))] for label in labels])


def dictated(case: Case) -> dict[int, int]:
    return dict(enumerate(case.given["forced"].tolist()))


@torch.no_grad()
def test_reading_step_by_step_gives_the_published_steps(golden: Golden, model: VisionLLMForConditionalGeneration):
    case = case_of(golden, FORCED, model)
    whole = ids_from_published(case.given["full_ids"], model.config)
    cache_, start, step = DynamicCache(config=model.config.text_config), 0, 0
    while f"step{step}.hidden" in case.expected:
        length = case.expected[f"step{step}.hidden"].shape[1]
        read = model(
            whole[:, start : start + length],
            pixel_values=case.given["images"] if step == 0 else None,
            past_key_values=cache_,
            use_cache=True,
        )
        assert_close(read.last_hidden_state, case.expected[f"step{step}.hidden"], f"step {step}")
        last = case.expected[f"step{step}.logits"][:, -1]
        assert_close(read.logits[:, -1, : model.config.text_vocab_size], last, f"step {step}")
        start, step = start + length, step + 1
    assert start == whole.shape[1]


@torch.no_grad()
def test_generating_a_batch_of_rows_with_and_without_slots_gives_the_published_states(
    golden: Golden, model: VisionLLMForConditionalGeneration
):
    case = case_of(golden, FORCED, model)
    whole = ids_from_published(case.given["full_ids"], model.config)
    prompt, length = case.ids, case.ids.shape[1]
    plain = dict.fromkeys(range(whole.shape[1]), 7)
    written: Any = model.generate(
        input_ids=prompt.repeat(2, 1),
        pixel_values=case.given["images"].repeat(2, 1, 1, 1),
        logits_processor=LogitsProcessorList([Dictated([dictated(case), plain], length, model.config.text_vocab_size)]),
        max_new_tokens=whole.shape[1] - length,
        do_sample=False,
        eos_token_id=None,
        return_dict_in_generate=True,
        output_hidden_states=True,
    )
    assert torch.equal(written.sequences[:1], whole)
    states = torch.cat([step[-1] for step in written.hidden_states], dim=1)
    assert states.shape[1] == written.past_key_values.get_seq_length() == whole.shape[1] - 1
    assert_close(states[:1], case.expected["full_hidden"][:, :-1], "states")


@torch.no_grad()
def test_one_pass_over_finished_ids_gives_the_published_states(
    golden: Golden, model: VisionLLMForConditionalGeneration
):
    case = case_of(golden, FORCED, model)
    read = model(ids_from_published(case.given["full_ids"], model.config), pixel_values=case.given["images"])
    assert_close(read.last_hidden_state, case.expected["full_hidden"], "states")
    assert_close(read.logits[..., : model.config.text_vocab_size], case.expected["full_logits"], "logits")


@pytest.mark.parametrize(
    ("name", "text"),
    [pytest.param("gen_hf", {}, id="free"), pytest.param("gen_hf_forced_det", {2: "[DET]"}, id="routed")],
)
@torch.no_grad()
def test_greedy_answers_are_the_published_ones_without_their_slots(
    golden: Golden, model: VisionLLMForConditionalGeneration, name: str, text: dict[int, str]
):
    expected = tensors(golden)[1][f"{name}.sequences"][0].tolist()
    case = case_of(golden, "gen_hf", model)
    config = model.config
    places = [{place: config.token_ids[token] for place, token in text.items()}]
    written: Any = model.generate(
        input_ids=case.ids,
        pixel_values=case.given["images"],
        logits_processor=LogitsProcessorList([Dictated(places, case.ids.shape[1], config.text_vocab_size)]),
        max_new_tokens=64,
        do_sample=False,
    )
    text_only = [token for token in written[0].tolist() if token < config.text_vocab_size]
    assert text_only[: len(expected)] == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(FORCED, None, id="dictated"),
        pytest.param("gen_hf", {}, id="free"),
        pytest.param("gen_hf", {2: "[DET]"}, id="routed"),
    ],
)
@torch.no_grad()
def test_states_that_are_written_step_by_step_are_those_of_one_pass(
    golden: Golden, model: VisionLLMForConditionalGeneration, name: str, text: dict[int, str] | None
):
    case, config = case_of(golden, name, model), model.config
    said = dictated(case) if text is None else {place: config.token_ids[token] for place, token in text.items()}
    written: Any = model.generate(
        input_ids=case.ids,
        pixel_values=case.given["images"],
        logits_processor=LogitsProcessorList([Dictated([said], case.ids.shape[1], config.text_vocab_size)]),
        max_new_tokens=24,
        do_sample=False,
        eos_token_id=None,
        return_dict_in_generate=True,
        output_hidden_states=True,
    )
    whole = model(written.sequences[:, :-1], pixel_values=case.given["images"]).last_hidden_state
    assert bool((written.sequences >= config.text_vocab_size).any()) or not said
    steps = torch.cat([step[-1] for step in written.hidden_states], dim=1)
    assert_close(steps, whole, "states", tolerance=1e-5)


@torch.no_grad()
def test_the_vocabularys_own_slot_tokens_are_never_written_without_the_quirk(golden: Golden):
    model = build(golden, slot_rows_sampled=False)
    case = case_of(golden, "gen_hf", model)
    written: Any = model.generate(
        input_ids=case.ids, pixel_values=case.given["images"], max_new_tokens=12, do_sample=False
    )
    answer = written[0, case.ids.shape[1] :]
    assert not bool(torch.isin(answer, torch.tensor(model.config.never_sampled_ids)).any())
