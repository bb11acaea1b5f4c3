"""Answers that make pictures: their targets have the size that decoders make."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from visionllm.config.editing import EditingConfig
from visionllm.processing import MadePictureConfig, VisionLLMProcessor
from visionllm.types import Message, PictureTruth, Request, Routed, Sample, ask
from visionllm.types.tensors import PictureTargets

MakePicture = Callable[..., Image.Image]


def drawing(token: str, truth: PictureTruth | None, request: Request, groups: int = 1) -> Sample:
    """Return a sample whose answer makes pictures."""
    decoder = {"[GEN]": "generation", "[EDIT]": "editing"}[token]
    parts = ("Here it is ", *[Routed("", token)] * groups, ".")
    truths = {} if truth is None else {decoder: truth}
    return Sample(request=request, answer=Message("assistant", parts), truth=truths)


def made(height: int, width: int, level: int = 255) -> PictureTruth:
    return PictureTruth(pixels=np.full((height, width, 3), level, np.uint8))


@pytest.fixture
def maker(processor: VisionLLMProcessor) -> VisionLLMProcessor:
    pictures = {
        "generation": MadePictureConfig(size_hw=(16, 24), step=8),
        "editing": MadePictureConfig(size_hw=(32, 32), step=4),
    }
    return VisionLLMProcessor(replace(processor.config, pictures=pictures), processor.tokenizer)


def test_pictures_that_are_made_are_targets_of_the_size_that_decoders_make(
    maker: VisionLLMProcessor, picture: MakePicture
) -> None:
    rows = [
        [drawing("[GEN]", made(40, 60), ask("Draw a star."))],
        [drawing("[EDIT]", made(40, 60, 0), ask("Remove it", picture(60, 40)))],
    ]
    batch = maker.train_batch(rows)
    assert [(unit.row, unit.decoder) for unit in batch.units] == [(0, "generation"), (1, "editing")]
    new, edited = batch.targets
    assert isinstance(new, PictureTargets)
    assert isinstance(edited, PictureTargets)
    assert torch.equal(new.pictures, torch.ones(1, 3, 16, 24))
    assert torch.equal(edited.pictures, -torch.ones(1, 3, 28, 40))
    assert batch.inputs.turn_images.tolist() == [[-1, -1], [-1, 0]]


def test_edited_pictures_have_the_size_that_the_decoder_gives_them(maker: VisionLLMProcessor) -> None:
    config = EditingConfig()
    pictures = {"editing": MadePictureConfig(size_hw=config.picture_hw, step=config.factor)}
    own = VisionLLMProcessor(replace(maker.config, pictures=pictures), maker.tokenizer)
    for height, width in ((40, 60), (90, 30), (64, 64)):
        request = ask("Remove it", Image.new("RGB", (width, height)))
        (target,) = own.train_batch([[drawing("[EDIT]", made(height, width), request)]]).targets
        assert isinstance(target, PictureTargets)
        assert target.pictures.shape[2:] == config.edited_hw((height, width))


def test_a_new_picture_in_a_talk_about_another_has_its_own_size(
    maker: VisionLLMProcessor, picture: MakePicture
) -> None:
    batch = maker.train_batch([[drawing("[GEN]", made(16, 24), ask("Draw one like this", picture(60, 40)))]])
    (target,) = batch.targets
    assert isinstance(target, PictureTargets)
    assert target.pictures.shape == (1, 3, 16, 24)


def test_pictures_that_are_made_need_truth_and_a_size(
    processor: VisionLLMProcessor, maker: VisionLLMProcessor, picture: MakePicture
) -> None:
    with pytest.raises(ValueError, match="expected truth for the generation decoder, which the answer opens, got none"):
        maker.train_batch([[drawing("[GEN]", None, ask("Draw a star."))]])
    with pytest.raises(ValueError, match=r"size of the pictures that the generation decoder makes, .* pictures=\{"):
        processor.train_batch([[drawing("[GEN]", made(8, 8), ask("Draw a star."))]])
    with pytest.raises(ValueError, match=r"one routing token for the generation decoder .*, got 2; ask for each"):
        maker.train_batch([[drawing("[GEN]", made(8, 8), ask("Draw two stars."), groups=2)]])
    with pytest.raises(ValueError, match=r"expected an edited picture of the original's size \(40, 60\), got \(8, 8\)"):
        maker.train_batch([[drawing("[EDIT]", made(8, 8), ask("Remove it", picture(60, 40)))]])
    with pytest.raises(ValueError, match=r"expected a picture for the answer's \[EDIT\], got none"):
        maker.train_batch([[drawing("[EDIT]", made(8, 8), ask("Remove it"))]])
