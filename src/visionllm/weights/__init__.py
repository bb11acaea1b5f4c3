"""Reading and writing checkpoints, the published one included."""

from visionllm.weights.folder import load_model, save_model
from visionllm.weights.hub import fetch_model, is_hub_id
from visionllm.weights.loading import Loading
from visionllm.weights.lora import AdapterConfig, add_adapters, load_adapters, merge_adapters, save_adapters
from visionllm.weights.published_folder import is_published, load_published

__all__ = [
    "AdapterConfig",
    "Loading",
    "add_adapters",
    "fetch_model",
    "is_hub_id",
    "is_published",
    "load_adapters",
    "load_model",
    "load_published",
    "merge_adapters",
    "save_adapters",
    "save_model",
]
