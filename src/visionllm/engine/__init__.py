"""The engine: continuous batching, caches and decoders' work over one model, for many jobs at once."""

from visionllm.engine.config import EngineConfig, EngineStatus
from visionllm.engine.engine import Engine
from visionllm.engine.errors import (
    Cancelled,
    ContextLengthExceeded,
    DeadlinePassed,
    Draining,
    EngineDied,
    EngineError,
    JobFailed,
    NotFinite,
    QueueFull,
    SlowReader,
)
from visionllm.engine.events import Event, Failed, Finished, Found, Progress, TextPiece
from visionllm.engine.jobs import Creation, Job, Perception
from visionllm.engine.ticket import Ticket

__all__ = [
    "Cancelled",
    "ContextLengthExceeded",
    "Creation",
    "DeadlinePassed",
    "Draining",
    "Engine",
    "EngineConfig",
    "EngineDied",
    "EngineError",
    "EngineStatus",
    "Event",
    "Failed",
    "Finished",
    "Found",
    "Job",
    "JobFailed",
    "NotFinite",
    "Perception",
    "Progress",
    "QueueFull",
    "SlowReader",
    "TextPiece",
    "Ticket",
]
