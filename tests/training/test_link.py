"""What query groups aim at, and how slot states are drawn there."""

from dataclasses import replace
from unittest.mock import patch

import pytest
import torch

from visionllm.data.world import draw_picture
from visionllm.data.world.tasks import ALL_FAMILIES, make_sample
from visionllm.training.briefs import BriefEncoder, brief_codes, brief_of
from visionllm.training.building import build_module
from visionllm.training.expert import place_of
from visionllm.training.link import DetectionLink, LinkedModel, PictureLink, PoseLink, aims_of, unit_aims
from visionllm.training.readings import JOINTS
from visionllm.types import Routed


def samples(family, count=3, tries=60):
    about = ALL_FAMILIES[family]
    drawn = ((draw_picture(i, photos=False, version=about.version, theme=about.theme), i) for i in range(tries))
    made = [(picture, make_sample(picture, family, i)) for picture, i in drawn]
    return [(picture, sample) for picture, sample in made if sample is not None and sample.truth][:count]


def routed(sample):
    return [part for part in sample.answer.parts if isinstance(part, Routed)]


def test_words_of_a_routed_span_become_attributes():
    for picture, sample in samples("detect-attribute"):
        for aim, part in zip(aims_of(sample, picture), routed(sample), strict=True):
            assert aim is not None
            for name in ("kind", "colour", "size"):
                word = getattr(aim.phrase, name)
                assert word is None or word in part.text.split()
            assert aim.place is None


@pytest.mark.parametrize("family", ["segment-several", "refer-attribute", "find-sign", "segment-camouflaged"])
def test_a_span_that_means_one_thing_aims_at_its_place(family):
    found = samples(family)
    assert found
    for picture, sample in found:
        places = {place_of(thing, picture.scene.size_hw) for thing in picture.scene.things}
        assert all(aim is not None and aim.place in places for aim in aims_of(sample, picture))


@pytest.mark.parametrize("family", ["aerial-detect", "workpiece-detect"])
def test_names_of_other_domains_are_aims_too(family):
    found = samples(family, count=12)
    assert len({part.text for _, sample in found for part in routed(sample)}) >= 3
    for picture, sample in found:
        (aim,), (part,) = aims_of(sample, picture), routed(sample)
        assert aim is not None
        assert (aim.phrase.kind, aim.place) == (part.text, None)


@pytest.mark.parametrize("family", ["segment-salient", "segment-camouflaged"])
def test_a_name_that_says_too_little_aims_at_the_one_thing_it_stands_for(family):
    for picture, sample in samples(family, count=6):
        (aim,) = aims_of(sample, picture)
        assert aim is not None
        assert aim.place in {place_of(thing, picture.scene.size_hw) for thing in picture.scene.things}


def test_a_semantic_map_of_several_things_aims_at_nothing():
    for picture, sample in samples("segment-semantic", count=8):
        for aim, part in zip(aims_of(sample, picture), routed(sample), strict=True):
            if sum(thing.kind == part.text for thing in picture.scene.things) > 1:
                assert aim is None


def test_units_of_other_decoders_have_no_aims(run):
    processor = run.processor()
    rows = [(picture, [sample]) for picture, sample in samples("detect-one", 2)]
    batch = processor.train_batch([asked for _, asked in rows])
    assert [len(aims) for aims in unit_aims(rows, batch, "detection", aims_of)] == [1, 1]
    other = replace(batch, units=tuple(unit._replace(decoder="pose") for unit in batch.units))
    assert unit_aims(rows, other, "detection", aims_of) == [[], []]


def test_states_that_say_their_aims_lose_nothing(run):
    stage = run.recipe.stage("joined")
    module = run.module(stage)
    assert isinstance(module, LinkedModel)
    assert module.expert("detection") is not None
    rows = [(picture, [sample]) for picture, sample in samples("detect-several", 2)]
    batch = run.processor().train_batch([asked for _, asked in rows])
    link = DetectionLink()
    targets = link.targets(rows, batch)
    queries = module.model.queries(batch.inputs)["detection"]
    far = link.loss(module, queries, targets)
    told = module.experts["detection"](targets["codes"], targets["places"])
    near = link.loss(module, replace(queries, states=told), targets)
    assert far is not None
    assert near is not None
    assert float(near.detach()) == pytest.approx(0, abs=1e-9)
    assert far > near


