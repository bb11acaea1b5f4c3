"""The page on the app of the server, behind its guard."""

import atexit
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import RedirectResponse, Response

from visionllm.server import login
from visionllm.server.service import Service


def add_page(app: FastAPI, service: Service) -> None:
    """Serve the page at `/page/`.

    Args:
        app: Of the server.
        service: What is served.

    Raises:
        ImportError: If gradio is not installed.
    """
    if find_spec("gradio") is None:
        raise ImportError("the page needs gradio: pip install 'visionllm-v2[page]', or serve with --no-page")
    uploads = Path(tempfile.mkdtemp(prefix="visionllm-page-")).resolve()
    atexit.register(shutil.rmtree, uploads, ignore_errors=True)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    from visionllm.server.page.front import Front  # lazy: gradio reads the environment when it is imported
    from visionllm.server.page.layout import gradio_app

    async def home() -> Response:
        return RedirectResponse(f"{login.PAGE}/", 307)

    async def about() -> dict[str, object]:
        return service.card.to_dict()

    app.include_router(login.router)
    app.add_api_route("/", home, include_in_schema=False)
    app.add_api_route(login.PAGE, home, include_in_schema=False)
    app.add_api_route(f"{login.PAGE}/about", about, include_in_schema=False)
    inner = gradio_app(service, uploads)
    app.mount(login.PAGE, Front(inner, uploads, inner.get_blocks().run_startup_events))
    service.paged = True
