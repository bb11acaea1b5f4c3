"""Adapters of the language model: they learn, come back, and merge."""

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import BOS, tiny_config, tiny_inputs, tiny_model
from visionllm import VisionLLM
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.training.stages import Stage
from visionllm.weights import AdapterConfig, add_adapters, load_adapters, merge_adapters, save_adapters, save_model
from visionllm.weights.folder import MANIFEST, write_manifest
from visionllm.weights.lora import CONFIG, TENSORS, adapters_of

pytestmark = pytest.mark.skipif(find_spec("peft") is None, reason="needs the extra `adapters`")
SMALL = AdapterConfig(rank=4, alpha=8, dropout=0.0)
ROWS = [[BOS, 5, 6, 7, 8], [BOS, 9, 10, 11, 12]]


def states(model: VisionLLMForConditionalGeneration) -> torch.Tensor:
    return model.states(tiny_inputs(ROWS))


def fresh() -> VisionLLMForConditionalGeneration:
    torch.manual_seed(3)
    return tiny_model(region_encoder=None).eval()


@torch.no_grad()
def answers(model: VisionLLMForConditionalGeneration) -> torch.Tensor:
    return states(model.eval())


def train(model: VisionLLMForConditionalGeneration, steps: int = 12) -> list[float]:
    learning = [p for p in model.language_model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=0.02)
    wanted = torch.randn(answers(model).shape, generator=torch.Generator().manual_seed(1))
    losses = []
    for _ in range(steps):
        loss = (states(model.train()) - wanted).square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    return losses


@pytest.fixture(scope="module")
def taught() -> VisionLLMForConditionalGeneration:
    model = fresh()
    add_adapters(model, SMALL)
    losses = train(model)
    assert losses[-1] < 0.9 * losses[0]
    return model.eval()


@pytest.fixture
def saved(taught: VisionLLMForConditionalGeneration, tmp_path: Path) -> Path:
    save_adapters(taught, tmp_path / "adapters")
    return tmp_path / "adapters"


def test_new_adapters_change_nothing_and_are_all_that_learns():
    model = fresh()
    before = answers(model)
    add_adapters(model)
    assert adapters_of(model) == AdapterConfig(rank=32, alpha=64, dropout=0.05)
    assert torch.equal(answers(model), before)
    learning = [name for name, p in model.language_model.named_parameters() if p.requires_grad]
    layers = model.config.text_config.num_hidden_layers
    assert len(learning) == 2 * 6 * layers
    assert all(".lora_" in name and "gate_proj" not in name for name in learning)
    a, b = (model.language_model.get_parameter(f"model.layers.0.mlp.up_proj.lora_{m}.default.weight") for m in "AB")
    text = model.config.text_config
    assert (a.shape, b.shape) == ((32, text.hidden_size), (text.intermediate_size, 32))
    assert all(p.requires_grad for p in model.projector.parameters())


def test_the_rest_of_the_language_model_stays_as_it_was(taught: VisionLLMForConditionalGeneration):
    for name, parameter in fresh().language_model.named_parameters():
        places = (name, name.replace(".weight", ".base_layer.weight"))
        held = dict(taught.language_model.named_parameters())
        assert torch.equal(next(held[place] for place in places if place in held), parameter)


def test_adapters_come_back_alone(taught: VisionLLMForConditionalGeneration, saved: Path):
    model = fresh()
    assert not torch.allclose(answers(model), answers(taught), atol=0.01)
    load_adapters(model, saved)
    assert torch.equal(answers(model), answers(taught))
    assert adapters_of(model) == SMALL
    assert not any(p.requires_grad for p in model.language_model.parameters())
    again = fresh()
    load_adapters(again, saved, learn=True)
    assert sum(p.requires_grad for p in again.language_model.parameters()) == 24


def test_merged_weights_answer_the_same(taught: VisionLLMForConditionalGeneration, saved: Path, tmp_path: Path):
    model = fresh()
    names = model.state_dict().keys()
    load_adapters(model, saved)
    merge_adapters(model)
    torch.testing.assert_close(answers(model), answers(taught), atol=1e-5, rtol=0)
    assert model.state_dict().keys() == names
    assert adapters_of(model) is None
    save_model(model, None, tmp_path / "whole")
    add_adapters(model, SMALL)
    assert adapters_of(model) == SMALL


