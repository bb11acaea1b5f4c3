"""COCO results and sets: absolute values, and the way there and back."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from visionllm.formats import from_coco_dataset, from_coco_results, to_coco_dataset, to_coco_results
from visionllm.formats.coco import decode_mask, encode_mask
from visionllm.types import Detections


def found(*, masks: bool = True) -> Detections:
    pixels = np.zeros((2, 5, 7), dtype=bool)
    pixels[0, 1:3, 2:5] = True
    pixels[1, 4, 6] = True
    return Detections(
        boxes=np.array([[2, 1, 5, 3], [6, 4, 7, 5]], dtype=np.float32),
        scores=np.array([0.75, 0.5], dtype=np.float32),
        class_ids=np.array([1, 0]),
        masks=pixels if masks else None,
        size_hw=(5, 7),
        class_names=("car", "red star"),
    )


MASK = np.zeros((5, 7), dtype=bool)
MASK[1:3, 2:5] = True
NOTHING = Detections(
    boxes=np.zeros((0, 4), dtype=np.float32),
    scores=np.zeros(0, dtype=np.float32),
    class_ids=np.zeros(0, dtype=np.int64),
    masks=np.zeros((0, 5, 7), dtype=bool),
    size_hw=(5, 7),
    class_names=("car",),
)


def test_a_result_has_the_corner_and_extent_of_its_box():
    first, second = to_coco_results(found(masks=False), 12, {"red star": 3, "car": 8})
    assert first == {"image_id": 12, "category_id": 3, "bbox": [2.0, 1.0, 3.0, 2.0], "area": 6.0, "score": 0.75}
    assert second["category_id"] == 8


def test_a_mask_is_coded_as_pycocotools_reads_it():
    first, _ = to_coco_results(found(), 12, {"red star": 3, "car": 8})
    assert first["segmentation"]["size"] == [5, 7]
    assert first["area"] == 6
    assert decode_mask(first["segmentation"], (5, 7))[1:3, 2:5].all()


def test_a_label_without_an_id_is_refused_by_name():
    with pytest.raises(ValueError, match="expected a category id for 'red star', got ids for car"):
        to_coco_results(found(), 1, {"car": 1})


def test_results_come_back_as_they_went():
    results = json.loads(json.dumps(to_coco_results(found(), 12, {"red star": 3, "car": 8})))
    elsewhere = dict(results[0], image_id=13)
    back = from_coco_results([*results, elsewhere], 12, {8: "car", 3: "red star"}, (5, 7))
    assert [(i.label, i.score, i.box) for i in back.instances] == [(i.label, i.score, i.box) for i in found().instances]
    np.testing.assert_array_equal(back.masks, found().masks)


def test_results_are_read_best_score_first():
    results = to_coco_results(found(masks=False), 12, {"red star": 3, "car": 8})
    back = from_coco_results(results[::-1], 12, {8: "car", 3: "red star"}, (5, 7))
    assert back.scores.tolist() == [0.75, 0.5]


def test_no_results_read_as_no_instances():
    back = from_coco_results([], 12, {8: "car"}, (5, 7))
    assert len(back) == 0 and back.masks is None


def test_a_category_without_a_name_is_refused():
    results = to_coco_results(found(), 12, {"red star": 3, "car": 8})
    with pytest.raises(ValueError, match="expected a name for every category id, got none for 8"):
        from_coco_results(results, 12, {3: "red star"}, (5, 7))


def test_masks_in_some_entries_only_are_refused():
    results = to_coco_results(found(), 12, {"red star": 3, "car": 8})
    del results[0]["segmentation"]
    with pytest.raises(ValueError, match="expected masks in all entries"):
        from_coco_results(results, 12, {3: "red star", 8: "car"}, (5, 7))


def test_a_set_is_read_by_pycocotools(tmp_path):
    file = tmp_path / "set.json"
    file.write_text(json.dumps(to_coco_dataset({"a.png": found(), "b.png": NOTHING})))
    coco = COCO(str(file))
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == ["a.png", "b.png"]
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["car", "red star"]
    first = coco.loadAnns(coco.getAnnIds(imgIds=[1]))[0]
    assert first["category_id"] == 2
    np.testing.assert_array_equal(coco.annToMask(first).astype(bool), MASK)


def test_a_set_keeps_the_ids_that_it_is_given():
    dataset = to_coco_dataset({"a.png": found(masks=False)}, {"red star": 3, "car": 8})
    assert dataset["categories"] == [{"id": 3, "name": "red star"}, {"id": 8, "name": "car"}]
    assert [a["category_id"] for a in dataset["annotations"]] == [3, 8]


def test_a_set_comes_back_without_its_crowds():
    dataset = to_coco_dataset({"a.png": found(), "b.png": NOTHING})
    dataset["annotations"].append(dict(dataset["annotations"][0], id=9, iscrowd=1))
    back = from_coco_dataset(dataset)
    assert list(back) == ["a.png", "b.png"]
    assert [(i.label, i.box, i.score) for i in back["a.png"].instances] == [
        ("red star", (2.0, 1.0, 5.0, 3.0), 1.0),
        ("car", (6.0, 4.0, 7.0, 5.0), 1.0),
    ]
    assert len(back["b.png"]) == 0


@pytest.mark.parametrize(
    "segmentation",
    [
        pytest.param([[2, 1, 5, 1, 5, 3, 2, 3]], id="polygon"),
        pytest.param({"size": [5, 7], "counts": [11, 2, 3, 2, 3, 2, 12]}, id="plain-run-lengths"),
        pytest.param(encode_mask(MASK), id="compressed-run-lengths"),
    ],
)
def test_all_three_forms_of_a_mask_are_read(segmentation):
    np.testing.assert_array_equal(decode_mask(segmentation, (5, 7)), MASK)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="expected a mask of 6x7 pixels, got 5x7"):
        decode_mask(encode_mask(MASK), (6, 7))
