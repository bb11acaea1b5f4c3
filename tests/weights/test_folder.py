import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.tiny import BOS, tiny_config, tiny_inputs, tiny_model
from visionllm.decoders import GenerationDecoder
from visionllm.decoders.base.example import tiny_diffusion
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.weights import folder, load_model, save_model
from visionllm.weights.shards import SINGLE

NORM = "language_model.model.norm.weight"


class Processor:
    """Writes one file."""

    def save_pretrained(self, folder: str) -> None:
        (Path(folder) / "processor_config.json").write_text("{}")


@pytest.fixture(scope="module")
def model() -> VisionLLMForConditionalGeneration:
    return tiny_model(region_encoder=None)


@pytest.fixture
def saved(model: VisionLLMForConditionalGeneration, tmp_path: Path) -> Path:
    save_model(model, Processor(), tmp_path / "model")
    return tmp_path / "model"


def test_whoever_may_read_the_configuration_may_read_the_weights(saved: Path):
    assert (saved / SINGLE).stat().st_mode == (saved / folder.CONFIG).stat().st_mode


def rewrite(saved: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    """Change the weights and make the manifest agree with them."""
    tensors = load_file(saved / SINGLE)
    change(tensors)
    save_file(tensors, saved / SINGLE, metadata={"format": "pt"})
    (saved / folder.MANIFEST).unlink()
    folder.write_manifest(saved)


def test_a_model_comes_back_bit_for_bit(model: VisionLLMForConditionalGeneration, saved: Path):
    back = load_model(saved)
    assert back.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in back.state_dict().items())
    assert back.config.to_dict() | {"dtype": None} == model.config.to_dict() | {
        "dtype": None,
        "architectures": ["VisionLLMForConditionalGeneration"],
    }
    assert not back.training


def test_a_folder_holds_the_model_the_processor_and_a_list_of_both(saved: Path):
    names = {file.name for file in saved.iterdir()}
    assert names == {"config.json", "manifest.json", "model.safetensors", "processor_config.json"}
    listed = json.loads((saved / "manifest.json").read_text())["files"]
    assert listed.keys() == names - {"manifest.json"}
    assert [file.name for file in saved.parent.iterdir()] == ["model"]


def test_hugging_face_reads_the_same_folder(model: VisionLLMForConditionalGeneration, saved: Path):
    back = VisionLLMForConditionalGeneration.from_pretrained(saved)
    assert torch.equal(back.get_parameter(NORM), model.get_parameter(NORM))


def test_half_precision_is_stored_and_single_precision_computed(
    model: VisionLLMForConditionalGeneration, tmp_path: Path
):
    save_model(model, None, tmp_path / "half", dtype=torch.float16)
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert {t.dtype for t in stored.values() if t.is_floating_point()} == {torch.float16}
    back = load_model(tmp_path / "half")
    assert back.dtype == torch.float32
    name = "projector.layers.0.weight"
    assert torch.equal(back.get_parameter(name), model.get_parameter(name).half().float())
    with torch.no_grad():
        states = [m.states(tiny_inputs([[BOS, 5, 6]])) for m in (model, back)]
    torch.testing.assert_close(states[0], states[1], atol=0.02, rtol=0.02)
    assert load_model(tmp_path / "half", dtype=torch.bfloat16).dtype == torch.bfloat16


def test_weights_are_split_into_files_of_a_size(model: VisionLLMForConditionalGeneration, tmp_path: Path):
    save_model(model, None, tmp_path / "shards", shard_bytes=100_000)
    shards = sorted(tmp_path.glob("shards/*.safetensors"))
    assert shards[0].name == f"model-00001-of-{len(shards):05d}.safetensors"
    assert len(shards) > 3
    assert all(sum(t.nbytes for t in load_file(s).values()) <= 100_000 for s in shards)
    back = load_model(tmp_path / "shards")
    assert torch.equal(back.get_parameter(NORM), model.get_parameter(NORM))


def test_tensors_that_share_memory_are_stored_once(tmp_path: Path):
    text = tiny_config().to_dict()["text_config"] | {"tie_word_embeddings": True}
    tied = tiny_model(text_config=text)
    save_model(tied, None, tmp_path / "tied")
    assert "language_model.lm_head.weight" not in load_file(tmp_path / "tied" / "model.safetensors")
    back = load_model(tmp_path / "tied")
    head = back.get_parameter("language_model.lm_head.weight")
    assert head is back.get_parameter("language_model.model.embed_tokens.weight")
    assert torch.equal(head, tied.get_parameter("language_model.lm_head.weight"))


