"""Samples of chat and example data, batches of them, and prompts of benchmarks, as the published readers give them."""

import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from PIL import Image

from tests.parity.conversations import Record, ids_here, question_parts, vocabulary_of, words_of
from tests.parity.golden import Golden, sets
from visionllm.processing import VICUNA_V1, ProcessorConfig, VisionImageConfig, VisionLLMProcessor, open_picture
from visionllm.processing.phrases import clean_phrase, mirrored_phrase
from visionllm.processing.regions import published_example_region
from visionllm.processing.tiles import Mode, split_count
from visionllm.types import Mark, Message, Part, Picture, Request, Sample
from visionllm.types.tensors import ModelInputs

MODES: dict[str, Mode] = {"anyres": "tiles", "pad": "pad", "square": "square"}
OPEN = re.compile(r".*?USER: (.*) ASSISTANT:", re.DOTALL)


def cases(name: str) -> list[Any]:
    found = [(golden, case) for golden in sets("samples") for case in golden.json("cases.json")[name]]
    return [pytest.param(golden, case, id=f"{golden}-{i}") for i, (golden, case) in enumerate(found)]


@cache
def tensors(golden: Golden) -> dict[str, torch.Tensor]:
    return golden.tensors("tensors.safetensors")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the tokenizer of each set, freshly built: it differs where a blank stands beside `</s>` only."""
    return {
        str(golden): words_of(sets("conversation")[0], tmp_path_factory.mktemp("words") / "published", legacy=False)
        for golden in sets("samples")
    }


def processor_of(golden: Golden, words: dict[str, Any], aspect: str, *, shuffled: bool = False) -> VisionLLMProcessor:
    settings = golden.json("cases.json")["settings"]
    vocabulary = vocabulary_of(words[str(golden)])
    side = settings["image_size"] // 14
    config = ProcessorConfig(
        vision=VisionImageConfig(
            image_size=settings["image_size"],
            mode=MODES[aspect],
            max_tiles=settings["image_max_tile"],
            mean=tuple(settings["image_mean"]),
            std=tuple(settings["image_std"]),
        ),
        decoder=None,
        template=VICUNA_V1,
        tokens_per_split=side * side // (4 if shuffled else 1),
        context_length=settings["model_max_length"],
        word_prefix=words[str(golden)][1],
    )
    return VisionLLMProcessor(config, vocabulary.tokenizer)


def picture(golden: Golden, name: str) -> Image.Image:
    return open_picture(golden.path / "images" / name)


def sample_of(golden: Golden, item: dict[str, Any], conversations: list[Any]) -> Sample:
    """Return a stored item as a sample with its pictures and example regions."""
    names = item.get("image", [])
    pictures = iter([picture(golden, name) for name in ([names] if isinstance(names, str) else names)])
    case = {"conversations": conversations, "has_image": bool(names), "image_token_len": 1}
    asked, answer = Record(case=case, template="vicuna_v1").request()
    messages = [
        replace(turn, parts=tuple(Picture(next(pictures)) if isinstance(p, Picture) else p for p in turn.parts))
        for turn in asked.messages
    ]
    return Sample(request=Request(tuple(messages)), answer=Message("assistant", answer), learn_history=True)


def assert_row(inputs: ModelInputs, row: int, ids: torch.Tensor, labels: torch.Tensor, vocabulary: Any) -> None:
    own, learned = ids_here(ids.tolist(), labels.tolist(), vocabulary)
    assert inputs.labels is not None
    assert inputs.input_ids[row].tolist() == own
    assert inputs.labels[row].tolist() == learned


def assert_pixels(inputs: ModelInputs, stored: torch.Tensor | None) -> None:
    """Compare pictures where the set holds them; `test_tiles.py` compares them in any case."""
    if stored is not None:
        assert inputs.pixel_values is not None
        expected = stored.reshape(-1, *stored.shape[-3:])
        torch.testing.assert_close(inputs.pixel_values, expected, rtol=0, atol=1.01 / 255 / 0.26)


@pytest.mark.parametrize(("golden", "case"), cases("llava"))
def test_chat_items_are_the_published_ones_alone_and_in_a_batch(words, golden, case):
    processor = processor_of(golden, words, case["aspect"], shuffled=case["pixelshuffle"])
    prefix, stored = f"llava.{case['aspect']}.ps{int(case['pixelshuffle'])}", tensors(golden)
    samples = [sample_of(golden, item, item["conversations"]) for item in golden.json("llava.json")]
    for i, (sample, shape) in enumerate(zip(samples, case["image_shapes"], strict=True)):
        inputs = processor.train_batch([[sample]]).inputs
        assert_row(inputs, 0, stored[f"{prefix}.{i}.input_ids"], stored[f"{prefix}.{i}.labels"], processor.vocabulary)
        assert inputs.input_ids.shape[1] == case["lengths"][i]
        if sample.request.pictures:
            splits = inputs.splits
            assert splits is not None
            assert splits.tolist() == [shape[0] if len(shape) == 4 else 1]
            assert_pixels(inputs, stored.get(f"{prefix}.{i}.image"))
        else:
            assert inputs.pixel_values is None, "ours needs no dummy picture"
    inputs = processor.train_batch([[sample] for sample in samples]).inputs
    for i in range(len(samples)):
        assert_row(
            inputs, i, stored[f"{prefix}.batch.input_ids"][i], stored[f"{prefix}.batch.labels"][i], processor.vocabulary
        )
    assert torch.equal(inputs.attention_mask, stored[f"{prefix}.batch.attention_mask"].bool())


@pytest.mark.parametrize(("golden", "case"), cases("in_context"))
def test_items_with_examples_are_the_published_ones(words, golden, case):
    processor, stored = processor_of(golden, words, case["key"].split(".")[1]), tensors(golden)
    item = golden.json("in_context.json")[int(case["key"].rsplit(".", 1)[1])]
    sample = sample_of(golden, item, case["conversations"])
    inputs = processor.train_batch([[sample]]).inputs
    assert_row(inputs, 0, stored[f"{case['key']}.input_ids"], stored[f"{case['key']}.labels"], processor.vocabulary)
    assert inputs.splits is not None
    assert inputs.splits.tolist() == case["num_splits"]
    assert_pixels(inputs, stored.get(f"{case['key']}.image"))
    for k, name in enumerate(item.get("mask", [])):
        mask = Image.open(golden.path / "images" / name).convert("L")
        region = published_example_region(mask, processor.config.vision.image_size)
        torch.testing.assert_close(region, stored[f"{case['key']}.regions"][k].float(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("golden", "case"), cases("evaluation_prompts"))
def test_prompts_of_benchmarks_have_the_published_ids(words, golden, case):
    processor, shape = processor_of(golden, words, case["aspect"]), case["image_shape"]
    asked = OPEN.fullmatch(case["prompt"])
    assert asked is not None
    splits = shape[0] if len(shape) == 4 else 1
    image = next(
        p
        for p in (picture(golden, name) for name in ("im0.png", "im1.png", "im2.png"))
        if split_count(*p.size, processor.config.vision) == splits
    )
    parts: list[Part] = []
    for part in question_parts(asked[1], pictures=True, template="vicuna_v1"):
        parts.append(Picture(image) if isinstance(part, Picture) else part)
    inputs = processor([Request((Message("user", tuple(parts)),))])
    assert inputs.input_ids.tolist() == tensors(golden)[f"{case['key']}.input_ids"].tolist()
    assert sum(isinstance(part, Mark) for part in parts) == len(
        inputs.region_masks if inputs.region_masks is not None else ()
    )


@pytest.mark.parametrize(("golden", "case"), cases("expression_cleaning"))
def test_referring_phrases_are_cleaned_and_mirrored_as_published(golden, case):
    assert clean_phrase(case["raw"]) == case["cleaned"]
    assert mirrored_phrase(clean_phrase(case["raw"])) == case["cleaned_then_flipped"]
