"""Detections to and from the `supervision` library."""

import json
import sys

import numpy as np
import pytest

from visionllm.formats import from_supervision, from_supervision_plain, to_supervision, to_supervision_plain
from visionllm.types import Detections

supervision = pytest.importorskip("supervision")


def found(*, masks: bool = True, count: int = 2) -> Detections:
    return Detections(
        boxes=np.array([[2, 1, 5, 3], [6, 4, 7, 5]], dtype=np.float32)[:count],
        scores=np.array([0.75, 0.5], dtype=np.float32)[:count],
        class_ids=np.array([1, 0])[:count],
        masks=np.ones((2, 5, 7), dtype=bool)[:count] if masks else None,
        size_hw=(5, 7),
        class_names=("car", "red star"),
    )


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_supervision_gets_boxes_scores_names_and_masks(masks, count):
    theirs = to_supervision(found(masks=masks, count=count))
    assert isinstance(theirs, supervision.Detections)
    assert theirs.xyxy.tolist() == [[2, 1, 5, 3], [6, 4, 7, 5]][:count]
    assert list(theirs.data["class_name"]) == ["red star", "car"][:count]
    assert (theirs.mask is not None) == masks


def test_the_annotators_of_supervision_draw_what_they_get():
    scene = np.zeros((5, 7, 3), dtype=np.uint8)
    drawn = supervision.BoxAnnotator(thickness=1).annotate(scene.copy(), to_supervision(found()))
    assert drawn.any()


@pytest.mark.parametrize("masks", [True, False])
def test_detections_come_back_as_they_went(masks):
    back = from_supervision(to_supervision(found(masks=masks)), (5, 7))
    assert [(i.label, i.score, i.box) for i in back.instances] == [(i.label, i.score, i.box) for i in found().instances]
    assert (back.masks is not None) == masks


def test_bare_boxes_count_as_sure_and_of_one_class():
    bare = supervision.Detections(xyxy=np.array([[0, 0, 1, 1]], dtype=np.float32))
    (instance,) = from_supervision(bare, (5, 7)).instances
    assert (instance.label, instance.score) == ("0", 1.0)


def test_one_class_id_with_two_names_is_refused():
    theirs = to_supervision(found())
    theirs.class_id = np.array([0, 0])
    with pytest.raises(ValueError, match="expected one name for class id 0, got 'red star' and 'car'"):
        from_supervision(theirs, (5, 7))


def test_without_supervision_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ImportError, match=r"pip install 'visionllm-v2\[supervision\]'"):
        to_supervision(found())


@pytest.mark.parametrize("masks", [True, False])
def test_plain_data_comes_back_as_it_went(masks):
    plain = json.loads(json.dumps(to_supervision_plain(found(masks=masks))))
    assert plain["xyxy"] == [[2, 1, 5, 3], [6, 4, 7, 5]] and plain["data"]["class_name"] == ["red star", "car"]
    back = from_supervision_plain(plain)
    assert [(i.label, i.score, i.box) for i in back.instances] == [(i.label, i.score, i.box) for i in found().instances]
    assert (back.masks == found().masks).all() if masks else back.masks is None


def test_plain_data_fits_the_library():
    plain = to_supervision_plain(found(masks=False))
    theirs = supervision.Detections(
        xyxy=np.array(plain["xyxy"]), confidence=np.array(plain["confidence"]), class_id=np.array(plain["class_id"])
    )
    assert theirs.xyxy.tolist() == to_supervision(found()).xyxy.tolist()