def test_saving_again_replaces_the_folder(model: VisionLLMForConditionalGeneration, saved: Path):
    (saved / "old.txt").write_text("old")
    save_model(model, None, saved)
    assert {f.name for f in saved.iterdir()} == {"config.json", "manifest.json", "model.safetensors"}
    assert [f.name for f in saved.parent.iterdir()] == ["model"]
    load_model(saved)


def test_a_save_that_fails_leaves_the_old_folder_and_nothing_else(
    model: VisionLLMForConditionalGeneration, saved: Path
):
    class Broken:
        def save_pretrained(self, folder: str) -> None:
            raise OSError("disk full")

    before = (saved / "manifest.json").read_text()
    with pytest.raises(OSError, match="disk full"):
        save_model(model, Broken(), saved)
    assert (saved / "manifest.json").read_text() == before
    assert [f.name for f in saved.parent.iterdir()] == ["model"]
    load_model(saved)


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path):
    broken = tiny_model(region_encoder=None)
    with torch.no_grad():
        broken.get_parameter(NORM)[0] = float("nan")
    with pytest.raises(ValueError, match=f"finite weights in the model to save, got NaN or infinity in {NORM}"):
        save_model(broken, None, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_weights_that_do_not_fit_the_stored_type_are_not_saved(tmp_path: Path):
    large = tiny_model(region_encoder=None)
    with torch.no_grad():
        large.get_parameter(NORM)[0] = 1e6
    with pytest.raises(ValueError, match=f"got NaN or infinity in {NORM}"):
        save_model(large, None, tmp_path / "model", dtype=torch.float16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.pop(NORM), rf"{NORM} is missing \(1 such\)", id="missing"),
        pytest.param(lambda t: t.update(nonsense=torch.zeros(1)), "nonsense is unknown", id="unknown"),
        pytest.param(lambda t: t.update({NORM: torch.zeros(3)}), f"{NORM} has another shape", id="shape"),
        pytest.param(lambda t: t[NORM].fill_(float("nan")), f"got NaN or infinity in {NORM}", id="nan"),
        pytest.param(lambda t: t[NORM].fill_(float("inf")), f"got NaN or infinity in {NORM}", id="infinity"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    saved: Path, change: Callable[[dict[str, Tensor]], Any], message: str
):
    rewrite(saved, change)
    with pytest.raises(ValueError, match=message):
        load_model(saved)


@pytest.mark.parametrize("name", ["config.json", "manifest.json", "model.safetensors", "processor_config.json"])
def test_a_missing_file_is_refused_by_name(saved: Path, name: str):
    (saved / name).unlink()
    with pytest.raises(ValueError, match=f"expected file {name} in .*, got none"):
        load_model(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "processor_config.json"])
def test_a_flipped_bit_is_noticed(saved: Path, name: str):
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(bytes(content))
    with pytest.raises(ValueError, match=f"expected .*{name} as it was saved, got a damaged file"):
        load_model(saved)


def test_a_shard_cut_short_is_noticed(saved: Path):
    file = saved / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"model\.safetensors as it was saved, got a damaged file"):
        load_model(saved)


def test_a_file_that_is_no_safetensors_is_refused(saved: Path):
    (saved / "model.safetensors").write_bytes(b"\x80\x04 a pickle")
    (saved / "manifest.json").unlink()
    folder.write_manifest(saved)
    with pytest.raises(ValueError, match=r"expected .*model\.safetensors to be a safetensors file"):
        load_model(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "to be JSON", id="not-json"),
        pytest.param("[]", "expected a JSON object in .*, got list", id="a-list"),
        pytest.param("{}", "to list the files of a model, got None", id="no-files"),
        pytest.param('{"files": {"config.json": {}, "../x": {}}}', None, id="a-path"),
    ],
)
def test_a_manifest_that_lists_no_model_is_refused(saved: Path, content: str, message: str | None):
    listed = json.loads((saved / "manifest.json").read_text())["files"]
    if message is None:
        content = json.dumps({"files": {"../x": {"bytes": 0, "sha256": ""}} | listed})
        message = r"expected file \.\./x in .*, got none"
        (saved.parent / "x").write_text("")
    (saved / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_model(saved)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected a model folder, got .*nowhere"):
        load_model(tmp_path / "nowhere")


def test_a_configuration_that_chooses_code_is_refused(saved: Path):
    file = saved / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"auto_map": {"AutoModel": "evil.Model"}}))
    (saved / "manifest.json").unlink()
    folder.write_manifest(saved)
    with pytest.raises(ValueError, match=r"no key that chooses code in a configuration, got config\.auto_map"):
        load_model(saved)


