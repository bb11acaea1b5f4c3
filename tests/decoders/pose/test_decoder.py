from dataclasses import replace

import pytest
import torch

from visionllm.config.pose import PoseConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.pose import PoseDecoder, PoseOutputs
from visionllm.types.requests import Options
from visionllm.types.tensors import ImageBatch, PoseTargets, Queries

SIZES = [(64, 96), (40, 33), (96, 64)]


def config(**changes) -> PoseConfig:
    return replace(PoseDecoder.example()[0].config, **changes)


def decoder(quirks: Quirks | None = None, **changes) -> PoseDecoder:
    torch.manual_seed(0)
    built = PoseDecoder(config(**changes), 16, quirks).eval()
    # layer scale and zero-initialised heads would hide what depends on what
    for parameter in built.parameters():
        if parameter.abs().max() < 1e-3:
            torch.nn.init.normal_(parameter, std=0.1)
    return built


def pictures(sizes: list[tuple[int, int]]) -> ImageBatch:
    generator = torch.Generator().manual_seed(5)
    height, width = max(h for h, _ in sizes), max(w for _, w in sizes)
    values, mask = torch.zeros(len(sizes), 3, height, width), torch.zeros(len(sizes), height, width, dtype=torch.bool)
    for i, (h, w) in enumerate(sizes):
        values[i, :, :h, :w] = torch.randn(3, 96, 96, generator=generator)[:, :h, :w]
        mask[i, :h, :w] = True
    resized = torch.tensor(sizes).view(-1, 2)
    return ImageBatch(pixel_values=values, pixel_mask=mask, sizes_hw=2 * resized, resized_hw=resized)


def units(*routes: str, images: list[int] | None = None, seed: int = 6) -> Queries:
    """Units that ask for objects and keypoints: `"DPP"` stands for one object and two keypoints."""
    longest = max(len(r) for r in routes)
    mask = torch.tensor([[i < len(r) for i in range(longest)] for r in routes])
    index = torch.arange(len(routes)) if images is None else torch.tensor(images)
    noise = torch.Generator().manual_seed(seed)
    states = torch.randn(4, max(8, longest), 4, 16, generator=noise)[: len(routes), :longest]
    return Queries(
        states=states * mask[:, :, None, None],
        mask=mask,
        images=index,
        rows=index,
        turns=torch.ones_like(index),
        positions=torch.where(mask, 3, -1),
        routes=tuple(tuple("[DET]" if kind == "D" else "[POSE]" for kind in r) for r in routes),
    )


def unit(queries: Queries, index: int) -> Queries:
    """Return one unit alone, about picture 0, without padding."""
    one, groups = slice(index, index + 1), len(queries.routes[index])
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


def permuted(queries: Queries, order: list[int]) -> Queries:
    """Return the same with the groups of the only unit in another order."""
    routes = (tuple(queries.routes[0][i] for i in order),)
    return replace(queries, states=queries.states[:, order], mask=queries.mask[:, order], routes=routes)


def target(keypoints: int = 2) -> PoseTargets:
    places = torch.tensor([[[0.4, 0.4], [0.6, 0.4], [0.5, 0.7]]])
    return PoseTargets(
        boxes=torch.tensor([[0.5, 0.5, 0.5, 0.5]]),
        class_ids=torch.tensor([0]),
        keypoints=places[:, :keypoints],
        visible=torch.tensor([[True, False, True]])[:, :keypoints],
        areas=torch.tensor([0.2]),
        sigmas=torch.full((keypoints,), 0.1),
    )


def places(outputs: PoseOutputs) -> torch.Tensor:
    found = outputs.layers[-1].keypoints
    assert found is not None
    return found