def test_what_an_adapter_adds_is_the_product_of_its_matrices(taught: VisionLLMForConditionalGeneration, saved: Path):
    model, name = fresh(), "model.layers.1.self_attn.v_proj"
    before = model.language_model.get_parameter(f"{name}.weight").clone()
    tensors = load_file(saved / TENSORS)
    load_adapters(model, saved)
    merge_adapters(model)
    added = (
        8 / 4 * tensors[f"base_model.model.{name}.lora_B.weight"] @ tensors[f"base_model.model.{name}.lora_A.weight"]
    )
    torch.testing.assert_close(model.language_model.get_parameter(f"{name}.weight"), before + added)


def test_the_folder_is_small_and_safe(saved: Path):
    assert {file.name for file in saved.iterdir()} == {CONFIG, TENSORS, MANIFEST}
    assert [file.name for file in saved.parent.iterdir()] == ["adapters"]
    assert json.loads((saved / CONFIG).read_text()) == {
        "peft_type": "LORA",
        "bias": "none",
        "r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.0,
        "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "down_proj", "up_proj"],
    }
    tensors = load_file(saved / TENSORS)
    assert len(tensors) == 24
    assert sum(tensor.numel() for tensor in tensors.values()) < 12_000


def test_peft_reads_the_same_folder(taught: VisionLLMForConditionalGeneration, saved: Path):
    import peft

    model = fresh()
    peft.PeftModel.from_pretrained(model.language_model, str(saved))
    torch.testing.assert_close(answers(model), answers(taught), atol=1e-6, rtol=0)


@pytest.mark.parametrize("tied", [False, True])
def test_the_vocabulary_can_learn_too(tied: bool, tmp_path: Path):
    def build() -> VisionLLMForConditionalGeneration:
        torch.manual_seed(3)
        text = tiny_config().to_dict()["text_config"] | {"tie_word_embeddings": tied}
        return tiny_model(region_encoder=None, text_config=text).eval()

    model = build()
    add_adapters(model, AdapterConfig(rank=2, vocabulary=True))
    table = model.language_model.get_input_embeddings().get_parameter("weight")
    before = table.detach().clone()
    train(model, steps=2)
    assert not torch.equal(table, before)
    save_adapters(model, tmp_path / "wide")
    wide = {n for n in load_file(tmp_path / "wide" / TENSORS) if "lora" not in n}
    head = set() if tied else {"base_model.model.lm_head.weight"}
    assert wide == {"base_model.model.model.embed_tokens.weight"} | head
    back = build()
    load_adapters(back, tmp_path / "wide")
    assert torch.equal(answers(back), answers(model))
    config = adapters_of(back)
    assert config is not None and config.vocabulary


def test_a_stage_of_training_can_choose_the_adapters(taught: VisionLLMForConditionalGeneration):
    stage = Stage(name="adapt", objective="tasks", steps=1, pictures=1, rates={"*.lora_*": 1e-3})
    model = fresh()
    add_adapters(model, SMALL)
    groups = stage.groups(model)
    assert sum(len(group["params"]) for group in groups) == 24
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {
        name for name, _ in model.named_parameters() if ".lora_" in name
    }


def test_half_precision_merges_too(saved: Path):
    model = fresh().bfloat16()
    load_adapters(model, saved)
    apart = answers(model)
    merge_adapters(model)
    assert {p.dtype for p in model.language_model.parameters()} == {torch.bfloat16}
    torch.testing.assert_close(answers(model), apart, atol=0.1, rtol=0.1)


def test_a_model_is_loaded_with_adapters(tmp_path: Path):
    model = VisionLLM.load(device="cpu")
    add_adapters(model.model, SMALL)
    with torch.no_grad():
        for name, parameter in model.model.language_model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.02)
    save_adapters(model.model, tmp_path / "mine")
    back = VisionLLM.load(device="cpu", adapters=tmp_path / "mine")
    theirs = dict(back.model.state_dict())
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in model.model.state_dict().items())


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs the extra `sizes`")
@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_a_small_language_model_learns_by_adapters(kind: Any):
    model = VisionLLM.load(device="cpu", quantise=kind).model
    add_adapters(model, SMALL)
    states = model(input_ids=torch.tensor([[1, 2, 3, 4]])).last_hidden_state
    states.square().mean().backward()
    learned = [p for name, p in model.language_model.named_parameters() if ".lora_B." in name]
    assert len(learned) == 36
    assert all(p.grad is not None and bool(p.grad.any()) for p in learned)
    with pytest.raises(ValueError, match="weights of their own type to merge adapters into, got int8 or int4"):
        merge_adapters(model)


