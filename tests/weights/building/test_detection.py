"""A Grounding DINO of the library and our detector: the same numbers, from the pixels to the last box."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tests.parity.golden import assert_close
from tests.weights.building.parts import grounding_dino, rewrite, write
from visionllm.config import Quirks
from visionllm.decoders.detection import DetectionDecoder, DetectionOutputs
from visionllm.types.tensors import ImageBatch, Queries
from visionllm.weights.building.detection import DROPPED, NEW, detection_settings, detection_sources, start_new
from visionllm.weights.building.sources import reason_for
from visionllm.weights.checkpoint import Checkpoint

# [CLS], three words and their full stop, which are one phrase, [SEP]: the words see each other, and nothing else counts
IDS, REAL = (101, 5, 6, 7, 1012, 102), (0, 1, 1, 1, 1, 0)
GROUPS = slice(1, 5)
WIDTH = 32
STAGES = ("stage2", "stage3", "stage4")
NORM = "model.enc_output_norm.weight"


def decoder_of(folder: Path, quirks: Quirks | None = None) -> DetectionDecoder:
    """Our detector with a folder's weights, whose query groups are given as the library's words are."""
    config, _ = detection_settings(folder)
    decoder = DetectionDecoder(config, WIDTH, quirks)
    with Checkpoint(folder) as checkpoint:
        shapes = {name: tuple(tensor.shape) for name, tensor in decoder.state_dict().items()}
        found = detection_sources(checkpoint, shapes)
        state = {ours: checkpoint.read(theirs) for ours, theirs in found.taken.items()}
    missing, unexpected = decoder.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(reason_for(name, NEW) for name in missing)
    decoder.query_projection = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
    return decoder.eval()


@dataclass(frozen=True)
class Both:
    """The two networks on the same pictures and words.

    Attributes:
        folder: Of the library's network.
        sizes: (height, width) of the pictures; smaller ones are padded.
        ids: Of the words.
    """

    folder: Path
    sizes: tuple[tuple[int, int], ...]
    ids: tuple[int, ...] = IDS

    @cached_property
    def images(self) -> ImageBatch:
        generator = torch.Generator().manual_seed(5)
        height, width = (max(sides) for sides in zip(*self.sizes, strict=True))
        pixels = torch.randn(len(self.sizes), 3, height, width, generator=generator)
        mask = torch.zeros(len(self.sizes), height, width, dtype=torch.bool)
        for i, (h, w) in enumerate(self.sizes):
            mask[i, :h, :w] = True
        sizes = torch.tensor(self.sizes)
        return ImageBatch(pixel_values=pixels * mask[:, None], pixel_mask=mask, sizes_hw=sizes, resized_hw=sizes)

    @cached_property
    def theirs(self) -> tuple[Any, dict[str, Any]]:
        network, seen = grounding_dino(), dict[str, Any]()
        hooks: list[tuple[str, nn.Module]] = [
            ("words", network.model.text_projection),
            ("stages", network.model.backbone.conv_encoder),
        ]
        for name, module in hooks:
            module.register_forward_hook(lambda _, __, output, name=name: seen.setdefault(name, output))
        ids = torch.tensor([self.ids] * len(self.sizes))
        with torch.no_grad():
            outputs = network(
                pixel_values=self.images.pixel_values,
                pixel_mask=self.images.pixel_mask.long(),
                input_ids=ids,
                attention_mask=torch.tensor([REAL] * len(self.sizes)),
                output_hidden_states=True,
            )
        return outputs, seen

    @cached_property
    def decoder(self) -> DetectionDecoder:
        return decoder_of(self.folder, Quirks(padding_seen_by_networks=True))

    @cached_property
    def ours(self) -> tuple[DetectionOutputs, dict[str, Any]]:
        seen, decoder = dict[str, Any](), self.decoder
        hooks: dict[str, nn.Module] = {
            "stages": decoder.pyramid.backbone,
            "pyramid": decoder.pyramid,
            "proposals": decoder.proposals,
        }
        hooks |= {f"encoder.{i}": layer for i, layer in enumerate(decoder.encoder.layers)}
        for name, module in hooks.items():
            module.register_forward_hook(lambda _, __, output, name=name: seen.setdefault(name, output))
        words = self.theirs[1]["words"][:, GROUPS]
        units, groups = words.shape[:2]
        queries = Queries(
            states=words[:, :, None],
            mask=torch.ones(units, groups, dtype=torch.bool),
            images=torch.arange(units),
            rows=torch.arange(units),
            turns=torch.ones(units, dtype=torch.long),
            positions=torch.zeros(units, groups, dtype=torch.long),
            routes=(("[DET]",) * groups,) * units,
        )
        with torch.no_grad():
            return decoder(queries, self.images), seen

    def real(self, tokens: Tensor) -> Tensor:
        """Return the tokens of real pixels, float[n, …]."""
        return tokens[self.ours[1]["pyramid"].mask]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(grounding_dino(), tmp_path_factory.mktemp("parts") / "dino")


@pytest.fixture(scope="module", params=[((64, 96),), ((64, 128), (96, 64))], ids=["one-picture", "padded-batch"])
def both(request: pytest.FixtureRequest, folder: Path) -> Both:
    return Both(folder, request.param)


def test_the_backbone_gives_the_librarys_maps(both: Both):
    for stage, (expected, _) in zip(STAGES, both.theirs[1]["stages"], strict=True):
        assert_close(both.ours[1]["stages"][stage], expected, stage)


def test_the_projections_give_the_librarys_tokens(both: Both):
    expected = both.theirs[0].encoder_vision_hidden_states[0]
    assert_close(both.ours[1]["pyramid"].tokens, expected, "projected tokens")


def test_every_encoder_layer_gives_the_librarys_pixels_and_words(both: Both):
    outputs, seen = both.theirs[0], both.ours[1]
    for i in range(2):
        pixels, words = seen[f"encoder.{i}"]
        assert_close(both.real(pixels), both.real(outputs.encoder_vision_hidden_states[i + 1]), f"pixels {i}")
        assert_close(words, outputs.encoder_text_hidden_states[i + 1][:, GROUPS], f"words {i}")


def test_every_token_proposes_the_librarys_box_with_the_librarys_scores(both: Both):
    outputs, proposals = both.theirs[0], both.ours[1]["proposals"]
    usable = proposals.usable
    boxes = outputs.enc_outputs_coord_logits
    assert torch.equal(usable, boxes.isfinite().all(-1))
    assert_close(proposals.boxes[usable], boxes[usable], "proposed boxes")
    scores = proposals.states @ both.ours[0].text.transpose(1, 2)
    assert_close(scores[usable], outputs.enc_outputs_class[..., GROUPS][usable], "scores of proposals")


@pytest.fixture(scope="module")
def single(folder: Path) -> Both:
    """One picture: of a padded batch the library may choose tokens outside of a picture, which ours never does."""
    return Both(folder, ((64, 96),))


def test_the_chosen_boxes_are_the_librarys(single: Both):
    assert_close(single.ours[0].first_boxes, single.theirs[0].init_reference_points, "first boxes")


def test_every_decoder_layer_gives_the_librarys_states_and_boxes(single: Both):
    ours, theirs = single.ours[0], single.theirs[0]
    assert_close(torch.stack(ours.states, 1), theirs.intermediate_hidden_states, "states")
    assert_close(torch.stack(ours.guides, 1), theirs.intermediate_reference_points, "refined boxes")


def test_scores_and_boxes_are_the_librarys(single: Both):
    ours, theirs = single.ours[0], single.theirs[0]
    assert theirs.logits[..., GROUPS].std() > 0.1  # random weights must not make all queries alike
    assert_close(ours.logits, theirs.logits[..., GROUPS], "logits")
    assert_close(ours.boxes, theirs.pred_boxes, "boxes")


@pytest.mark.parametrize(
    "name",
    [
        "pyramid.backbone.network.swin.encoder.layers.3.blocks.0.attention.v_proj.weight",
        "pyramid.projections.3.0.weight",
        "pyramid.level_embedding",
        "encoder.layers.1.fusion.text_gate",
        "encoder.layers.0.text.attention.key.weight",
        "proposals.box_head.layers.1.weight",
        "object_queries.weight",
        "decoder.layers.1.text_attention.value.weight",
        "decoder.position_head.layers.0.weight",
        "decoder.box_head.layers.0.weight",
    ],
)
def test_one_other_weight_is_seen_in_the_result(single: Both, name: str):
    other = Both(single.folder, single.sizes)
    other.__dict__["theirs"] = single.theirs
    with torch.no_grad():
        other.decoder.get_parameter(name).mul_(-1)
    with pytest.raises(AssertionError, match="exceeds"):
        assert_close(other.ours[0].boxes, single.theirs[0].pred_boxes, "boxes")


def test_words_of_several_phrases_see_each_other_in_ours_only(folder: Path):
    """The published detector lets all query groups see each other: up to the first such layer nothing differs."""
    both = Both(folder, ((64, 96),), ids=(101, 5, 1012, 7, 1012, 102))
    words, expected = both.ours[1]["encoder.0"], both.theirs[0]
    assert_close(words[0], expected.encoder_vision_hidden_states[1], "pixels of the first layer")
    with pytest.raises(AssertionError, match="exceeds"):
        assert_close(words[1], expected.encoder_text_hidden_states[1][:, GROUPS], "words of the first layer")


def read(folder: Path) -> tuple[Checkpoint, DetectionDecoder]:
    config, _ = detection_settings(folder)
    return Checkpoint(folder), DetectionDecoder(config, WIDTH)


def shapes_of(decoder: DetectionDecoder) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in decoder.state_dict().items()}


def test_every_tensor_of_the_library_is_taken_or_dropped_and_every_one_of_ours_taken_or_new(folder: Path):
    checkpoint, decoder = read(folder)
    shapes = shapes_of(decoder)
    found = detection_sources(checkpoint, shapes)
    assert sorted([*found.taken.values(), *found.dropped]) == sorted(checkpoint.tensors)
    assert {n for n in shapes if reason_for(n, NEW) is None} == found.taken.keys()
    assert all(checkpoint.tensors[theirs].shape == shapes[ours] for ours, theirs in found.taken.items())
    assert {why for _, why in DROPPED} - set(found.dropped.values()) == {"follows from the size of the window"}


def changed(folder: Path, to: Path, change: Callable[[dict[str, Tensor]], Any]) -> Path:
    to.mkdir()
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, to / "model.safetensors")
    (to / "config.json").write_text((folder / "config.json").read_text())
    return to


def test_shared_heads_and_window_indices_of_old_files_are_understood(folder: Path, tmp_path: Path):
    def change(tensors: dict[str, Tensor]) -> None:
        head = {n: t for n, t in tensors.items() if n.startswith("bbox_embed.0.")}
        for name, tensor in head.items():
            tensors[name.replace("bbox_embed.0", "bbox_embed.1")] = tensor.clone()
            tensors[f"model.decoder.{name}"] = tensor.clone()
        block = "model.backbone.conv_encoder.model.encoder.layers.0.blocks.0.attention.self."
        tensors[f"{block}relative_position_index"] = torch.zeros(16, 16, dtype=torch.long)

    checkpoint, decoder = read(changed(folder, tmp_path / "old", change))
    found = detection_sources(checkpoint, shapes_of(decoder))
    assert len(found.copies) == 12
    assert all(found.copies[f"model.decoder.bbox_embed.0.layers.{i}.bias"] for i in range(3))
    assert "follows from the size of the window" in found.dropped.values()


@pytest.mark.faults
@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.pop(NORM), f"expected {NORM} in the weights of .*, got none", id="missing"),
        pytest.param(
            lambda t: t.update({"model.odd.weight": torch.zeros(1)}),
            r"expected only tensors of a Grounding DINO in .*, got model\.odd\.weight",
            id="unknown",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder: Path, tmp_path: Path, change: Callable[..., Any], message: str):
    checkpoint, decoder = read(changed(folder, tmp_path / "spoilt", change))
    with pytest.raises(ValueError, match=message):
        detection_sources(checkpoint, shapes_of(decoder))


@pytest.mark.faults
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"two_stage": False}, "expected two_stage True in .*, got False"),
        ({"position_embedding_type": "learned"}, "expected position_embedding_type 'sine' in .*, got 'learned'"),
        ({"decoder_attention_heads": 2}, "expected as many heads in encoder and decoder in .*, got 4 and 2"),
        ({"odd": 1}, r"unknown key .*config\.json\.odd"),
        ({"backbone": "resnet50"}, r"expected .*config\.json\.backbone switched off, got 'resnet50'"),
    ],
)
def test_settings_that_our_detector_cannot_have_are_refused(
    folder: Path, tmp_path: Path, changes: dict[str, Any], message: str
):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    rewrite(tmp_path / "config.json", **changes)
    with pytest.raises(ValueError, match=message):
        detection_settings(tmp_path)


@pytest.mark.faults
def test_another_network_is_refused(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "detr"}))
    with pytest.raises(ValueError, match=r"expected model_type 'grounding-dino' in .*config\.json, got 'detr'"):
        detection_settings(tmp_path)


@pytest.mark.faults
def test_a_backbone_without_a_stage_for_masks_is_refused(folder: Path, tmp_path: Path):
    raw = json.loads((folder / "config.json").read_text())
    raw["backbone_config"] |= {"out_features": ["stage1", "stage2"], "out_indices": [1, 2]}
    (tmp_path / "config.json").write_text(json.dumps(raw))
    with pytest.raises(ValueError, match=r"expected a swin backbone .* from stage2 on, got swin with \['stage1'"):
        detection_settings(tmp_path)


def test_the_settings_are_the_librarys_and_the_losses_the_published_ones(folder: Path):
    config, deviation = detection_settings(folder)
    assert (config.heads, config.text_heads, config.text_ffn, config.fusion_width) == (4, 2, 16, 16)
    assert (config.encoder_ffn, config.decoder_ffn, config.encoder_points, config.decoder_points) == (32, 40, 2, 3)
    assert config.backbone["out_features"] == ["stage1", *STAGES]
    assert (config.class_cost, config.box_cost, config.giou_cost, config.mask_weight) == (2, 5, 2, 5)
    assert (config.query_content, config.contrast, deviation) == ("learned", "plain", 0.02)


def test_what_is_new_starts_small_and_nothing_else_is_touched(folder: Path):
    _, decoder = read(folder)
    before = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    start_new(decoder, 0.02)
    after = decoder.state_dict()
    assert after["query_projection.layers.1.weight"].std().item() == pytest.approx(0.02, rel=0.1)
    assert not after["pixel_decoder.output.bias"].any()
    assert all(torch.equal(after[name], before[name]) for name in after if reason_for(name, NEW) is None)
