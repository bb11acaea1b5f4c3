"""The whole model with decoders that make pictures: routes without a picture, mixed batches, losses, saving."""

from typing import Any

import pytest
import torch

from tests.tiny import BOS, DET, DET_SLOTS, DETECTION, IDS, PATCH, PATCHES, ROUTES, tiny_inputs, tiny_model
from visionllm.decoders.base.diffusing import DiffusionDecoder
from visionllm.decoders.base.example import tiny_diffusion
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.super_link import find_units
from visionllm.types import GeneratedImages, Options, Route
from visionllm.types.tensors import PictureTargets
from visionllm.weights import load_model, save_model

GEN, EDIT = 56, 57
GEN_SLOTS, EDIT_SLOTS = range(68, 71), range(71, 76)
TEXT = [BOS, 9, 9]
MAKE = [BOS, 9, GEN, *GEN_SLOTS]
CHANGE = [BOS, *[PATCH] * PATCHES, EDIT, *EDIT_SLOTS]
FIND = [BOS, *[PATCH] * PATCHES, DET, *DET_SLOTS]


def settings() -> dict[str, dict[str, Any]]:
    shared = vars(tiny_diffusion())
    edits = shared | {"unet": {**shared["unet"], "in_channels": 8}, "image_guidance": 1.5}
    return {"detection": DETECTION, "generation": shared, "editing": edits}


@pytest.fixture(scope="module")
def model() -> VisionLLMForConditionalGeneration:
    more = (
        Route(token="[GEN]", table="gen", decoder="generation", picture=False),
        Route(token="[EDIT]", table="edit", decoder="editing"),
    )
    return tiny_model(
        tables={"det": 4, "pose": 4, "gen": len(GEN_SLOTS), "edit": len(EDIT_SLOTS)},
        routes=(*ROUTES, *more),
        token_ids=IDS | {"[GEN]": GEN, "[EDIT]": EDIT},
        decoders=settings(),
    )


def targets(count: int = 1) -> PictureTargets:
    return PictureTargets(pictures=torch.zeros(count, 3, 16, 24), caption_ids=torch.full((count, 6), 3))


def test_a_picture_needs_no_picture_and_an_edit_does(model: VisionLLMForConditionalGeneration):
    none = torch.full((1, 4), -1)
    (unit,) = find_units(tiny_inputs([MAKE], turn_images=none, images=None), model.config)
    assert (unit.decoder, unit.image, unit.slots) == ("generation", -1, 3)
    (beside,) = find_units(tiny_inputs([MAKE]), model.config)
    assert beside.image == -1, "a picture of the conversation is not looked at"
    with pytest.raises(ValueError, match="expected a picture for turn 1 of row 0, which routes to decoder 'editing'"):
        find_units(tiny_inputs([CHANGE], turn_images=none), model.config)


@torch.no_grad()
def test_one_batch_may_find_make_and_edit(model: VisionLLMForConditionalGeneration):
    inputs = tiny_inputs([MAKE, FIND, TEXT, CHANGE])
    queries = model.queries(inputs)
    assert {name: (q.rows.tolist(), q.states.shape[2]) for name, q in queries.items()} == {
        "generation": ([0], 3),
        "detection": ([1], 4),
        "editing": ([3], 5),
    }
    results = model.decode(queries, inputs.images, Options(steps=1))
    (new,), (edited,) = results["generation"], results["editing"]
    assert isinstance(new, GeneratedImages)
    assert isinstance(edited, GeneratedImages)
    assert new.original_hw is None
    assert edited.original_hw == (128, 192)


@torch.no_grad()
def test_a_batch_without_any_picture_makes_some(model: VisionLLMForConditionalGeneration):
    inputs = tiny_inputs([MAKE, MAKE], images=None, turn_images=torch.full((2, 4), -1))
    wishes = [Options(steps=1, seed=1), Options(steps=1, seed=2)]
    first, second = model.decode(model.queries(inputs), None, wishes)["generation"]
    assert isinstance(first, GeneratedImages)
    assert isinstance(second, GeneratedImages)
    assert (first.seeds, second.seeds) == ((1,), (2,))


def test_losses_reach_the_slots(model: VisionLLMForConditionalGeneration):
    inputs = tiny_inputs([MAKE, CHANGE])
    model.zero_grad()
    losses = model.compute_losses(
        inputs, {"generation": {(0, 1, 2): targets()}, "editing": {(1, 1, 1 + PATCHES): targets()}}
    )
    assert set(losses) == {f"{name}/{term}" for name in ("generation", "editing") for term in ("noise", "caption")}
    torch.stack(list(losses.values())).sum().backward()
    for table in ("gen", "edit"):
        gradient = model.get_parameter(f"super_link.tables.{table}.weight").grad
        assert gradient is not None
        assert gradient.abs().sum() > 0


def test_pictures_without_pictures_can_be_learnt_but_not_edits(model: VisionLLMForConditionalGeneration):
    inputs = tiny_inputs([MAKE], images=None, turn_images=torch.full((1, 4), -1))
    losses = model.compute_losses(inputs, {"generation": {(0, 1, 2): targets()}})
    assert "generation/noise" in losses
    with pytest.raises(ValueError, match="expected pictures for decoder 'editing', got none"):
        model.compute_losses(tiny_inputs([CHANGE], images=None), {"editing": {(0, 1, 1 + PATCHES): targets()}})


def test_a_saved_model_makes_the_same_pictures(model: VisionLLMForConditionalGeneration, tmp_path: Any):
    save_model(model, None, tmp_path / "saved")
    back = load_model(tmp_path / "saved")
    state = model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in back.state_dict().items())
    assert [r.picture for r in back.config.routes] == [r.picture for r in model.config.routes]
    inputs = tiny_inputs([MAKE, CHANGE])
    for name in ("generation", "editing"):
        with torch.no_grad():
            made = [m.decode(m.queries(inputs), inputs.images, Options(steps=2))[name][0] for m in (model, back)]
        assert made[0].to_dict() == made[1].to_dict()
    decoder = back.decoders["generation"]
    assert isinstance(decoder, DiffusionDecoder)
    assert not any(p.requires_grad for p in decoder.vae.parameters())


def test_an_unknown_setting_is_refused_with_its_place():
    wrong = {"generation": vars(tiny_diffusion()) | {"picture_width": 16}}
    with pytest.raises(ValueError, match=r"unknown key config\.decoders\.generation\.picture_width"):
        tiny_model(decoders=wrong)
