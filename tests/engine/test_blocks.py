from visionllm.engine.blocks import Blocks, Prefixes


def test_a_block_is_free_once_nobody_holds_it_and_is_cleaned_then():
    cleaned: list[int] = []
    blocks = Blocks(4, cleaned.extend)
    first = blocks.take(2) or []
    assert first == [1, 2] and blocks.free == 2
    blocks.hold([2])
    blocks.release(first)
    assert cleaned == [1] and blocks.free == 3
    blocks.release([2])
    assert cleaned == [1, 2] and blocks.free == 4
    assert sorted(blocks.take(4) or []) == [1, 2, 3, 4]
    assert blocks.take(1) is None
    assert blocks.take(0) == []


def test_nothing_released_cleans_nothing():
    cleaned: list[list[int]] = []
    Blocks(1, lambda gone: cleaned.append(list(gone))).release([])
    assert not cleaned


def kept(most: int = 4) -> tuple[Blocks, Prefixes]:
    blocks = Blocks(6)
    return blocks, Prefixes(blocks, most)


def test_a_prefix_outlives_its_row_and_is_shared_by_later_ones():
    blocks, prefixes = kept()
    row = blocks.take(3) or []
    prefixes.keep(b"a", row[:2])
    blocks.release(row)
    assert (blocks.free, prefixes.spare) == (4, 2)
    assert prefixes.find(b"a") == row[:2]
    assert prefixes.spare == 0, "a row holds it"
    blocks.release(row[:2])
    assert prefixes.spare == 2
    assert prefixes.find(b"b") is None


def test_old_prefixes_make_room_for_new_ones_and_for_rows():
    blocks, prefixes = kept()
    for key in (b"a", b"b"):
        row = blocks.take(2) or []
        prefixes.keep(key, row)
        blocks.release(row)
    blocks.release(prefixes.find(b"a") or [])
    new = blocks.take(2) or []
    prefixes.keep(b"c", new)
    assert prefixes.find(b"b") is None, "the one that was asked for longest ago"
    assert prefixes.make_room(3) and blocks.free >= 3
    assert not prefixes.make_room(5), "what a row holds stays"
    assert blocks.free >= 3


def test_prefixes_that_are_too_long_or_empty_are_not_kept():
    blocks, prefixes = kept(1)
    prefixes.keep(b"a", blocks.take(2) or [])
    prefixes.keep(b"b", [])
    assert prefixes.find(b"a") is None and prefixes.find(b"b") is None
