"""The contract of task decoders, and what those that find objects share."""

from visionllm.decoders.base.contract import Decoder

__all__ = ["Decoder"]
