"""What a request must be, checked before any tensor is made."""

from collections.abc import Collection, Sequence

from visionllm.types import Mark, Message, Part, Picture, Request, Routed


class ContextLengthExceeded(ValueError):
    """A conversation is longer than what the model can read.

    Args:
        tokens: Ids of the conversation.
        context: Most ids that there is room for.
    """

    def __init__(self, tokens: int, context: int) -> None:
        super().__init__(f"expected a conversation of at most {context} tokens, got {tokens}")
        self.tokens, self.context = tokens, context


def check_request(
    request: Request,
    *,
    routing_tokens: Collection[str],
    max_pictures: int,
    max_regions: int,
    wordless: bool = False,
) -> None:
    """Check the order of the messages and the parts of each; `wordless` questions may be pictures only.

    Raises:
        ValueError: If the conversation is empty or out of order, a part is in a wrong place, or a picture is missing.
    """
    messages = request.messages
    if not messages:
        raise ValueError("expected at least one message, got none")
    for i, message in enumerate(messages):
        _check_parts(i, message, routing_tokens)
        _check_words(i, message, wordless)
    for i, message in enumerate(messages[1:], 1):
        if message.role == "system":
            raise ValueError(f"expected a system message only at the start, got one as message {i}")
    turns = messages[1:] if messages[0].role == "system" else messages
    if not turns or turns[-1].role != "user":
        raise ValueError(f"expected the last message from the user, got one from the {messages[-1].role}")
    if turns[0].role != "user":
        raise ValueError("expected the conversation to start with the user, got the assistant")
    for i, message in enumerate(turns):
        if message.role != ("assistant" if i % 2 else "user"):
            number = i + len(messages) - len(turns)
            raise ValueError(f"expected user and assistant to take turns, got the {message.role} as message {number}")
    _check_pictures(request, max_pictures, max_regions)


def _check_parts(i: int, message: Message, routing_tokens: Collection[str]) -> None:
    for part in message.parts:
        if isinstance(part, Picture | Mark) and message.role != "user":
            name = "picture" if isinstance(part, Picture) else "region"
            raise ValueError(
                f"expected pictures and regions in user messages only, got a {name} in message {i} ({message.role})"
            )
        if isinstance(part, Routed) and message.role != "assistant":
            raise ValueError(
                f"expected routed words in assistant messages only, got {part.token} in message {i} ({message.role})"
            )
        if isinstance(part, Picture) and part.image.mode != "RGB":
            raise ValueError(
                f"expected an RGB picture in message {i}, got mode {part.image.mode!r}; open it with open_picture"
            )
    if message.role == "assistant":
        check_answer(message.parts, routing_tokens)


def _check_words(i: int, message: Message, wordless: bool) -> None:
    kinds = (Mark, Picture) if wordless else Mark
    if message.role == "user" and not message.text.strip() and not any(isinstance(p, kinds) for p in message.parts):
        raise ValueError(f"expected words in message {i}, got an empty prompt")


def check_answer(parts: Sequence[Part], routing_tokens: Collection[str]) -> None:
    """Check the parts of an answer.

    Raises:
        ValueError: If one is no text, or routed to an unknown token.
    """
    for part in parts:
        if isinstance(part, Picture | Mark):
            raise ValueError(f"expected text and routed words in an answer, got a {type(part).__name__.lower()}")
        if isinstance(part, Routed) and part.token not in routing_tokens:
            raise ValueError(f"expected a routing token, one of {', '.join(routing_tokens)}, got {part.token!r}")


def _check_pictures(request: Request, max_pictures: int, max_regions: int) -> None:
    count = len(request.pictures)
    if count > max_pictures:
        raise ValueError(f"expected at most {max_pictures} pictures, got {count}")
    seen = region = 0
    for message in request.messages:
        for part in message.parts:
            seen += isinstance(part, Picture)
            if not isinstance(part, Mark):
                continue
            if part.picture is None and not seen:
                raise ValueError(f"region {region}: expected a picture before it, got none")
            if part.picture is not None and not 0 <= part.picture < count:
                raise ValueError(f"region {region}: expected the index of one of {count} pictures, got {part.picture}")
            region += 1
    if region > max_regions:
        raise ValueError(f"expected at most {max_regions} regions, got {region}")
