"""The region encoder gives the published vectors."""

import pytest
import torch

from tests.parity.golden import Golden, assert_close, indexed, sets
from visionllm.config.quirks import Quirks
from visionllm.nn.region_encoder import RegionEncoder, RegionEncoderConfig

each_set = pytest.mark.parametrize("golden", [pytest.param(g, id=str(g)) for g in sets("region_encoder")])
each_quirk = pytest.mark.parametrize("quirks", [Quirks(), Quirks.published()], ids=["ours", "published"])


def encoder(golden: Golden, pooling: str, quirks: Quirks) -> RegionEncoder:
    raw = golden.json()
    config = RegionEncoderConfig(
        patch_size=raw["patch_size"],
        hidden_width=raw["hidden_dim"],
        points=raw["num_points"],
        pooling=pooling,  # pyright: ignore[reportArgumentType]
    )
    built = RegionEncoder(config, raw["embed_dim"], raw["out_dim"], quirks).eval()
    weights = golden.tensors("weights_cross_attn.safetensors") if pooling == "cross_attn" else golden.weights
    built.load_state_dict(weights)
    return built


@each_set
@each_quirk
@pytest.mark.parametrize(
    ("pooling", "output", "levels"),
    [("sample", "out", None), ("mean", "out_mean", None), ("cross_attn", "out_cross_attn_level0_only", 1)],
)
def test_vectors_are_the_published_ones(golden, quirks, pooling, output, levels):
    inputs = golden.inputs
    features = indexed(inputs, "image_features.")[:levels]
    with torch.no_grad():
        vectors = encoder(golden, pooling, quirks)(inputs["images"], inputs["masks"], features)
    assert_close(vectors, golden.outputs[output], output)


@each_set
def test_the_stem_is_the_published_one(golden):
    inputs = golden.inputs
    with torch.no_grad():
        stem = encoder(golden, "sample", Quirks()).mask_embedding(torch.cat([inputs["images"], inputs["masks"]], 1))
    assert_close(stem, golden.outputs["mask_embedding"], "stem")
