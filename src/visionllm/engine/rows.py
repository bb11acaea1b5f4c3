"""One row of the language model: a prompt, what is written behind it, and the states of its slots."""

from dataclasses import dataclass, field

from torch import Tensor

from visionllm.config import VisionLLMConfig
from visionllm.generation import GeneratedIds, SeededSampling, cut, room
from visionllm.types import Request
from visionllm.types.tensors import ModelInputs


@dataclass(frozen=True, kw_only=True, eq=False)
class Prompt:
    """A prompt as the language model takes it.

    Attributes:
        request: What it asks.
        inputs: One row; with a known answer, that stands in it too.
        writes: The model writes an answer; otherwise one pass reads the known one.
        pictures: Name of each picture of the request.
        images: Name of each decoder image.
        prefix: Name of what prompts about the same pictures begin with.
        notices: What the user should know about the last picture.
    """

    request: Request
    inputs: ModelInputs
    writes: bool
    pictures: tuple[bytes, ...]
    images: tuple[bytes, ...]
    prefix: bytes
    notices: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Number of ids."""
        return self.inputs.input_ids.shape[1]

    @property
    def shared(self) -> int:
        """Number of ids that the name of the prefix stands for."""
        return int((self.inputs.turn_ids == 0).sum())


@dataclass(kw_only=True, eq=False)
class Row:
    """A prompt on its way through the language model.

    Attributes:
        prompt: Where it began.
        config: Names the routes, the tables and the limits.
        ends: Ids that end an answer.
        ids: The prompt and what was written, slots included, without an id that ends the answer.
        read: How many of them are in the cache.
        table: Blocks of the cache that it holds.
        states: float[Q, D] for every whole query group, by the index of its routing token.
        ended: Nothing more is written; the last ids may still have to be read for their states.
    """

    prompt: Prompt
    config: VisionLLMConfig
    ends: frozenset[int]
    ids: list[int] = field(default_factory=list)
    read: int = 0
    table: list[int] = field(default_factory=list)
    states: dict[int, Tensor] = field(default_factory=dict)
    ended: bool = False

    def __post_init__(self) -> None:
        self.ids = self.prompt.inputs.input_ids[0].tolist()
        options = self.prompt.request.options
        self.sampling = SeededSampling([options])
        self.limit = options.max_new_tokens
        self.room = room(self.config, self.prompt.length, self.limit) if self.prompt.writes else 0
        self.ended = not self.prompt.writes
        self._tables = {self.config.token_ids[route.token]: route.table for route in self.config.routes}
        self._owes = True
        self._texts = 0
        self._last: int | None = None

    @property
    def unread(self) -> list[int]:
        """The ids that the language model has not read."""
        return self.ids[self.read :]

    @property
    def answer(self) -> list[int]:
        """The ids that were written."""
        return self.ids[self.prompt.length :]

    @property
    def most(self) -> int:
        """Number of ids that the row may ever have in the cache."""
        return self.prompt.length + self.room

    @property
    def written(self) -> GeneratedIds:
        """What was written, cut where it ends."""
        ids = self.answer if self._last is None else [*self.answer, self._last]
        return cut(ids, self.limit, self.config, self.ends)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to write or to read."""
        return self.ended and not self._owes

    def take(self, token: int) -> None:
        """Write an id on; a routing token brings its slots along, as far as there is room."""
        if token in self.ends:
            self._last, self.ended = token, True
            return
        self.ids.append(token)
        self._texts += 1
        left = self.room - len(self.answer)
        if self._texts == self.limit or not left:
            self.ended = True
        elif token in self._tables:
            slots = self.config.slot_ids(self._tables[token])
            self.ids += slots[:left]
            self.sampling.skip(len(slots), self.config.id_space)
            self.ended = left <= len(slots)
            self._owes = left >= len(slots)

    def keep_states(self, hidden: Tensor) -> None:
        """Keep the states of query groups, and count the ids as read.

        Args:
            hidden: float[n, D]. The last hidden states of the next n unread ids.
        """
        begin, end = self.read, self.read + len(hidden)
        for place in range(begin, end):
            table = self._tables.get(self.ids[place])
            if table is None:
                continue
            slots = self.config.slot_ids(table)
            if place + len(slots) < end and self.ids[place + 1 : place + 1 + len(slots)] == list(slots):
                self.states[place] = hidden[place + 1 - begin : place + 1 - begin + len(slots)].clone()
        self.read, self._owes = end, False
