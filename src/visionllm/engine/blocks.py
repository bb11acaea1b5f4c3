"""Who holds which block of the cache; memory is counted here and nowhere else."""

from collections import OrderedDict
from collections.abc import Callable, Sequence


class Blocks:
    """Blocks 1 to `total`, each free or held by rows and prefixes; block 0 is nobody's and stays empty.

    Args:
        total: Number of blocks.
        clean: Called with blocks that become free: what a row left behind must not reach the next.

    >>> blocks = Blocks(3)
    >>> blocks.take(2), blocks.take(2), blocks.free
    ([1, 2], None, 1)
    """

    def __init__(self, total: int, clean: Callable[[Sequence[int]], None] = lambda _: None) -> None:
        self.total, self._clean = total, clean
        self._free = list(range(total, 0, -1))
        self._holders = [0] * (total + 1)

    @property
    def free(self) -> int:
        """Number of blocks that nobody holds."""
        return len(self._free)

    def take(self, count: int) -> list[int] | None:
        """Return free blocks, held once from now on, or None if there are fewer."""
        if count > len(self._free):
            return None
        taken = [self._free.pop() for _ in range(count)]
        self.hold(taken)
        return taken

    def hold(self, blocks: Sequence[int]) -> None:
        """Hold blocks once more."""
        for block in blocks:
            self._holders[block] += 1

    def release(self, blocks: Sequence[int]) -> None:
        """Hold blocks once less; those that nobody holds any more are cleaned and free."""
        gone = []
        for block in blocks:
            self._holders[block] -= 1
            if not self._holders[block]:
                gone.append(block)
        if gone:
            self._clean(gone)
            self._free += reversed(gone)

    def holders(self, block: int) -> int:
        """Return how often a block is held."""
        return self._holders[block]


class Prefixes:
    """Blocks of what several prompts begin with, kept for the next such prompt as long as there is room.

    Args:
        blocks: Where they are counted.
        most: Largest number of blocks that are kept.
    """

    def __init__(self, blocks: Blocks, most: int) -> None:
        self.blocks, self.most = blocks, most
        self._kept: OrderedDict[bytes, list[int]] = OrderedDict()

    @property
    def spare(self) -> int:
        """Number of blocks that are held for later prompts only, and given back where a row needs them."""
        return sum(self.blocks.holders(block) == 1 for kept in self._kept.values() for block in kept)

    def find(self, key: bytes) -> list[int] | None:
        """Return the blocks of a prefix, held once more for the caller, or None."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        self.blocks.hold(self._kept[key])
        return list(self._kept[key])

    def keep(self, key: bytes, blocks: Sequence[int]) -> None:
        """Keep the blocks of a prefix; those that were asked for longest ago make room."""
        if key in self._kept or not blocks or len(blocks) > self.most:
            return
        while self._size() + len(blocks) > self.most:
            self._drop_oldest()
        self.blocks.hold(blocks)
        self._kept[key] = list(blocks)

    def make_room(self, count: int) -> bool:
        """Give up prefixes until `count` blocks are free, if giving up all of them is enough; tell whether it was."""
        if self.blocks.free + self.spare < count:
            return False
        while self.blocks.free < count:
            self._drop_oldest()
        return True

    def _drop_oldest(self) -> None:
        _, blocks = self._kept.popitem(last=False)
        self.blocks.release(blocks)

    def _size(self) -> int:
        return sum(map(len, self._kept.values()))
