from dataclasses import replace

import pytest
import torch

from visionllm.config.detection import DetectionConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.detection import DetectionDecoder, DetectionOutputs
from visionllm.types.requests import Options
from visionllm.types.tensors import DetectionTargets, ImageBatch, Queries

SWIN = {
    "model_type": "swin",
    "embed_dim": 16,
    "depths": [2, 1, 1],
    "num_heads": [1, 2, 2],
    "window_size": 4,
    "out_features": ["stage1", "stage2", "stage3"],
}
RESNET = {
    "model_type": "resnet",
    "embedding_size": 16,
    "hidden_sizes": [16, 24, 32],
    "depths": [1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage1", "stage2", "stage3"],
}
SIZES = [(64, 96), (40, 33), (96, 64)]


def config(**changes) -> DetectionConfig:
    tiny = DetectionDecoder.example()[0].config
    return replace(tiny, **changes)


def decoder(quirks: Quirks | None = None, **changes) -> DetectionDecoder:
    torch.manual_seed(0)
    built = DetectionDecoder(config(**changes), 16, quirks).eval()
    # layer scale and zero-initialised heads would hide what depends on what
    for parameter in built.parameters():
        if parameter.abs().max() < 1e-3:
            torch.nn.init.normal_(parameter, std=0.1)
    return built


def pictures(sizes: list[tuple[int, int]], canvas: tuple[int, int] | None = None) -> ImageBatch:
    generator = torch.Generator().manual_seed(5)
    height, width = canvas or (max(h for h, _ in sizes), max(w for _, w in sizes))
    values, mask = torch.zeros(len(sizes), 3, height, width), torch.zeros(len(sizes), height, width, dtype=torch.bool)
    for i, (h, w) in enumerate(sizes):
        values[i, :, :h, :w] = torch.randn(3, 96, 96, generator=generator)[:, :h, :w]
        mask[i, :h, :w] = True
    resized = torch.tensor(sizes).view(-1, 2)
    return ImageBatch(pixel_values=values, pixel_mask=mask, sizes_hw=2 * resized, resized_hw=resized)


def units(mask: list[list[bool]], images: list[int] | None = None) -> Queries:
    real = torch.tensor(mask, dtype=torch.bool).view(len(mask), len(mask[0]) if mask else 1)
    index = torch.arange(len(real)) if images is None else torch.tensor(images)
    states = torch.randn(8, 4, 4, 16, generator=torch.Generator().manual_seed(6))[: len(real), : real.shape[1]]
    return Queries(
        states=states * real[:, :, None, None],
        mask=real,
        images=index,
        rows=index,
        turns=torch.ones_like(index),
        positions=torch.where(real, 3, -1),
        routes=tuple(("[DET]",) * int(row.sum()) for row in real),
    )


def unit(queries: Queries, index: int, groups: int | None = None) -> Queries:
    """Return one unit alone, about picture 0."""
    one = slice(index, index + 1)
    return replace(
        queries,
        states=queries.states[one, :groups],
        mask=queries.mask[one, :groups],
        images=torch.zeros(1, dtype=torch.long),
        rows=queries.rows[one],
        turns=queries.turns[one],
        positions=queries.positions[one, :groups],
        routes=queries.routes[one],
    )


@torch.no_grad()
def assert_same(batch: DetectionOutputs, index: int, single: DetectionOutputs) -> None:
    groups = single.logits.shape[-1]
    torch.testing.assert_close(batch.boxes[index], single.boxes[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(batch.logits[index, :, :groups], single.logits[0], atol=1e-4, rtol=1e-4)
    everyone = torch.arange(len(single.boxes[0]))
    torch.testing.assert_close(
        batch.mask_logits(index, everyone), single.mask_logits(0, everyone), atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize("backbone", [RESNET, SWIN], ids=["resnet", "swin"])
def test_a_ragged_batch_gives_the_numbers_of_its_singles(backbone):
    model = decoder(backbone=backbone, levels=3)
    queries = units([[True, True], [True, False], [True, True]])
    with torch.no_grad():
        batch = model(queries, pictures(SIZES))
        for i in range(len(SIZES)):
            alone = pictures(SIZES).select(torch.tensor([i]))
            h, w = SIZES[i]
            alone = replace(
                alone, pixel_values=alone.pixel_values[:, :, :h, :w], pixel_mask=alone.pixel_mask[:, :h, :w]
            )
            assert_same(batch, i, model(unit(queries, i, int(queries.mask[i].sum())), alone))


def test_padding_of_pictures_changes_nothing():
    model = decoder(levels=3)
    queries = units([[True, True]] * 3)
    with torch.no_grad():
        tight, wide = model(queries, pictures(SIZES)), model(queries, pictures(SIZES, canvas=(160, 128)))
    for i in range(3):
        torch.testing.assert_close(tight.boxes[i], wide.boxes[i], atol=1e-5, rtol=1e-5)


def test_padding_of_query_groups_changes_nothing():
    model = decoder()
    queries = units([[True, True, False, False]])
    with torch.no_grad():
        padded = model(queries, pictures([(64, 96)]))
        tight = model(unit(queries, 0, 2), pictures([(64, 96)]))
    assert torch.isneginf(padded.logits[..., 2:]).all()
    assert_same(padded, 0, tight)


def test_the_published_networks_see_the_padding():
    queries = units([[True, True]] * 3)
    ours, published = decoder(), decoder(Quirks(padding_seen_by_networks=True))
    with torch.no_grad():
        right, wrong = ours(queries, pictures(SIZES)), published(queries, pictures(SIZES))
    assert not torch.allclose(right.boxes[1], wrong.boxes[1], atol=1e-3)


def test_the_published_mask_among_groups_mixes_units():
    queries = units([[True, True, True], [True, False, False]])
    images = pictures([(64, 64), (64, 64)])
    with torch.no_grad():
        right = decoder()(queries, images)
        wrong = decoder(Quirks(text_mask_head_order=True))(queries, images)
        alone = decoder(Quirks(text_mask_head_order=True))(unit(queries, 0), images.select(torch.tensor([0])))
    assert not torch.allclose(right.text[0], wrong.text[0], atol=1e-4)
    torch.testing.assert_close(alone.text[0], right.text[0], atol=1e-4, rtol=1e-4)


def test_the_published_mask_takes_zero_pixels_for_padding():
    images = pictures([(64, 64)])
    images.pixel_values[:, 0, 32:] = 0
    with torch.no_grad():
        right = decoder()(units([[True]]), images)
        wrong = decoder(Quirks(pixel_mask_from_values=True))(units([[True]]), images)
    assert not torch.allclose(right.boxes, wrong.boxes, atol=1e-3)


def test_a_unit_without_groups_finds_nothing_and_harms_no_other():
    model = decoder()
    queries = units([[True, True], [False, False]], images=[0, 0])
    images = pictures([(64, 96)])
    with torch.no_grad():
        assert_same(model(queries, images), 0, model(unit(queries, 0), images))
    assert len(model.decode(queries, images, Options())[1]) == 0
    model.train()
    loss = torch.stack(list(model.loss(queries, images, [square(), nothing()]).values())).sum()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_units_about_one_picture_share_one_run_of_the_backbone():
    model = decoder()
    seen: list[int] = []
    model.pyramid.backbone.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    queries = units([[True, True]] * 5, images=[1, 0, 1, 1, 0])
    with torch.no_grad():
        outputs = model(queries, pictures([(64, 64)] * 3))
    assert seen == [2]
    assert outputs.boxes.shape[0] == 5


def test_units_about_one_picture_differ_by_their_queries_only():
    model = decoder()
    queries = units([[True, True]] * 2, images=[1, 1])
    with torch.no_grad():
        outputs = model(queries, pictures([(64, 64)] * 2))
        assert_same(outputs, 1, model(unit(queries, 1), pictures([(64, 64)] * 2).select(torch.tensor([1]))))
    assert not torch.allclose(outputs.logits[0], outputs.logits[1])


def test_a_picture_with_fewer_tokens_than_queries_has_masked_queries():
    model = decoder(object_queries=30)
    queries, images = units([[True, True]]), pictures([(20, 24)])
    with torch.no_grad():
        outputs = model(queries, images)
    valid = outputs.layers[-1].valid[0]
    assert 0 < valid.sum() < 30
    assert torch.isneginf(outputs.logits[0, ~valid]).all()
    assert outputs.logits[0, valid].isfinite().all()
    found = model.decode(queries, images, Options(max_instances=100))[0]
    assert len(found) == 2 * int(valid.sum())
    terms = model.train().loss(queries, images, [square(20, 24)])
    assert all(value.isfinite() for value in terms.values())


def test_no_padded_token_becomes_a_query():
    model = decoder(object_queries=4)
    with torch.no_grad():
        outputs = model(units([[True]]), pictures([(40, 33)], canvas=(64, 64)))
    assert outputs.tokens.mask.sum() < outputs.tokens.mask.numel()
    assert outputs.layers[-1].valid.all()
    tokens = outputs.tokens.logits.amax(-1).masked_fill(~outputs.tokens.mask, -torch.inf)
    torch.testing.assert_close(outputs.encoder.logits.amax(-1), tokens.topk(4).values)


def square(h: int = 64, w: int = 96, *, masks: bool = True) -> DetectionTargets:
    mask = torch.zeros(1, h, w, dtype=torch.bool)
    mask[:, h // 4 : 3 * h // 4, w // 4 : 3 * w // 4] = True
    return DetectionTargets(
        boxes=torch.tensor([[0.5, 0.5, 0.5, 0.5]]), class_ids=torch.tensor([0]), masks=mask if masks else None
    )


def nothing() -> DetectionTargets:
    return DetectionTargets(boxes=torch.zeros(0, 4), class_ids=torch.zeros(0, dtype=torch.long))


def test_every_parameter_learns():
    model, queries, images, targets = DetectionDecoder.example()
    loss = torch.stack(list(model.train().loss(queries, images, targets).values())).sum()
    loss.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("content", ["learned", "memory"])
@pytest.mark.parametrize("contrast", ["plain", "scaled"])
def test_every_choice_can_train(content, contrast):
    model = decoder(query_content=content, contrast=contrast, one_to_many=3, token_loss_weight=1.0).train()
    terms = model.loss(units([[True, True]]), pictures([(64, 96)]), [square()])
    assert terms["tokens"] > 0
    torch.stack(list(terms.values())).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_the_same_seed_gives_the_same_loss():
    model, queries, images, targets = DetectionDecoder.example()
    model = decoder(dropout=0.0, fusion_drop_path=0.0).train()
    first, again = (model.loss(queries, images, targets, torch.Generator().manual_seed(3)) for _ in range(2))
    other = model.loss(queries, images, targets, torch.Generator().manual_seed(4))
    assert {k: v.item() for k, v in first.items()} == {k: v.item() for k, v in again.items()}
    assert first["box_noisy"] != other["box_noisy"]


def test_the_loss_terms_are_weighted():
    queries, images = units([[True, True]]), pictures([(64, 96)])
    one = decoder(denoise_queries=0).loss(queries, images, [square(masks=False)])
    twice = decoder(denoise_queries=0, box_weight=10.0).loss(queries, images, [square(masks=False)])
    torch.testing.assert_close(twice["box"], 2 * one["box"])
    torch.testing.assert_close(twice["giou"], one["giou"])


def test_evaluation_makes_no_denoising_queries():
    model = decoder()
    assert model(units([[True]]), pictures([(64, 96)]), [square()]).noise is None
    assert model.train()(units([[True]]), pictures([(64, 96)]), [square()]).noise is not None


def test_no_units_give_no_terms_and_no_results():
    model = decoder()
    queries = units([])
    assert model.loss(queries, pictures([(64, 96)]), []) == {}
    assert model.decode(queries, pictures([(64, 96)]), Options()) == []


def test_half_precision_queries_are_welcome():
    queries = units([[True, True]])
    queries = replace(queries, states=queries.states.bfloat16())
    with torch.no_grad():
        assert decoder()(queries, pictures([(64, 96)])).boxes.dtype == torch.float32


@pytest.mark.parametrize("cast", [True, False], ids=["weights", "autocast"])
def test_bfloat16_trains(cast):
    model, queries, images, targets = DetectionDecoder.example()
    model = model.bfloat16() if cast else model
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not cast):
        terms = model.train().loss(queries, images, targets)
    torch.stack([v.float() for v in terms.values()]).sum().backward()
    assert all(v.isfinite() for v in terms.values())


def test_a_missing_target_is_refused():
    with pytest.raises(ValueError, match="expected 1 targets, one per unit, got 0"):
        decoder().loss(units([[True]]), pictures([(64, 96)]), [])


@pytest.mark.parametrize("group", [1, 2, -1])
def test_a_truth_of_an_absent_group_is_refused(group):
    target = replace(square(), class_ids=torch.tensor([group]))
    with pytest.raises(ValueError, match="expected class ids of real query groups"):
        decoder().loss(units([[True, False]]), pictures([(64, 96)]), [target])


def test_an_absent_picture_is_refused():
    with pytest.raises(ValueError, match=r"expected picture indices in 0\.\.0, got \[1\]"):
        decoder()(units([[True]], images=[1]), pictures([(64, 96)]))
