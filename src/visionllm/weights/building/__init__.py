"""A model from public parts: a vision encoder, a language model, a detector, diffusion models."""

from visionllm.weights.building.build import build_model
from visionllm.weights.building.design import BuildOptions, Parts
from visionllm.weights.building.summary import Count, PartSummary, Summary

__all__ = ["BuildOptions", "Count", "PartSummary", "Parts", "Summary", "build_model"]
