"""What the families share."""

import gc

import numpy as np

from visionllm.data.world import draw_picture
from visionllm.data.world.families import base
from visionllm.data.world.families.base import image_of


def test_questions_about_a_picture_share_its_image_however_many_others_were_drawn():
    picture = draw_picture(0, photos=False)
    image = image_of(picture)
    others = [draw_picture(seed, photos=False) for seed in range(1, 30)]
    images = [image_of(other) for other in others]
    assert image_of(picture) is image
    assert (np.asarray(image) == picture.pixels).all()
    assert (np.asarray(images[-1]) == others[-1].pixels).all()


def test_images_live_as_long_as_their_pictures():
    picture = draw_picture(0, photos=False)
    image_of(picture)
    before = len(base._IMAGES)
    del picture
    gc.collect()
    assert len(base._IMAGES) < before
