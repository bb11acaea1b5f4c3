"""The pose decoder gives the published numbers: outputs, intermediates, every loss entry, gradients."""

from dataclasses import dataclass, replace
from functools import cached_property

import pytest
import torch
from torch import Tensor

from tests.parity.golden import GRADIENT_TOLERANCE, Case, StoredDraws, assert_close, sets
from visionllm.config.quirks import Quirks
from visionllm.decoders.pose import PoseDecoder, PoseOutputs
from visionllm.nn.keypoints import group_visibility
from visionllm.types.skeletons import COCO_PERSON
from visionllm.types.tensors import ImageBatch, PoseTargets, Queries
from visionllm.weights.published_pose import (
    FIRST_EXTENTS,
    pose_config_from_published,
    pose_from_published,
    pose_to_published,
)

KINDS = {"ce": "class", "class": "class", "bbox": "box", "giou": "giou", "keypoints": "keypoints", "oks": "oks"}
PARTS = {"interm": "encoder", "dn": "noisy"}
SWIN = ("embed_dim", "depths", "num_heads", "window_size", "drop_path_rate")


@dataclass(frozen=True)
class PoseCase(Case):
    """The published pose decoder with its weights and inputs."""

    @cached_property
    def decoder(self) -> PoseDecoder:
        raw = self.golden.json()
        config = pose_config_from_published(raw, {key: raw["fixture"]["swin"][key] for key in SWIN})
        config = replace(config, denoise_queries=raw["fixture"]["dn_number"])
        decoder = PoseDecoder(config, raw["l_hidden_size"], Quirks.published()).eval()
        decoder.load_state_dict(pose_from_published(self.golden.weights))
        return decoder

    @cached_property
    def images(self) -> ImageBatch:
        mask = ~self.inputs["mask"]
        sizes = torch.stack([mask[:, :, 0].sum(1), mask[:, 0].sum(1)], dim=-1)
        return ImageBatch(pixel_values=self.inputs["pixel_values"], pixel_mask=mask, sizes_hw=sizes, resized_hw=sizes)

    @cached_property
    def mask(self) -> Tensor:
        return torch.cat([self.inputs["obj_query_masks"], self.inputs["kpt_query_masks"]], 1)

    def queries(self, objects: Tensor | None = None, keypoints: Tensor | None = None) -> Queries:
        objects = self.inputs["obj_querys"] if objects is None else objects
        keypoints = self.inputs["kpt_querys"] if keypoints is None else keypoints
        states = torch.cat([objects, keypoints], 1)
        units = len(states)
        return Queries(
            states=states,
            mask=self.mask,
            images=torch.arange(units),
            rows=torch.arange(units),
            turns=torch.ones(units, dtype=torch.long),
            positions=torch.zeros(self.mask.shape, dtype=torch.long),
            routes=(("[DET]",) * objects.shape[1] + ("[POSE]",) * keypoints.shape[1],) * units,
        )

    def targets(self) -> list[PoseTargets]:
        """Return the truths with their keypoints in the order of the prompt."""
        sigmas = torch.tensor([*COCO_PERSON.sigmas, *[0.025] * 51])
        found = []
        for unit, meta in enumerate(self.golden.json("img_metas.json")):
            order = self.order(unit)
            flat = self.inputs[f"targets.{unit}.keypoints"]
            total = flat.shape[1] // 3
            classes = [meta["id2index"][str(int(c))] for c in self.inputs[f"targets.{unit}.class_labels"]]
            found.append(
                PoseTargets(
                    boxes=self.inputs[f"targets.{unit}.boxes"],
                    class_ids=torch.tensor(classes, dtype=torch.long),
                    keypoints=flat[:, : 2 * total].unflatten(1, (-1, 2))[:, order],
                    visible=flat[:, 2 * total :][:, order].bool(),
                    areas=self.inputs[f"targets.{unit}.area"],
                    sigmas=sigmas[order],
                )
            )
        return found

    @cached_property
    def outputs(self) -> PoseOutputs:
        with torch.no_grad():
            return self.decoder.eval()(self.queries(), self.images)

    def order(self, unit: int) -> list[int]:
        """Return the keypoints of a prompt, by their place in the dataset."""
        meta = self.golden.json("img_metas.json")[unit]
        slots = {slot: int(keypoint) for keypoint, slot in meta["kpt_id2index"].items()}
        return [slots[slot] for slot in sorted(slots)]

    def keypoints(self, name: str) -> Tensor:
        """Return golden keypoints [B, N, 68, 2]; what stands behind them is the same constant everywhere."""
        places, seen = self.expected[name].split((136, 68), dim=-1)
        assert_close(seen, torch.ones_like(seen).sigmoid(), "visibility")
        return places.unflatten(-1, (68, 2))


