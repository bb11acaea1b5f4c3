"""Results as files."""

import base64
import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.server.page.test_stage import poses
from tests.server.stub import detections
from visionllm.formats import from_coco_dataset
from visionllm.server.page.saving import above, saved
from visionllm.server.page.session import Session
from visionllm.server.page.words import Told
from visionllm.types import SemanticMap

SIZE = (80, 120)


def content(session, kind, threshold=0.3):
    file = json.loads(saved(session, kind, threshold))
    head, _, data = file["url"].partition(";base64,")
    assert head in ("data:image/png", "data:application/json")
    return file["name"], base64.b64decode(data)


def test_json_and_coco_hold_what_the_slider_shows(place):
    place.session.show((detections(size_hw=SIZE), poses()))
    name, plain = content(place.session, "json", 0.6)
    first, second = json.loads(plain)["results"]
    assert name == "visionllm.json" and len(first["instances"]) == 1 and second["instances"] == []
    name, plain = content(place.session, "coco")
    (found,) = from_coco_dataset(json.loads(plain)).values()
    assert name == "visionllm-coco.json" and found.boxes.tolist() == [[0, 0, 60, 40]] and found.masks is not None
    assert len(json.loads(content(place.session, "json", 0.9)[1])["results"][0]["instances"]) == 0


def test_png_shows_the_picture_with_results(place):
    bare = Image.open(BytesIO(content(place.session, "png")[1])).convert("RGB")
    assert bare.tobytes() == place.session.picture.tobytes()
    place.session.show((detections(size_hw=SIZE), detections(size_hw=SIZE, masks=False)))
    drawn = Image.open(BytesIO(content(place.session, "png")[1])).convert("RGB")
    assert drawn.resize(bare.size).tobytes() != bare.tobytes()
    ids = np.zeros(SIZE, dtype=np.int64)
    found = SemanticMap(class_ids=ids, scores=np.ones(SIZE, dtype=np.float32), class_names=("sky",))
    place.session.show((found,))
    assert content(place.session, "png")[0] == "visionllm.png" and above(found, 0.9) is found


@pytest.mark.faults
def test_where_there_is_nothing_to_save_it_is_said(place):
    with pytest.raises(Told, match="no picture yet"):
        saved(Session(), "png", 0.3)
    with pytest.raises(Told, match="COCO files hold boxes"):
        saved(place.session, "coco", 0.3)
