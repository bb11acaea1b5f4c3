"""What a model will be, before anything is read."""

from pathlib import Path
from typing import Any

import pytest
from transformers import CLIPVisionConfig, Dinov2WithRegistersConfig, ResNetConfig, SiglipVisionConfig, SwinConfig

from tests.weights.building.parts import PATCH, PICTURE, SIDE, SWIN, TOWER, rewrite, write_clip, write_llama
from visionllm.weights.building import BuildOptions, Parts
from visionllm.weights.building.design import Sight, design, sight

RESNET = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")


@pytest.mark.parametrize(
    ("config", "options", "expected"),
    [
        pytest.param(CLIPVisionConfig(**TOWER, **PICTURE), {}, (SIDE, 1, 16, PATCH, (-3, -2, -1)), id="clip"),
        pytest.param(SiglipVisionConfig(**TOWER, **PICTURE), {}, (SIDE, 0, 16, PATCH, (-3, -2, -1)), id="siglip"),
        pytest.param(
            Dinov2WithRegistersConfig(
                hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_register_tokens=4, **PICTURE
            ),
            {},
            (SIDE, 5, 16, PATCH, (-2, -1)),
            id="registers",
        ),
        pytest.param(RESNET, {"image_size": 64, "vision_layer": -1}, (64, 0, 64, 8, (-1,)), id="maps"),
    ],
)
def test_what_an_encoder_sees_is_found_out(config: Any, options: dict[str, Any], expected: tuple[Any, ...]):
    side, prefix, cells, patch, levels = expected
    assert sight(config, BuildOptions(**options)) == Sight(
        side=side, prefix=prefix, cells=cells, patch=patch, levels=levels
    )


@pytest.mark.faults
@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        (RESNET, {}, "expected the side of a picture in the configuration's image_size or as option, got None"),
        (CLIPVisionConfig(**TOWER, **PICTURE), {"vision_layer": -9}, "expected a vision_layer among 4 hidden states"),
        (
            CLIPVisionConfig(**TOWER, image_size=24, patch_size=8),
            {"pixel_shuffle": 2},
            "expected features of an even number of cells a side to join, got 3",
        ),
        (CLIPVisionConfig(**TOWER, **PICTURE), {"image_size": 40}, "expected an encoder that sees .* 40 pixels"),
        (SwinConfig(**SWIN, image_size=256), {}, "expected features of 4096 cells of a picture of 256 pixels, got "),
    ],
)
def test_an_encoder_that_sees_nothing_usable_is_refused(config: Any, options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        sight(config, BuildOptions(**options))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tmp_path_factory.mktemp("parts")
    return Parts(vision=write_clip(folder / "clip"), language=write_llama(folder / "llama"))


def test_options_reach_configuration_and_processor(parts: Parts):
    options = BuildOptions(projector="internvl_mlp", pixel_shuffle=2, vision_layer=-1, max_tiles=6, regions=False)
    plan = design(parts, options)
    assert (plan.config.projector, plan.config.pixel_shuffle) == ({"kind": "internvl_mlp"}, 2)
    assert (plan.config.vision_layer, plan.config.region_encoder) == (-1, None)
    assert (plan.processor.config.vision.max_tiles, plan.processor.config.tokens_per_split) == (6, 4)
    assert plan.processor.config.decoder is None


def test_the_language_model_knows_the_roles_of_its_new_vocabulary(parts: Parts):
    text, vocabulary = (plan := design(parts, BuildOptions())).config.text_config, plan.processor.vocabulary
    roles = (vocabulary.bos_id, vocabulary.eos_id, vocabulary.pad_id)
    assert (text.bos_token_id, text.eos_token_id, text.pad_token_id) == roles == (1, 2, 0)
    assert text.vocab_size == vocabulary.size
    assert plan.config.token_ids["[EMB]"] in plan.config.never_sampled_ids
    assert plan.config.token_ids["[DET]"] not in plan.config.never_sampled_ids


def test_pictures_are_normalised_as_the_folder_says_and_clips_as_clip(parts: Parts, tmp_path: Path):
    assert design(parts, BuildOptions()).processor.config.vision.mean[0] == pytest.approx(0.4815, abs=1e-4)
    vision = write_clip(tmp_path / "clip")
    (vision / "preprocessor_config.json").write_text("{}")
    rewrite(vision / "preprocessor_config.json", image_mean=[0.1, 0.2, 0.3], image_std=[1, 2, 3])
    found = design(Parts(vision=vision, language=parts.language), BuildOptions()).processor.config.vision
    assert (found.mean, found.std) == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))


@pytest.mark.faults
def test_an_encoder_of_unknown_normalisation_is_refused(parts: Parts, tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    rewrite(tmp_path / "config.json", model_type="siglip_vision_model", **TOWER, **PICTURE)
    with pytest.raises(ValueError, match=r"vision part: expected image_mean and image_std in .*, got no such file"):
        design(Parts(vision=tmp_path, language=parts.language), BuildOptions())
