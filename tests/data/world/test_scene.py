"""The scene graph names its parts."""

from visionllm.data.world import draw_picture
from visionllm.data.world.scene import COLOURS, FILLS, KINDS, SIZES


def test_the_world_has_twenty_kinds_and_eight_colours_without_repeats():
    assert len(set(KINDS)) == len(KINDS) == 20
    assert len(set(COLOURS)) == len(COLOURS) == 8
    assert (len(SIZES), len(FILLS)) == (3, 4)


def test_the_area_of_an_object_is_its_number_of_visible_pixels():
    thing = draw_picture(3, split="validation", photos=False).scene.objects[0]
    assert thing.area == sum(bool(pixel) for row in thing.mask for pixel in row) > 0
