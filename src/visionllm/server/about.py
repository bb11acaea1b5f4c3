"""What a server says about itself: `/v1/models`, `/health`, `/ready`, `/metrics`."""

from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from visionllm.server.reading import StrictRoute
from visionllm.server.service import Service

router = APIRouter(route_class=StrictRoute)


@router.get("/v1/models")
async def models(request: Request) -> dict[str, Any]:
    """List the one model that is served."""
    service: Service = request.app.state.service
    return {"object": "list", "data": [service.card.to_dict()]}


@router.get("/v1/models/{name}")
async def model(name: str, request: Request) -> dict[str, Any]:
    """Describe the model."""
    service: Service = request.app.state.service
    service.check_model(name)
    return service.card.to_dict()


@router.head("/health", include_in_schema=False)
@router.get("/health")
async def health(request: Request) -> Response:
    """Tell whether the model works; the one path that needs no key."""
    service: Service = request.app.state.service
    alive = service.engine.status.alive
    return JSONResponse({"status": "ok" if alive else "dead"}, 200 if alive else 503)


@router.get("/ready")
async def ready(request: Request) -> Response:
    """Tell whether new requests are taken."""
    service: Service = request.app.state.service
    ready = service.ready
    return JSONResponse({"status": "ready" if ready else "not ready"}, 200 if ready else 503)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return numbers for Prometheus."""
    service: Service = request.app.state.service
    return Response(service.metrics.page(), media_type=CONTENT_TYPE_LATEST)
