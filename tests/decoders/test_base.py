"""What every decoder keeps, whichever it is: they are found in their folder and run on their own examples."""

import pkgutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from visionllm import decoders
from visionllm.decoders.base import Decoder
from visionllm.decoders.base.grounded import GroundedDecoder
from visionllm.decoders.base.postprocess import best_instances, inside_picture
from visionllm.model.parts import find_decoder
from visionllm.super_link.gathering import select_units
from visionllm.types import GeneratedImages, Options

NAMES = sorted({m.name for m in pkgutil.iter_modules(decoders.__path__)} - {"base"})
KINDS = {name: find_decoder(name) for name in NAMES}
each_decoder = pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in KINDS.items()])
each_finder = pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=name) for name, kind in KINDS.items() if issubclass(kind, GroundedDecoder)]
)
each_viewer = pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=name) for name, kind in KINDS.items() if all(r.picture for r in kind.routes)]
)


@each_decoder
def test_its_example_trains_every_parameter_that_learns(kind: type[Decoder[Any]]):
    decoder, queries, images, targets = kind.example()
    terms = decoder.train().loss(queries, images, targets)
    assert terms
    assert all(term.shape == () and term.isfinite() for term in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    learning = {name for name, p in decoder.named_parameters() if p.requires_grad}
    assert learning == {name for name, p in decoder.named_parameters() if p.grad is not None}


@each_decoder
def test_its_routes_lead_to_it(kind: type[Decoder[Any]]):
    assert kind.routes
    assert all(KINDS[route.decoder] is kind for route in kind.routes)


@each_decoder
def test_one_result_a_unit_says_its_space(kind: type[Decoder[Any]]):
    decoder, queries, images, _ = kind.example()
    results = decoder.eval().decode(queries, images, Options())
    assert len(results) == len(queries)
    for result in results:
        plain = result.to_dict()
        assert "pixels of the original image" in plain["space"] or isinstance(result, GeneratedImages)
        assert plain["space"]
        assert plain["instances"]


@each_decoder
def test_a_batch_gives_the_numbers_of_its_singles(kind: type[Decoder[Any]]):
    decoder, queries, images, _ = kind.example()
    together = decoder.eval().decode(queries, images, Options())
    for unit, whole in enumerate(together):
        alone = decoder.decode(select_units(queries, [unit]), images, Options())[0]
        if isinstance(whole, GeneratedImages):
            assert isinstance(alone, GeneratedImages)
            for a, b in zip(whole.pictures, alone.pictures, strict=True):
                np.testing.assert_allclose(a.astype(int), b.astype(int), atol=1)
            continue
        pairs = list(zip(whole.to_dict()["instances"], alone.to_dict()["instances"], strict=True))
        for a, b in pairs:
            np.testing.assert_allclose(a["box"], b["box"], atol=0.01)
            assert a["score"] == pytest.approx(b["score"], abs=1e-5)


@each_decoder
def test_no_units_give_no_terms_and_no_results(kind: type[Decoder[Any]]):
    decoder, queries, images, _ = kind.example()
    nothing = select_units(queries, [])
    assert decoder.loss(nothing, images, []) == {}
    assert list(decoder.eval().decode(nothing, images, Options())) == []


@each_decoder
def test_the_same_draws_give_the_same_loss(kind: type[Decoder[Any]]):
    decoder, queries, images, targets = kind.example()
    decoder.train()
    losses = []
    for _ in range(2):
        torch.manual_seed(0)
        terms = decoder.loss(queries, images, targets, torch.Generator().manual_seed(1))
        losses.append({name: term.item() for name, term in terms.items()})
    assert losses[0] == losses[1]


@each_finder
def test_a_unit_without_a_truth_learns_that_there_is_nothing(kind: type[Decoder[Any]]):
    decoder, queries, images, targets = kind.example()
    empty = next(i for i, target in enumerate(targets) if not len(target.boxes))
    terms = decoder.train().loss(select_units(queries, [empty]), images, [targets[empty]])
    assert terms["class"] > 0


@each_decoder
def test_a_missing_target_is_refused(kind: type[Decoder[Any]]):
    decoder, queries, images, targets = kind.example()
    with pytest.raises(ValueError, match=f"expected {len(queries)} targets, one per unit, got {len(targets) - 1}"):
        decoder.loss(queries, images, targets[1:])


@each_viewer
def test_an_absent_picture_is_refused(kind: type[Decoder[Any]]):
    decoder, queries, images, _ = kind.example()
    lost = replace(queries, images=torch.full_like(queries.images, len(images)))
    with pytest.raises(ValueError, match="expected picture indices in"):
        decoder.decode(lost, images, Options())


@each_finder
def test_a_truth_of_an_absent_group_is_refused(kind: type[Decoder[Any]]):
    decoder, queries, images, targets = kind.example()
    wrong = [replace(t, class_ids=torch.full_like(t.class_ids, 9)) for t in targets]
    with pytest.raises(ValueError, match="expected class ids of real query groups"):
        decoder.loss(queries, images, wrong)


def test_the_best_pairs_of_query_and_group_are_returned_once_each():
    scores = torch.tensor([[0.9, 0.1], [0.0, 0.8]])
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0]] * 2)
    query, group, best = best_instances(scores, boxes, Options(max_instances=3), 0.05)
    assert query.tolist() == [0, 1, 0]
    assert group.tolist() == [0, 1, 1]
    torch.testing.assert_close(best, torch.tensor([0.9, 0.8, 0.1]))


def test_boxes_end_at_the_border():
    assert inside_picture(torch.tensor([[-1.0, 2.0, 9.0, 9.0]]), (6, 8)).tolist() == [[0, 2, 8, 6]]


@pytest.mark.parametrize("name", sorted(m.name for m in pkgutil.iter_modules(decoders.__path__) if m.name != "base"))
def test_what_a_decoder_does_not_read_changes_nothing(name: str):
    kind = find_decoder(name)
    options = Options(steps=2, threshold=0.1, seed=3, max_instances=2)
    other = replace(options, max_new_tokens=3, temperature=0.5, top_p=0.5)
    assert kind.relevant(options) == kind.relevant(other)
    assert kind.relevant(options) != kind.relevant(replace(options, threshold=0.2, steps=3))
    decoder, queries, images, _ = kind.example()
    queries = select_units(queries, [0])
    for one, again in zip(
        decoder.eval().decode(queries, images, options),
        decoder.decode(queries, images, kind.relevant(options)),
        strict=True,
    ):
        for field, value in vars(one).items():
            np.testing.assert_equal(vars(again)[field], value)
