"""A folder in the published layout answers as the folder that it is converted to."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.predictor.test_core import EVERYTHING, require_equal
from tests.small import picture
from tests.weights.synthetic import published_folder, raw_config
from visionllm import VisionLLM
from visionllm.types import Options
from visionllm.weights import Loading
from visionllm.weights import published_folder as published_folder_module
from visionllm.weights.checkpoint import Checkpoint
from visionllm.weights.convert import convert_from_published
from visionllm.weights.published_folder import is_published, load_published, read_published


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return published_folder(tmp_path_factory.mktemp("models") / "published")


@pytest.fixture
def copy(published, tmp_path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "copy"))


def set_config(folder: Path, **changed):
    (folder / "config.json").write_text(json.dumps(raw_config() | changed))


def test_it_answers_as_the_folder_that_it_is_converted_to(published, tmp_path):
    found = read_published(published)
    convert_from_published(published, tmp_path / "ours", found.config, found.processor, kept=found.files)
    assert (is_published(published), is_published(tmp_path / "ours")) == (True, False)
    direct, converted = (VisionLLM.load(folder, device="cpu") for folder in (published, tmp_path / "ours"))
    states = [model.model.state_dict() for model in (direct, converted)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
    assert direct.processor.config == converted.processor.config
    notes = {"dtype": None, "architectures": None}
    assert direct.model.config.to_dict() | notes == converted.model.config.to_dict() | notes
    require_equal(*(m.segment(picture(), ["star", "red fish"], options=EVERYTHING) for m in (direct, converted)))
    answers = [m.ask("What is it?", picture(), options=Options(max_new_tokens=6)) for m in (direct, converted)]
    assert answers[0].text == answers[1].text
    poses = [m.pose(picture(), ["person"], options=Options(threshold=0)) for m in (direct, converted)]
    assert poses[0].to_dict() == poses[1].to_dict()


def test_a_folder_that_makes_pictures_answers_alike_and_needs_nothing_else(tmp_path):
    folder = published_folder(tmp_path / "published", diffusion=True)
    found = read_published(folder)
    assert found.config.decoders["generation"]["scheduler"] == "PNDMScheduler"
    assert found.config.decoders["editing"]["scheduler"] == "EulerAncestralDiscreteScheduler"
    convert_from_published(folder, tmp_path / "ours", found.config, found.processor, kept=found.files)
    options = Options(seed=3, steps=2, size_hw=(32, 32))
    made = [VisionLLM.load(tmp_path / name, device="cpu") for name in ("published", "ours")]
    pictures = [model.generate("a star", options=options).pictures[0] for model in made]
    pictures += [model.edit(picture(), "Make it red", options=options).pictures[0] for model in made]
    assert (pictures[0] == pictures[1]).all() and (pictures[2] == pictures[3]).all()


def test_it_computes_in_the_type_that_is_asked_for(published):
    model, _ = load_published(published, dtype=torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert not model.training


def test_decoders_that_are_left_out_are_not_read(published, monkeypatch):
    read: list[str] = []
    original = Checkpoint.read
    monkeypatch.setattr(published_folder_module, "check_copies", lambda *_: None)
    monkeypatch.setattr(Checkpoint, "read", lambda self, name: read.append(name) or original(self, name))
    model, _ = load_published(published, loading=Loading(decoders=("detection",)))
    assert list(model.decoders) == ["detection"]
    assert any(name.startswith("gdino.") for name in read)
    assert not any(name.startswith("unipose.") for name in read)


def test_sizes_that_the_configuration_only_names_come_from_the_weights(published):
    found = read_published(published, processor=False)
    assert found.processor is None
    assert found.config.decoders["pose"]["backbone"]["depths"] == [1, 1, 1, 1]
    assert found.notices == (
        "the sizes of the pose decoder's backbone come from its weights: they are not those of Swin-T",
    )


def test_sentences_end_where_its_tokenizer_says(published):
    found = read_published(published)
    assert found.processor is not None
    ends = found.processor.vocabulary.sentence_end_ids
    assert found.config.sentence_end_ids == sorted(ends)
    assert ends


def test_a_diffusion_model_that_is_not_there_is_told(copy):
    named = raw_config()["sd_config"] | {"sd_hidden_size": 768, "sd_model_id": "somewhere/odd-diffusion"}
    set_config(copy, use_sd=True, sd_config=named)
    notices = read_published(copy, processor=False).notices
    assert (
        "sd_config names 'somewhere/odd-diffusion', which is not here: the settings of stable-diffusion" in notices[1]
    )
    set_config(copy, use_sd=True, sd_config=named | {"sd_model_id": "checkpoints/stable-diffusion-v1-5"})
    assert len(read_published(copy, processor=False).notices) == 1


def test_numbers_that_are_not_finite_are_refused(copy):
    file = next(copy.glob("*00001*.bin"))
    tensors = torch.load(file, weights_only=True)  # noqa: TID251 – the test wrote it
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name].view(-1)[0] = torch.inf
    torch.save(tensors, file)
    with pytest.raises(ValueError, match=r"expected finite weights in .*, got NaN or infinity in"):
        load_published(copy)


def test_a_folder_without_a_tokenizer_cannot_be_asked(copy):
    (copy / "tokenizer.model").unlink()
    with pytest.raises(ValueError, match=r"expected file tokenizer\.model in"):
        VisionLLM.load(copy, device="cpu")


def test_what_is_ignored_is_told(copy):
    set_config(copy, odd=1)
    with pytest.raises(ValueError, match=r"unknown key config\.odd"):
        read_published(copy, processor=False)
    assert (
        "config.odd is passed over, as you asked"
        in read_published(copy, processor=False, ignored=["config.odd"]).notices
    )


def test_a_configuration_that_is_no_json_is_refused(copy):
    (copy / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="expected a JSON object in"):
        is_published(copy)
