"""The messages of a chat completion as a `Request`."""

from collections.abc import Sequence

from PIL import Image

from visionllm.engine.errors import ContextLengthExceeded
from visionllm.server.card import ModelCard
from visionllm.server.errors import ApiError
from visionllm.server.intake import Intake
from visionllm.server.schema.base import options_of
from visionllm.server.schema.chat import AssistantMessage, ChatBody, ChatMessage
from visionllm.server.schema.parts import AnswerPart, ImagePart, RegionPart, RoutedPart, TextPart, UserPart
from visionllm.types import Mark, Message, Options, Part, Picture, Request, Routed


class Reader:
    """Turns messages into those of a `Request`; pictures are counted over all of them.

    Args:
        intake: Opens pictures.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._pictures: list[Image.Image] = []
        self._seen = self._marks = 0

    def messages(self, given: Sequence[ChatMessage]) -> tuple[Message, ...]:
        """Return messages in the words of the model.

        Raises:
            ApiError: If a picture or region is refused.
        """
        self._pictures = [
            self._intake.picture(part.image_url.url, f"messages.{i}.content.{k}.image_url.url")
            for i, message in enumerate(given)
            if isinstance(message.content, list)
            for k, part in enumerate(message.content)
            if isinstance(part, ImagePart)
        ]
        return tuple(Message(message.role, self._parts(i, message)) for i, message in enumerate(given))

    def _parts(self, i: int, message: ChatMessage) -> tuple[Part, ...]:
        if isinstance(message, AssistantMessage) and message.parts:
            return tuple(_answered(part) for part in message.parts)
        if isinstance(message.content, str):
            return (message.content,)
        return tuple(self._part(part, f"messages.{i}.content.{k}") for k, part in enumerate(message.content))

    def _part(self, part: UserPart | AnswerPart, param: str) -> Part:
        if isinstance(part, ImagePart):
            self._seen += 1
            return Picture(self._pictures[self._seen - 1])
        if isinstance(part, RegionPart):
            return self._mark(part, param)
        return _answered(part)

    def _mark(self, part: RegionPart, param: str) -> Mark:
        index = self._seen - 1 if part.picture is None else part.picture
        number, self._marks = self._marks, self._marks + 1
        if not 0 <= index < len(self._pictures):
            got = "none before it" if part.picture is None else str(part.picture)
            message = f"region {number}: expected one of the {len(self._pictures)} pictures, got {got}"
            raise ApiError(400, message, code="invalid_region", param=param)
        image = self._pictures[index]
        region = self._intake.region(part, (image.height, image.width), number, param)
        return Mark(region, picture=part.picture, numbered=part.numbered)


def _answered(part: TextPart | RoutedPart) -> Part:
    return part.text if isinstance(part, TextPart) else Routed(part.text, part.token, part.wrapped)


def requests_of(body: ChatBody, intake: Intake, card: ModelCard, max_messages: int) -> tuple[list[Request], int]:
    """Return the requests of a chat completion, one a choice with a seed of its own, and their number of tokens.

    Raises:
        ApiError: If a picture or region is refused, or there are too many messages.
        ContextLengthExceeded: If the conversation, or it and the answer that is asked for, is longer than the context.
        ValueError: If the conversation is malformed.
    """
    if len(body.messages) > max_messages:
        message = f"expected at most {max_messages} messages, got {len(body.messages)}"
        raise ApiError(400, message, code="too_many_messages", param="messages")
    limit = body.limit or 0
    if limit >= card.context:
        raise ContextLengthExceeded(limit, card.context)
    messages = Reader(intake).messages(body.messages)
    first = body.seed or 0
    requests = [Request(messages, _options(body, first + choice)) for choice in range(body.n or 1)]
    tokens = 0 if card.count is None else card.count(requests[0])
    if tokens + limit > card.context:
        raise ContextLengthExceeded(tokens + limit, card.context)
    return requests, tokens


def _options(body: ChatBody, seed: int) -> Options:
    return options_of(
        body.options, seed=seed, temperature=body.temperature, top_p=body.top_p, max_new_tokens=body.limit
    )
