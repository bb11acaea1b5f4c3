from pathlib import Path

import pytest
import torch

from tests.tiny import tiny_config, tiny_model
from visionllm.weights import placing
from visionllm.weights.placing import free_main_memory, free_memory, layers_of, main_memory, memory_size, place
from visionllm.weights.sizes import parts_named, skeleton

LAYERS = 4


@pytest.fixture(scope="module")
def bare():
    text = tiny_config().to_dict()["text_config"]
    return skeleton(tiny_config(text_config=text | {"num_hidden_layers": LAYERS}))


def sizes(bare):
    layer = parts_named(bare, layers_of(bare))[0].size("fp32")
    rest = sum(t.nbytes for t in [*bare.parameters(), *bare.buffers()]) - LAYERS * layer
    return layer, rest


def test_the_layers_of_the_language_model_are_found(bare):
    assert layers_of(bare) == [f"language_model.model.layers.{i}" for i in range(LAYERS)]


def test_every_weight_has_one_device(bare):
    found = place(bare, {"cpu": 10**9}, "fp32")
    for name, _ in [*bare.named_parameters(), *bare.named_buffers()]:
        assert sum(name == place or name.startswith(f"{place}.") for place in found) == 1
    assert set(found.values()) == {"cpu"}


def test_layers_fill_one_device_after_the_other_and_all_else_stays_together(bare):
    layer, rest = sizes(bare)
    found = place(bare, {0: rest + layer, 1: 2 * layer, "cpu": 0}, "fp32", disk=True)
    assert [found[name] for name in layers_of(bare)] == [0, 1, 1, "disk"]
    assert {device for name, device in found.items() if name not in layers_of(bare)} == {0}


def test_layers_stay_in_their_order(bare):
    layer, rest = sizes(bare)
    assert [*place(bare, {0: rest + layer, 1: layer - 1, "cpu": 10 * layer}, "fp32").values()][-LAYERS:] == [
        0,
        "cpu",
        "cpu",
        "cpu",
    ]


def test_smaller_numbers_need_less_room(bare):
    layer, rest = sizes(bare)
    room: dict[placing.Device, int] = {0: rest + 3 * layer}
    with pytest.raises(ValueError, match="name an offload_folder"):
        place(bare, room, "fp32")
    assert set(place(bare, room, "int8", number_bytes=4).values()) == {0}


def test_too_little_memory_says_how_much_is_needed(bare):
    with pytest.raises(ValueError, match=r"expected .* kB on cpu for all but the language model's layers, got 1\.0 kB"):
        place(bare, {"cpu": 1000}, "fp32", disk=True)
    layer, rest = sizes(bare)
    with pytest.raises(ValueError, match=r"expected .* of memory, got .*; name an offload_folder"):
        place(bare, {"cpu": rest + layer}, "fp32")


def test_a_language_model_without_a_list_of_layers_is_refused():
    model = tiny_model()
    model.config.text_config.num_hidden_layers = 99
    with pytest.raises(ValueError, match="with a list of 99 layers, got none"):
        layers_of(model)


@pytest.mark.parametrize(
    ("given", "size"), [(5, 5), ("10GB", 10**10), ("2 MiB", 2**21), ("1.5kb", 1500), ("3", 3), ("7B", 7)]
)
def test_sizes_of_memory_are_read(given: int | str, size: int):
    assert memory_size(given) == size


@pytest.mark.parametrize("given", ["", "GB", "-1GB", "1 TB", "ten"])
def test_a_size_that_is_none_is_refused(given: str):
    with pytest.raises(ValueError, match=f"expected a size such as 10GB, got '{given}'"):
        memory_size(given)


def test_the_main_memory_is_that_of_this_machine():
    assert 0 < free_main_memory() <= main_memory()
    assert list(free_memory())[-1] == "cpu"
    assert (len(free_memory()) > 1) == torch.cuda.is_available()


def test_the_limit_of_a_container_counts(monkeypatch: pytest.MonkeyPatch):
    files = {
        "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    8000000 kB\n",
        "/sys/fs/cgroup/memory.max": "5000000\n",
        "/sys/fs/cgroup/memory.current": "1000000\n",
    }
    monkeypatch.setattr(placing, "_read", lambda file: files.get(file, ""))
    assert (free_main_memory(), main_memory()) == (4_000_000, 5_000_000)
    files["/sys/fs/cgroup/memory.max"] = "max\n"
    assert free_main_memory() == 8_000_000 * 1024
    assert main_memory() > 5_000_000


def test_a_system_without_such_files_still_has_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(placing, "_read", lambda file: "")
    assert free_main_memory() == main_memory() > 0


def test_a_file_that_is_not_there_is_empty(tmp_path: Path):
    assert placing._read(str(tmp_path / "nothing")) == ""
