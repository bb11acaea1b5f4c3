import json

import pytest
from PIL import Image

from tests.weights.test_published import small
from tests.weights.test_published_words import folder
from visionllm.types import ask
from visionllm.weights.published import TOKENS, config_from_published
from visionllm.weights.published_processor import processor_from_published

IDS = {token: 640 + i for i, token in enumerate(TOKENS)}


@pytest.fixture(scope="module")
def config():
    raw, _ = small()
    raw["llm_config"] = raw["llm_config"] | {"vocab_size": 640 + len(TOKENS)}
    return config_from_published(raw, token_ids=IDS)


def test_the_published_model_sees_what_it_was_trained_with(tmp_path, config):
    processor = processor_from_published(folder(tmp_path / "published", legacy=True), config)
    side = config.vision_config.image_size // config.vision_config.patch_size
    assert processor.config.tokens_per_split == side * side
    assert (processor.config.vision.mode, processor.config.vision.max_tiles) == ("tiles", 4)
    assert processor.config.word_prefix == "each"
    assert processor.config.template.name == "vicuna_v1"
    assert processor.config.decoder is not None
    assert processor.config.decoder_by_name["pose"].rounding == "truncate"
    inputs = processor([ask("What is in the image?", Image.new("RGB", (40, 30)))])
    assert int((inputs.input_ids == IDS["<im_patch>"]).sum()) % (side * side) == 0
    assert inputs.input_ids[0, 0] == 1


def test_it_is_saved_and_read_again(tmp_path, config):
    processor = processor_from_published(folder(tmp_path / "published", legacy=False), config)
    processor.save_pretrained(str(tmp_path / "ours"))
    again = type(processor).from_pretrained(tmp_path / "ours")
    assert again.config == processor.config
    request = ask("How many dogs  are there?", Image.new("RGB", (40, 30)))
    assert again([request]).input_ids.tolist() == processor([request]).input_ids.tolist()


def test_pictures_are_normalised_as_the_folder_says(tmp_path, config):
    place = folder(tmp_path / "published", legacy=True)
    (place / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0, 0.5, 1], "image_std": [1, 2, 3]}))
    vision = processor_from_published(place, config).config.vision
    assert (vision.mean, vision.std) == ((0, 0.5, 1), (1, 2, 3))
    (place / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0, 0.5], "image_std": [1, 2, 3]}))
    with pytest.raises(ValueError, match=r"expected three numbers for image_mean in .*, got \[0, 0.5\]"):
        processor_from_published(place, config)


def test_a_tokenizer_with_other_ids_is_refused(tmp_path, config):
    place = folder(tmp_path / "published", legacy=True)
    config = config_from_published(
        {**small()[0], "llm_config": {**small()[0]["llm_config"], "vocab_size": 700}},
        token_ids=IDS | {"[DET]": 690},
    )
    with pytest.raises(ValueError, match=r"expected \[DET\] with the id 690 in the tokenizer of .*, got 652"):
        processor_from_published(place, config)
