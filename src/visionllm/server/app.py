"""The whole app: routes behind the guard."""

from fastapi import FastAPI

from visionllm import __version__
from visionllm.server import about, chat, images, perception
from visionllm.server.backend import Backend
from visionllm.server.card import ModelCard
from visionllm.server.config import ServerConfig
from visionllm.server.errors import add_handlers
from visionllm.server.guard import Guard
from visionllm.server.service import Service


def create_app(engine: Backend, card: ModelCard, config: ServerConfig | None = None) -> FastAPI:
    """Build the app of one model; what is mounted on it later stands behind the same guard.

    Args:
        engine: Does the work; it is running already, and not stopped here.
        card: What clients are told of the model.
        config: Limits.
    """
    service = Service(engine, card, config or ServerConfig())
    app = FastAPI(title="visionllm", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.service = service
    for part in (about, chat, images, perception):
        app.include_router(part.router)
    add_handlers(app)
    app.add_middleware(Guard, service=service)
    return app
