from dataclasses import replace

import pytest
import torch

from visionllm.model.pictures import EncodedPictures, as_map, drop_prefix, join_encoded, write_over


def encoded(number: int) -> EncodedPictures:
    return EncodedPictures(
        tokens=torch.randn(2 * number, 4, 8),
        splits=torch.full((number,), 2),
        pixel_values=torch.randn(number, 3, 6, 6),
        levels=(torch.randn(number, 4, 5), torch.randn(number, 7, 2, 2)),
    )


def test_features_go_to_their_places_row_by_row():
    ids = torch.tensor([[1, 9, 9, 2], [9, 1, 1, 9]])
    features = torch.arange(1.0, 5.0)[:, None].expand(-1, 3)
    written = write_over(torch.zeros(2, 4, 3), ids, 9, features, "features", 2)
    assert written[..., 0].tolist() == [[0, 1, 2, 0], [3, 0, 0, 4]]


def test_gradients_reach_the_features():
    features = torch.zeros(2, 3, requires_grad=True)
    write_over(torch.zeros(1, 3, 3), torch.tensor([[9, 1, 9]]), 9, features, "features").sum().backward()
    assert features.grad is not None
    assert bool((features.grad == 1).all())


def test_a_batch_without_places_stays_as_it_is():
    embeds = torch.zeros(1, 2, 3)
    assert write_over(embeds, torch.tensor([[1, 1]]), 9, embeds[0, :0], "features") is embeds


@pytest.mark.parametrize("given", [0, 1, 3])
def test_another_number_of_features_than_places_is_refused(given: int):
    with pytest.raises(ValueError, match=f"expected 2 image features, one for each of their tokens, got {given}"):
        write_over(torch.zeros(1, 3, 3), torch.tensor([[9, 1, 9]]), 9, torch.zeros(given, 3), "image features")


def test_a_picture_torn_between_two_rows_is_refused():
    ids = torch.tensor([[9, 1], [9, 1]])
    with pytest.raises(ValueError, match=r"expected a multiple of 2 features in each row, got \[1, 1\]"):
        write_over(torch.zeros(2, 2, 3), ids, 9, torch.zeros(2, 3), "features", 2)


def test_prefix_tokens_are_dropped_from_patches_and_not_from_maps():
    assert drop_prefix(torch.zeros(1, 5, 3), 1).shape == (1, 4, 3)
    assert drop_prefix(torch.zeros(1, 5, 3, 3), 1).shape == (1, 5, 3, 3)


def test_patches_and_maps_become_the_same_grid():
    grid = torch.arange(12.0).view(1, 2, 2, 3)
    assert torch.equal(as_map(grid.flatten(1, 2)), grid)
    assert torch.equal(as_map(grid.permute(0, 3, 1, 2)), grid)


def test_a_map_need_not_be_square():
    assert as_map(torch.zeros(1, 3, 2, 5)).shape == (1, 2, 5, 3)


def test_patches_that_form_no_square_are_refused():
    with pytest.raises(ValueError, match="expected a square number of patches, got 5"):
        as_map(torch.zeros(1, 5, 3))


def test_pictures_encoded_apart_are_joined_in_order():
    first, second = encoded(1), encoded(2)
    joined = join_encoded([first, second])
    assert len(joined) == 3
    assert torch.equal(joined.tokens, torch.cat([first.tokens, second.tokens]))
    assert torch.equal(joined.levels[1][1:], second.levels[1])


def test_nothing_cannot_be_joined():
    with pytest.raises(ValueError, match="expected one encoded picture or more, got none"):
        join_encoded([])


def test_encoded_pictures_move_with_their_levels():
    moved = encoded(1).to("meta")
    assert moved.tokens.device.type == moved.levels[0].device.type == moved.levels[1].device.type == "meta"


def test_some_encoded_pictures_keep_their_splits():
    first, second = encoded(1), encoded(2)
    tiles = replace(first, tokens=torch.randn(5, 4, 8), splits=torch.tensor([5]))
    joined = join_encoded([tiles, second, first])
    chosen = joined.select([3, 0])
    assert torch.equal(chosen.tokens, torch.cat([first.tokens, tiles.tokens]))
    assert chosen.splits.tolist() == [2, 5]
    assert torch.equal(chosen.levels[1], torch.cat([first.levels[1], tiles.levels[1]]))
    assert torch.equal(joined.select([2]).tokens, second.tokens[2:])
    assert len(joined.select([])) == 0
