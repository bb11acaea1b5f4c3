"""Golden numbers from what `visionllm convert` wrote: each set as a published folder in shards, converted and loaded.

Sets of one part stand in a whole model whose other parts are random.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from made_words import write_words
from tests.parity import test_diffusion, test_full, test_full_diffusion, test_full_pose, test_gdino, test_unipose
from tests.parity.golden import Golden, sets
from tests.weights.synthetic import FIRST, raw_config, weights_of, write_weights
from tests.weights.test_published_words import folder as words_folder
from visionllm import VisionLLM
from visionllm.cli import command
from visionllm.config import Quirks
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.weights.diffusion_folder import read_diffusion_settings
from visionllm.weights.published import DECODERS, TOKENS, state_from_published
from visionllm.weights.published_schema import DETECTOR, POSE

pytestmark = pytest.mark.skipif(find_spec("sentencepiece") is None, reason="needs the extra `convert`")
OFF = {"use_gdino": False, "use_unipose": False, "use_sd": False, "use_ip2p": False}


def converted(source: Path, raw: Mapping[str, Any], weights: Mapping[str, Tensor]) -> VisionLLM:
    """Finish a published folder that has its tokenizer, convert it on the command line, and load the result."""
    (source / "config.json").write_text(json.dumps(raw))
    write_weights(dict(weights), source, files=7)
    target = source.with_name("ours")
    given = ["convert", str(source), str(target), "--shard-size", "400KB", "--json"]
    ran = CliRunner().invoke(command.app, given, catch_exceptions=False)
    assert ran.exit_code == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["verified"] is True and len(told["files"]) > 1
    shutil.rmtree(source)
    return VisionLLM.load(target, device="cpu")


@pytest.fixture(scope="module", params=[pytest.param(g, id=str(g)) for g in sets("full")])
def golden(request: pytest.FixtureRequest) -> Golden:
    return request.param


@pytest.fixture(scope="module")
def whole(golden: Golden, tmp_path_factory: pytest.TempPathFactory) -> VisionLLM:
    source, weights = tmp_path_factory.mktemp("full") / "published", golden.weights
    source.mkdir()
    write_words(source, golden.json()["fixture"]["base_vocab"])
    raw = golden.config
    for part in ("sd", "ip2p"):  # the folder beside this file has no room for all of them
        raw[f"use_{part}"] = f"{part}.sd_vae.decoder.conv_in.weight" in weights
        if raw[f"use_{part}"]:
            base = raw[f"{part}_config"]["sd_model_id"]
            shutil.copytree(golden.path / base, source / base)
    return converted(source, raw, weights)


@pytest.fixture
def model(whole: VisionLLM) -> VisionLLMForConditionalGeneration:
    return whole.model


def test_the_converted_model_is_the_renamed_one_in_every_bit(golden: Golden, whole: VisionLLM):
    ids = golden.json()["fixture"]["token_ids"]
    assert whole.model.config.token_ids == {token: ids[key] for token, key in zip(TOKENS, test_full.KEYS, strict=True)}
    assert whole.model.config.quirks == Quirks.published()
    expected = state_from_published(golden.weights, whole.model.config)
    state = whole.model.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state.items())


@pytest.mark.parametrize("name", test_full.READ)
def test_reading(golden: Golden, model: VisionLLMForConditionalGeneration, name: str):
    test_full.test_prompts_are_embedded_as_published(golden, model, name)
    test_full.test_reading_gives_the_published_states_and_scores(golden, model, name)


@pytest.mark.parametrize("name", test_full.DETECTED)
def test_detecting(golden: Golden, model: VisionLLMForConditionalGeneration, name: str):
    test_full.test_slots_reach_the_detector_and_find_the_published_objects(golden, model, name)


def test_finding_poses(golden: Golden, model: VisionLLMForConditionalGeneration, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(test_full_pose, "build", lambda _: model)
    test_full_pose.test_slots_reach_the_pose_decoder_and_find_the_published_poses(golden)


@pytest.mark.parametrize("name", test_full_diffusion.OWNERS)
def test_learning_to_make_pictures(golden: Golden, whole: VisionLLM, name: str, monkeypatch: pytest.MonkeyPatch):
    owner = test_full_diffusion.OWNERS[name]
    if owner not in whole.decoders:
        pytest.skip(f"{golden} has not all weights of the decoder {owner}")
    decoder: Any = whole.model.decoders[owner]
    if name == "edit":
        plain = {"pixel_mean": test_full_diffusion.PLAIN, "pixel_std": test_full_diffusion.PLAIN}
        monkeypatch.setattr(decoder, "config", replace(decoder.config, **plain))
    monkeypatch.setattr(test_full_diffusion, "build", lambda *_: whole.model.train())
    try:
        test_full_diffusion.test_a_training_step_with_a_picture_has_the_published_losses(golden, name)
    finally:
        whole.model.eval()


def test_writing_step_by_step(golden: Golden, model: VisionLLMForConditionalGeneration):
    test_full.test_reading_step_by_step_gives_the_published_steps(golden, model)
    test_full.test_generating_a_batch_of_rows_with_and_without_slots_gives_the_published_states(golden, model)
    test_full.test_one_pass_over_finished_ids_gives_the_published_states(golden, model)


@pytest.mark.parametrize("text", [{}, {2: "[DET]"}], ids=["free", "routed"])
def test_writing_greedily(golden: Golden, model: VisionLLMForConditionalGeneration, text: dict[int, str]):
    name = "gen_hf_forced_det" if text else "gen_hf"
    test_full.test_greedy_answers_are_the_published_ones_without_their_slots(golden, model, name, text)


def around(part: str, golden: Golden, sizes: Mapping[str, Any], width: int, place: Path, **more: Any) -> Any:
    """Put a golden part into a whole model, convert that, and return its decoder."""
    raw, decoder = raw_config(**OFF), next(ours for ours, theirs in DECODERS.items() if theirs == f"{part}.")
    raw["llm_config"] |= {"hidden_size": width}
    raw |= more | {f"use_{part}": True, f"{part}_config": dict(sizes)}
    words_folder(place / "published", legacy=True)
    named: dict[str, Any] = {}
    if part == "unipose":
        named["pose"] = {key: golden.json()["fixture"]["swin"][key] for key in test_unipose.SWIN}
    if "sd_model_id" in sizes:
        shutil.copytree(golden.path / sizes["sd_model_id"], place / "published" / sizes["sd_model_id"])
        named[decoder] = read_diffusion_settings(golden.path / sizes["sd_model_id"])
    weights = weights_of(raw, named)
    own = {f"{part}.{name}": tensor for name, tensor in golden.weights.items()}
    assert not [name for name in weights if name.startswith(f"{part}.") and name not in own]
    return converted(place / "published", raw, weights | own).model.decoders[decoder]


def take(case: Any, found: Any, **training: Any) -> None:
    """Let a case compute with a converted decoder; `training` are settings that the published code keeps elsewhere."""
    assert found.state_dict().keys() == case.decoder.state_dict().keys()
    found.config = replace(found.config, **training)
    assert found.config == case.decoder.config
    vars(case)["decoder"] = found.eval()


@pytest.mark.parametrize("golden", [pytest.param(g, id=str(g)) for g in sets("gdino")])
def test_a_detector(golden: Golden, tmp_path: Path):
    raw, case = golden.json(), test_gdino.DetectionCase(golden)
    sizes = {key: value for key, value in raw.items() if key in DETECTOR.known}
    found = around("gdino", golden, sizes, raw["l_hidden_size"], tmp_path, num_embs=raw["num_embs"])
    take(case, found, denoise_queries=raw["fixture"]["dn_number"], mask_points=raw["fixture"]["num_points"])
    test_gdino.test_results_are_the_published_ones(case)
    test_gdino.test_intermediates_are_the_published_ones(case)


@pytest.mark.parametrize("golden", [pytest.param(g, id=str(g)) for g in sets("unipose")])
def test_a_pose_decoder(golden: Golden, tmp_path: Path):
    raw, case = golden.json(), test_unipose.PoseCase(golden)
    sizes = {key: value for key, value in raw.items() if key in POSE.known}
    found = around("unipose", golden, sizes, raw["l_hidden_size"], tmp_path, num_embs=raw["num_embs"])
    still = found.config.backbone | {"drop_path_rate": raw["fixture"]["swin"]["drop_path_rate"]}
    take(case, found, denoise_queries=raw["fixture"]["dn_number"], backbone=still)
    test_unipose.test_intermediates_are_the_published_ones(case)
    test_unipose.test_results_are_the_published_ones(case)


@pytest.mark.parametrize("golden", [pytest.param(g, id=str(g)) for g in (*sets("sd"), *sets("ip2p"))])
def test_a_decoder_that_makes_pictures(golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    case = test_diffusion.DiffusionCase(golden)
    part = "ip2p" if case.edits else "sd"
    token = FIRST + TOKENS.index(case.raw["trigger_token"])
    sizes = {key: value for key, value in case.raw.items() if key != "fixture"} | {"trigger_token_id": token}
    more = {"num_embs_gen": sizes["num_embed_tokens"]}
    found = around(part, golden, sizes, sizes["llm_hidden_size"], tmp_path, **more)
    plain = {"pixel_mean": test_diffusion.PLAIN, "pixel_std": test_diffusion.PLAIN} if case.edits else {}
    take(case, found, **plain)
    test_diffusion.test_slots_are_mapped_as_published(case)
    test_diffusion.test_the_network_sees_and_says_what_the_published_one_does(case)
    test_diffusion.test_three_steps_make_the_published_picture(case, monkeypatch)
