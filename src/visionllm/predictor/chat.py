"""A conversation that remembers its turns."""

from collections.abc import Iterator, Sequence

from PIL import Image

from visionllm.predictor.core import Core, Prepared
from visionllm.predictor.opened import OpenedImage
from visionllm.types import Answer, Message, Options, Picture, Region, Request, ask


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
        self._opened = None if image is None else OpenedImage(core, image)

    def ask(self, text: str, *, regions: Sequence[Region] = (), options: Options | None = None) -> Answer:
        """Say something and return the answer; both become turns of the conversation.

        Raises:
            ValueError: If the question is malformed, or the conversation is longer than the context.
        """
        request = self._request(text, regions, options)
        answer = self.core.answer(self._prepare(request))[0]
        self.messages = (*request.messages, answer.message)
        return answer

    def stream(
        self, text: str, *, regions: Sequence[Region] = (), options: Options | None = None
    ) -> Iterator[str | Answer]:
        """Say something and yield pieces of the answer's text, then the answer; an unfinished one becomes no turn.

        Raises:
            ValueError: As `ask`.
        """
        request = self._request(text, regions, options)
        for item in self.core.stream(self._prepare(request)):
            if isinstance(item, Answer):
                self.messages = (*request.messages, item.message)
            yield item

    def _request(self, text: str, regions: Sequence[Region], options: Options | None) -> Request:
        (turn,) = ask(text, regions=tuple(regions)).messages
        if not self.messages and self._opened is not None:
            turn = Message("user", (Picture(self._opened.image), *turn.parts))
        return Request((*self.messages, turn), options or self.options)

    def _prepare(self, request: Request) -> Prepared:
        return self.core.prepare([request]) if self._opened is None else self._opened.prepare([request])
