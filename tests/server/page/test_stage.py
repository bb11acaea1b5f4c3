"""The picture with what was found in it, as HTML."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from tests.server.page.conftest import house
from tests.server.stub import detections
from visionllm.server.page.session import Session
from visionllm.server.page.stage import colour_of, stage
from visionllm.types import Poses, SemanticMap


def shown(*results):
    session = Session()
    session.lay(house())
    session.show(results)
    return stage(session)


def tags(html):
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append((tag, dict(attrs)))
    parser.feed(html)
    return found


def poses():
    return Poses(
        boxes=np.array([[1, 2, 30, 40]], dtype=np.float32),
        scores=np.array([0.5], dtype=np.float32),
        class_ids=np.zeros(1, dtype=np.int64),
        keypoints=np.array([[[2, 3], [20, 30]]], dtype=np.float32),
        keypoint_scores=np.array([[0.25, 0.5]], dtype=np.float32),
        size_hw=(80, 120),
        class_names=("person",),
        keypoint_names=("nose", "hip"),
        bones=((0, 1),),
    )


def test_an_empty_table_says_what_to_do():
    assert "No picture yet" in stage(Session())


def test_what_is_found_is_drawn_and_listed_with_its_score():
    html = shown(detections(size_hw=(80, 120), span=(12, 16)))
    groups = [attributes for tag, attributes in tags(html) if tag == "g" and "data-id" in attributes]
    assert [(g["data-id"], g["data-score"], g["data-span"]) for g in groups] == [("0", "0.7500", "12-16")]
    rects = [attributes for tag, attributes in tags(html) if tag == "rect"]
    assert [(r["x"], r["y"], r["width"], r["height"]) for r in rects] == [("0.0", "0.0", "60.0", "40.0")]
    assert "<title>1 star, score 0.75</title>" in html and html.count('class="vl-mask"') == 1
    assert html.count('class="vl-row"') == 1 and "0 0 60 40" in html


def test_keypoints_have_names_and_bones():
    html = shown(detections(size_hw=(80, 120)), poses())
    assert "nose, score 0.25" in html and html.count("<line ") == 1 and html.count("<circle ") == 2
    assert "2 person" in html


def test_a_map_has_an_area_a_class():
    ids = np.zeros((80, 120), dtype=np.int64)
    ids[:10] = 1
    found = SemanticMap(class_ids=ids, scores=np.ones((80, 120), dtype=np.float32), class_names=("sky", "sea"))
    html = shown(found)
    assert html.count('class="vl-row"') == 2 and "0 10 120 80" in html and "0 0 120 10" in html


def test_names_are_text_and_never_structure():
    name = '<img src=x onerror=alert(1)>{bones}"${1}'
    html = shown(replace(detections(size_hw=(80, 120)), class_names=(name,)))
    assert "<img" not in html and "onerror" not in {key for _, attributes in tags(html) for key in attributes}
    assert "&#123;bones&#125;" in html


def test_colours_begin_anew_when_there_are_no_more():
    assert colour_of(0) == colour_of(10) != colour_of(1)
