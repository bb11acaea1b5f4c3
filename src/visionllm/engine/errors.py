"""What can go wrong with a job, by name; each is an outcome of that job alone."""


class ContextLengthExceeded(ValueError):
    """A conversation is longer than what the model can read.

    Args:
        tokens: Ids of the conversation.
        context: Most ids that there is room for.
    """

    def __init__(self, tokens: int, context: int) -> None:
        super().__init__(f"expected a conversation of at most {context} tokens, got {tokens}")
        self.tokens, self.context = tokens, context


class EngineError(Exception):
    """A job has no result."""


class QueueFull(EngineError):
    """Too many jobs wait already.

    Args:
        retry_after_s: Whole seconds after which one of them has probably made room.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"expected room in the queue, got none; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Draining(EngineError):
    """The engine finishes what it has and takes nothing new."""


class EngineDied(EngineError):
    """The engine was stopped, or its thread ended on an error of its own."""


class DeadlinePassed(EngineError):
    """The job was not done in time."""


class Cancelled(EngineError):
    """Somebody cancelled the job."""


class SlowReader(EngineError):
    """Events of the job came faster than they were read."""


class NotFinite(EngineError):
    """The model computed what is no number: in logits, states, boxes, keypoints or pictures."""


class JobFailed(EngineError):
    """The model raised something; the cause is chained, and its text is for the log only."""


def as_engine_error(error: Exception) -> EngineError:
    """Return an error as one of the engine's; others are chained."""
    if isinstance(error, EngineError):
        return error
    if isinstance(error, FloatingPointError):
        wrapped: EngineError = NotFinite(str(error))
    else:
        wrapped = JobFailed("the model could not finish the job")
    wrapped.__cause__ = error
    return wrapped