def test_without_an_expert_or_an_aim_there_is_no_loss(run):
    module = run.module(run.recipe.stage("joined"))
    rows = [(picture, [sample]) for picture, sample in samples("detect-one", 1)]
    batch = run.processor().train_batch([asked for _, asked in rows])
    targets = DetectionLink().targets(rows, batch)
    queries = module.model.queries(batch.inputs)["detection"]
    assert DetectionLink().loss(LinkedModel(module.model), queries, targets) is None
    aimless = targets | {"aimed": torch.zeros_like(targets["aimed"])}
    assert DetectionLink().loss(module, queries, aimless) is None


def with_experts(run, *decoders: str) -> LinkedModel:
    stage = replace(run.recipe.stage("joined"), decoders=decoders)
    module = build_module(stage, run.recipe.model(run.processor()))
    assert isinstance(module, LinkedModel)
    return module


def test_poses_aim_at_kinds_and_at_keypoints_by_name(run):
    module, link = with_experts(run, "pose"), PoseLink()
    rows = [(picture, [sample]) for picture, sample in samples("pose-some", 3)]
    batch = run.processor().train_batch([asked for _, asked in rows])
    targets = link.targets(rows, batch)
    for (_, (sample,)), codes in zip(rows, targets["codes"], strict=True):
        spans = routed(sample)
        joints = [JOINTS.index(span.text) + 1 if span.token == "[POSE]" else 0 for span in spans]
        assert codes[: len(spans), 0].tolist() == joints
    queries = module.model.queries(batch.inputs)["pose"]
    told = module.experts["pose"](targets["codes"], targets["places"])
    far, near = link.loss(module, queries, targets), link.loss(module, replace(queries, states=told), targets)
    assert far is not None
    assert near is not None
    assert far > near
    assert float(near.detach()) == pytest.approx(0, abs=1e-9)
    assert link.loss(LinkedModel(module.model), queries, targets) is None


@pytest.mark.parametrize(("decoder", "family"), [("generation", "draw-several"), ("editing", "edit-recolour")])
def test_mapped_slots_are_drawn_towards_briefs(run, decoder, family):
    module, link = with_experts(run, decoder), PictureLink(decoder, 8)
    rows = [(picture, [sample]) for picture, sample in samples(family, 3)]
    batch = run.processor().train_batch([asked for _, asked in rows])
    targets = link.targets(rows, batch)
    assert targets["told"].all()
    assert torch.equal(targets["codes"], brief_codes([brief_of(sample) or () for _, (sample,) in rows], 8))
    queries = module.model.queries(batch.inputs)[decoder]
    far = link.loss(module, queries, targets)
    assert far is not None
    far.backward()
    mapper = module.model.decoder(decoder).get_submodule("mapper")
    assert all(p.grad is not None for p in mapper.parameters())
    optimizer = torch.optim.Adam(mapper.parameters(), lr=1e-2)
    fixed = replace(queries, states=queries.states.detach())
    loss = None
    for _ in range(40):
        optimizer.zero_grad()
        loss = link.loss(module, fixed, targets)
        assert loss is not None
        loss.backward()
        optimizer.step()
    assert loss is not None
    assert loss < 0.5 * far
    assert link.loss(LinkedModel(module.model), queries, targets) is None


def test_a_state_with_words_weighs_as_much_as_all_empty_ones(run):
    module, link = with_experts(run, "generation"), PictureLink("generation", 8)
    rows = [(picture, [sample]) for picture, sample in samples("draw-one", 1)]
    batch = run.processor().train_batch([asked for _, asked in rows])
    targets = link.targets(rows, batch)
    assert targets["codes"].any(-1).tolist() == [[True] + [False] * 7]
    queries = module.model.queries(batch.inputs)["generation"]
    briefs = module.expert("generation")
    assert isinstance(briefs, BriefEncoder)
    wanted = briefs(targets["codes"]).detach()
    losses = []
    for state in (0, 5):
        off = torch.zeros_like(wanted)
        off[:, state] = briefs.spread().clamp_min(1e-6).sqrt()
        mapper = module.model.decoder("generation").get_submodule("mapper")
        with patch.object(mapper, "forward", lambda _, off=off: wanted + off):
            losses.append(float(link.loss(module, queries, targets) or 0))
    assert losses[0] == pytest.approx(1, rel=1e-4)
    assert losses[1] == pytest.approx(1 / 7, rel=1e-4)
