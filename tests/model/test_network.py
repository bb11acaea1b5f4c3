from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, DynamicCache

from tests.tiny import (
    BOS,
    COMMA,
    DET,
    DET_SLOTS,
    EOS,
    PATCH,
    PATCHES,
    REGION,
    STOP,
    VOCABULARY,
    tiny_config,
    tiny_inputs,
    tiny_model,
)
from visionllm.model import VisionLLMForConditionalGeneration, join_encoded
from visionllm.types import Detections, Options
from visionllm.types.tensors import DetectionTargets, ModelInputs

PICTURE = [PATCH] * PATCHES
D = [DET, *DET_SLOTS]
ROUTING = [BOS, *PICTURE, 10, 11, *D, COMMA, 12, *D, EOS]
TALKING = [BOS, *PICTURE, 13, REGION, 14]
TEXT = [BOS, 20, 21, 22]
CLOSE: dict[str, Any] = {"atol": 1e-5, "rtol": 1e-4}

each_vision = pytest.mark.parametrize("vision", ["clip", "resnet"])


@pytest.fixture(scope="module", params=["clip", "resnet"])
def model(request: pytest.FixtureRequest) -> VisionLLMForConditionalGeneration:
    return tiny_model(request.param)


@pytest.fixture(scope="module")
def clip() -> VisionLLMForConditionalGeneration:
    return tiny_model()


def target(group: int = 0) -> DetectionTargets:
    return DetectionTargets(boxes=torch.tensor([[0.5, 0.5, 0.4, 0.4]]), class_ids=torch.tensor([group]))


def alone(inputs: ModelInputs, row: int, length: int) -> ModelInputs:
    """Return one row of a batch in which every row has one picture or none, and at most one region."""
    ids = inputs.input_ids[row, :length]
    first = int((inputs.input_ids[:row] == PATCH).any(-1).sum())
    regions = int((inputs.input_ids[:row] == REGION).sum())
    seen, marked = PATCH in ids, REGION in ids
    return replace(
        inputs,
        input_ids=ids[None],
        attention_mask=torch.ones(1, length, dtype=torch.bool),
        turn_ids=inputs.turn_ids[row : row + 1, :length],
        turn_images=inputs.turn_images[row : row + 1],
        pixel_values=inputs.pixel_values[first : first + 1] if seen and inputs.pixel_values is not None else None,
        splits=torch.ones(1, dtype=torch.long) if seen else None,
        region_masks=inputs.region_masks[regions : regions + 1] if marked and inputs.region_masks is not None else None,
        region_pictures=torch.zeros(1, dtype=torch.long) if marked else None,
    )


@torch.no_grad()
def test_a_batch_reads_like_its_rows_alone(model: VisionLLMForConditionalGeneration):
    rows = [ROUTING, TALKING, TEXT]
    inputs = tiny_inputs(rows)
    batch = model.states(inputs)
    for i, row in enumerate(rows):
        single = model.states(alone(inputs, i, len(row)))
        torch.testing.assert_close(batch[i, : len(row)], single[0], **CLOSE)


@torch.no_grad()
def test_padding_on_the_left_changes_nothing(model: VisionLLMForConditionalGeneration):
    rows = [ROUTING, TALKING, TEXT]
    right, left = model.states(tiny_inputs(rows)), model.states(tiny_inputs(rows, left=True))
    for i, row in enumerate(rows):
        torch.testing.assert_close(left[i, -len(row) :], right[i, : len(row)], **CLOSE)


