"""The board to draw on."""

from pathlib import Path

import pytest

pytest.importorskip("gradio")

from gradio.components.image_editor import EditorData
from gradio.data_classes import FileData

from visionllm.server.page import drawing
from visionllm.server.page.drawing import drawing_board, files_of


def test_nothing_is_opened_and_the_finished_drawing_comes_first():
    file = {name: FileData(path=f"/nowhere/{name}.png") for name in ("background", "layer", "composite")}
    payload = EditorData(background=file["background"], layers=[file["layer"]], composite=file["composite"])
    assert drawing_board().preprocess(payload) == [f"/nowhere/{n}.png" for n in ("composite", "background", "layer")]


def test_an_empty_board_has_no_files():
    assert files_of(None) == files_of(EditorData()) == []


def test_no_file_is_written_beside_the_source():
    drawing_board()
    assert not Path(drawing.__file__).with_suffix(".pyi").exists()
