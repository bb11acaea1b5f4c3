import numpy as np
import pytest
from PIL import Image

from visionllm.types import SemanticMap, merge_maps


def small(ids: list[list[int]], names: tuple[str, ...] = ("sea", "sky"), scores: float = 0.5) -> SemanticMap:
    classes = np.array(ids)
    return SemanticMap(
        class_ids=classes, scores=np.full(classes.shape, scores, dtype=np.float32), class_names=names, notices=("x",)
    )


def test_a_class_has_a_mask():
    found = small([[0, 1, 1], [0, 0, 1]])
    assert found.size_hw == (2, 3)
    assert found.mask("sky").tolist() == [[False, True, True], [False, False, True]]
    assert small([[1]]).present == ("sky",)
    with pytest.raises(ValueError, match="expected one of sea, sky, got 'sand'"):
        found.mask("sand")


def test_plain_data_states_its_space_and_what_is_there():
    plain = small([[1, 1]]).to_dict()
    assert plain["space"] == "one class a pixel of the original image"
    assert plain["classes"] == [{"label": "sky", "mask": {"size": [1, 2], "counts": [0, 2]}}]
    assert plain["class_names"] == ["sea", "sky"]


def test_a_map_is_drawn_on_its_picture():
    picture = Image.new("RGB", (60, 40), "white")
    ids = np.zeros((40, 60), dtype=np.int64)
    ids[:, 30:] = 1
    drawn = SemanticMap(class_ids=ids, scores=np.ones((40, 60), dtype=np.float32), class_names=("sea", "sky"))
    assert drawn.render(picture).getcolors() != picture.getcolors()
    assert small([[0]]).render(Image.new("RGB", (1, 1))).size >= (1, 1)


def test_joined_maps_keep_the_best_score_of_each_pixel():
    low, high = small([[0, 1]], scores=0.4), small([[1, 0]], names=("sand", "rock"), scores=0.5)
    high.scores[0, 1] = 0.1
    joined = merge_maps([low, high])
    assert joined.class_ids.tolist() == [[3, 1]]
    assert joined.class_names == ("sea", "sky", "sand", "rock")
    assert joined.notices == ("x",)
    assert merge_maps([low, small([[0, 0]], names=("sand",), scores=0.4)]).class_ids.tolist() == [[0, 1]]


def test_maps_of_other_pictures_are_not_joined():
    with pytest.raises(ValueError, match=r"expected maps of one picture, got sizes \[\(1, 1\), \(1, 2\)\]"):
        merge_maps([small([[0]]), small([[0, 0]])])
    with pytest.raises(ValueError, match=r"expected maps of one picture, got sizes \[\]"):
        merge_maps([])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"expected class_ids in \[0, 2\), got 0 to 2"):
        small([[2]])
    with pytest.raises(ValueError, match=r"expected class_ids \[H, W\] and scores \[H, W\], got \(1, 1\) and \(2,\)"):
        SemanticMap(
            class_ids=np.zeros((1, 1), dtype=np.int64), scores=np.zeros(2, dtype=np.float32), class_names=("a",)
        )
