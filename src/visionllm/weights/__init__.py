"""Reading and writing checkpoints, the published one included."""

from visionllm.weights.folder import load_model, save_model
from visionllm.weights.loading import Loading
from visionllm.weights.lora import AdapterConfig, add_adapters, load_adapters, merge_adapters, save_adapters

__all__ = [
    "AdapterConfig",
    "Loading",
    "add_adapters",
    "load_adapters",
    "load_model",
    "merge_adapters",
    "save_adapters",
    "save_model",
]
