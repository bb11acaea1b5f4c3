"""Ways to load the embedded model: without decoders, smaller, spread."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from half import distances
from tests.small import save_small
from tests.weights.test_folder import rewrite
from visionllm import VisionLLM
from visionllm.data.world import draw_picture
from visionllm.weights import load_model, loading, save_model
from visionllm.weights.loading import Loading
from visionllm.weights.sizes import parts_of

CLASSES = ("star", "fish", "heart")
needs_extra = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs the extra `sizes`")
pytestmark = pytest.mark.usefixtures("one_core")


@pytest.fixture(scope="module")
def whole() -> VisionLLM:
    return VisionLLM.load(device="cpu")


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    drawn = (draw_picture(seed, split="test") for seed in range(1, 25))
    return [Image.fromarray(picture.pixels) for picture in drawn]


def memory_of(language_model: torch.nn.Module) -> int:
    """The bytes of a language model, its scales included."""
    total = 0
    for tensor in [*language_model.parameters(), *language_model.buffers()]:
        state = getattr(tensor, "quant_state", None)
        scales = [getattr(tensor, "SCB", None)] if state is None else [state.absmax, state.code]
        total += tensor.nbytes + sum(scale.nbytes for scale in scales if scale is not None)
    return total


@needs_extra
@pytest.mark.parametrize(("kind", "share"), [("int8", 0.35), ("int4", 0.25)])
def test_a_smaller_language_model_answers_nearly_the_same(
    kind: Any, share: float, whole: VisionLLM, pictures: list[Image.Image]
):
    small = VisionLLM.load(device="cpu", quantise=kind)
    language = small.model.language_model
    counted = {part.name: part for part in parts_of(whole.model)}["language_model"]
    assert memory_of(language) == counted.size(kind, 4)
    assert memory_of(language) < share * memory_of(whole.model.language_model)
    kept = dict(whole.model.named_parameters())
    others = [(n, p) for n, p in small.model.named_parameters() if not n.startswith("language_model.")]
    assert others and all(torch.equal(p, kept[n]) for n, p in others)
    moved = distances(whole, small, pictures)
    assert len(moved) >= 2 and moved.max() < 0.02
    words = [[model.caption(picture).text.split() for picture in pictures] for model in (whole, small)]
    same = [a == b for one, other in zip(*words, strict=True) for a, b in zip(one, other, strict=False)]
    assert np.mean(same) >= (0.9 if kind == "int8" else 0.8)
    with pytest.raises(ValueError, match="a type of their own to save, got one in int8 or int4"):
        save_model(small.model, None, "nowhere")


@pytest.mark.parametrize("missing", ["bitsandbytes", "accelerate"])
def test_without_the_extra_the_message_names_it(missing: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"needs {missing}: pip install 'visionllm-v2\[sizes\]'"):
        VisionLLM.load(device="cpu", quantise="int8")


def test_a_model_that_fits_is_not_spread(whole: VisionLLM, pictures: list[Image.Image]):
    model = VisionLLM.load(device="cpu", device_map="auto")
    assert not any(tensor.is_meta for tensor in model.model.state_dict().values())
    assert np.array_equal(model.detect(pictures[1], CLASSES).boxes, whole.detect(pictures[1], CLASSES).boxes)


def test_layers_on_the_disk_give_the_same_answers(whole: VisionLLM, pictures: list[Image.Image], tmp_path: Path):
    sizes = {part.name: part.size("fp32", 4) for part in parts_of(whole.model)}
    room = sum(sizes.values()) - sizes["language_model"] // 3  # about a third of the layers have to stay on the disk
    model = VisionLLM.load(
        device="cpu", device_map="auto", max_memory={"cpu": room}, offload_folder=tmp_path / "layers"
    )
    away = {name for name, tensor in model.model.state_dict().items() if tensor.is_meta}
    assert away and all(name.startswith("language_model.model.layers.") for name in away)
    picture = pictures[1]
    assert model.caption(picture).text == whole.caption(picture).text
    assert np.array_equal(model.detect(picture, CLASSES).boxes, whole.detect(picture, CLASSES).boxes)
    with pytest.raises(ValueError, match=r"all in memory to save, got language_model\.model\.layers\..* offloaded"):
        save_model(model.model, None, tmp_path / "copy")


def test_offloaded_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path):
    name = "language_model.model.layers.1.mlp.up_proj.weight"
    folder = save_small(tmp_path / "model")
    rewrite(folder, lambda tensors: tensors[name].fill_(float("nan")))
    model = load_model(save_small(tmp_path / "fine"))
    sizes = {p.name: p.size("fp32") for p in parts_of(model)}
    layer = sum(t.nbytes for t in model.language_model.get_submodule("model.layers.1").parameters())
    for share in (0, layer):
        with pytest.raises(ValueError, match=f"got NaN or infinity in {name}"):
            load_model(
                folder,
                loading=Loading(
                    device_map="auto",
                    max_memory={"cpu": sum(sizes.values()) - share},
                    offload_folder=tmp_path / f"away-{share}",
                ),
            )


@pytest.mark.parametrize(("device", "places"), [("cpu", {"cpu"}), ("cuda", {0, "cpu"})])
def test_gpus_are_filled_unless_the_cpu_computes(
    device: str, places: set[Any], monkeypatch: pytest.MonkeyPatch, whole: VisionLLM
):
    sizes = {part.name: part.size("fp32") for part in parts_of(whole.model)}
    room = {0: int((sum(sizes.values()) - sizes["language_model"] / 2) / 0.9), "cpu": 10**9}
    monkeypatch.setattr(loading, "free_memory", lambda: room)
    options = Loading(device_map="auto").options(whole.model.config, {}, torch.device(device), torch.float32)
    assert set(options["device_map"].values()) == places
    assert options["device_map"]["vision_encoder"] == list(room)[device == "cpu"]


def test_modules_go_where_they_are_told(tmp_path: Path):
    folder = save_small(tmp_path / "model")
    model = load_model(folder, loading=Loading(device_map={"": "cpu"}))
    assert {p.device.type for p in model.parameters()} == {"cpu"}


@needs_extra
def test_a_smaller_model_does_not_go_to_the_disk(tmp_path: Path):
    folder = save_small(tmp_path / "model")
    choice = Loading(quantise="int8", device_map={"": "cpu", "language_model": "disk"}, offload_folder=tmp_path)
    with pytest.raises(ValueError, match="expected room for all of a model in int8 on GPUs, or all in main memory"):
        load_model(folder, loading=choice)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small(tmp_path_factory.mktemp("models") / "full", full=True)


def only(folder: Path, *decoders: str) -> VisionLLM:
    return VisionLLM.load(folder, device="cpu", decoders=decoders)


def test_only_the_named_decoders_are_built_and_read(full: Path, tmp_path: Path, pictures: list[Image.Image]):
    model, every = only(full, "detection"), VisionLLM.load(full, device="cpu")
    assert model.decoders == ("detection",)
    assert every.decoders == ("detection", "pose", "generation", "editing")
    kept = {n: t for n, t in every.model.state_dict().items() if n.startswith(("decoders.detection.", "l", "s", "v"))}
    state = model.model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in kept.items())
    assert not any(name.startswith("decoders.") and not name.startswith("decoders.detection.") for name in state)
    one, other = (m.detect(pictures[0], CLASSES).boxes for m in (model, every))
    assert np.array_equal(one, other)


def test_the_decoders_that_are_left_out_may_be_broken(tmp_path: Path):
    folder = save_small(tmp_path / "model", full=True)
    name = "decoders.pose.decoder.stack.norm.weight"
    rewrite(folder, lambda tensors: tensors[name].fill_(float("nan")))
    assert only(folder, "detection", "editing").decoders == ("detection", "editing")
    with pytest.raises(ValueError, match=f"NaN or infinity in {name}"):
        only(folder, "pose")


def test_asking_a_decoder_that_was_left_out_is_refused(full: Path, pictures: list[Image.Image]):
    talks = only(full)
    assert talks.decoders == ()
    assert talks.ask("How many?", pictures[0]).detections is None
    with pytest.raises(ValueError, match="expected a model with a detector"):
        talks.detect(pictures[0], ["star"])
    with pytest.raises(ValueError, match=r"expected a decoder among \[\], got 'pose'"):
        talks.pose(pictures[0], ["person"])
    with pytest.raises(ValueError, match="expected a model that makes pictures"):
        only(full, "detection").generate("a star")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"quantise": "int2"}, "expected quantise to be one of int8, int4, got 'int2'"),
        ({"device_map": "balanced"}, "expected device_map 'auto' or the device of each module, got 'balanced'"),
        ({"max_memory": {"cpu": 1}}, "expected device_map beside max_memory, got none"),
        ({"offload_folder": "x"}, "expected device_map beside offload_folder, got none"),
    ],
)
def test_choices_that_say_nothing_are_refused(choice: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Loading(**choice)


def test_choices_that_do_not_fit_the_model_are_refused(full: Path):
    with pytest.raises(ValueError, match="expected decoders among detection, pose, generation, editing, got 'depth'"):
        only(full, "depth")
    with pytest.raises(ValueError, match=r"expected devices among .*cpu in max_memory, got 'npu'"):
        VisionLLM.load(full, device="cpu", device_map="auto", max_memory={"npu": 1})
