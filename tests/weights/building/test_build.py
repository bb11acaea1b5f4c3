"""Public parts become one model: every number has its place, what is new is said, and the model answers and learns."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, CLIPModel

from tests.weights.building.parts import SIDE, WORDS, chat, write_llama
from visionllm.predictor import VisionLLM
from visionllm.processing import ROUTES, TABLES, DecoderImageConfig, VisionLLMProcessor
from visionllm.types import DetectionTruth, Message, PictureTruth, Routed, Sample, ask
from visionllm.weights.building import BuildOptions, Parts, Summary, build_model
from visionllm.weights.plan import plan_to_published
from visionllm.weights.published import TOKENS

EMBED, HEAD = "language_model.model.embed_tokens.weight", "language_model.lm_head.weight"


@pytest.fixture(scope="module")
def built(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    target = tmp_path_factory.mktemp("built") / "model"
    return target, build_model(parts, target)


@pytest.fixture(scope="module")
def tensors(built: tuple[Path, Summary]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for file in sorted(built[0].glob("*.safetensors")):
        found |= load_file(file)
    return found


def loaded(folder: Path) -> VisionLLM:
    """Load a model whose decoders see small pictures."""
    found = VisionLLM.load(folder, device="cpu")
    small = DecoderImageConfig(short_side=None, long_side=64)
    config = replace(found.processor.config, decoder=small)
    return VisionLLM(found.model, VisionLLMProcessor(config, found.processor.tokenizer))


@pytest.fixture(scope="module")
def model(built: tuple[Path, Summary]) -> VisionLLM:
    return loaded(built[0])


def test_the_vision_encoder_is_the_parts(parts: Parts, model: VisionLLM):
    pixels = torch.randn(1, 3, SIDE, SIDE)
    clip: Any = CLIPModel.from_pretrained(parts.vision)
    with torch.no_grad():
        expected = clip.vision_model(pixels, output_hidden_states=True).hidden_states[-2]
        given: Any = model.model.vision_encoder(pixel_values=pixels, output_hidden_states=True)
    assert torch.equal(given.hidden_states[-2], expected)


def test_the_language_model_scores_its_own_words_as_before(parts: Parts, model: VisionLLM):
    ids = torch.tensor([[1, 7, 9, 50, 200]])
    before: Any = AutoModelForCausalLM.from_pretrained(parts.language)
    with torch.no_grad():
        expected, given = before(ids).logits, model.model(ids, logits_to_keep=0).logits
    torch.testing.assert_close(given[..., :WORDS], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [EMBED, HEAD])
def test_new_rows_are_the_mean_of_the_old_ones(name: str, parts: Parts, tensors: dict[str, Tensor]):
    old = load_file(parts.language / "model.safetensors")[name.removeprefix("language_model.")]
    grown = tensors[name]
    assert grown.shape[0] == WORDS + len(TOKENS)
    assert torch.equal(grown[:WORDS], old)
    torch.testing.assert_close(grown[WORDS:], old.mean(0).expand(len(TOKENS), -1))


@pytest.mark.parametrize(("decoder", "part"), [("generation", "unet"), ("editing", "unet"), ("generation", "vae")])
def test_diffusion_networks_are_the_parts(decoder: str, part: str, parts: Parts, tensors: dict[str, Tensor]):
    expected = load_file(getattr(parts, decoder) / part / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(tensors[f"decoders.{decoder}.{part}.{name}"], expected[name]) for name in expected)


def test_every_tensor_of_every_part_is_counted(parts: Parts, built: tuple[Path, Summary], tensors: dict[str, Tensor]):
    summary = built[1]
    files = {
        "vision": [parts.vision / "model.safetensors"],
        "language": [parts.language / "model.safetensors"],
        "detection": [Path(str(parts.detection)) / "model.safetensors"],
        "generation": sorted(Path(str(parts.generation)).rglob("*.safetensors")),
        "editing": sorted(Path(str(parts.editing)).rglob("*.safetensors")),
        "link": [],
    }
    assert [part.part for part in summary.parts] == list(files)
    for part in summary.parts:
        stored = [tensor for file in files[part.part] for tensor in load_file(file).values()]
        kept = part.taken.tensors + part.grown.tensors
        assert kept + sum(count.tensors for count in part.dropped) == len(stored), part.part
        if part.part != "language":
            numbers = part.taken.parameters + sum(count.parameters for count in part.dropped)
            assert numbers == sum(tensor.numel() for tensor in stored), part.part
    assert summary.parameters == sum(tensor.numel() for tensor in tensors.values())
    assert summary.size_bytes == sum(tensor.nbytes for tensor in tensors.values())
    json.dumps(summary.to_dict())


def test_what_is_new_is_what_no_part_has(built: tuple[Path, Summary]):
    new = {part.part: {count.what for count in part.new} for part in built[1].parts}
    assert new["vision"] == new["language"] == set()
    assert new["detection"] == {"mask branch of the detector", "what brings slots to the detector's width"}
    assert new["generation"] == new["editing"] == {"mapper from slots to the U-Net"}
    assert {what.partition(",")[0] for what in new["link"]} == {"projector", "region encoder", "super-link queries"}


def test_the_model_has_the_published_layout(model: VisionLLM, tensors: dict[str, Tensor]):
    config = model.model.config
    assert config.token_ids == {token: WORDS + i for i, token in enumerate(TOKENS)}
    assert config.tables == {"det": 4, "pose": 4, "gen": 64, "edit": 64} == dict(TABLES)
    assert tuple(config.routes) == ROUTES
    assert (config.vision_layer, config.region_levels, config.vision_prefix_tokens) == (-2, [-3, -2, -1], 1)
    assert config.decoders["generation"]["picture_hw"] == [16, 16]
    assert config.decoders["editing"]["picture_hw"] == [8, 8]
    plan = plan_to_published({name: tuple(tensor.shape) for name, tensor in tensors.items()}, config)
    assert "gdino.patch2query.layers.0.weight" in plan.taken


def test_the_model_answers(model: VisionLLM):
    picture = Image.new("RGB", (80, 60), (200, 30, 20))
    found = model.detect(picture, ["boat", "red fish"])
    assert found.size_hw == (60, 80)
    assert model.decoders == ("detection", "generation", "editing")
    assert model.ask("Where is the boat?", picture).text is not None


def sample() -> Sample:
    """A question whose answer is a box, and one new picture."""
    picture = Image.new("RGB", (80, 60), (200, 30, 20))
    box = np.array([[10, 10, 50, 40]], dtype=np.float32)
    made = np.full((16, 16, 3), 200, dtype=np.uint8)
    return Sample(
        request=ask("Where is the boat?", picture),
        answer=Message("assistant", ("It is ", Routed("boat", "[DET]"), ". Here it is ", Routed("", "[GEN]"), ".")),
        truth={
            "detection": DetectionTruth(boxes=box, class_ids=np.array([0])),
            "generation": PictureTruth(pixels=made),
        },
    )


def test_every_new_part_of_the_model_learns(built: tuple[Path, Summary]):
    whole = loaded(built[0])
    network, batch = whole.model.train(), whole.processor.train_batch([[sample()]])
    aims: dict[str, dict[tuple[int, int, int], Any]] = {}
    for unit, target in zip(batch.units, batch.targets, strict=True):
        aims.setdefault(unit.decoder, {})[unit.row, unit.turn, unit.position] = target
    assert aims.keys() == {"detection", "generation"}
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=2e-3)
    losses = list[float]()
    for _ in range(6):
        terms = network.compute_losses(batch.inputs, aims, torch.Generator().manual_seed(0))
        optimiser.zero_grad()
        total = torch.stack(list(terms.values())).sum()
        total.backward()
        optimiser.step()
        losses.append(total.item())
    assert losses[-1] < 0.9 * losses[0]
    for name in (
        EMBED,
        "projector.layers.0.weight",
        "super_link.tables.det.weight",
        "super_link.tables.gen.weight",
        "decoders.detection.query_projection.layers.0.weight",
        "decoders.detection.decoder.layers.0.vision_attention.offsets.weight",
        "decoders.generation.mapper.queries",
    ):
        gradient = network.get_parameter(name).grad
        assert gradient is not None, name
        assert gradient.abs().max() > 0, name


def test_language_and_vision_alone_are_a_model_that_talks(parts: Parts, tmp_path: Path):
    summary = build_model(chat(parts), tmp_path / "chat", BuildOptions(regions=False))
    talker = VisionLLM.load(tmp_path / "chat", device="cpu")
    assert talker.decoders == ()
    assert talker.model.region_encoder is None
    assert [part.part for part in summary.parts] == ["vision", "language", "link"]
    assert talker.ask("Where is the boat?", Image.new("RGB", (80, 60))).text is not None


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_weights_are_written_in_the_wanted_type(parts: Parts, tmp_path: Path, kind: torch.dtype):
    build_model(chat(parts), tmp_path / "half", BuildOptions(dtype=kind))
    assert {t.dtype for f in (tmp_path / "half").glob("*.safetensors") for t in load_file(f).values()} == {kind}
    assert json.loads((tmp_path / "half" / "config.json").read_text())["dtype"] == str(kind).removeprefix("torch.")


def test_what_is_taken_keeps_its_type(parts: Parts, tmp_path: Path):
    language = write_llama(tmp_path / "llama")
    half = {n: t.half() for n, t in load_file(language / "model.safetensors").items()}
    save_file(half, language / "model.safetensors", {"format": "pt"})
    build_model(chat(parts, language=language), tmp_path / "model")
    found = {n: t for f in (tmp_path / "model").glob("*.safetensors") for n, t in load_file(f).items()}
    assert {t.dtype for n, t in found.items() if n.startswith("language_model.")} == {torch.float16}
    assert found["super_link.tables.det.weight"].dtype == torch.float32
    assert json.loads((tmp_path / "model" / "config.json").read_text())["dtype"] == "float16"


def test_a_head_that_shares_its_table_is_written_once(parts: Parts, tmp_path: Path):
    language = write_llama(tmp_path / "tied", tie_word_embeddings=True)
    build_model(chat(parts, language=language), tmp_path / "model")
    names = [n for f in (tmp_path / "model").glob("*.safetensors") for n in load_file(f)]
    assert EMBED in names
    assert HEAD not in names
    network = VisionLLM.load(tmp_path / "model", device="cpu").model
    assert network.get_parameter(HEAD) is network.get_parameter(EMBED)
    assert network.get_parameter(EMBED).shape[0] == WORDS + len(TOKENS)


def test_a_copy_of_a_shared_head_must_be_equal(parts: Parts, tmp_path: Path):
    language = write_llama(tmp_path / "tied", tie_word_embeddings=True)
    tensors = load_file(language / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, language / "model.safetensors", {"format": "pt"})
    summary = build_model(chat(parts, language=language), tmp_path / "model")
    assert summary.parts[1].dropped[0].what == "a copy of a tensor that is taken"
    tensors["lm_head.weight"][0, 0] += 1
    save_file(tensors, language / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"expected lm_head\.weight to equal model\.embed_tokens\.weight"):
        build_model(chat(parts, language=language), tmp_path / "other")
    assert not [f for f in tmp_path.iterdir() if "other" in f.name]


def test_rows_that_a_language_model_keeps_in_reserve_are_used(parts: Parts, tmp_path: Path):
    language = write_llama(tmp_path / "roomy", rows=WORDS + 40)
    summary = build_model(chat(parts, language=language), tmp_path / "model")
    assert summary.vocabulary == WORDS + 40
    model = VisionLLM.load(tmp_path / "model", device="cpu").model
    table = model.get_parameter(EMBED)
    assert summary.tokens["[PAD]"] == WORDS
    torch.testing.assert_close(table[WORDS], table[:WORDS].mean(0))


def test_files_hold_one_part_each_and_progress_is_told(parts: Parts, tmp_path: Path):
    told = list[tuple[int, int]]()
    summary = build_model(chat(parts), tmp_path / "model", shard_bytes=20_000, progress=lambda *done: told.append(done))
    starts = [{n.split(".")[0] for n in load_file(f)} for f in sorted((tmp_path / "model").glob("*.safetensors"))]
    assert all(len({s in ("vision_encoder", "language_model") and s for s in found}) == 1 for found in starts)
    assert len(told) == len(starts) > 5
    assert told[-1] == (summary.size_bytes, summary.size_bytes)
    assert VisionLLM.load(tmp_path / "model", device="cpu").decoders == ()


def test_a_plan_writes_nothing_and_says_the_same(parts: Parts, built: tuple[Path, Summary], tmp_path: Path):
    planned = build_model(parts, tmp_path / "model", write=False)
    assert replace(planned, folder=built[1].folder) == built[1]
    assert not list(tmp_path.iterdir())


def test_old_files_of_tensors_are_read(parts: Parts, tmp_path: Path):
    folder = Path(shutil.copytree(parts.vision, tmp_path / "clip"))
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    tensors["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    torch.save(tensors, folder / "pytorch_model.bin")
    summary = build_model(chat(parts, vision=folder), tmp_path / "model")
    assert "counts from 0" in {count.what for count in summary.parts[0].dropped}
