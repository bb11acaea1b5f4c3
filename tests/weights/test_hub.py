import sys

import huggingface_hub
import pytest

from visionllm.weights.hub import fetch_model, is_hub_id


@pytest.mark.parametrize("name", ["large", "../models/none", "/models/none", "a/b/c", "a/", "/b", "~/b", "a b/c", ""])
def test_paths_and_single_names_are_not_the_hubs(name):
    assert not is_hub_id(name)


def test_offline_the_error_says_so():
    told = (
        r"expected the folder of a model, or a model on the hub that can be reached, got 'OpenGVLab/VisionLLMv2': \w+"
    )
    with pytest.raises(ValueError, match=told):
        fetch_model("OpenGVLab/VisionLLMv2")


def test_without_the_package_its_name_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match="expected the package huggingface_hub, which fetches 'a/b'"):
        fetch_model("a/b")


def test_only_weights_words_and_settings_are_fetched(monkeypatch, tmp_path):
    asked = {}

    def snapshot_download(name, **given):
        asked.update(given, name=name)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert fetch_model("a/b") == tmp_path
    assert asked == {"name": "a/b", "allow_patterns": ["*.json", "*.model", "*.safetensors", "*.bin"]}