@pytest.fixture(scope="module", params=[pytest.param(g, id=str(g)) for g in sets("unipose")])
def case(request: pytest.FixtureRequest) -> PoseCase:
    return PoseCase(request.param)


def test_every_published_name_has_ours_and_back(case):
    names = {n for n in case.golden.json("state_dict_names.json") if not n.endswith("relative_position_index")}
    state = case.golden.weights
    back = pose_to_published(pose_from_published(state), case.decoder.config)
    assert set(back) == names
    assert all(torch.equal(back[name], state[name]) for name in names)


def test_feature_maps_and_their_places_are_the_published_ones(case):
    decoder, expected = case.decoder, case.expected
    with torch.no_grad():
        pyramid = decoder.pyramid(case.images)
    sizes = [h * w for h, w in pyramid.shapes]
    parts = [x.split(sizes, 1) for x in (pyramid.tokens, pyramid.mask, pyramid.positions)]
    for i, (tokens, mask, positions) in enumerate(zip(*parts, strict=True)):
        source, place = expected[f"inter.src.{i}"], expected[f"inter.pos.{i}"]
        assert_close(tokens.transpose(1, 2).view_as(source), source, f"map {i}")
        assert_close(~mask.view_as(expected[f"inter.src_mask.{i}"]), expected[f"inter.src_mask.{i}"], f"mask {i}")
        own = positions - decoder.pyramid.level_embedding[i]
        assert_close(own.transpose(1, 2).view_as(place), place, f"position {i}")


def test_intermediates_are_the_published_ones(case):
    outputs, expected = case.outputs, case.expected
    assert_close(outputs.vision, expected["inter.memory"], "encoder, pixels")
    assert_close(outputs.text, expected["inter.memory_text"], "encoder, query groups")
    assert_close(outputs.encoder.boxes, expected["inter.ref_enc"][0], "chosen tokens' boxes")
    said = expected["inter.hs_enc"][0] @ expected["inter.memory_text"].transpose(1, 2)
    assert_close(outputs.encoder.logits, said.masked_fill(~outputs.text_mask[:, None], -torch.inf), "chosen tokens")
    best = outputs.tokens.logits.amax(-1).topk(said.shape[1], dim=1).indices
    centres = outputs.tokens.centres.gather(1, best.unsqueeze(-1).expand(-1, -1, 2))
    assert_close(centres, expected["inter.init_box_proposal"][..., :2], "chosen tokens' centres")
    for i, (states, guide) in enumerate(zip(outputs.states, outputs.guides, strict=True)):
        rows = expected[f"dec.{i}.hs"].shape[1]
        assert_close(guide[:, :rows], expected[f"dec.{i}.reference"], f"decoder boxes {i}")
        assert_close(states[:, :rows], expected[f"dec.{i}.hs"], f"decoder states {i}")


def test_the_mask_among_the_queries_is_the_published_one(case):
    groups = case.decoder.config.poses
    blocked = ~group_visibility(case.inputs["kpt_query_masks"], groups, leak=True)[:, 0]
    assert torch.equal(blocked.sum(2), case.expected["mask2.rowsum"])
    assert torch.equal(blocked.sum(1), case.expected["mask2.colsum"])


def test_results_are_the_published_ones(case):
    outputs = case.outputs
    assert outputs.layers[-1].keypoints is not None
    assert_close(outputs.logits, case.expected["test.pred_logits"], "logits")
    assert_close(outputs.boxes, case.expected["test.pred_boxes"], "boxes")
    assert_close(outputs.layers[-1].keypoints, case.keypoints("test.pred_keypoints"), "keypoints")


@dataclass(frozen=True)
class Trained:
    """One training step."""

    case: PoseCase
    name: str
    outputs: PoseOutputs
    terms: dict[str, Tensor]
    loss: Tensor
    gradients: dict[str, Tensor]

    def expected(self, group: str) -> dict[str, Tensor]:
        prefix = f"{self.name}.{group}."
        return {k.removeprefix(prefix): v for k, v in self.case.expected.items() if k.startswith(prefix)}


