import pytest
import torch

from visionllm.nn.backbone import Backbone

RESNET = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 12],
    "depths": [1, 1],
    "layer_type": "basic",
    "out_features": ["stage1", "stage2"],
}
SWIN = {
    "model_type": "swin",
    "embed_dim": 8,
    "depths": [1, 1],
    "num_heads": [1, 2],
    "window_size": 2,
    "out_features": ["stage1", "stage2"],
}
CONVNEXT = {
    "model_type": "convnext",
    "hidden_sizes": [8, 12, 16, 20],
    "depths": [1, 1, 1, 1],
    "out_features": ["stage1", "stage3"],
}


@pytest.mark.parametrize(
    ("config", "shapes"),
    [
        pytest.param(RESNET, {"stage1": (8, 16, 24), "stage2": (12, 8, 12)}, id="resnet"),
        pytest.param(SWIN, {"stage1": (8, 16, 24), "stage2": (16, 8, 12)}, id="swin"),
        pytest.param(CONVNEXT, {"stage1": (8, 16, 24), "stage3": (16, 4, 6)}, id="convnext"),
    ],
)
def test_any_backbone_gives_its_stages(config, shapes):
    backbone = Backbone(config)
    maps = backbone(torch.zeros(2, 3, 64, 96))
    assert {name: tuple(m.shape[1:]) for name, m in maps.items()} == shapes
    assert backbone.channels == {name: shape[0] for name, shape in shapes.items()}


def test_frozen_norms_keep_their_statistics():
    backbone = Backbone(RESNET, freeze_norm=True).train()
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    backbone(torch.randn(2, 3, 32, 32))
    assert backbone.training
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())


def test_free_norms_learn_their_statistics():
    backbone = Backbone(RESNET, freeze_norm=False).train()
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    backbone(torch.randn(2, 3, 32, 32))
    assert any(not torch.equal(v, before[k]) for k, v in backbone.state_dict().items())


def test_no_parameter_of_swin_is_idle():
    backbone = Backbone(SWIN)
    maps = backbone(torch.randn(1, 3, 32, 32))
    torch.stack([m.sum() for m in maps.values()]).sum().backward()
    assert [n for n, p in backbone.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("key", ["trust_remote_code", "auto_map", "_attn_implementation_internal", "colour"])
def test_a_configuration_that_says_more_than_sizes_is_refused(key):
    with pytest.raises(ValueError, match=key):
        Backbone(RESNET | {key: True})
