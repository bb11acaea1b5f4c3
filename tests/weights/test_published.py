import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.parity.golden import sets
from visionllm.config import Quirks, VisionLLMConfig
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.recipes.published.models import published_settings
from visionllm.weights.published import (
    SLOT_TOKENS,
    config_from_published,
    ids_from_published,
    released_token_ids,
    state_from_published,
    state_to_published,
)


@cache
def released() -> dict[str, Any]:
    """The configuration of the 7B release, and the shape of each of its tensors."""
    raw = json.loads((Path(__file__).parent / "released_7b.json").read_text())
    raw["config"] = published_settings("7b")
    pictures = raw.pop("diffusion_shapes")  # the same for both decoders, but for what the U-Net sees
    width, _, *kernel = pictures["sd_unet.conv_in.weight"]
    edits = pictures | {"sd_unet.conv_in.weight": [width, 8, *kernel]}
    raw["shapes"] |= {f"sd.{name}": shape for name, shape in pictures.items()}
    raw["shapes"] |= {f"ip2p.{name}": shape for name, shape in edits.items()}
    return raw


@pytest.fixture(scope="module")
def config() -> VisionLLMConfig:
    return config_from_published(released()["config"])


def small() -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    golden = sets("full")[0]
    return golden.config | {"use_sd": False, "use_ip2p": False}, golden.weights


def bases() -> dict[str, Any]:
    """What the small configuration does not say."""
    return {"pose": sets("full")[0].json()["fixture"]["swin_unipose"]}


def test_the_release_has_the_sizes_that_are_known_of_it(config: VisionLLMConfig):
    assert config.text_vocab_size == 32026
    assert config.tables == {"det": 4, "pose": 4, "gen": 64, "edit": 64}
    assert config.id_space == 32026 + 136
    assert (config.token_ids["<im_patch>"], config.token_ids["[DET]"], config.token_ids["[EMB8]"]) == (
        32002,
        32012,
        32025,
    )
    assert (config.vision_layer, config.region_levels, config.projector) == (-2, [-3, -2, -1], {"kind": "mlp2x_gelu"})
    assert config.text_config.rope_parameters == {"rope_type": "default", "rope_theta": 10000.0}
    assert config.decoders["detection"]["object_queries"] == config.decoders["pose"]["object_queries"] == 900
    assert config.decoders["generation"]["tokens"] == config.decoders["editing"]["tokens"] == 77
    assert [route.token for route in config.routes if not route.picture] == ["[GEN]"]
    assert config.quirks == Quirks.published()


def test_every_tensor_of_the_release_has_its_place_and_shape(config: VisionLLMConfig):
    with torch.device("meta"):
        model = VisionLLMForConditionalGeneration(config)
        state = {name: torch.empty(shape) for name, shape in released()["shapes"].items()}
    ours = model.state_dict()
    renamed = state_from_published(state, config)
    assert renamed.keys() == ours.keys()
    assert {name: t.shape for name, t in renamed.items()} == {name: t.shape for name, t in ours.items()}
    back = state_to_published(ours, config)
    derived = {name for name in state if name.endswith("relative_position_index")}
    assert back.keys() == state.keys() - derived
    assert all(back[name].shape == state[name].shape for name in back)


def test_names_there_and_back_keep_every_number():
    raw, weights = small()
    config = config_from_published(raw, token_ids=released_token_ids(40))
    ours = state_from_published(weights, config)
    back = state_to_published(ours, config)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in back.items())
    left = {n for n in weights.keys() - back.keys() if not n.startswith(("sd.", "ip2p."))}  # switched off in `small`
    assert all(name.endswith(("relative_position_index", "position_ids", "inv_freq")) for name in left)
    assert torch.equal(ours["super_link.tables.det.weight"], weights["emb_embeddings_det.weight"])
    assert torch.equal(
        ours["vision_encoder.post_layernorm.weight"], weights["vis_encoder.vision_model.post_layernorm.weight"]
    )


def test_parts_that_the_release_lacks_are_left_out():
    raw, weights = small()
    raw |= {"use_gdino": False, "use_unipose": False, "use_region_encoder": False}
    config = config_from_published(raw, token_ids=released_token_ids(40))
    ours = state_from_published(weights, config)
    assert not [name for name in ours if name.startswith(("decoders.", "region_encoder."))]
    model = VisionLLMForConditionalGeneration(config)
    model.load_state_dict(ours)
    assert not [name for name in state_to_published(ours, config) if name.startswith(("gdino.", "unipose."))]


@pytest.mark.parametrize("part", ["", "gdino.", "unipose.", "sd.", "ip2p."])
def test_an_unknown_published_name_is_refused(part: str):
    config = config_from_published(released()["config"])
    with pytest.raises(ValueError, match=r"expected a parameter of the published .*, got .*nonsense\.weight"):
        state_from_published({f"{part}nonsense.weight": torch.zeros(1)}, config)


def test_a_name_that_the_published_model_lacks_is_refused(config: VisionLLMConfig):
    with pytest.raises(ValueError, match=r"that the published model has too, got new\.weight"):
        state_to_published({"new.weight": torch.zeros(1)}, config)


@pytest.mark.parametrize(
    ("part", "architecture"), [("vis_encoder_config", "InternVisionModel"), ("llm_config", "InternLM2ForCausalLM")]
)
def test_other_encoders_and_language_models_are_refused(part: str, architecture: str):
    raw = released()["config"]
    with pytest.raises(ValueError, match=f"expected architectures .*, got \\['{architecture}'\\]"):
        config_from_published(raw | {part: raw[part] | {"architectures": [architecture]}})


def test_the_vocabularys_slot_tokens_are_never_written_unless_the_quirk_says_so(config: VisionLLMConfig):
    right = config_from_published(released()["config"], quirks=Quirks())
    assert right.never_sampled_ids == [config.token_ids[token] for token in SLOT_TOKENS]
    assert config.never_sampled_ids == []


def test_published_slots_become_ours(config: VisionLLMConfig):
    ids = config.token_ids
    emb = ids["[EMB]"]
    row = [1, ids["[DET]"], emb, emb + 1, emb + 2, emb + 3, 5, ids["[GEN]"], *[emb] * 64, emb, 6]
    (converted,) = ids_from_published(torch.tensor([row]), config).tolist()
    expected = [1, ids["[DET]"], *config.slot_ids("det"), 5, ids["[GEN]"], *config.slot_ids("gen"), emb, 6]
    assert converted == expected
    assert config.slot_ids("det").start == 32026
    assert config.slot_ids("gen").start == 32026 + 8


@pytest.mark.parametrize("slots", [0, 3])
def test_a_routing_token_without_its_slots_is_refused(config: VisionLLMConfig, slots: int):
    ids = config.token_ids
    row = torch.tensor([[1, ids["[DET]"], *range(ids["[EMB]"], ids["[EMB]"] + slots), 5, 5, 5, 5][:9]])
    with pytest.raises(ValueError, match=rf"expected 4 slots after \[DET\] at 1 of row 0, got {slots}"):
        ids_from_published(row, config)
