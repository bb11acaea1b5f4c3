"""Parts that are broken, hostile or in the wrong place: refused by name, and nothing is left behind."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.weights.building.parts import WORDS, chat, rewrite, write_clip, write_llama
from visionllm.weights.building import BuildOptions, Parts, build_model

pytestmark = pytest.mark.faults


def test_a_target_that_is_there_is_left_alone(parts: Parts, tmp_path: Path):
    with pytest.raises(FileExistsError, match=r"expected no .* yet; remove it"):
        build_model(parts, tmp_path)


def test_a_full_disk_leaves_nothing(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("visionllm.weights.shards.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        build_model(chat(parts), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def spoilt(folder: Path, to: Path, change: Callable[[dict[str, Tensor]], Any]) -> Path:
    shutil.copytree(folder, to)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, to / "model.safetensors", {"format": "pt"})
    return to


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        pytest.param(
            "language",
            lambda t: t.pop("model.norm.weight"),
            r"language part: expected model\.norm\.weight in the weights of .*, got none \(1 such\)",
            id="missing",
        ),
        pytest.param(
            "vision",
            lambda t: t.update({"vision_model.odd": torch.zeros(1)}),
            r"vision part: expected only tensors of a clip_vision_model in .*, got vision_model\.odd",
            id="unknown",
        ),
        pytest.param(
            "language",
            lambda t: t.update({"model.norm.weight": torch.zeros(7)}),
            r"language part: expected model\.norm\.weight of shape \[24\] in .*, got \[7\]",
            id="shape",
        ),
        pytest.param(
            "detection",
            lambda t: t.update({"model.level_embed": torch.zeros(4, 16)}),
            r"detection part: expected model\.level_embed of shape \[4, 32\] in .*, got \[4, 16\]",
            id="width",
        ),
        pytest.param(
            "vision",
            lambda t: t["vision_model.post_layernorm.bias"].fill_(float("nan")),
            r"expected finite weights, got NaN or infinity in vision_encoder\.post_layernorm\.bias",
            id="nan",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named_with_their_part(
    parts: Parts, tmp_path: Path, part: str, change: Callable[..., Any], message: str
):
    folder = spoilt(getattr(parts, part), tmp_path / "part", change)
    with pytest.raises(ValueError, match=message):
        build_model(chat(parts, **{part: folder}), tmp_path / "model")
    assert [f.name for f in tmp_path.iterdir()] == ["part"]


class Gadget:
    """Leaves a trace when a pickle is loaded that holds it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("part", ["vision", "language", "detection", "generation"])
def test_a_pickle_with_code_is_refused_and_not_run(parts: Parts, tmp_path: Path, part: str):
    folder = Path(shutil.copytree(getattr(parts, part), tmp_path / "part"))
    weights = "unet/diffusion_pytorch_model" if part == "generation" else "model"
    (folder / f"{weights}.safetensors").unlink()
    name = weights if part == "generation" else "pytorch_model"
    torch.save({"weight": Gadget(tmp_path / "trace")}, folder / f"{name}.bin")
    with pytest.raises(ValueError, match=f"{part} part: expected tensors only in .*; what else is in it is not run"):
        build_model(chat(parts, **{part: folder}), tmp_path / "model")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("part", ["vision", "language", "detection"])
def test_a_folder_without_configuration_is_refused(parts: Parts, tmp_path: Path, part: str):
    folder = Path(shutil.copytree(getattr(parts, part), tmp_path / "part"))
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match=rf"{part} part: expected file config\.json in .*part, got none"):
        build_model(chat(parts, **{part: folder}), tmp_path / "model")


@pytest.mark.parametrize(
    ("part", "file", "changes", "message"),
    [
        ("vision", "config.json", {"auto_map": {}}, r"vision part: .*chooses code .*config\.json\.auto_map"),
        ("language", "config.json", {"odd": 1}, r"language part: unknown key .*config\.json\.odd"),
        ("detection", "config.json", {"_kernel": "x"}, r"detection part: expected no private key .*\._kernel"),
        ("language", "tokenizer_config.json", {"auto_map": {}}, r"language part: .*chooses code .*\.auto_map"),
        ("generation", "unet/config.json", {"trust_remote_code": True}, r"generation part: .*\.trust_remote_code"),
        ("generation", "vae/config.json", {"odd": 1}, r"unknown key vae\.odd"),
        ("editing", "text_encoder/config.json", {"odd": 1}, r"editing part: unknown key .*config\.json\.odd"),
        ("editing", "scheduler/scheduler_config.json", {"odd": 1}, r"unknown key schedule\.odd"),
        ("generation", "text_encoder/config.json", {"hidden_size": 24}, "as wide as the U-Net's 16, got 24"),
    ],
)
def test_settings_that_choose_code_or_are_unknown_are_named(
    parts: Parts, tmp_path: Path, part: str, file: str, changes: dict[str, Any], message: str
):
    folder = Path(shutil.copytree(getattr(parts, part), tmp_path / "part"))
    rewrite(folder / file, **changes)
    with pytest.raises(ValueError, match=message):
        build_model(chat(parts, **{part: folder}), tmp_path / "model", write=False)


def test_a_diffusion_model_in_the_wrong_place_is_refused(parts: Parts, tmp_path: Path):
    with pytest.raises(ValueError, match="editing part: expected a U-Net with 8 in_channels, got 4"):
        build_model(chat(parts, editing=Path(str(parts.generation))), tmp_path / "model")


def test_a_tokenizer_with_more_ids_than_the_language_model_has_is_refused(parts: Parts, tmp_path: Path):
    language = write_llama(tmp_path / "short", rows=WORDS - 10)
    with pytest.raises(ValueError, match=f"expected a tokenizer of at most {WORDS - 10} ids, .*, got {WORDS}"):
        build_model(chat(parts, language=language), tmp_path / "model")


def test_cells_that_make_no_squares_are_refused(parts: Parts, tmp_path: Path):
    vision = write_clip(tmp_path / "clip", patch_size=32 // 3)
    with pytest.raises(ValueError, match=r"vision part: expected features of an even number of cells a side"):
        build_model(chat(parts, vision=vision), tmp_path / "model", BuildOptions(pixel_shuffle=2))
