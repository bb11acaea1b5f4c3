"""Reading and writing checkpoints, the published one included."""

from visionllm.weights.folder import load_model, save_model
from visionllm.weights.hub import fetch_model, is_hub_id
from visionllm.weights.published_folder import is_published, load_published

__all__ = ["fetch_model", "is_hub_id", "is_published", "load_model", "load_published", "save_model"]
