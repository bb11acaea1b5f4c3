"""Fields of OpenAI's API that this server lacks: taken where they ask for nothing, and else refused."""

from typing import Annotated, Any, Literal

from pydantic import Field

from visionllm.server.schema.base import Closed

No = Literal[False] | None
Zero = Annotated[float, Field(ge=0, le=0)] | None
Empty = Annotated[list[Any], Field(max_length=0)] | None
User = Annotated[str, Field(max_length=300)] | None
"""The caller's own name for who asks; nothing is done with it."""


class PlainText(Closed):
    """Answers are text, as they always are."""

    type: Literal["text"]


class Neutral(Closed):
    """What clients of language models send by habit, at the values at which it changes nothing."""

    frequency_penalty: Zero = None
    presence_penalty: Zero = None
    logprobs: No = None
    store: No = None
    tools: Empty = None
    tool_choice: Literal["none", "auto"] | None = None
    stop: Empty = None
    response_format: PlainText | None = None
    user: User = None
