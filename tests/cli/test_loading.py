"""Every command that loads a model can load it smaller, or without decoders."""

import inspect
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Command
from tests.small import save_small
from visionllm.cli import loading
from visionllm.cli.loading import chosen, loads_a_model


def said(device: str | None = None, **options: object) -> dict[str, object]:
    """What a command would hand to `VisionLLM.load`."""
    found: list[dict[str, object]] = []
    loads_a_model(lambda: found.append(chosen(device)))(**options)
    return found[0]


def test_a_command_that_says_nothing_chooses_nothing():
    assert said() == chosen(None) == {"device": None}
    assert said("cpu") == {"device": "cpu"}


def test_what_is_said_becomes_arguments(tmp_path: Path):
    assert said("cpu", precision="bf16") == {"device": "cpu", "dtype": torch.bfloat16}
    assert said(precision="int4", adapters=tmp_path) == {"device": None, "quantise": "int4", "adapters": tmp_path}
    assert said("auto", decoders=["pose"], offload_folder=tmp_path) == {
        "device": None,
        "device_map": "auto",
        "decoders": ["pose"],
        "offload_folder": tmp_path,
    }


def test_what_is_said_is_forgotten_when_a_command_ends():
    def fails() -> None:
        raise ValueError("no picture")

    with pytest.raises(ValueError, match="no picture"):
        loads_a_model(fails)(precision="bf16")
    assert chosen(None) == {"device": None}


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="expected --precision among fp32, bf16, fp16, int8, int4, got 'fp8'"):
        said(precision="fp8")


def test_the_options_come_after_those_of_the_command():
    def command(text: str, model: str | None = None) -> None:
        """Ask."""

    wrapped = loads_a_model(command)
    assert list(inspect.signature(wrapped).parameters) == ["text", "model", *loading.OPTIONS]
    assert wrapped.__doc__ == "Ask."


@pytest.mark.parametrize(
    "command", ["run", "detect", "segment", "semantic", "refer", "find", "pose", "generate", "edit", "demo"]
)
def test_every_command_that_loads_a_model_has_them(command: str, visionllm: Command):
    shown = visionllm(command, "--help").out
    assert all(option in shown for option in ("--precision", "--decoder", "--adapters", "--offload-folder"))


def test_the_evaluation_has_them_too(visionllm: Command):
    assert "--precision" in visionllm("eval", "world", "--help").out


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs the extra `sizes`")
def test_a_command_answers_with_a_smaller_model(visionllm: Command, small: Path, image: Path):
    ran = visionllm("detect", image, "star", "--model", small, "--precision", "int8", "--threshold", 0, "--json")
    assert ran.code == 0 and '"label": "star"' in ran.out


def test_a_command_without_its_decoder_says_so(visionllm: Command, tmp_path: Path, image: Path):
    folder = save_small(tmp_path / "full", full=True)
    ran = visionllm("pose", image, "person", "--model", folder, "--decoder", "detection")
    assert ran.code == 2
    assert "expected a decoder among ['detection'], got 'pose'" in ran.err