@pytest.fixture(scope="module")
def painter() -> VisionLLMForConditionalGeneration:
    return tiny_model(region_encoder=None, decoders={"generation": vars(tiny_diffusion())})


UNET = "decoders.generation.unet."


def generation(model: VisionLLMForConditionalGeneration) -> GenerationDecoder:
    decoder = model.decoder("generation")
    assert isinstance(decoder, GenerationDecoder)
    return decoder


def test_networks_of_diffusers_wait_with_all_their_weights(
    painter: VisionLLMForConditionalGeneration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save_model(painter, None, tmp_path / "model")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "diffusers", None)
        back = load_model(tmp_path / "model", dtype=torch.bfloat16)
        save_model(back.float(), None, tmp_path / "again")
        with pytest.raises(ImportError, match="needs diffusers"):
            generation(back).wake()
    assert not generation(back).awake
    state = painter.state_dict()
    for name, tensor in load_file(tmp_path / "again" / SINGLE).items():
        assert torch.equal(tensor, state[name].bfloat16().float()), name
    generation(back).wake()
    assert set(back.state_dict()) == set(state)
    assert {n for n, p in back.named_parameters() if p.requires_grad} == {
        n for n, p in painter.named_parameters() if p.requires_grad
    }


def test_a_loaded_decoder_that_waits_can_learn(painter: VisionLLMForConditionalGeneration, tmp_path: Path):
    save_model(painter, None, tmp_path / "model")
    decoder = generation(load_model(tmp_path / "model")).train()
    _, queries, images, targets = GenerationDecoder.example()
    learning = {name: p for name, p in decoder.named_parameters() if p.requires_grad}
    wide = replace(queries, states=torch.randn(*queries.states.shape[:3], 32))
    torch.stack(list(decoder.loss(wide, images, targets).values())).sum().backward()
    assert decoder.unet.training
    assert all(learning[name].grad is not None for name in learning if name.startswith("unet.mid_block"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.pop(f"{UNET}conv_in.bias"), r"conv_in\.bias is missing", id="missing"),
        pytest.param(lambda t: t.update({f"{UNET}more.bias": torch.zeros(1)}), r"more\.bias is unknown", id="unknown"),
        pytest.param(lambda t: t.update({f"{UNET}conv_in.bias": torch.zeros(3)}), "has another shape", id="shape"),
    ],
)
def test_waiting_weights_that_do_not_fit_are_refused_at_their_first_use(
    painter: VisionLLMForConditionalGeneration,
    tmp_path: Path,
    change: Callable[[dict[str, Tensor]], Any],
    message: str,
):
    save_model(painter, None, tmp_path / "model")
    rewrite(tmp_path / "model", change)
    back = load_model(tmp_path / "model")
    with pytest.raises(ValueError, match=rf"expected the weights of the unet to fit its configuration: .*{message}"):
        generation(back).wake()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t[f"{UNET}conv_in.bias"].fill_(float("nan")), "NaN or infinity in decoders", id="nan"),
        pytest.param(lambda t: t.pop("decoders.generation.mapper.queries"), "mapper.queries is missing", id="mapper"),
        pytest.param(
            lambda t: [t.pop(name) for name in list(t) if name.startswith(UNET)], r"is missing \(\d+ such\)", id="unet"
        ),
    ],
)
def test_what_needs_no_network_is_seen_when_a_model_is_loaded(
    painter: VisionLLMForConditionalGeneration,
    tmp_path: Path,
    change: Callable[[dict[str, Tensor]], Any],
    message: str,
):
    save_model(painter, None, tmp_path / "model")
    rewrite(tmp_path / "model", change)
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / "model")