@torch.no_grad()
def test_reading_token_by_token_is_reading_at_once(model: VisionLLMForConditionalGeneration):
    inputs = tiny_inputs([ROUTING, TALKING], left=True)
    whole = model.states(inputs)
    prompt = model.embed_prompt(
        inputs.input_ids,
        pixel_values=inputs.pixel_values,
        region_masks=inputs.region_masks,
        region_pictures=inputs.region_pictures,
    )
    cache = DynamicCache(config=model.config.text_config)
    steps = []
    for end in range(8, len(ROUTING) + 1):
        start = cache.get_seq_length()
        read = model(
            inputs.input_ids[:, start:end],
            inputs.attention_mask[:, :end],
            past_key_values=cache,
            prompt_embeds=prompt[:, start:end],
            use_cache=True,
        )
        assert cache.get_seq_length() == end
        steps.append(read.last_hidden_state)
    together = torch.cat(steps, dim=1)
    real = inputs.attention_mask
    torch.testing.assert_close(together[real], whole[real], **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_questions_are_read_like_separate_ones(attention: str):
    model = tiny_model()
    model.language_model.set_attn_implementation(attention)
    shared = [BOS, *PICTURE, 9]
    turns = [[20, 21, *D, EOS], [22, 23], [24, *D, 25]]
    row = [*shared, *turns[0], *turns[1], *turns[2]]
    numbers = [0] * len(shared) + [k for k, turn in enumerate(turns, 1) for _ in turn]
    packed = tiny_inputs([row, TEXT], turns=[numbers, [1] * 4], packed=True)
    states = model.states(packed)[0]
    start = len(shared)
    for turn in turns:
        single = model.states(tiny_inputs([[*shared, *turn]]))[0]
        torch.testing.assert_close(states[start : start + len(turn)], single[len(shared) :], **CLOSE)
        start += len(turn)


def test_packed_rows_need_their_turns(clip: VisionLLMForConditionalGeneration):
    with pytest.raises(ValueError, match="expected turn_ids with packed rows, got none"):
        clip(torch.tensor([TEXT]), packed=True)


def test_packed_rows_need_an_attention_that_takes_masks():
    model = tiny_model()
    model.language_model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(ValueError, match="expected sdpa or eager attention for packed rows, got flash_attention_2"):
        model(torch.tensor([TEXT]), turn_ids=torch.ones(1, 4, dtype=torch.long), packed=True)


@torch.no_grad()
def test_an_encoded_picture_reads_like_its_pixels(model: VisionLLMForConditionalGeneration):
    inputs = tiny_inputs([TALKING, ROUTING])
    assert inputs.pixel_values is not None
    assert inputs.splits is not None
    parts = [model.encode_pictures(inputs.pixel_values[i : i + 1], inputs.splits[i : i + 1]) for i in range(2)]
    blind = replace(inputs, pixel_values=None, splits=None)
    torch.testing.assert_close(model.states(blind, join_encoded(parts)), model.states(inputs), **CLOSE)


@torch.no_grad()
def test_splits_belong_to_pictures_and_regions_to_the_last_split(clip: VisionLLMForConditionalGeneration):
    inputs = tiny_inputs([[BOS, *PICTURE * 3, REGION]], region_pictures=torch.tensor([1]))
    assert inputs.pixel_values is not None
    several = replace(inputs, splits=torch.tensor([1, 2]))
    encoded = clip.encode_pictures(inputs.pixel_values, torch.tensor([1, 2]))
    assert torch.equal(encoded.pixel_values, inputs.pixel_values[[0, 2]])
    other = inputs.pixel_values.clone()
    other[1] += 1
    assert inputs.region_masks is not None
    region = clip.encode_regions(inputs.region_masks, torch.tensor([1]), encoded)
    again = clip.encode_regions(
        inputs.region_masks, torch.tensor([1]), clip.encode_pictures(other, torch.tensor([1, 2]))
    )
    torch.testing.assert_close(region, again)
    assert not torch.equal(clip.states(several), clip.states(replace(several, pixel_values=other)))


@torch.no_grad()
def test_joined_features_take_a_quarter_of_the_places():
    model = tiny_model(pixel_shuffle=2)
    assert model.states(tiny_inputs([[BOS, *PICTURE]], pixel_values=torch.randn(4, 3, 32, 32), splits=None)).shape == (
        1, 5, 32,
    )  # fmt: skip


@torch.no_grad()
def test_places_are_told_apart_by_their_sine_only_if_wanted():
    flat = torch.zeros(1, 3, 64, 64)
    ones = torch.ones(1, dtype=torch.long)
    plain, placed = (
        tiny_model("resnet", vision_position=kind).encode_pictures(flat, ones) for kind in ("none", "sine")
    )
    inner = plain.tokens[0].unflatten(0, (4, 4))[1:3, 1:3].flatten(0, 1)
    assert placed.tokens.shape == plain.tokens.shape
    assert (placed.tokens[0, 5] - placed.tokens[0, 6]).abs().max() > (inner[0] - inner[1]).abs().max()
    added = placed.levels[-1] - plain.levels[-1]  # regions are read at the same places
    assert not torch.allclose(added[..., 0, 0], added[..., 0, 1])


@pytest.mark.parametrize(
    ("row", "fields", "message"),
    [
        pytest.param(ROUTING, {"pixel_values": None}, "expected 4 image features.*, got 0", id="no-picture"),
        pytest.param([BOS, PATCH], {"pixel_values": torch.zeros(1, 3, 32, 32)}, "expected 1 .*, got 4", id="too-many"),
        pytest.param(TEXT, {"pixel_values": torch.zeros(1, 3, 32, 32)}, "expected 0 .*, got 4", id="not-asked-for"),
        pytest.param(TALKING, {"region_masks": None}, "expected 1 regions, .*, got 0", id="no-region"),
        pytest.param(TALKING, {"region_pictures": None}, "expected the pictures of 1 regions, got none", id="nowhere"),
        pytest.param(
            TALKING,
            {"region_pictures": torch.tensor([0, 0])},
            "expected 1 pictures, one for each region, got 2",
            id="two",
        ),
        pytest.param(ROUTING, {"splits": torch.tensor([2])}, "expected 2 splits of 1 pictures, got 1", id="splits"),
    ],
)
def test_pictures_and_their_places_must_agree(
    clip: VisionLLMForConditionalGeneration, row: list[int], fields: dict[str, Any], message: str
):
    with pytest.raises(ValueError, match=message):
        clip.states(tiny_inputs([row], **fields))


def test_a_model_without_a_region_encoder_refuses_regions():
    with pytest.raises(ValueError, match="expected a model with a region encoder for 1 regions, got one without"):
        tiny_model(region_encoder=None).states(tiny_inputs([TALKING]))


@torch.no_grad()
def test_scores_cover_the_positions_that_are_asked_for(clip: VisionLLMForConditionalGeneration):
    ids = torch.tensor([TEXT])
    every = clip(ids).logits
    assert every is not None
    assert every.shape == (1, 4, VOCABULARY + 8)
    torch.testing.assert_close(clip(ids, logits_to_keep=2).logits, every[:, -2:])
    torch.testing.assert_close(clip(ids, logits_to_keep=torch.tensor([1])).logits, every[:, 1:2])
    assert clip(ids, labels=ids).logits is None
    torch.testing.assert_close(clip(ids, labels=ids, logits_to_keep=0).logits, every)


def test_the_loss_is_the_mean_over_supervised_text(clip: VisionLLMForConditionalGeneration):
    labels = [-100] * 6 + ROUTING[6:]
    inputs = tiny_inputs([ROUTING, TEXT], labels=[labels, [-100, 20, -100, -100]])
    with torch.no_grad():
        read = clip.read(inputs, labels=inputs.labels, logits_to_keep=0)
    assert read.logits is not None
    assert inputs.labels is not None
    following = inputs.labels[:, 1:]
    counts = (following >= 0) & (following < VOCABULARY)
    chosen = read.logits[:, :-1, :VOCABULARY].log_softmax(-1)[counts]
    expected = -chosen.gather(1, following[counts][:, None]).mean()
    assert int(counts.sum()) == 6 + 1
    torch.testing.assert_close(read.loss, expected)


def test_without_supervision_there_is_no_text_loss(clip: VisionLLMForConditionalGeneration):
    assert clip(torch.tensor([TEXT]), labels=torch.full((1, 4), -100)).loss is None
    assert clip.compute_losses(tiny_inputs([TEXT]), {}) == {}


def test_a_batch_of_text_and_detection_has_the_losses_of_both():
    model = tiny_model().train()
    inputs = tiny_inputs([TEXT, ROUTING], labels=[TEXT, [-100] * len(ROUTING)])
    losses = model.compute_losses(inputs, {"detection": {(1, 1, 7): target(1)}})
    assert "text" in losses
    assert {"detection/class", "detection/box", "detection/giou"} <= losses.keys()
    assert all(value.shape == () and bool(value.isfinite()) for value in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    for name in (
        "super_link.tables.det.weight",
        "projector.layers.0.weight",
        "decoders.detection.object_queries.weight",
    ):
        gradient = model.get_parameter(name).grad
        assert gradient is not None
        assert gradient.abs().sum() > 0


def test_a_draw_comes_from_the_generator_that_is_given():
    model = tiny_model().train()
    inputs, targets = tiny_inputs([ROUTING]), {"detection": {(0, 1, 7): target()}}
    first, second, third = (
        model.compute_losses(inputs, targets, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first == second
    assert first != third


def test_units_without_a_target_learn_nothing(clip: VisionLLMForConditionalGeneration):
    rows = [[BOS, *PICTURE, *D, STOP, *D]]
    inputs = tiny_inputs(rows)
    both = clip.compute_losses(inputs, {"detection": {(0, 1, 11): target()}})
    only = clip.compute_losses(
        tiny_inputs([[*rows[0][:5], 5, 5, 5, 5, 5, STOP, *D]]), {"detection": {(0, 1, 11): target()}}
    )
    assert both.keys() == only.keys()
    assert clip.compute_losses(inputs, {"detection": {}}) == {}


def test_a_target_without_a_unit_is_refused(clip: VisionLLMForConditionalGeneration):
    with pytest.raises(ValueError, match=r"decoder 'detection' for its units \[\(0, 1, 7\)\], got one for \(0, 1, 6\)"):
        clip.compute_losses(tiny_inputs([ROUTING]), {"detection": {(0, 1, 6): target()}})
    with pytest.raises(ValueError, match=r"for its units \[\], got one for \(0, 1, 1\)"):
        clip.compute_losses(tiny_inputs([TEXT]), {"detection": {(0, 1, 1): target()}})


def test_a_batch_without_pictures_to_decode_on_is_refused(clip: VisionLLMForConditionalGeneration):
    with pytest.raises(ValueError, match="expected pictures for decoder 'detection', got none"):
        clip.compute_losses(tiny_inputs([ROUTING], images=None), {"detection": {(0, 1, 7): target()}})


def test_an_unknown_decoder_is_refused(clip: VisionLLMForConditionalGeneration):
    with pytest.raises(ValueError, match=r"expected a decoder among \['detection'\], got 'pose'"):
        clip.decoder("pose")


@torch.no_grad()
def test_decoding_gives_one_result_a_unit_with_the_wishes_of_its_row(clip: VisionLLMForConditionalGeneration):
    inputs = tiny_inputs([ROUTING, TEXT, [BOS, *PICTURE, *D, STOP, *D]])
    queries = clip.queries(inputs)
    assert inputs.images is not None
    wishes = [Options(threshold=0, max_instances=3), Options(), Options(threshold=0, max_instances=1)]
    results = clip.decode(queries, inputs.images, wishes)["detection"]
    assert [len(r) for r in results if isinstance(r, Detections)] == [3, 1, 1]
    same = clip.decode(queries, inputs.images, wishes[0])["detection"]
    assert [len(r) for r in same if isinstance(r, Detections)] == [3, 3, 3]
    assert clip.decode({}, inputs.images, Options()) == {}


def test_an_encoder_that_does_not_learn_keeps_no_graph():
    model = tiny_model().train()
    model.vision_encoder.requires_grad_(False)
    tokens = model.encode_pictures(torch.zeros(1, 3, 32, 32), torch.ones(1, dtype=torch.long)).tokens
    model.states(tiny_inputs([ROUTING])).sum().backward()
    assert tokens.requires_grad
    assert all(p.grad is None for p in model.vision_encoder.parameters())
    assert model.get_parameter("projector.layers.0.weight").grad is not None


def test_an_encoder_that_does_not_learn_keeps_its_statistics():
    model = tiny_model("resnet").train()
    model.vision_encoder.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.vision_encoder.state_dict().items()}
    model.states(tiny_inputs([ROUTING]))
    after = model.vision_encoder.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert model.training


def test_embeddings_can_be_reached_for_adapters(clip: VisionLLMForConditionalGeneration):
    table: Any = clip.get_input_embeddings()
    assert table.weight.shape == (VOCABULARY, 32)
    head: Any = clip.get_output_embeddings()
    assert head.weight.shape == (VOCABULARY, 32)
    model = tiny_model()
    other = torch.nn.Embedding(VOCABULARY, 32)
    model.set_input_embeddings(other)
    assert model.get_input_embeddings() is other


def test_checkpointing_changes_no_gradient():
    plain, spared = tiny_model().train(), tiny_model().train()
    spared.language_model.gradient_checkpointing_enable()
    gradients: list[Tensor] = []
    for model in (plain, spared):
        model.states(tiny_inputs([ROUTING])).square().sum().backward()
        gradient = model.get_parameter("super_link.tables.det.weight").grad
        assert gradient is not None
        gradients.append(gradient)
    torch.testing.assert_close(gradients[0], gradients[1])


@each_vision
def test_a_saved_model_comes_back_bit_for_bit(tmp_path: Any, vision: str):
    model = tiny_model(vision)
    model.save_pretrained(tmp_path)
    back = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert isinstance(back, VisionLLMForConditionalGeneration)
    assert [f.suffix for f in tmp_path.iterdir() if "model" in f.name] == [".safetensors"]
    stored = back.state_dict()
    assert stored.keys() == model.state_dict().keys()
    assert all(torch.equal(stored[name], tensor) for name, tensor in model.state_dict().items())
    inputs = tiny_inputs([ROUTING, TALKING])
    torch.testing.assert_close(back.eval().states(inputs), model.states(inputs), **CLOSE)


def test_tied_embeddings_stay_tied_after_loading(tmp_path: Any):
    text = {k: v for k, v in tiny_config().to_dict()["text_config"].items() if k != "tie_word_embeddings"}
    model = tiny_model(text_config=text | {"tie_word_embeddings": True})
    model.save_pretrained(tmp_path)
    back = VisionLLMForConditionalGeneration.from_pretrained(tmp_path)
    table, head = (
        back.get_input_embeddings().get_parameter("weight"),
        back.get_output_embeddings().get_parameter("weight"),
    )
    assert table is head
    assert torch.equal(table, model.get_input_embeddings().get_parameter("weight"))
