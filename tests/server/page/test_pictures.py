"""Pictures onto the table."""

from io import BytesIO

import pytest
from PIL import Image

from tests.server.helpers import png
from tests.server.page.conftest import house, views_of
from visionllm.server.errors import ApiError
from visionllm.server.page.pictures import example, from_drawing, from_file, from_made
from visionllm.server.page.words import Told, sentence


def arrived(folder, content, name="a.png"):
    file = folder / name
    file.write_bytes(content)
    return str(file)


def animated():
    file = BytesIO()
    house().save(file, "WEBP", save_all=True, append_images=[Image.new("RGB", (120, 80), "red")])
    return file.getvalue()


def test_a_file_is_laid_on_the_table_and_deleted(place, tmp_path):
    path = arrived(tmp_path, png(60, 40))
    (view,) = views_of(from_file(place, path, tmp_path))
    assert place.session.picture.size == (60, 40) and 'data-width="60"' in (view.stage or "")
    assert "60×40" in (view.note or "") and not list(tmp_path.iterdir())
    assert place.service.pixels.free == place.service.pixels.whole


@pytest.mark.faults
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"print('hello')", "given: something else"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "given: something else"),
        (png(60, 40)[:60], "cannot be used as a picture"),
        (png(1, 1)[:0], "given: something else"),
        (animated(), "given: 2 frames"),
        (png(5000, 4000, "1"), "at most 16000000 pixels"),
        (png(40_000, 1, "1"), "cannot be used as a picture"),
    ],
    ids=["words", "svg", "half", "nothing", "animated", "huge", "long"],
)
def test_another_file_is_refused_in_a_sentence_and_deleted(place, tmp_path, content, told):
    before = place.session.token
    with pytest.raises(ApiError) as refusal:
        views_of(from_file(place, arrived(tmp_path, content), tmp_path))
    assert told in sentence(refusal.value)
    assert place.session.token == before and not list(tmp_path.iterdir())


@pytest.mark.faults
def test_s12_only_files_that_arrived_are_opened(place, tmp_path):
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    secret = arrived(tmp_path, png())
    (uploads / "link.png").symlink_to(secret)
    for path in (secret, str(uploads / ".." / "a.png"), str(uploads / "link.png"), "/etc/passwd", str(uploads), "a\\b"):
        with pytest.raises(Told, match="did not arrive"):
            views_of(from_file(place, path, uploads))
        with pytest.raises(Told, match="did not arrive"):
            views_of(from_drawing(place, [path], uploads))
    assert (tmp_path / "a.png").exists()


def test_a_drawing_is_taken_and_its_files_deleted(place, tmp_path):
    file = BytesIO()
    house().save(file, "PNG")
    paths = [arrived(tmp_path, file.getvalue()), arrived(tmp_path, png(), "layer.png")]
    views_of(from_drawing(place, paths, tmp_path))
    assert place.session.picture.tobytes() == house().tobytes() and not list(tmp_path.iterdir())


@pytest.mark.faults
def test_an_empty_drawing_is_refused(place, tmp_path):
    for paths in ([], [arrived(tmp_path, png(32, 24, "RGBA"))]):
        with pytest.raises(Told, match="drawing is empty"):
            views_of(from_drawing(place, paths, tmp_path))


def test_what_was_made_and_examples_are_laid_on_the_table(place):
    with pytest.raises(Told, match="Nothing has been made"):
        views_of(from_made(place))
    place.session.made = house()
    views_of(from_made(place))
    assert place.session.picture is place.session.made
    views_of(example(place, 3))
    assert place.session.picture.size != (120, 80)


def test_without_a_file_it_is_said(place, tmp_path):
    with pytest.raises(Told, match="Choose a picture"):
        views_of(from_file(place, None, tmp_path))
