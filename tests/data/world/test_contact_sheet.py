import numpy as np

from visionllm.data.world import contact_sheet, draw_picture


def test_a_sheet_shows_consecutive_pictures():
    sheet = np.asarray(contact_sheet(5, split="test", columns=3, rows=2, zoom=1))
    assert sheet.shape == (2 * 132, 3 * 132, 3)
    assert (sheet[132:260, 132:260] == draw_picture(9, split="test").pixels).all()


def test_boxes_are_drawn_on_request():
    seed = next(seed for seed in range(20) if draw_picture(seed, split="test").scene.objects)
    sheet = np.asarray(contact_sheet(seed, split="test", columns=1, rows=1, zoom=2, boxes=True))
    x0, y0, _, _ = draw_picture(seed, split="test").scene.objects[0].box
    assert (sheet[2 * y0, 2 * x0] == (255, 0, 255)).all()


def test_pictures_of_version_two_are_shown_too():
    sheet = np.asarray(contact_sheet(0, split="test", columns=1, rows=1, zoom=1, version=2, theme="figures"))
    assert (sheet[:128, :128] == draw_picture(0, split="test", version=2, theme="figures").pixels).all()
