"""How much an engine takes on, and what it says about itself."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

MOST_SALT = 64


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Limits of an engine; its memory is fixed by them.

    Attributes:
        max_queue: Jobs that may wait.
        max_running: Jobs that are worked on at once.
        cache_blocks: Blocks of the language model's cache; None means enough for `max_running` rows of the whole
            context, in two gigabytes at most.
        block_size: Ids a block.
        deadline_s: Seconds a job may take, waiting included, unless it says otherwise.
        event_bytes: Most bytes of events that wait for a reader; with what a server keeps for a client, less than a
            megabyte. What was found does not count: the job holds it anyway, and its masks of one large picture are
            more than any such limit.
        image_cache_bytes: Most bytes of picture features that are kept for later questions.
        prefix_cache_blocks: Most blocks that are kept of what questions about the same pictures begin with.
        prefill_tokens: Most ids of new prompts that are read between two steps of the answers; one prompt may be
            longer.
        units_at_once: Most units that a decoder reads at once, so that answers don't wait long for it.
        paintings_at_once: Most units whose pictures are made at once.
        salt: Keeps the caches of this engine apart from everybody else's; None draws one.

    Raises:
        ValueError: If a number is out of its range.
    """

    max_queue: int = 64
    max_running: int = 16
    cache_blocks: int | None = None
    block_size: int = 16
    deadline_s: float = 120.0
    event_bytes: int = 800_000
    image_cache_bytes: int = 256 << 20
    prefix_cache_blocks: int = 256
    prefill_tokens: int = 2048
    units_at_once: int = 8
    paintings_at_once: int = 4
    salt: bytes | None = None

    def __post_init__(self) -> None:
        least = {"max_queue": 0, "event_bytes": 0, "image_cache_bytes": 0, "prefix_cache_blocks": 0}
        for name, value in vars(self).items():
            if name == "salt" or value is None:
                continue
            if name == "deadline_s":
                if not 0 < value < math.inf:
                    raise ValueError(f"expected deadline_s of more than 0 seconds, and not for ever, got {value}")
            elif value < least.get(name, 1):
                raise ValueError(f"expected {name} of at least {least.get(name, 1)}, got {value}")
        if self.salt is not None and not 1 <= len(self.salt) <= MOST_SALT:
            raise ValueError(f"expected a salt of 1 to {MOST_SALT} bytes, got {len(self.salt)}")


@dataclass(frozen=True, kw_only=True)
class EngineStatus:
    """An engine at one moment.

    Attributes:
        alive: Its thread runs.
        draining: It takes nothing new.
        queued: Jobs that wait.
        running: Jobs that are worked on.
        free_blocks: Blocks of the cache that a new row can have, those included that are kept for later questions only.
        total_blocks: All blocks.
        counters: How often what happened since the start, by name.
    """

    alive: bool
    draining: bool
    queued: int
    running: int
    free_blocks: int
    total_blocks: int
    counters: Mapping[str, int]
