import json
from pathlib import Path
from typing import Any

import pytest

from visionllm.processing import PUBLISHED, ROUTES, VICUNA_V1, ProcessorConfig
from visionllm.processing.decoder_images import DecoderImageConfig, MadePictureConfig
from visionllm.processing.tiles import VisionImageConfig


def saved(tmp_path: Path, **values: Any) -> Path:
    path = tmp_path / "processor_config.json"
    ProcessorConfig(**values).save(path)
    return path


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"template": VICUNA_V1, "prompts": PUBLISHED, "vocabulary_size": 32026},
        {"decoder": None, "routes": ROUTES[:2], "tables": {"gen": 8, "det": 1}},
        {"decoder_by_name": {"pose": DecoderImageConfig.published_pose()}},
        {"vision": VisionImageConfig(mode="pad"), "decoder": DecoderImageConfig(short_side=None, antialias=True)},
        {"pictures": {"generation": MadePictureConfig(size_hw=(64, 32)), "editing": MadePictureConfig(size_hw=(8, 8))}},
    ],
)
def test_a_config_comes_back_as_it_was(values: dict[str, Any], tmp_path: Path) -> None:
    again = ProcessorConfig.load(saved(tmp_path, **values))
    assert again == ProcessorConfig(**values)
    assert list(again.tables) == list(ProcessorConfig(**values).tables), (
        "the order of the tables is the order of the slots"
    )


def test_the_file_is_plain_json(tmp_path: Path) -> None:
    plain = json.loads(saved(tmp_path).read_text())
    assert plain["tables"] == {"det": 4, "pose": 4, "gen": 64, "edit": 64}
    assert plain["routes"][0] == {"token": "[DET]", "table": "det", "decoder": "detection", "picture": True}
    assert plain["vision"]["image_size"] == 336
    assert plain["prompts"]["detect"] == "Find every {names}."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "expected no key 'colour' at processor_config.json, got one; known keys are vision"),
        ({"vision": {"sise": 1}}, "expected no key 'sise' at processor_config.json:vision, got one"),
        ({"routes": [{"token": "x", "table": "det", "decoder": "d", "auto_map": 1}]}, "'auto_map' at .*:routes:0"),
        ({"routes": [{"token": "x"}]}, "expected every key without a default at .*:routes:0, got only token"),
        ({"routes": "all"}, "expected tuple.* at .*:routes, got 'all'"),
        ({"tables": [1]}, "expected .*Mapping.* at .*:tables, got"),
        ({"tables": {"det": "4"}}, "expected int at .*:tables:det, got '4'"),
        ({"tables": {"det": 0}}, "expected at least 1 slot in table 'det', got 0"),
        ({"decoder_by_name": {"pose": {"sise": 1}}}, "expected no key 'sise' at .*:decoder_by_name:pose, got one"),
        ({"decoder_by_name": {"depth": {}}}, "expected decoders that routes open in decoder_by_name, got 'depth'"),
        ({"decoder_by_name": {"pose": {}}, "decoder": None}, r"expected decoder beside .*, got None and \['pose'\]"),
        ({"context_length": "512"}, "expected int at .*:context_length, got '512'"),
        ({"context_length": True}, "expected int at .*:context_length, got True"),
        ({"context_length": 0}, "expected context_length of at least 1, got 0"),
        ({"vision": None}, "expected an object at .*:vision, got None"),
        ({"vision": {"mode": "wide"}}, "expected .*Literal.* at .*:vision:mode, got 'wide'"),
        ({"vision": {"mean": [0.5, 0.5]}}, "expected 3 values at .*:vision:mean, got 2"),
        ({"vision": {"mean": [0.5, 0.5, "a"]}}, "expected float at .*:vision:mean:2, got 'a'"),
        ({"template": {"wrap": 1, "name": "x"}}, "expected bool at .*:template:wrap, got 1"),
        ({"template": {}}, "expected every key without a default at .*:template, got only none"),
        ({"pictures": {"editing": {"hw": 8}}}, "expected no key 'hw' at .*:pictures:editing, got one"),
        ({"pictures": {"editing": {"size_hw": [8, "8"]}}}, "expected int at .*:pictures:editing:size_hw:1, got '8'"),
        ({"vocabulary_size": 1.5}, "expected int at .*:vocabulary_size, got 1.5"),
    ],
)
def test_keys_and_values_that_do_not_fit_are_refused_with_their_place(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = saved(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        ProcessorConfig.load(path)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "processor_config.json"
    with pytest.raises(
        ValueError, match=r"expected a file processor_config.json in the folder of a processor, got none at"
    ):
        ProcessorConfig.load(path)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"expected JSON in .*processor_config.json, got something else"):
        ProcessorConfig.load(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match=r"expected an object at processor_config.json, got \[\]"):
        ProcessorConfig.load(path)
