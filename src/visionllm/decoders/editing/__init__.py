"""The editing decoder: a picture made anew as query groups ask."""

from visionllm.decoders.editing.decoder import EditingDecoder

__all__ = ["EditingDecoder"]
