"""Cells of a grid know which object they show."""

import numpy as np
from PIL import Image

from visionllm.data.world import draw_picture
from visionllm.training.picture_cells import anchored, cell_owners, owner_map, squared


def grid(*rows):
    return np.array([list(map(int, row)) for row in rows], np.uint8)


def test_a_cell_belongs_to_what_covers_much_of_it_and_to_nobody_in_between():
    owners = grid("1122", "1112", "0000", "0000")
    assert cell_owners(owners, 3, 2).tolist() == [[1, 2], [0, 0]]
    owners[3, 3] = 3
    assert cell_owners(owners, 3, 2).tolist() == [[1, 2], [0, -1]]


def test_an_object_that_covers_no_cell_owns_the_one_at_its_centre():
    owners = grid("0000", "0000", "0000", "0003")
    cells, anchors = anchored(owners, 3, 2)
    assert cells.tolist() == [[0, 0], [0, 3]]
    assert anchors.tolist() == [-1, -1, 3]


def test_the_anchor_is_the_own_cell_nearest_to_the_centre():
    owners = np.zeros((10, 10), np.uint8)
    owners[:, :2] = owners[8:, :] = 1  # an L: its centre is not its own
    _, anchors = anchored(owners, 1, 2)
    assert anchors.tolist() in ([10], [22])
    owners[:] = 1
    assert anchored(owners, 1, 2)[1].tolist() == [12]


def test_a_picture_without_objects_has_no_owners():
    cells, anchors = anchored(np.zeros((4, 4), np.uint8), 0, 2)
    assert not cells.any()
    assert anchors.shape == (0,)


def test_an_uneven_picture_lies_in_the_middle_of_its_square():
    picture = draw_picture(3, split="train", photos=False, size_hw=(96, 128))
    owners = owner_map(picture, 64)
    assert owners.shape == (64, 64)
    assert not owners[:8].any()
    assert not owners[56:].any()
    for number, thing in enumerate(picture.scene.objects, 1):
        ys, xs = np.nonzero(owners == number)
        assert abs(xs.min() * 2 - thing.box[0]) <= 2
        assert abs(ys.min() * 2 - (thing.box[1] + 16)) <= 2


def test_squares_keep_pictures_that_fit():
    plane = Image.new("L", (8, 8), 7)
    assert squared(plane, 8, Image.Resampling.NEAREST, 0) is plane
