"""Reading and writing checkpoints, the published one included."""

from visionllm.weights.folder import load_model, save_model

__all__ = ["load_model", "save_model"]
