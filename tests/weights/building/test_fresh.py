"""What is new in a model of public parts."""

import torch

from tests.tiny import DETECTION, tiny_config
from visionllm.decoders.base.example import tiny_diffusion
from visionllm.weights.building.fresh import ORIGINS, fresh_tensors

SWIN = {"model_type": "swin", "embed_dim": 16, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4}
DETECTOR = DETECTION | {"backbone": SWIN | {"out_features": ["stage1", "stage2"]}}


def test_what_is_new_is_made_without_the_rest():
    decoders = {"detection": DETECTOR, "generation": vars(tiny_diffusion())}
    config = tiny_config(decoders=decoders)
    new = fresh_tensors(config, deviation=0.5, seed=3)
    assert all(any(name.startswith(start) for start in ORIGINS) for name in new)
    parts = {".".join(name.split(".")[:3]) for name in new if name.startswith("decoders.")}
    assert parts == {
        "decoders.detection.query_projection",
        "decoders.detection.pixel_decoder",
        "decoders.detection.mask_head",
        "decoders.detection.proposal_mask_head",
        "decoders.detection.pyramid",
        "decoders.generation.mapper",
    }
    assert 0.4 < new["decoders.detection.query_projection.layers.1.weight"].std() < 0.6
    assert not any(name.startswith(("vision_encoder.", "language_model.")) for name in new)


def test_torchs_own_draws_go_on_as_if_nothing_had_been_drawn():
    config = tiny_config(decoders={})
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = fresh_tensors(config, deviation=0.02, seed=1)
    assert torch.equal(torch.rand(3), expected)
    again, other = (fresh_tensors(config, deviation=0.02, seed=seed) for seed in (1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["super_link.tables.det.weight"], other["super_link.tables.det.weight"])
