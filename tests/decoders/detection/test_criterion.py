from dataclasses import replace

import pytest
import torch

from tests.decoders.detection.test_decoder import config, decoder, nothing, pictures, square, units
from visionllm.config.quirks import Quirks
from visionllm.decoders.detection.criterion import DetectionCriterion, Truths
from visionllm.decoders.detection.outputs import DetectionOutputs
from visionllm.ops.draws import Draws
from visionllm.types.tensors import DetectionTargets

TERMS = ("class", "box", "giou", "mask", "dice")


def outputs(mask: list[list[bool]], sizes: list[tuple[int, int]] | None = None) -> DetectionOutputs:
    with torch.no_grad():
        return decoder()(units(mask), pictures(sizes or [(64, 96)] * len(mask)))


def judge(quirks: Quirks | None = None, **changes) -> DetectionCriterion:
    return DetectionCriterion(config(**changes), quirks or Quirks())


def draws() -> Draws:
    return Draws(torch.Generator().manual_seed(0))


def test_every_prediction_has_its_terms():
    terms = judge()(outputs([[True, True]]), [square()], draws())
    assert set(terms) == {f"{term}{part}" for term in TERMS for part in ("", "_0", "_encoder")}


def test_denoising_queries_have_terms_too():
    model = decoder().train()
    targets = [square()]
    said = model(units([[True, True]]), pictures([(64, 96)]), targets, draws())
    terms = judge()(said, targets, draws())
    assert {name for name in terms if "noisy" in name} == {f"{t}_noisy{part}" for t in TERMS for part in ("", "_0")}


def test_without_masks_there_are_no_mask_terms():
    terms = judge()(outputs([[True, True]]), [square(masks=False)], draws())
    assert set(terms) == {f"{term}{part}" for term in TERMS[:3] for part in ("", "_0", "_encoder")}


def test_units_without_masks_don_t_count_in_the_mask_terms():
    said = outputs([[True, True]] * 2)
    both = judge()(said, [square(), square(masks=False)], draws())
    one = judge()(said, [square(), nothing()], draws())
    torch.testing.assert_close(2 * both["mask"], one["mask"])


def test_empty_pictures_teach_negatives():
    terms = judge()(outputs([[True, True]]), [nothing()], draws())
    assert set(terms) == {"class", "class_0", "class_encoder"}
    assert terms["class"] > 0


def test_the_published_empty_batch_teaches_nothing():
    quirks = Quirks(no_negatives_without_truth=True)
    assert judge(quirks)(outputs([[True, True]]), [nothing()], draws()) == {}
    mixed = judge(quirks)(outputs([[True, True]] * 2), [nothing(), square()], draws())
    assert mixed["class"] > 0


def test_terms_are_divided_by_the_number_of_truths():
    said, target = outputs([[True, True]] * 2), square(masks=False)
    first, second, both = (
        judge()(said, targets, draws()) for targets in ([target, nothing()], [nothing(), target], [target, target])
    )
    torch.testing.assert_close(both["box"], (first["box"] + second["box"]) / 2)
    torch.testing.assert_close(both["giou"], (first["giou"] + second["giou"]) / 2)


def test_padded_groups_are_not_judged():
    wide, tight = outputs([[True, False, False]]), outputs([[True]])
    target = square(masks=False)
    torch.testing.assert_close(
        judge()(wide, [target], draws())["class"], judge()(tight, [target], draws())["class"], atol=1e-3, rtol=1e-3
    )


def test_a_perfect_prediction_costs_nothing():
    said = outputs([[True, True]])
    last = said.layers[-1]
    logits, boxes = torch.full_like(last.logits, -20.0), last.boxes.clone()
    logits[0, 3, 0] = 20
    boxes[0, 3] = square().boxes[0]
    perfect = replace(said, layers=(replace(last, logits=logits, boxes=boxes),))
    terms = judge()(perfect, [square(masks=False)], draws())
    assert terms["class"].item() == pytest.approx(0, abs=1e-5)
    assert terms["box"].item() == 0
    assert terms["giou"].item() == pytest.approx(0, abs=1e-5)


