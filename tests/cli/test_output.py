"""What commands print, and files that are whole or not there."""

import numpy as np
import pytest
from PIL import Image

from visionllm.cli.output import check_out, print_answer, save_picture
from visionllm.types import Answer, GeneratedImages


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("found.gif", "expected --out with one of the suffixes .png, .jpg, .jpeg, .webp, got"),
        ("found", "expected --out with one of the suffixes"),
        ("none/found.png", "expected --out to be a file in a folder that exists"),
        ("folder.png", "expected --out to be a file in a folder that exists"),
    ],
)
def test_a_file_that_could_not_be_written_is_refused_at_once(name, message, tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match=message):
        check_out(tmp_path / name)


def test_no_file_is_fine():
    check_out(None)


def test_a_picture_replaces_the_old_one(tmp_path):
    file = tmp_path / "found.PNG"
    file.write_bytes(b"old")
    save_picture(Image.new("RGB", (3, 2)), file)
    assert Image.open(file).size == (3, 2)
    assert file.stat().st_mode & 0o600 == 0o600


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    class Broken(Image.Image):
        def save(self, *_, **__):
            raise OSError("disk full")

    file = tmp_path / "found.png"
    file.write_bytes(b"old")
    with pytest.raises(OSError, match="disk full"):
        save_picture(Broken(), file)
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_an_answer_with_a_picture_says_how_large_it_is_and_of_which_seed(capsys):
    made = GeneratedImages(pictures=(np.zeros((8, 16, 3), dtype=np.uint8),), seeds=(3,))
    print_answer(Answer(text="Here it is.", finish_reason="stop", tokens=4, pictures=(made,), notices=("a photo",)))
    printed = capsys.readouterr()
    assert printed.out == "Here it is.\npicture 1: 16 × 8 pixels, seed 3\n"
    assert printed.err == "notice: a photo\n"
