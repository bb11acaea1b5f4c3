"""What a machine has is told without importing what may be broken."""

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from visionllm.cli import machine
from visionllm.cli.machine import Package, bf16_instructions, extras_of, installed, this_machine


def test_this_machine_is_described(tmp_path: Path):
    found = this_machine(tmp_path)
    assert found.torch == torch.__version__
    assert found.cores >= 1
    assert 0 < found.memory_free <= found.memory_total
    assert found.disk_free > 0
    assert len(found.gpus) == torch.cuda.device_count()
    assert json.loads(json.dumps(found.to_dict()))["python"] == found.python


@pytest.mark.parametrize(
    ("cpuinfo", "found"),
    [
        ("flags\t\t: fpu avx512_bf16 amx_bf16\nflags\t\t: fpu\n", "amx_bf16"),
        ("Features\t: fp asimd bf16 i8mm\n", "bf16"),
        ("flags\t\t: fpu avx2\nmodel name\t: bf16 maker\n", None),
        ("", None),
    ],
)
def test_instructions_for_bfloat16_are_found(cpuinfo: str, found: str | None):
    assert bf16_instructions(cpuinfo) == found


REQUIREMENTS = [
    "torch<2.14,>=2.10",
    'pytest>=9; extra == "test"',
    'numpy>=2.1; extra == "eval"',
    "nothing-of-this-name>=1; extra == 'sizes'",
    'visionllm-v2[generation]; extra == "demo"',
]


def test_extras_list_their_libraries():
    found = extras_of(REQUIREMENTS)
    assert found.keys() == {"eval", "sizes"}
    (numpy,), (nothing,) = found["eval"], found["sizes"]
    assert numpy.installed == installed("numpy") and numpy.fits
    assert nothing == Package(name="nothing-of-this-name", wanted=">=1", installed=None)
    assert not nothing.fits


@pytest.mark.parametrize(("version", "fits"), [("1.2", True), ("1.0", False), ("2.0.dev1", True), (None, False)])
def test_a_version_outside_what_is_tested_does_not_fit(version: str | None, fits: bool):
    assert Package(name="x", wanted=">=1.1", installed=version).fits is fits


def test_sources_that_are_not_installed_have_no_extras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def missing(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(machine, "requires", missing)
    assert this_machine(tmp_path).extras == {}