@torch.no_grad()
def assert_same(batch: PoseOutputs, index: int, single: PoseOutputs) -> None:
    groups, named = single.logits.shape[-1], places(single).shape[2]
    torch.testing.assert_close(batch.boxes[index], single.boxes[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(batch.logits[index, :, :groups], single.logits[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(places(batch)[index, :, :named], places(single)[0], atol=1e-4, rtol=1e-4)


def test_a_ragged_batch_gives_the_numbers_of_its_singles():
    model = decoder()
    queries = units("DPPP", "DDP", "DPP")
    with torch.no_grad():
        batch = model(queries, pictures(SIZES))
        for i, (h, w) in enumerate(SIZES):
            alone = pictures(SIZES).select(torch.tensor([i]))
            alone = replace(
                alone, pixel_values=alone.pixel_values[:, :, :h, :w], pixel_mask=alone.pixel_mask[:, :h, :w]
            )
            assert_same(batch, i, model(unit(queries, i), alone))


def test_the_order_of_kinds_does_not_matter():
    model, queries, images = decoder(), units("DDPP"), pictures([(64, 96)])
    with torch.no_grad():
        torch.testing.assert_close(
            places(model(queries, images)), places(model(permuted(queries, [2, 0, 3, 1]), images))
        )


def test_any_subset_of_keypoints_may_be_asked_and_only_it_is_decoded():
    model, queries, images = decoder(), units("DPPP"), pictures([(64, 96)])
    with torch.no_grad():
        all_three = model(queries, images)
        (result,) = model.decode(unit(permuted(queries, [0, 1]), 0), images, Options())
    assert places(all_three).shape[2] == 3
    assert result.keypoints.shape[1] == 1


def test_each_keypoint_has_its_own_score():
    queries, images = units("DPPP"), pictures([(64, 96)])
    (own,) = decoder().decode(queries, images, Options())
    assert len(set(own.keypoint_scores[0].tolist())) == 3
    (shared,) = decoder(keypoint_scores="instance").decode(queries, images, Options())
    assert (shared.keypoint_scores == shared.scores[:, None]).all()


def test_keypoints_are_pixels_of_the_original_picture():
    model, queries, images = decoder(), units("DPP"), pictures([(64, 96)])
    with torch.no_grad():
        outputs = model(queries, images)
    (result,) = model.decode(queries, images, Options(max_instances=1))
    query = int(outputs.logits[0, :, 0].argmax())
    expected = places(outputs)[0, query] * torch.tensor([192.0, 128.0])
    torch.testing.assert_close(torch.from_numpy(result.keypoints[0]), expected)
    assert result.size_hw == (128, 192)


def test_a_decoder_merges_poses_as_its_configuration_says_unless_the_request_does(monkeypatch):
    decoder, queries, images, _ = PoseDecoder.example()
    decoder.config = replace(decoder.config, nms_iou=0.6)
    asked: list[Options] = []
    monkeypatch.setattr("visionllm.decoders.pose.decoder.poses", lambda *given: asked.append(given[2]))
    for options in (Options(), Options(nms_iou=1.0), Options(protocol="published")):
        decoder.eval().decode(queries, images, options)
    assert [options.nms_iou for options in asked] == [0.6, 1.0, None]


def test_a_unit_without_objects_finds_nothing_and_harms_no_other():
    model, images = decoder(), pictures([(64, 96)])
    queries = units("DPP", "PP", images=[0, 0])
    with torch.no_grad():
        assert_same(model(queries, images), 0, model(unit(queries, 0), images))
    assert len(model.decode(queries, images, Options())[1]) == 0


def test_a_unit_without_keypoints_is_a_detection():
    (result,) = decoder().decode(units("DD"), pictures([(64, 96)]), Options())
    assert len(result)
    assert result.keypoints.shape == (len(result), 0, 2)


def test_a_picture_with_fewer_tokens_than_queries_has_masked_queries():
    model = decoder(object_queries=40, poses=40)
    queries, images = units("DP"), pictures([(20, 24)])
    with torch.no_grad():
        outputs = model(queries, images)
    valid = outputs.layers[-1].valid[0]
    assert 0 < valid.sum() < 40
    assert torch.isneginf(outputs.logits[0, ~valid]).all()
    assert len(model.decode(queries, images, Options())[0]) == int(valid.sum())
    assert all(v.isfinite() for v in model.train().loss(queries, images, [target(1)]).values())


def test_the_published_fault_lets_groups_see_each_other():
    queries, images = units("DPP"), pictures([(64, 96)])
    with torch.no_grad():
        right = places(decoder()(queries, images))
        wrong = places(decoder(Quirks(keypoint_groups_leak=True))(queries, images))
    assert wrong.shape[2] == 6, "all that there may be"
    assert not torch.allclose(right, wrong[:, :, :2], atol=1e-3)


def test_denoising_queries_are_made_in_training_only():
    model, images = decoder(), pictures([(64, 96)])
    assert model(units("DPP"), images, [target()]).noise is None
    outputs = model.train()(units("DPP"), images, [target()])
    assert outputs.noise is not None
    assert [p.keypoints for p in outputs.noisy] == [None] * 3


@pytest.mark.parametrize("content", ["learned", "memory"])
@pytest.mark.parametrize("contrast", ["plain", "scaled"])
def test_every_choice_can_train(content, contrast):
    model = decoder(query_content=content, contrast=contrast, one_to_many=2).train()
    torch.stack(list(model.loss(units("DPP"), pictures([(64, 96)]), [target()]).values())).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("cast", [True, False], ids=["weights", "autocast"])
def test_bfloat16_trains(cast):
    model, queries, images, targets = PoseDecoder.example()
    model = model.bfloat16() if cast else model
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not cast):
        terms = model.train().loss(queries, images, targets)
    torch.stack([v.float() for v in terms.values()]).sum().backward()
    assert all(v.isfinite() for v in terms.values())


def test_more_keypoints_than_the_decoder_takes_are_refused():
    with pytest.raises(ValueError, match="expected at most 6 keypoints an answer, got 7"):
        decoder().decode(units("DPPPPPPP"), pictures([(64, 96)]), Options())
    published = PoseConfig().keypoints
    with pytest.raises(ValueError, match="expected at most 68 keypoints an answer, got 69"):
        decoder(keypoints=published).decode(units("D" + "P" * 69), pictures([(64, 96)]), Options())


def test_truths_with_another_number_of_keypoints_are_refused():
    with pytest.raises(ValueError, match="expected 3 keypoints a truth, one per keypoint group, got 2"):
        decoder().loss(units("DPPP"), pictures([(64, 96)]), [target(2)])
