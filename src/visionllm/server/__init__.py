"""HTTP: an API like OpenAI's for answers with boxes, masks, keypoints and pictures, behind a guard."""

from visionllm.server.app import create_app
from visionllm.server.card import ModelCard, card_of
from visionllm.server.config import ServerConfig, read_keys
from visionllm.server.logs import log_to
from visionllm.server.running import listen, serve

__all__ = ["ModelCard", "ServerConfig", "card_of", "create_app", "listen", "log_to", "read_keys", "serve"]
