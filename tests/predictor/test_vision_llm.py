"""The user's object: loading, batches, and every way to ask."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from tests.predictor.test_core import EVERYTHING, require_equal
from tests.small import FULL, picture, pictures, save_small, small_model, small_predictor, small_processor
from visionllm import VisionLLM
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.nn.diffusion import decode, encode
from visionllm.predictor import vision_llm
from visionllm.predictor.vision_llm import find_device, find_model
from visionllm.types import Message, Options


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_small(tmp_path_factory.mktemp("models") / "small")


def test_a_saved_model_answers_as_before(folder, predictor):
    loaded = VisionLLM.load(folder, device="cpu")
    assert not loaded._core.drawings_only
    for model in (loaded, predictor):
        assert not model.model.training
    fresh = predictor.detect(picture(), ["star", "fish"], options=EVERYTHING)
    require_equal(loaded.detect(picture(), ["star", "fish"], options=EVERYTHING), fresh)


def test_an_embedded_model_is_found_by_its_name_and_knows_drawings_only(folder, monkeypatch):
    monkeypatch.setattr(vision_llm, "EMBEDDED", folder.parent)
    assert find_model("small") == folder
    assert VisionLLM.load("small", device="cpu")._core.drawings_only


def test_an_unknown_model_is_refused_with_the_known_names(folder, monkeypatch):
    monkeypatch.setattr(vision_llm, "EMBEDDED", folder.parent)
    with pytest.raises(ValueError, match=r"expected the folder of a model, or the name of one \(small\), got 'large'"):
        find_model("large")
    with pytest.raises(ValueError, match=r"got '\.\./models/none'"):
        find_model("../models/none")


def test_a_model_of_the_hub_that_cannot_be_reached_is_refused():
    with pytest.raises(ValueError, match="a model on the hub that can be reached, got 'somebody/model'"):
        VisionLLM.load("somebody/model")


def test_without_embedded_models_none_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(vision_llm, "EMBEDDED", tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"the name of one \(\), got 'tiny'"):
        VisionLLM.load()


def test_a_processor_of_another_model_is_refused():
    processor = small_processor()
    other = small_processor(vocabulary_size=900)
    with pytest.raises(ValueError, match=r"expected a processor of \d+ ids, as the model has, got 904"):
        VisionLLM(small_model(processor), other)


@pytest.mark.parametrize("device", ["nowhere", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match=f"expected a device that is there, such as cpu, got '{device}'"):
        find_device(device)


def test_a_device_is_found_by_itself_or_by_name():
    assert find_device().type in ("cpu", "cuda")
    assert find_device("cpu") == torch.device("cpu")


def test_pictures_may_be_files_bytes_or_images(predictor, tmp_path):
    file = tmp_path / "picture.png"
    picture().save(file)
    options = Options(max_new_tokens=4)
    texts = {
        predictor.ask("What?", source, options=options).text
        for source in (file, str(file), file.read_bytes(), picture(), picture().convert("RGBA"))
    }
    assert len(texts) == 1


def test_a_picture_of_one_pixel_is_answered(predictor):
    found = predictor.segment(picture(1, 1), ["star"], options=EVERYTHING)
    assert found.size_hw == (1, 1)
    assert predictor.ask("What?", picture(1, 1), options=Options(max_new_tokens=2)).tokens == 2


def test_a_picture_that_cannot_be_opened_is_refused(predictor, tmp_path):
    file = tmp_path / "none.png"
    with pytest.raises(ValueError, match="expected a picture file, got no file at"):
        predictor.ask("What?", file)


def test_a_batch_of_pictures_finds_what_each_finds_alone(predictor):
    shown = pictures(3)
    lists = [["star", "fish"], ["boat"], ["star", "fish", "cup", "key"]]
    together = predictor.detect_batch(shown, lists, masks=True, options=EVERYTHING, batch_size=2)
    for image, names, found in zip(shown, lists, together, strict=True):
        require_equal(found, predictor.segment(image, names, options=EVERYTHING))


def test_one_list_of_classes_serves_all_pictures(predictor):
    together = predictor.detect_batch(pictures(2), ["star", "fish"], options=EVERYTHING)
    assert [found.class_names for found in together] == [("star", "fish")] * 2
    assert [found.masks for found in together] == [None, None]
    assert [found.size_hw for found in together] == [(72, 48), (64, 64)]


def test_a_batch_of_nothing_finds_nothing(predictor):
    assert predictor.detect_batch([], ["star"]) == []


def test_lists_must_be_as_many_as_the_pictures(predictor):
    with pytest.raises(ValueError, match="expected 2 lists of classes, one a picture, got 1"):
        predictor.detect_batch(pictures(2), [["star"]])


def test_a_batch_size_must_be_positive(predictor):
    with pytest.raises(ValueError, match="expected a batch size of at least 1, got 0"):
        predictor.answer([], batch_size=0)
    with pytest.raises(ValueError, match="expected a list of at least one class name, got 'star'"):
        predictor.detect_batch(pictures(1), "star")


def test_a_conversation_longer_than_the_context_is_refused(predictor):
    history = (Message("user", ("word " * 600,)), Message("assistant", ("yes",)))
    with pytest.raises(ValueError, match="expected a conversation of at most 512 tokens, got"):
        predictor.ask("And?", history=history)


def test_boxes_lie_inside_the_picture_and_scores_in_the_unit_interval(predictor):
    found = predictor.detect(picture(48, 72), ["star"], options=Options(threshold=0))
    assert len(found)
    assert (found.boxes >= 0).all() and (found.boxes <= [48, 72, 48, 72]).all()
    assert (found.scores >= 0).all() and (found.scores <= 1).all()
    assert np.isfinite(found.boxes).all()


FIRST_PICTURE = """
import sys
import numpy as np
from tests.small import picture
from visionllm import Options, VisionLLM
model = VisionLLM.load(sys.argv[1], device="cpu")
model.ask("What is it?", picture(), options=Options(max_new_tokens=4))
model.detect(picture(), ["star"])
model.pose(picture(), ["person"])
print("diffusers" in sys.modules)
made = model.generate("a star", options=Options(seed=3)), model.edit(picture(), "Make it red", options=Options(seed=3))
print("diffusers" in sys.modules)
np.savez(sys.argv[2], *[result.pictures[0] for result in made])
"""


def test_nothing_imports_diffusers_before_the_first_picture_and_that_is_the_same(tmp_path, repository):
    folder = save_small(tmp_path / "full", full=True)
    command = [sys.executable, "-c", FIRST_PICTURE, str(folder), str(tmp_path / "made.npz")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=repository)
    assert done.stdout.split() == ["False", "True"]
    at_once = VisionLLM(VisionLLMForConditionalGeneration.from_pretrained(folder), small_processor(**FULL))
    options = Options(seed=3)
    made = at_once.generate("a star", options=options), at_once.edit(picture(), "Make it red", options=options)
    with np.load(tmp_path / "made.npz") as first:
        for result, name in zip(made, first.files, strict=True):
            np.testing.assert_array_equal(result.pictures[0], first[name])


def test_a_picture_goes_through_the_vae_at_the_size_that_the_decoder_makes(predictor):
    full = small_predictor(full=True)
    assert set(full.decoders) == {"detection", "pose", "generation", "editing"}
    decoder: Any = full.model.decoder("generation")
    height, width = decoder.config.picture_hw
    again = full.reconstruct(picture())
    assert again.size == (width, height)
    pixels = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    made = decoder.reconstruct(pixels)
    latents = encode(decoder.vae, 2 * pixels - 1).mean
    assert torch.allclose(made, (decode(decoder.vae, latents) / 2 + 0.5).clamp(0, 1), atol=1e-6)
    assert predictor.decoders == ("detection",)
    with pytest.raises(ValueError, match="expected a model that makes pictures, got one without a decoder for them"):
        predictor.reconstruct(picture())


def test_a_loaded_model_sends_its_first_picture_through_the_vae(tmp_path):
    loaded = VisionLLM.load(save_small(tmp_path / "full", full=True), device="cpu")
    at_once = loaded.reconstruct(picture())
    loaded.generate("a star")
    assert np.array_equal(np.asarray(at_once), np.asarray(loaded.reconstruct(picture())))
