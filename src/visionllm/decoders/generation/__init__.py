"""The generation decoder: new pictures for query groups."""

from visionllm.decoders.generation.decoder import GenerationDecoder

__all__ = ["GenerationDecoder"]
