"""The detector gives the published numbers: outputs, intermediates, every loss entry, gradients."""

from dataclasses import dataclass, replace
from functools import cached_property

import pytest
import torch
from torch import Tensor

from tests.parity.golden import GRADIENT_TOLERANCE, Case, StoredDraws, assert_close, indexed, sets
from visionllm.config.quirks import Quirks
from visionllm.decoders.detection import DetectionDecoder, DetectionOutputs
from visionllm.nn.position import grid_embedding
from visionllm.ops.draws import Draws
from visionllm.types.tensors import DetectionTargets, ImageBatch, Queries
from visionllm.weights.published_detection import (
    detection_config_from_published,
    detection_from_published,
    detection_to_published,
)

KINDS = {"ce": "class", "class": "class", "bbox": "box", "giou": "giou", "mask": "mask", "dice": "dice"}
PARTS = {"enc": "encoder", "dn": "noisy"}


@dataclass(frozen=True)
class DetectionCase(Case):
    """The published detector with its weights and inputs."""

    @cached_property
    def decoder(self) -> DetectionDecoder:
        raw = self.golden.json()
        config = detection_config_from_published(raw)
        fixture = raw["fixture"]
        config = replace(config, denoise_queries=fixture["dn_number"], mask_points=fixture["num_points"])
        decoder = DetectionDecoder(config, raw["l_hidden_size"], Quirks.published()).eval()
        decoder.load_state_dict(detection_from_published(self.golden.weights))
        return decoder

    @cached_property
    def images(self) -> ImageBatch:
        mask = self.inputs["pixel_mask"]
        sizes = torch.stack([mask[:, :, 0].sum(1), mask[:, 0].sum(1)], dim=-1)
        return ImageBatch(pixel_values=self.inputs["pixel_values"], pixel_mask=mask, sizes_hw=sizes, resized_hw=sizes)

    def queries(self, states: Tensor | None = None) -> Queries:
        states = self.inputs["text_query"] if states is None else states
        units, groups = states.shape[:2]
        return Queries(
            states=states,
            mask=self.inputs["text_query_masks"],
            images=torch.arange(units),
            rows=torch.arange(units),
            turns=torch.ones(units, dtype=torch.long),
            positions=torch.zeros(units, groups, dtype=torch.long),
            routes=(("[DET]",) * groups,) * units,
        )

    def targets(self, *, masks: bool) -> list[DetectionTargets]:
        return [
            DetectionTargets(
                boxes=self.inputs[f"targets.{unit}.boxes"],
                class_ids=torch.tensor(
                    [meta["id2index"][str(int(c))] for c in self.inputs[f"targets.{unit}.class_labels"]],
                    dtype=torch.long,
                ),
                masks=self.inputs[f"targets.{unit}.mask_labels"].bool() if masks else None,
            )
            for unit, meta in enumerate(self.golden.json("img_metas.json"))
        ]

    @cached_property
    def outputs(self) -> DetectionOutputs:
        with torch.no_grad():
            return self.decoder.eval()(self.queries(), self.images)

    def columns(self, name: str) -> Tensor:
        """Return golden class logits without the columns that only pad; these must all be −inf."""
        groups = self.inputs["text_query"].shape[1]
        assert torch.isneginf(self.expected[name][..., groups:]).all()
        return self.expected[name][..., :groups]


@pytest.fixture(scope="module", params=[pytest.param(g, id=str(g)) for g in sets("gdino")])
def case(request: pytest.FixtureRequest) -> DetectionCase:
    return DetectionCase(request.param)


def test_every_published_name_has_ours_and_back(case):
    names = {n for n in case.golden.json("state_dict_names.json") if not n.endswith("relative_position_index")}
    state = case.golden.weights
    back = detection_to_published(detection_from_published(state), case.decoder.config.decoder_layers)
    assert set(back) == names
    assert all(torch.equal(back[name], state[name]) for name in names)


def test_results_are_the_published_ones(case):
    outputs = case.outputs
    everyone = torch.arange(outputs.boxes.shape[1])
    masks = torch.stack([outputs.mask_logits(unit, everyone) for unit in range(len(outputs.boxes))])
    assert_close(outputs.logits, case.columns("test.logits"), "logits")
    assert_close(outputs.boxes, case.expected["test.pred_boxes"], "boxes")
    assert_close(masks, case.expected["test.pred_masks"], "masks")


def test_intermediates_are_the_published_ones(case):
    outputs, expected = case.outputs, case.expected
    text = case.decoder.query_projection(case.inputs["text_query"]).mean(2)
    assert_close(text, expected["inter.text_query_projected"], "projected queries")
    assert_close(outputs.vision, expected["inter.encoder_vision"], "encoder, pixels")
    assert_close(outputs.text, expected["inter.encoder_text"], "encoder, query groups")
    assert_close(outputs.first_boxes, expected["inter.init_reference_points"], "first boxes")
    assert_close(outputs.mask_features, expected["inter.mask_features"], "mask features")
    assert_close(outputs.encoder.logits, case.columns("inter.enc_topk_class_logits"), "chosen tokens' logits")
    assert_close(outputs.encoder.boxes, expected["inter.enc_topk_coords_logits"].sigmoid(), "chosen tokens' boxes")
    assert_close(torch.stack(outputs.states, 1), expected["dec.hidden_states"], "decoder states")
    assert_close(torch.stack(outputs.guides, 1), expected["dec.reference_points"], "decoder boxes")


