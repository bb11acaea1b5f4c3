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


def create_app(engine: Backend, card: ModelCard, config: ServerConfig | None = None, *, page: bool = False) -> FastAPI:
    """Build the app of one model; what is mounted on it later stands behind the same guard.

    Args:
        engine: Does the work; it is running already, and not stopped here.
        card: What clients are told of the model.
        config: Limits.
        page: Whether there is a page for browsers at `/page/`.

    Raises:
        ImportError: If there is to be a page, and gradio is not installed.
    """
    service = Service(engine, card, config or ServerConfig())
    app = FastAPI(title="visionllm", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.service = service
    for part in (about, chat, images, perception):
        app.include_router(part.router)
    if page:
        from visionllm.server.page import add_page  # lazy: gradio takes seconds to import, and is an extra

        add_page(app, service)
    add_handlers(app)
    app.add_middleware(Guard, service=service)
    return app
