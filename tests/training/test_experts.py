"""Experts in the place of a whole model."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from visionllm.data.world import draw_picture
from visionllm.data.world.phrases import Phrase
from visionllm.data.world.tasks import make_sample
from visionllm.evaluation import WorldSetting, evaluate_setting
from visionllm.training.experts import Experts, briefs_by_words, phrase_of
from visionllm.training.recipe import RecipeRun
from visionllm.training.trainer import RunOptions
from visionllm.types import Options


@pytest.fixture(scope="module")
def edits():
    picture = draw_picture(4, version=2, theme="studio", size_hw=(64, 64))  # one that can be edited
    samples = [make_sample(picture, "edit-recolour", seed) for seed in range(3)]
    return [sample for sample in samples if sample is not None]


@pytest.fixture(scope="module")
def experts(run, edits):
    return Experts.of(run, briefs_by_words(edits))


@pytest.fixture(scope="module")
def image():
    return Image.fromarray(draw_picture(2, version=2, theme="figures").pixels)


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        ("star", Phrase(kind="star")),
        ("thing", Phrase()),
        ("large blue thing", Phrase(size="large", colour="blue")),
        ("small red striped star", Phrase(size="small", colour="red", fill="striped", kind="star")),
    ],
)
def test_a_phrase_is_read_from_its_words(words, phrase):
    assert phrase_of(words) == phrase


def test_every_word_of_a_phrase_must_be_known():
    with pytest.raises(ValueError, match="expected words of the picture world, got 'nasty' in 'red nasty star'"):
        phrase_of("red nasty star")


def test_each_decoder_has_the_last_expert_that_is_finished(experts, run):
    assert set(experts.decoders) == {"detection", "pose", "generation", "editing"}
    last = [stage.name for stage in run.recipe.stages if stage.objective == "expert"][-1]
    learnt = run.trained(last).state_dict()
    found = experts.by_decoder["detection"].state_dict()
    assert all(np.array_equal(found[name], tensor) for name, tensor in learnt.items())


def test_a_run_without_experts_is_refused(run, tmp_path):
    empty = RecipeRun(run.recipe, tmp_path, RunOptions(folder=tmp_path, workers=0, quiet=True))
    with pytest.raises(ValueError, match="expected the result of an expert in"):
        Experts.of(empty)


def test_classes_are_found_together_as_alone(experts, image):
    classes = (("star", "red circle"), ("house",))
    together = experts.detect_batch([image, image], classes, options=Options(threshold=0.0), batch_size=2)
    alone = experts.detect_batch([image, image], classes, options=Options(threshold=0.0), batch_size=1)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        assert one.size_hw == image.size[::-1]
    assert set(together[0].class_ids.tolist()) <= {0, 1}
    assert set(together[1].class_ids.tolist()) == {0}


def test_poses_have_the_names_of_what_was_asked(experts, image):
    poses = experts.pose(image, ["dog"], options=Options(threshold=0.0))
    assert poses.class_names == ("dog",)
    assert len(poses.keypoint_names) == poses.keypoints.shape[1] > 1
    few = experts.pose(image, ["dog"], ["nose"], options=Options(threshold=0.0))
    assert few.keypoint_names == ("nose",)


def test_pictures_are_made_by_words_and_seeds(experts):
    options = Options(steps=1, seed=4)
    one, same = (experts.generate("a red star", options=options).pictures[0] for _ in range(2))
    other = experts.generate("a red star", options=replace(options, seed=5)).pictures[0]
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_an_edit_is_made_only_where_its_meaning_was_told(experts, edits):
    request = edits[0].request
    made = experts.edit(request.pictures[0], request.messages[-1].text, options=Options(steps=1))
    assert made.original_hw == request.pictures[0].size[::-1]
    with pytest.raises(ValueError, match="expected one of the instructions whose meaning is told, got 'Sing'"):
        experts.edit(request.pictures[0], "Sing")


def test_a_missing_expert_is_named(experts, image):
    only = replace(experts, by_decoder={"pose": experts.by_decoder["pose"]})
    with pytest.raises(ValueError, match="expected an expert of detection, got those of pose"):
        only.detect_batch([image], [["star"]])


def test_what_needs_words_or_marks_is_refused(experts, image):
    for ask in (
        lambda: experts.answer([]),
        lambda: experts.refer(image, "the star left of the house"),
        lambda: experts.segment_regions(image, []),
        lambda: experts.find_like([], [image]),
        lambda: experts.reconstruct(image),
    ):
        with pytest.raises(ValueError, match="experts"):
            ask()


def test_the_benchmarks_of_known_classes_take_experts(experts):
    setting = WorldSetting(pictures=1, mode="known", draws=0, steps=1)
    report = evaluate_setting(experts, setting, groups=["detect", "pose", "draw"])
    assert report.value("draw", "made_known") == 1.0
    assert {"detect", "attribute", "pose-person", "draw"} <= set(report.scores)