def test_feature_maps_and_their_places_are_the_published_ones(case):
    maps = indexed(case.expected, "inter.backbone.")
    config = case.decoder.config
    with torch.no_grad():
        ours = case.decoder.pyramid.backbone(case.inputs["pixel_values"])
        pyramid = case.decoder.pyramid(case.images)
    assert len(maps) == len(ours)
    levels = pyramid.mask.split([h * w for h, w in pyramid.shapes], dim=1)
    for i, (published, own) in enumerate(zip(maps, ours.values(), strict=True)):
        assert_close(own, published, f"backbone {i}")
        mask = case.expected[f"inter.backbone_mask.{i}"]
        if i:
            assert_close(levels[i - 1].view_as(mask), mask, f"mask {i}")
        place = grid_embedding(mask, config.width, temperature=config.position_temperature).permute(0, 3, 1, 2)
        assert_close(place, case.expected[f"inter.pos.{i}"], f"position {i}")


@dataclass(frozen=True)
class Trained:
    """One training step."""

    case: DetectionCase
    name: str
    outputs: DetectionOutputs
    terms: dict[str, Tensor]
    loss: Tensor
    gradients: dict[str, Tensor]

    def expected(self, group: str) -> dict[str, Tensor]:
        prefix = f"{self.name}.{group}."
        return {k.removeprefix(prefix): v for k, v in self.case.expected.items() if k.startswith(prefix)}


def train(case: DetectionCase, name: str) -> Trained:
    denoised = f"{name}.loss_dict.loss_ce_dn" in case.expected
    targets = case.targets(masks=bool(case.expected[f"{name}.loss_dict.loss_mask"] != 0))
    decoder = case.decoder
    decoder.zero_grad()
    decoder.train()
    states = case.inputs["text_query"].clone().requires_grad_()
    stored = [value for key, value in sorted(case.inputs.items()) if key.startswith("rng.")]
    with pytest.MonkeyPatch.context() as patch:
        if not denoised:
            patch.setattr(decoder, "config", replace(decoder.config, denoise_queries=0))
        outputs = decoder(case.queries(states), case.images, targets, StoredDraws(stored))
        points = iter(indexed(case.inputs, "points."))
        patch.setattr(decoder.criterion, "points", lambda *_: next(points))
        terms = decoder.criterion(outputs, targets, Draws())
    loss = torch.stack([value * decoder.criterion.weight(term) for term, value in terms.items()]).sum()
    loss.backward()
    decoder.eval()
    gradients = {
        key: torch.zeros_like(p) if p.grad is None else p.grad.clone() for key, p in decoder.named_parameters()
    }
    assert states.grad is not None
    return Trained(case, name, outputs, terms, loss.detach(), {**gradients, "text_query": states.grad})


@pytest.fixture(scope="module", params=["train_nodn", "train_dn"])
def trained(case: DetectionCase, request: pytest.FixtureRequest) -> Trained:
    return train(case, request.param)


def test_every_loss_entry_is_the_published_one(trained):
    left = dict(trained.terms)
    for entry, value in trained.expected("loss_dict").items():
        kind, *rest = entry.removeprefix("loss_").split("_")
        name = "_".join([KINDS[kind], *(PARTS.get(part) or part for part in rest)])
        assert_close(left.pop(name, torch.zeros(())), value, entry)
    assert not left
    assert_close(trained.loss, trained.case.expected[f"{trained.name}.loss"], "sum")


def test_gradients_are_the_published_ones(trained):
    for name, value in trained.expected("grad").items():
        ours = name if name == "text_query" else next(iter(detection_from_published({name: value})))
        assert_close(trained.gradients[ours], value, name, tolerance=GRADIENT_TOLERANCE)


def test_results_in_training_are_the_published_ones(trained):
    if f"{trained.name}.logits" in trained.case.expected:
        assert_close(trained.outputs.logits, trained.case.columns(f"{trained.name}.logits"), "logits")
        assert_close(trained.outputs.boxes, trained.case.expected[f"{trained.name}.pred_boxes"], "boxes")


def test_denoising_queries_are_the_published_ones(trained, case):
    noise = trained.outputs.noise
    if trained.name == "train_nodn":
        assert noise is None
        return
    assert_close(noise.content, case.inputs["dn.input_query_label"], "content")
    assert_close(noise.boxes, case.inputs["dn.input_query_bbox"], "boxes")
    assert_close(~noise.visible(case.decoder.config.object_queries), case.inputs["dn.attn_mask"], "visibility")
    assert noise.groups == case.inputs["dn.dn_num"]
    assert 2 * noise.truths == case.inputs["dn.single_padding"]


@pytest.mark.parametrize("quirks", [Quirks(), Quirks.published()], ids=["ours", "published"])
def test_one_picture_needs_no_quirk(case, quirks):
    if len(case.images) > 1:
        return  # in a batch the faults matter, so only the published way has published numbers
    decoder = DetectionDecoder(case.decoder.config, case.inputs["text_query"].shape[-1], quirks).eval()
    decoder.load_state_dict(case.decoder.state_dict())
    with torch.no_grad():
        outputs = decoder(case.queries(), case.images)
    assert_close(outputs.boxes, case.expected["test.pred_boxes"], "boxes")
    assert_close(outputs.logits, case.columns("test.logits"), "logits")
