"""Many pictures on one page."""

import pytest
from PIL import Image

from visionllm.rendering import contact_sheet


def test_pictures_stand_in_columns():
    page = contact_sheet([Image.new("RGB", (50, 40), "red")] * 4, columns=2)
    assert page.size == (14 + 2 * 64, 14 + 2 * 54)


def test_one_picture_needs_one_column():
    assert contact_sheet([Image.new("RGB", (50, 40))], columns=3).width == 14 + 64


def test_a_wide_picture_is_reduced_to_the_column():
    narrow = Image.new("RGB", (50, 40))
    page = contact_sheet([narrow, narrow, Image.new("RGB", (500, 100))], columns=1)
    assert page.width == 14 + 64


@pytest.mark.parametrize(("pictures", "columns"), [([], 2), ([Image.new("RGB", (1, 1))], 0)])
def test_nothing_to_show_is_refused(pictures, columns):
    with pytest.raises(ValueError, match="expected at least one picture and one column"):
        contact_sheet(pictures, columns=columns)
