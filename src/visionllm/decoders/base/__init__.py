"""The contract of task decoders, what those share that find objects, and those that make pictures."""

from visionllm.decoders.base.contract import Decoder

__all__ = ["Decoder"]
