"""A conversation that remembers its turns."""

from collections.abc import Iterator, Sequence

from PIL import Image

from visionllm.predictor.core import Core, Prepared
from visionllm.predictor.opened import OpenedImage
from visionllm.types import Answer, Box, Found, Message, Options, Picture, Region, Request, ask


class Chat:
    """A conversation, with or without a picture; earlier answers keep what they routed.

    Args:
        core: The model.
        image: The picture that the conversation is about, upright RGB, or None.
        options: How to answer, where a question does not say it.
    """

    def __init__(self, core: Core, image: Image.Image | None = None, *, options: Options | None = None) -> None:
        self.core = core
        self.options = options or Options()
        self.messages: tuple[Message, ...] = ()
        self.answers: tuple[Answer, ...] = ()
        self._opened = None if image is None else OpenedImage(core, image)

    def ask(self, text: str, *, regions: Sequence[Region | Found] = (), options: Options | None = None) -> Answer:
        """Say something and return the answer; both become turns of the conversation.

        Args:
            text: The question.
            regions: What it points at: places in the picture, or what earlier answers found, as in
                `chat.ask("Make this blue.", regions=[Found(2)])`.
            options: How to answer.

        Raises:
            ValueError: If the question is malformed, the conversation is longer than the context, or an earlier answer
                found no such thing.
        """
        request = self._request(text, regions, options)
        answer = self.core.answer(self._prepare(request))[0]
        self._remember(request, answer)
        return answer

    def stream(
        self, text: str, *, regions: Sequence[Region | Found] = (), options: Options | None = None
    ) -> Iterator[str | Answer]:
        """Say something and yield pieces of the answer's text, then the answer; an unfinished one becomes no turn.

        Raises:
            ValueError: As `ask`.
        """
        request = self._request(text, regions, options)
        for item in self.core.stream(self._prepare(request)):
            if isinstance(item, Answer):
                self._remember(request, item)
            yield item

    def _remember(self, request: Request, answer: Answer) -> None:
        self.messages = (*request.messages, answer.message)
        self.answers = (*self.answers, answer)

    def _place(self, region: Region | Found) -> Region:
        """Return a region, or where an earlier answer found what is meant."""
        if not isinstance(region, Found):
            return region
        count = len(self.answers)
        turn = region.turn
        if turn is None:
            turn = next((number for number in range(count, 0, -1) if self.answers[number - 1].instances), 0)
            if not turn:
                raise ValueError("expected an earlier answer that found something, got none")
        if not 1 <= turn <= count:
            raise ValueError(f"expected a turn among the {count} earlier ones, got {turn}")
        found = self.answers[turn - 1].instances
        if not 1 <= region.number <= len(found):
            raise ValueError(f"expected one of the {len(found)} things that turn {turn} found, got {region.number}")
        return self._inside(found[region.number - 1].region)

    def _inside(self, region: Region) -> Region:
        """Cut a box at the border of the picture: those that published code finds may reach past it."""
        if self._opened is None or not isinstance(region, Box):
            return region
        width, height = self._opened.image.size
        return Box(max(region.x0, 0), max(region.y0, 0), min(region.x1, width), min(region.y1, height))

    def _request(self, text: str, regions: Sequence[Region | Found], options: Options | None) -> Request:
        (turn,) = ask(text, regions=tuple(self._place(region) for region in regions)).messages
        if not self.messages and self._opened is not None:
            turn = Message("user", (Picture(self._opened.image), *turn.parts))
        return Request((*self.messages, turn), options or self.options)

    def _prepare(self, request: Request) -> Prepared:
        return self.core.prepare([request]) if self._opened is None else self._opened.prepare([request])