def test_the_encoder_may_match_each_truth_several_times():
    said = outputs([[True, True]])
    targets = [square(masks=False)]
    once = judge().match(said.encoder, Truths.of(targets, said))
    thrice = judge().match(said.encoder, Truths.of(targets, said), repeat=3)
    assert len(once.queries) == 1
    assert len(thrice.queries.unique()) == 3
    assert once.queries[0] in thrice.queries
    assert thrice.truths.tolist() == [0, 0, 0]


def test_more_truths_than_queries_are_matched_as_far_as_possible():
    model = decoder(object_queries=2)
    with torch.no_grad():
        said = model(units([[True]]), pictures([(64, 96)]))
    many = DetectionTargets(boxes=torch.rand(5, 4), class_ids=torch.zeros(5, dtype=torch.long))
    pairs = judge().match(said.layers[-1], Truths.of([many], said), repeat=3)
    assert sorted(pairs.queries.tolist()) == [0, 1]
    assert all(v.isfinite() for v in judge()(said, [many], draws()).values())


def test_masked_queries_are_never_matched():
    said = outputs([[True]])
    last = said.layers[-1]
    valid = torch.zeros_like(last.valid)
    valid[0, 4] = True
    pairs = judge().match(replace(last, valid=valid), Truths.of([square()], said))
    assert pairs.queries.tolist() == [4]
    nobody = judge().match(replace(last, valid=valid & False), Truths.of([square()], said))
    assert len(nobody.queries) == 0


def test_mask_points_lie_on_each_pictures_own_canvas():
    logits = torch.randn(2, 1, 16, 24)
    points = judge().points(logits, torch.tensor([[0.5, 0.25], [1.0, 1.0]]), draws())
    assert points.shape == (2, 32, 2)
    assert points[0, :, 0].max() <= 0.5
    assert points[0, :, 1].max() <= 0.25
    assert points[1].max() > 0.9


def test_a_small_picture_in_a_large_batch_has_the_mask_loss_of_its_own():
    sizes = [(64, 96), (32, 32)]
    many = {"mask_points": 4000, "mask_importance": 0.0}
    target = square(32, 32)
    both = judge(**many)(outputs([[True]] * 2, sizes), [nothing(), target], draws())
    with torch.no_grad():
        alone = decoder()(
            replace(units([[True]] * 2), states=units([[True]] * 2).states[1:], mask=torch.tensor([[True]]),
                    images=torch.tensor([0])),
            pictures(sizes).select(torch.tensor([1])),
        )  # fmt: skip
    one = judge(**many)(alone, [target], draws())
    torch.testing.assert_close(both["mask"], one["mask"], rtol=0.05, atol=0.01)


@pytest.mark.parametrize("masks", [True, False])
def test_tokens_are_asked_for_what_covers_them(masks):
    said = outputs([[True, True]])
    wanted = ((said.tokens.centres >= 0.25) & (said.tokens.centres < 0.75)).all(-1)
    ideal = torch.full_like(said.tokens.logits, -20.0)
    ideal[..., 0] = torch.where(wanted, 20.0, -20.0)
    knowing = replace(said, tokens=replace(said.tokens, logits=ideal))
    critic = judge(token_loss_weight=1.0)
    assert critic(knowing, [square(masks=masks)], draws())["tokens"].item() == pytest.approx(0, abs=1e-6)
    assert critic(said, [square(masks=masks)], draws())["tokens"] > 0.01
    blind = replace(said, tokens=replace(said.tokens, logits=-ideal))
    assert critic(blind, [square(masks=masks)], draws())["tokens"] > 10


def test_tokens_of_an_empty_picture_are_asked_for_nothing():
    said = outputs([[True, True]])
    silent = replace(said, tokens=replace(said.tokens, logits=torch.full_like(said.tokens.logits, -20.0)))
    terms = judge(token_loss_weight=1.0)(silent, [nothing()], draws())
    assert terms["tokens"].item() == pytest.approx(0, abs=1e-6)


def test_weights_are_those_of_the_configuration():
    critic = judge(class_weight=1.5, token_loss_weight=0.5)
    assert critic.weight("class_noisy_3") == 1.5
    assert critic.weight("tokens") == 0.5
    assert critic.weight("mask_encoder") == 5
