"""Every decoder that a batch opens learns from it."""

import pytest
import torch

from tests.training.full import full_module, full_processor, routed_rows
from visionllm.data.world import draw_picture
from visionllm.data.world.tasks import make_sample
from visionllm.training.link import DetectionLink
from visionllm.training.routed import routed_losses

FAMILIES = ("detect-one", "pose-some", "draw-one", "edit-remove")
DECODERS = ("detection", "pose", "generation", "editing")


@pytest.fixture(scope="module")
def processor():
    return full_processor()


@pytest.fixture(scope="module")
def module(processor):
    return full_module(processor)


@pytest.fixture(scope="module")
def rows():
    return routed_rows(*FAMILIES)


@pytest.fixture(scope="module")
def batch(processor, rows):
    return processor.train_batch([samples for _, samples in rows])


class SlotLink:
    """A link of one decoder that remembers what it was given."""

    def __init__(self, decoder):
        self.decoder = decoder
        self.seen = []

    def targets(self, rows, batch):
        return {"number": torch.arange(len(batch.units))}

    def loss(self, module, queries, targets):
        self.seen.append((queries, targets["number"]))
        return queries.states.square().mean()


def test_each_decoder_learns_under_its_own_names(module, batch):
    losses = routed_losses(module, module.model.states(batch.inputs), batch, units=4)
    assert {"class", "mask", "pose/class", "pose/oks", "generation/noise", "editing/noise"} <= set(losses)
    assert all(torch.isfinite(loss) for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    model = module.model
    parts = (model.super_link, model.language_model, *(model.decoders[name] for name in DECODERS))
    for part in parts:
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
    module.zero_grad()


def test_at_most_so_many_units_of_each_decoder_are_decoded_in_full_precision(module, batch, monkeypatch):
    seen = {}
    for name in DECODERS:

        def loss(queries, images, targets, name=name):
            seen[name] = (queries, targets, torch.is_autocast_enabled("cpu"))
            return {}

        monkeypatch.setattr(module.model.decoder(name), "loss", loss)
    with torch.autocast("cpu", torch.bfloat16):
        routed_losses(module, module.model.states(batch.inputs).bfloat16(), batch, units=1)
    for name in DECODERS:
        queries, targets, autocast = seen[name]
        assert len(queries) == len(targets) == 1
        assert queries.states.dtype == torch.float32
        assert not autocast
        (at,) = [i for i, target in enumerate(batch.targets) if target is targets[0]]
        assert batch.units[at].decoder == name
        assert (batch.units[at].row, batch.units[at].position) == (int(queries.rows), int(queries.positions[0, 0]))


@pytest.mark.parametrize(
    ("decoder", "name"), [("detection", "link"), ("pose", "pose/link"), ("editing", "editing/link")]
)
def test_a_link_gets_the_units_of_its_decoder_with_their_targets(module, batch, rows, decoder, name):
    link = SlotLink(decoder)
    states = module.model.states(batch.inputs)
    losses = routed_losses(module, states, batch, links=[(link, link.targets(rows, batch))], link_weight=0.5)
    ((queries, numbers),) = link.seen
    assert [batch.units[n].decoder for n in numbers.tolist()] == [decoder] * 2
    assert [batch.units[n].row for n in numbers.tolist()] == queries.rows.tolist()
    assert set(losses) == {name}
    torch.testing.assert_close(losses[name], 0.5 * queries.states.square().mean())


def test_without_a_weight_no_link_is_asked(module, batch, rows):
    link = SlotLink("pose")
    links = [(link, link.targets(rows, batch))]
    assert routed_losses(module, module.model.states(batch.inputs), batch, links=links) == {}
    assert link.seen == []


def test_the_detector_is_linked_beside_others(module, batch, rows):
    link = DetectionLink()
    targets = link.targets(rows, batch)
    assert targets["aimed"].any(1).tolist() == [unit.decoder == "detection" for unit in batch.units]
    losses = routed_losses(module, module.model.states(batch.inputs), batch, links=[(link, targets)], link_weight=1.0)
    assert set(losses) == {"link"}


def test_words_alone_open_no_decoder(module, processor):
    picture = draw_picture(1, photos=False)
    sample = make_sample(picture, "caption", 1)
    assert sample is not None
    batch = processor.train_batch([[sample]])
    assert routed_losses(module, module.model.states(batch.inputs), batch, units=4, link_weight=1.0) == {}


def test_new_pictures_need_none_to_look_at(module, processor):
    rows = routed_rows("draw-count", count=1)
    batch = processor.train_batch([samples for _, samples in rows])
    assert batch.inputs.images is None
    losses = routed_losses(module, module.model.states(batch.inputs), batch, units=4)
    assert set(losses) == {"generation/noise"}
