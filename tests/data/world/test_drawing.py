"""The painter keeps its promises: the same bytes for a seed, and a truth that fits the pixels."""

import hashlib
import subprocess
import sys
import time
from itertools import combinations

import numpy as np
import pytest

from visionllm.data.world import SPLITS, UNSEEN_PAIRS, WorldPicture, draw_picture, drawing
from visionllm.data.world.palette import contrast
from visionllm.data.world.sampling import DIAMETERS

SEEDS = range(24)

# Version 1 is frozen: these may only change together with a new world version.
FINGERPRINTS = {
    "train": "75f5f062ef4cfe80",
    "validation": "05d082835821d64b",
    "test": "832ac6c81a5b780f",
    "unseen-pairs": "61be12304fb52481",
    "unseen-phrasing": "dca8e1619e700a62",
    "hand-drawn": "729523ba0690544e",
    "photo-background": "eeb31d4016e0264b",
    "crowded": "a25fe41002194c00",
}


def fingerprint(picture: WorldPicture) -> str:
    digest = hashlib.sha256(picture.pixels.tobytes())
    for item in picture.scene.objects:
        digest.update(f"{item.kind} {item.colour} {item.size} {item.fill} {item.rgb} {item.box} {item.depth}".encode())
        digest.update(np.packbits(item.mask).tobytes())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="module")
def pictures() -> dict[str, list[WorldPicture]]:
    return {split: [draw_picture(seed, split=split) for seed in SEEDS] for split in SPLITS}


@pytest.mark.parametrize("split", SPLITS)
def test_the_same_seed_gives_the_same_bytes(split):
    assert fingerprint(draw_picture(3, split=split)) == fingerprint(draw_picture(3, split=split))


@pytest.mark.parametrize("split", SPLITS)
def test_version_one_is_frozen(split):
    prints = "".join(fingerprint(draw_picture(seed, split=split)) for seed in (0, 1, 10**9 - 1))
    assert hashlib.sha256(prints.encode()).hexdigest()[:16] == FINGERPRINTS[split]


def test_another_process_draws_the_same_picture():
    code = "from visionllm.data.world import draw_picture; print(draw_picture(11).pixels.sum())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(told) == draw_picture(11).pixels.sum()


def test_splits_share_no_picture():
    prints = [fingerprint(draw_picture(seed, split=split, size_hw=(128, 128))) for split in SPLITS for seed in range(4)]
    assert len(set(prints)) == len(prints)


def test_pixels_are_writable_rgb_of_the_stated_size(pictures):
    for picture in pictures["train"]:
        assert picture.pixels.shape == (*picture.scene.size_hw, 3)
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.flags.writeable


def test_the_scene_says_where_it_comes_from():
    scene = draw_picture(5, split="crowded").scene
    assert (scene.seed, scene.split, scene.size_hw) == (5, "crowded", (128, 128))


@pytest.mark.parametrize("split", SPLITS)
def test_boxes_are_the_extents_of_the_masks(pictures, split):
    for picture in pictures[split]:
        for item in picture.scene.objects:
            x0, y0, x1, y1 = item.box
            assert item.mask.shape == picture.scene.size_hw
            assert item.mask[y0:y1, x0:x1].sum() == item.area > 0
            inside = item.mask[y0:y1, x0:x1]
            assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


@pytest.mark.parametrize("split", SPLITS)
def test_every_object_shows_at_least_a_quarter(pictures, split):
    assert all(0.25 <= item.visible <= 1 for picture in pictures[split] for item in picture.scene.objects)


def test_some_objects_are_partly_covered(pictures):
    visible = [item.visible for picture in pictures["crowded"] for item in picture.scene.objects]
    assert 0.04 < sum(share < 1 for share in visible) / len(visible) < 0.3


@pytest.mark.parametrize("split", SPLITS)
def test_visible_masks_never_overlap(pictures, split):
    for picture in pictures[split]:
        assert not any((one.mask & two.mask).any() for one, two in combinations(picture.scene.objects, 2))


@pytest.mark.parametrize("split", SPLITS)
def test_depth_follows_the_drawing_order(pictures, split):
    for picture in pictures[split]:
        assert [item.depth for item in picture.scene.objects] == list(range(len(picture.scene.objects)))


def test_solid_objects_have_their_own_shade_inside_their_mask(pictures):
    solid = [
        (picture, item)
        for picture in pictures["test"]
        for item in picture.scene.objects
        if item.fill == "solid" and item.size != "small" and picture.scene.pen == "clean"
    ]
    assert solid
    for picture, item in solid:
        same = (picture.pixels[item.mask] == np.array(item.rgb)).all(axis=1)
        assert same.mean() > 0.25, item.kind


