"""The world as files opens in the tools they are for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from tests.data.world.scenes import picture_of, thing
from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.export import conversation, export, kinds_of, region_entry
from visionllm.data.world.scene import KINDS, WorldFigure
from visionllm.data.world.tasks import make_sample
from visionllm.types import Box, Mask, Point, Polygon, Scribble

COUNT = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("world") / "new" / "set", "test", 3, COUNT)


def test_pycocotools_opens_the_instances(folder: Path):
    coco = COCO(str(folder / "instances.json"))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == list(KINDS)
    for number in range(COUNT):
        picture = draw_picture(3 + number, split="test")
        entry = coco.loadImgs(number + 1)[0]
        assert (entry["height"], entry["width"]) == picture.scene.size_hw
        annotations = coco.loadAnns(coco.getAnnIds(number + 1))
        assert len(annotations) == len(picture.scene.objects)
        for annotation, item in zip(annotations, picture.scene.objects, strict=True):
            assert (coco.annToMask(annotation).astype(bool) == item.mask).all()
            attributes = {"colour": item.colour, "size": item.size, "fill": item.fill}
            assert annotation["attributes"] == attributes  # pyright: ignore[reportGeneralTypeIssues]
            x, y, width, height = annotation["bbox"]
            assert (x, y, x + width, y + height) == item.box


def test_pictures_are_the_drawn_ones(folder: Path):
    with Image.open(folder / "images" / "000001.png") as image:
        assert np.array_equal(np.asarray(image), draw_picture(3, split="test").pixels)
    assert len(list((folder / "images").iterdir())) == COUNT


def test_conversations_name_pictures_regions_and_objects(folder: Path):
    entries = json.loads((folder / "conversations.json").read_text())
    ids = {annotation["id"] for annotation in json.loads((folder / "instances.json").read_text())["annotations"]}
    assert len(entries) > 4 * COUNT
    for entry in entries:
        turns = entry["conversations"]
        assert [turn["from"] for turn in turns] == ["human", "gpt"] * (len(turns) // 2)
        assert ("image" in entry) == turns[0]["value"].startswith("<image>\n")
        assert sum(turn["value"].count("<region>") for turn in turns) == len(entry["regions"])
        answer = turns[-1]["value"]
        assert answer.count("[DET]") + answer.count("[GRD]") == len(entry["objects"])
        assert {number for span in entry["objects"] for number in span} <= ids


def test_a_conversation_shows_its_structure():
    star, fish = thing("small red solid star", (20, 20)), thing("small blue solid fish", (80, 20))
    sample = make_sample(picture_of(star, fish), "segment-several", 0)
    assert sample
    entry = conversation(sample, "7", ["images/7.png"], [[1], [2]])
    assert entry["conversations"][1]["value"] == "Here they are: <det>region1</det>[DET], <det>region2</det>[DET]."
    assert len(entry["regions"]) == 2
    assert entry["objects"] == [[1], [2]]


def test_a_route_without_words_is_a_bare_token():
    sample = make_sample(picture_of(thing("small red solid star", (20, 20))), "refer-attribute", 0)
    assert sample
    assert conversation(sample, "7", ["7.png"], [[1]])["conversations"][1]["value"] == "Here it is [GRD]."


@pytest.mark.parametrize(
    ("region", "plain"),
    [
        (Box(1.0, 2.0, 3.0, 4.0), {"type": "box", "xyxy": [1.0, 2.0, 3.0, 4.0]}),
        (Point(1.0, 2.0), {"type": "point", "xy": [1.0, 2.0]}),
        (Scribble(((1.0, 2.0), (3.0, 4.0))), {"type": "scribble", "points": [[1.0, 2.0], [3.0, 4.0]], "width": 3}),
        (
            Polygon(((1.0, 2.0), (3.0, 4.0), (5.0, 0.0))),
            {"type": "polygon", "points": [[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]]},
        ),
        (Mask(np.array([[False, True], [False, True]])), {"type": "mask", "size": [2, 2], "counts": "22"}),
    ],
)
def test_regions_become_plain_data(region, plain: dict):
    assert region_entry(region) == plain


def test_progress_is_told_picture_by_picture(tmp_path: Path):
    seen = []
    export(tmp_path / "set", "train", 0, 3, ("count",), questions=1, photos=False, progress=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_nothing_is_exported_as_an_empty_set(tmp_path: Path):
    folder = export(tmp_path / "set", "train", 0, 0)
    assert json.loads((folder / "conversations.json").read_text()) == []
    assert json.loads((folder / "instances.json").read_text())["images"] == []


def test_a_failed_export_leaves_nothing_behind(tmp_path: Path):
    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(tmp_path / "set", "train", 0, 3, ("count",), photos=False, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_touched(tmp_path: Path):
    with pytest.raises(ValueError, match="expected a folder that does not exist yet, got"):
        export(tmp_path, "train", 0, 1)


def test_a_negative_count_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="expected a count of at least 0, got -1"):
        export(tmp_path / "set", "train", 0, -1)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    goal = tmp_path_factory.mktemp("world") / "people"
    return export(goal, "test", 0, COUNT, version=2, theme="figures", questions=6)


def test_pycocotools_opens_figures_with_their_keypoints(people: Path):
    coco = COCO(str(people / "instances.json"))
    found = 0
    for number in range(COUNT):
        scene = draw_picture(number, split="test", version=2, theme="figures").scene
        annotations: list[Any] = list(coco.loadAnns(coco.getAnnIds(number + 1)))
        assert [coco.loadCats(a["category_id"])[0]["name"] for a in annotations] == [t.kind for t in scene.things]
        for annotation, shown in zip(annotations, scene.things, strict=True):
            assert (coco.annToMask(annotation).astype(bool) == shown.mask).all()
            assert ("keypoints" in annotation) == isinstance(shown, WorldFigure)
            if isinstance(shown, WorldFigure):
                found += 1
                flat = np.array(annotation["keypoints"]).reshape(-1, 3)
                assert (flat[:, 2] == shown.visibility).all()
                assert annotation["num_keypoints"] == (shown.visibility > 0).sum()
                labelled = shown.visibility > 0
                np.testing.assert_allclose(flat[labelled, :2], shown.keypoints[labelled], atol=0.01)
                assert not flat[~labelled].any()
                category: Any = coco.loadCats(annotation["category_id"])[0]
                assert len(flat) == len(category["keypoints"])
    assert found > 3


def test_spans_of_poses_name_their_figures_and_examples_their_own_pictures(people: Path):
    entries = json.loads((people / "conversations.json").read_text())
    kinds = {c["id"]: c["name"] for c in json.loads((people / "instances.json").read_text())["categories"]}
    figures = {
        a["id"]: kinds[a["category_id"]] for a in json.loads((people / "instances.json").read_text())["annotations"]
    }
    posed = [entry for entry in entries if entry["family"] in ("pose-person", "pose-dog", "pose-horse", "pose-bird")]
    assert any(entry["objects"] and entry["objects"][0] for entry in posed)
    for entry in posed:
        assert {figures[i] for span in entry["objects"] for i in span} <= {entry["family"].removeprefix("pose-")}
    examples = [entry for entry in entries if entry["family"] == "example-count"]
    for entry in examples:
        assert len(entry["image"]) == entry["conversations"][0]["value"].count("<image>\n") > 1
        assert all((people / file).is_file() for file in entry["image"])
    assert examples


def test_pictures_that_answers_make_are_written(tmp_path: Path):
    folder = export(tmp_path / "set", "test", 0, 3, ("draw-one", "edit-recolour"), version=2, theme="studio")
    entries = json.loads((folder / "conversations.json").read_text())
    assert {entry["family"] for entry in entries} == {"draw-one", "edit-recolour"}
    for entry in entries:
        answer, made = entry["conversations"][-1]["value"], entry.get("made", [])
        assert len(made) == answer.count("[GEN]") + answer.count("[EDIT]")
        assert all(Image.open(folder / file).size == (128, 128) for file in made)
        assert ("image" in entry) == (entry["family"] == "edit-recolour")


def test_kinds_of_version_one_keep_their_ids_in_version_two():
    assert kinds_of(1) == KINDS
    assert kinds_of(2)[: len(KINDS)] == KINDS
    assert len(set(kinds_of(2))) == len(kinds_of(2))
    assert {"person", "sign", "missing screw"} <= set(kinds_of(2))