def test_what_makes_no_sense_is_refused(taught: VisionLLMForConditionalGeneration, tmp_path: Path):
    plain = fresh()
    with pytest.raises(ValueError, match="expected a model without adapters, got one with"):
        add_adapters(taught)
    with pytest.raises(ValueError, match="expected a model without adapters, got one with"):
        load_adapters(taught, tmp_path)
    for action in (merge_adapters, lambda model: save_adapters(model, tmp_path / "none")):
        with pytest.raises(ValueError, match="expected a model with adapters, got one without"):
            action(plain)
    with pytest.raises(ValueError, match="among the matrices of the language model, got 'wqkv'"):
        add_adapters(plain, AdapterConfig(targets=("q_proj", "wqkv")))
    assert all(p.requires_grad for p in plain.language_model.parameters())
    with pytest.raises(ValueError, match=r"without adapters to save, got language_model\..*base_layer.*: merge them"):
        save_model(taught, None, tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rank": 0}, "expected a rank of at least 1, got 0"),
        ({"dropout": 1.0}, r"expected a dropout in \[0, 1\), got 1.0"),
        ({"targets": "q_proj"}, "expected names of matrices as targets, got 'q_proj'"),
        ({"targets": ()}, r"expected names of matrices as targets, got \(\)"),
    ],
)
def test_adapters_that_cannot_be_are_refused(fields: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        AdapterConfig(**fields)


def test_adapters_that_are_not_finite_are_not_saved(tmp_path: Path):
    model = fresh()
    add_adapters(model, SMALL)
    with torch.no_grad():
        next(p for n, p in model.named_parameters() if ".lora_A." in n).fill_(float("inf"))
    with pytest.raises(ValueError, match=r"finite weights in the adapters to save, got NaN or infinity in .*lora_A"):
        save_adapters(model, tmp_path / "broken")
    assert not list(tmp_path.iterdir())


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ImportError, match=r"needs peft: pip install 'visionllm-v2\[adapters\]'"):
        add_adapters(fresh())


def rewrite(folder: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], Any]) -> None:
    """Change a folder's settings and tensors, and make the manifest agree."""
    settings, tensors = json.loads((folder / CONFIG).read_text()), load_file(folder / TENSORS)
    change(settings, tensors)
    (folder / CONFIG).write_text(json.dumps(settings))
    save_file(tensors, folder / TENSORS)
    (folder / MANIFEST).unlink()
    write_manifest(folder)


FIRST = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, t: t.pop(FIRST), f"to fit the model: {FIRST} is missing"),
        (lambda s, t: t.update(odd=torch.zeros(1)), "to fit the model: odd is unknown"),
        (lambda s, t: t.update({FIRST: torch.zeros(4, 5)}), rf"expected {FIRST} of shape \[4, \d+\], got \[4, 5\]"),
        (lambda s, t: t[FIRST].fill_(float("nan")), f"NaN or infinity in {FIRST}"),
        (lambda s, t: s.update(auto_mapping={"x": "y"}), "unknown key auto_mapping in .*adapter_config.json"),
        (lambda s, t: s.update(peft_type="BONE"), "expected peft_type 'LORA' in .*, got 'BONE'"),
        (lambda s, t: s.pop("r"), "expected r in .*adapter_config.json, got none"),
        (lambda s, t: s.update(r="4"), "expected whole r, numbers lora_alpha and lora_dropout"),
        (lambda s, t: s.update(r=5), r"expected .* of shape \[5, \d+\], got \[4, \d+\]"),
        (lambda s, t: s.update(target_modules=["q_proj", "nothing"]), "of the language model, got 'nothing'"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_and_the_model_left_alone(
    saved: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], Any], message: str
):
    rewrite(saved, change)
    model = fresh()
    with pytest.raises(ValueError, match=message):
        load_adapters(model, saved)
    assert adapters_of(model) is None
    assert not any(".lora_" in name for name, _ in model.named_parameters())


@pytest.mark.parametrize("name", [CONFIG, TENSORS])
def test_a_damaged_folder_is_refused_by_the_file(saved: Path, name: str):
    (saved / name).write_bytes((saved / name).read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match=f"expected .*{name} as it was saved, got a damaged file"):
        load_adapters(fresh(), saved)
    (saved / name).unlink()
    with pytest.raises(ValueError, match=f"expected file {name} in .*, got none"):
        load_adapters(fresh(), saved)


def test_a_folder_without_weights_is_refused(saved: Path):
    (saved / TENSORS).unlink()
    (saved / MANIFEST).unlink()
    write_manifest(saved)
    with pytest.raises(ValueError, match=f"expected .*{TENSORS} to be a safetensors file"):
        load_adapters(fresh(), saved)