def train(case: PoseCase, name: str) -> Trained:
    denoised = f"{name}.loss_dict.loss_ce_dn" in case.expected
    targets, decoder = case.targets(), case.decoder
    decoder.zero_grad()
    decoder.train()
    states = {key: case.inputs[key].clone().requires_grad_() for key in ("obj_querys", "kpt_querys")}
    stored = [value for key, value in sorted(case.inputs.items()) if key.startswith("rng.")]
    with pytest.MonkeyPatch.context() as patch:
        if not denoised:
            patch.setattr(decoder, "config", replace(decoder.config, denoise_queries=0))
        outputs = decoder(case.queries(*states.values()), case.images, targets, StoredDraws(stored))
        terms = decoder.criterion(outputs, targets)
    loss = torch.stack([value * decoder.criterion.weight(term) for term, value in terms.items()]).sum()
    loss.backward()
    decoder.eval()
    gradients = {
        key: torch.zeros_like(p) if p.grad is None else p.grad.clone() for key, p in decoder.named_parameters()
    }
    asked = {key: torch.zeros_like(x) if x.grad is None else x.grad for key, x in states.items()}
    return Trained(case, name, outputs, terms, loss.detach(), gradients | asked)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((g, name), id=f"{g}-{name}")
        for g in sets("unipose")
        for name in ("train_nodn", "train_dn")
        if f"{name}.loss" in g.outputs
    ],
)
def trained(request: pytest.FixtureRequest) -> Trained:
    golden, name = request.param
    return train(PoseCase(golden), name)


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
        if name.startswith("transformer.decoder.hw"):
            first = not name.endswith("append.weight")
            ours = trained.gradients["decoder.extents"][slice(FIRST_EXTENTS) if first else slice(FIRST_EXTENTS, None)]
        else:
            known = name if name.endswith("_querys") else next(iter(pose_from_published({name: value})))
            ours = trained.gradients[known]
        assert_close(ours, value, name, tolerance=GRADIENT_TOLERANCE)


def test_results_in_training_are_the_published_ones(trained):
    if f"{trained.name}.pred_logits" in trained.case.expected:
        last = trained.outputs.layers[-1]
        assert last.keypoints is not None
        assert_close(last.logits, trained.case.expected[f"{trained.name}.pred_logits"], "logits")
        assert_close(last.boxes, trained.case.expected[f"{trained.name}.pred_boxes"], "boxes")
        # the published training puts keypoints back into the order of the dataset, and 0 where none was asked
        published = trained.case.expected[f"{trained.name}.pred_keypoints"][..., :136].unflatten(-1, (68, 2))
        for unit, places in enumerate(published):
            order = trained.case.order(unit)
            assert_close(last.keypoints[unit, :, : len(order)], places[:, order], "keypoints")


def test_denoising_queries_are_the_published_ones(trained):
    noise, inputs = trained.outputs.noise, trained.case.inputs
    if trained.name == "train_nodn":
        assert noise is None
        return
    assert noise is not None
    assert_close(noise.content, inputs["dn.input_query_label"], "content")
    assert_close(noise.boxes, inputs["dn.input_query_bbox"], "boxes")
    assert_close(~noise.visible(trained.case.decoder.config.object_queries), inputs["dn.attn_mask"], "visibility")
    assert noise.groups == inputs["dn.dn_num"]
    assert 2 * noise.truths == inputs["dn.single_padding"]
    assert inputs["dn.pad_size"] == noise.content.shape[1]


def test_denoising_queries_and_groups_see_each_other_as_published(trained):
    noise, inputs = trained.outputs.noise, trained.case.inputs
    if noise is None:
        return
    groups = group_visibility(inputs["kpt_query_masks"], trained.case.decoder.config.poses)[:, 0]
    first = noise.content.shape[1]
    blocked = ~noise.visible(groups.shape[1]).expand(len(groups), -1, -1).clone()
    blocked[:, first:, first:] = ~groups
    for name, along in (("rowsum", 2), ("colsum", 1)):
        expected = inputs[f"dn.attn_mask2_{name}"]
        assert torch.equal(blocked.sum(along)[: expected.numel() // blocked.shape[1]].flatten(), expected.flatten())


def test_the_right_mask_moves_the_keypoints(case):
    quirks = replace(Quirks.published(), keypoint_groups_leak=False)
    right = PoseDecoder(case.decoder.config, case.inputs["obj_querys"].shape[-1], quirks).eval()
    right.load_state_dict(case.decoder.state_dict())
    with torch.no_grad():
        outputs = right(case.queries(), case.images)
    assert outputs.layers[-1].keypoints is not None
    named = case.inputs["kpt_query_masks"][0]
    moved = (outputs.layers[-1].keypoints - case.keypoints("test.pred_keypoints"))[:, :, named].abs().max()
    assert_close(outputs.text, case.expected["inter.memory_text"], "encoder, query groups")
    assert 0.01 < moved < 0.3