def test_hardly_an_object_drowns_in_its_background():
    drowned = total = 0
    for seed in range(60):
        picture = draw_picture(seed, split="test")
        around = ~np.any([item.mask for item in picture.scene.objects] or [np.zeros((128, 128), dtype=bool)], axis=0)
        for item in picture.scene.objects:
            x0, y0, x1, y1 = item.box
            near = picture.pixels[y0:y1, x0:x1][around[y0:y1, x0:x1]]
            if len(near):
                total += 1
                drowned += contrast(item.rgb, near.mean(axis=0).tolist()) < 25
    assert drowned <= 0.02 * total


def test_held_out_pairs_are_drawn_in_their_own_split_alone(pictures):
    shares = {}
    for split, drawn in pictures.items():
        pairs = [(item.kind, item.colour) for picture in drawn for item in picture.scene.objects]
        shares[split] = sum(pair in UNSEEN_PAIRS for pair in pairs) / len(pairs)
    assert 0.3 < shares.pop("unseen-pairs") < 0.7
    assert set(shares.values()) == {0.0}


def test_crowded_pictures_hold_eight_to_ten_objects():
    assert {len(draw_picture(seed, split="crowded").scene.objects) for seed in range(60)} == {8, 9, 10}


@pytest.mark.parametrize("size_hw", [(64, 64), (96, 224), (64, 1024)])
def test_a_crowd_fits_any_canvas(size_hw):
    assert all(len(draw_picture(seed, split="crowded", size_hw=size_hw).scene.objects) >= 8 for seed in range(5))


def test_a_crowd_that_found_no_room_is_placed_anew(monkeypatch):
    monkeypatch.setattr(drawing, "_TRIES", 1)
    assert all(len(draw_picture(seed, split="crowded").scene.objects) >= 8 for seed in range(6))


def test_counts_run_from_none_to_ten_with_four_as_the_mean():
    counts = [len(draw_picture(seed, split="test").scene.objects) for seed in range(300)]
    assert min(counts) == 0
    assert max(counts) <= 10
    assert 3.5 < sum(counts) / len(counts) < 4.7


def test_size_words_keep_their_distance():
    for picture in (draw_picture(seed, size_hw=(100, 180)) for seed in range(40)):
        for item in picture.scene.objects:
            low, high = DIAMETERS[item.size]
            assert low <= 2 * item.radius / 100 <= high


@pytest.mark.parametrize(("split", "pens"), [("hand-drawn", {"hand-drawn"}), ("test", {"clean", "hand-drawn"})])
def test_pens_of_a_split(pictures, split, pens):
    assert {picture.scene.pen for picture in pictures[split]} == pens


def test_photos_are_behind_every_picture_of_their_split_and_behind_none_of_test(pictures):
    assert {picture.scene.background for picture in pictures["photo-background"]} == {"photo"}
    assert all(picture.scene.background != "photo" for picture in pictures["test"])


def test_training_without_photos_draws_another_background():
    with_photo = [seed for seed in range(60) if draw_picture(seed).scene.background == "photo"]
    assert with_photo
    assert all(draw_picture(seed, photos=False).scene.background != "photo" for seed in with_photo)


def test_turning_photos_off_changes_no_picture_without_one():
    plain = next(seed for seed in range(60) if draw_picture(seed).scene.background != "photo")
    assert fingerprint(draw_picture(plain)) == fingerprint(draw_picture(plain, photos=False))


def test_training_varies_the_canvas_and_test_does_not_unless_asked():
    sizes = [draw_picture(seed).scene.size_hw for seed in range(80)]
    default = sum(size == (128, 128) for size in sizes) / len(sizes)
    assert 0.5 < default < 0.9
    assert all(96 <= side <= 224 for size in sizes for side in size)
    assert {draw_picture(seed, split="test").scene.size_hw for seed in range(10)} == {(128, 128)}
    assert len({draw_picture(seed, split="test", vary_size=True).scene.size_hw for seed in range(30)}) > 3


def test_the_canvas_can_be_forced_and_the_default_one_forced_changes_nothing():
    assert draw_picture(2, size_hw=(97, 211)).pixels.shape == (97, 211, 3)
    assert fingerprint(draw_picture(4, split="test", size_hw=(128, 128))) == fingerprint(draw_picture(4, split="test"))


def test_a_side_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"expected both sides in \[64, 1024\] pixels, got \(128, 63\)"):
        draw_picture(0, size_hw=(128, 63))


def test_photo_backgrounds_cannot_be_drawn_without_photos():
    with pytest.raises(ValueError, match="expected photos=True for the split 'photo-background'"):
        draw_picture(0, split="photo-background", photos=False)


def test_drawing_is_fast():
    start = time.process_time()
    for seed in range(60):
        draw_picture(seed, split="test")
    assert 60 / (time.process_time() - start) > 60
