"""`visionllm doctor` tells what is needed, what is there, and on what terms."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from visionllm.cli import machine
from visionllm.cli.doctor import what_fits
from visionllm.cli.machine import Gpu, Machine
from visionllm.recipes.published.licences import PUBLISHED
from visionllm.recipes.published.models import published_config, published_settings
from visionllm.weights.sizes import cache_size, parts_of, skeleton, total_size

GIGA = 10**9


def told(visionllm: Command, *arguments: object) -> dict[str, Any]:
    ran = visionllm("doctor", *arguments, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_the_embedded_model_is_small_and_free(visionllm: Command):
    found = told(visionllm)
    assert found["model"] == "tiny"
    parts = {part["name"]: part for part in found["parts"]}
    assert "language_model" in parts and "decoders.detection" in parts
    assert 3e7 < sum(part["bytes"]["fp32"] for part in parts.values()) < 1e8
    assert {part["terms"]["licence"] for part in parts.values()} == {"Apache License 2.0"}
    assert found["fits"]["CPU"]["fp32"] == {"without": []}
    assert found["cache"]["tokens"] == 1024


def test_the_published_model_is_counted_without_its_weights(visionllm: Command):
    found = told(visionllm, "7b")
    parts = {part["name"]: part for part in found["parts"]}
    frequencies = 2 * 64  # of the rotary positions, which no checkpoint holds
    assert sum(part["numbers"] for part in parts.values()) == 9_372_576_358 + frequencies
    language = parts["language_model"]
    assert language["bytes"]["fp32"] == 4 * language["numbers"]
    assert language["bytes"]["bf16"] == 2 * language["numbers"]
    assert 6.9 < language["bytes"]["int8"] / GIGA < 7.1
    assert 4.1 < language["bytes"]["int4"] / GIGA < 4.3
    assert parts["decoders.pose"]["terms"]["commercial"] is False
    assert {name: part["terms"]["licence"] for name, part in parts.items()} == {
        name: terms.licence for name, terms in PUBLISHED.items()
    }


@pytest.fixture
def workstation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """A machine with two GPUs and a torchvision that does not belong there."""
    gpus = tuple(Gpu(name=f"Graphics {n}", total=n * GIGA, free=n * GIGA - 1, bf16=n > 10) for n in (24, 8))
    found = replace(machine.this_machine(tmp_path), gpus=gpus, torchvision="0.1", bf16=None)
    monkeypatch.setattr(machine, "this_machine", lambda folder: found)
    return found


def test_pages_for_people_name_what_is_there(visionllm: Command, workstation: Machine):
    shown = visionllm("doctor").out
    assert workstation.torch in shown
    for words in ("Graphics 24", "24.0 GB", "no bfloat16", "torchvision 0.1 is installed", "GPU 1", "Apache License"):
        assert words in shown
    assert "float32 is faster here" in shown
    assert list(told(visionllm)["fits"]) == ["CPU", "GPU 0", "GPU 1"]


def test_what_fits_leaves_room_for_a_conversation():
    config = published_config("7b")
    parts = parts_of(skeleton(config))
    needed = total_size(parts, "int8") + cache_size(config, "int8")
    memory = {"enough": int(needed / 0.9) + 2, "less": int(needed / 0.9) - 2, "little": 4 * GIGA}
    found = what_fits(config, parts, memory)
    assert found["enough"]["int8"] == ()
    assert found["less"]["int8"] == ("decoders.editing",)
    assert found["enough"]["fp32"] is None
    assert set(found["little"].values()) == {None}


def test_a_published_folder_is_known_by_its_configuration(visionllm: Command, tmp_path: Path):
    raw: dict[str, Any] = published_settings("7b") | {"use_sd": False, "use_ip2p": False}
    raw["llm_config"] |= {"num_hidden_layers": 2}
    (tmp_path / "config.json").write_text(json.dumps(raw))
    parts = {part["name"]: part for part in told(visionllm, tmp_path)["parts"]}
    assert "decoders.generation" not in parts
    assert parts["language_model"]["numbers"] < 1e9
    assert parts["decoders.pose"]["terms"]["origin"].startswith("UniPose")


def test_a_model_of_others_has_terms_that_are_not_known(visionllm: Command, small: Path):
    assert {part["terms"] for part in told(visionllm, small)["parts"]} == {None}
    assert "ask whoever made this model" in visionllm("doctor", small).out


def test_what_is_no_model_is_refused(visionllm: Command, tmp_path: Path):
    ran = visionllm("doctor", "13b")
    assert (ran.code, ran.out) == (2, "")
    assert "expected the folder of a model, or the name of one (tiny), got '13b'" in ran.err
    assert "expected file config.json" in visionllm("doctor", tmp_path).err
