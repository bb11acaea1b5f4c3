"""The body of a chat completion."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from visionllm.server.schema.base import MAX_CHOICES, Closed, Name, OptionsBody, Seed, Text
from visionllm.server.schema.neutral import Neutral
from visionllm.server.schema.parts import AnswerPart, TextPart, UserPart

MAX_PARTS = 256
"""Most parts of a message."""


def _form(value: Any) -> str:
    return "[parts]" if isinstance(value, list) else "[words]"


_Words = Annotated[Text, Tag("[words]")]
Parts = Annotated[list[UserPart], Field(min_length=1, max_length=MAX_PARTS)]
Texts = Annotated[list[TextPart], Field(min_length=1, max_length=MAX_PARTS)]
AnswerParts = Annotated[list[AnswerPart], Field(max_length=MAX_PARTS)]


class SystemMessage(Closed):
    """What holds for the whole conversation; only at its start."""

    role: Literal["system"]
    content: Annotated[_Words | Annotated[Texts, Tag("[parts]")], Discriminator(_form)]


class UserMessage(Closed):
    """A question: words, pictures and regions."""

    role: Literal["user"]
    content: Annotated[_Words | Annotated[Parts, Tag("[parts]")], Discriminator(_form)]


class AssistantMessage(Closed):
    """An earlier answer, as it came: with its routed words if it brings `parts`, which `content` only repeats then.

    `results` and `notices` may stay where they are; they say nothing to the model.
    """

    role: Literal["assistant"]
    content: Annotated[_Words | Annotated[AnswerParts, Tag("[parts]")], Discriminator(_form)]
    parts: AnswerParts | None = None
    results: list[dict[str, Any]] | None = None
    notices: list[str] | None = None
    refusal: None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "AssistantMessage":
        if self.parts and isinstance(self.content, str):
            words = "".join(part.text for part in self.parts)
            if words.split() != self.content.split():
                raise ValueError("expected parts with the words of content, got others")
        return self


class StreamOptions(Closed):
    """What a stream holds beside the answer."""

    include_usage: bool = False


ChatMessage = Annotated[SystemMessage | UserMessage | AssistantMessage, Field(discriminator="role")]


class ChatBody(Neutral):
    """A conversation that ends with a question, and how to answer it."""

    model: Name
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    seed: Seed | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    options: OptionsBody | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> "ChatBody":
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("expected max_tokens or max_completion_tokens, got both")
        if self.stream_options is not None and not self.stream:
            raise ValueError("expected stream_options with stream only, got them without")
        return self

    @property
    def limit(self) -> int | None:
        """Most new tokens, if the client says so."""
        return self.max_tokens if self.max_tokens is not None else self.max_completion_tokens
