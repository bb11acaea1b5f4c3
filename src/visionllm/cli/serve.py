"""`visionllm serve`: an API like OpenAI's for answers with boxes, masks, keypoints and pictures."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visionllm.cli.options import Device, load
from visionllm.cli.output import console

if TYPE_CHECKING:
    from visionllm.predictor import VisionLLM
    from visionllm.server import ModelCard, ServerConfig

Served = Annotated[str | None, typer.Argument(metavar="[MODEL]", help="A folder; the embedded model by default.")]
Keys = Annotated[Path | None, typer.Option("--api-key-file", help="A file with an API key a line; requests need one.")]
Hosts = Annotated[
    list[str] | None, typer.Option("--allow-host", help="A name that requests may call this server by, beside its own.")
]
Origins = Annotated[
    list[str] | None, typer.Option("--allow-origin", help="A web page elsewhere that may ask: https://example.org.")
]


def serve(
    model: Served = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is everybody's.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    api_key_file: Keys = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let others in even without a key.")] = False,
    name: Annotated[
        str | None, typer.Option(help="What requests call the model; its folder's name by default.")
    ] = None,
    allow_host: Hosts = None,
    allow_origin: Origins = None,
    max_body: Annotated[float, typer.Option(min=0.1, help="Largest body of a request, in MB.")] = 20,
    max_images: Annotated[int, typer.Option(min=1, help="Most pictures of a request.")] = 8,
    max_pixels: Annotated[float, typer.Option(min=0.01, help="Most pixels of its pictures, in millions.")] = 89.478485,
    max_queue: Annotated[int, typer.Option(min=0, help="Most jobs that wait.")] = 64,
    max_running: Annotated[int, typer.Option(min=1, help="Most jobs that are worked on at once.")] = 16,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds a job may take, waiting included.")] = 120,
    drain: Annotated[float, typer.Option(min=0.1, help="Seconds that running requests get at the end.")] = 30,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Whether there is a page for browsers.")] = True,
    device: Device = None,
) -> None:
    """Serve a model over HTTP, as OpenAI's API does and with more.

    visionllm serve

    visionllm serve my-model --host 0.0.0.0 --api-key-file keys.txt --allow-host example.org

    Open http://127.0.0.1:8000 in a browser for a page to draw and ask on; --no-page serves the API alone.

    Without a key only this machine is listened to. SIGTERM lets running requests finish; a second one ends at once.
    """
    _needs_the_extra()
    from visionllm.processing import PictureLimits
    from visionllm.server import ServerConfig, card_of, create_app, listen, read_keys
    from visionllm.server import serve as run

    config = ServerConfig(
        host=host,
        port=port,
        keys=() if api_key_file is None else read_keys(api_key_file),
        insecure=insecure,
        allowed_hosts=tuple(allow_host or ()),
        allowed_origins=tuple(allow_origin or ()),
        max_body_bytes=round(max_body * 1e6),
        max_images=max_images,
        pictures=PictureLimits(max_pixels=round(max_pixels * 1e6)),
        deadline_s=deadline,
        drain_s=drain,
    )
    paged = page and _has_page()
    taken = listen(config)
    log_to_errors()
    predictor = load(model, device)
    card = card_of(predictor, name or Path(model or "tiny").resolve().name)
    engine = start_engine(predictor, max_queue=max_queue, max_running=max_running, deadline_s=deadline)
    address = _address(host, taken.getsockname()[1])
    try:
        app = create_app(engine, card, config, page=paged)
        where = f"{address}/page/" if paged else "none"
        code = run(app, taken, lambda: _summary(card, config, address, str(predictor.model.device), where))
    finally:
        engine.stop()
    raise typer.Exit(code)


def log_to_errors() -> None:
    """Let the server write its log to standard error."""
    from visionllm.server import log_to

    log_to(sys.stderr)


def start_engine(model: "VisionLLM", **limits: Any) -> Any:
    """Return an engine that runs."""
    from visionllm.engine import Engine, EngineConfig

    engine = Engine(model, EngineConfig(**limits))
    engine.start()
    return engine


def _needs_the_extra() -> None:
    """Say how to get what is missing, before anything is done.

    Raises:
        ImportError: If a library of the extra is not installed.
    """
    from importlib.util import find_spec

    needed = ("fastapi", "uvicorn", "prometheus_client", "python_multipart", "diffusers")
    missing = [name for name in needed if not find_spec(name)]
    if missing:
        raise ImportError(f"visionllm serve needs {', '.join(missing)}: pip install 'visionllm-v2[serve]'")


def find_page() -> bool:
    """Tell whether what the page needs is installed."""
    from importlib.util import find_spec

    return find_spec("gradio") is not None


def _has_page() -> bool:
    """Tell whether there can be a page; if not, say how to get what is missing."""
    found = find_page()
    if not found:
        told = "notice: the page needs gradio: pip install 'visionllm-v2[page]'; only the API is served"
        console(errors=True).print(told, style="yellow", markup=False, soft_wrap=True)
    return found


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _summary(card: "ModelCard", config: "ServerConfig", address: str, device: str, page: str) -> None:
    """Say what is served, where, and who may ask."""
    from rich.table import Table

    table = Table("", "", box=None, pad_edge=False, show_header=False)
    keys = f"{len(config.keys)} API keys" if config.keys else "no API key"
    who = "this machine only" if config.local else "everybody who can reach this machine"
    rows = {
        "model": f"{card.name} on {device}, {card.context} tokens",
        "address": f"{address}/v1",
        "page": page,
        "tasks": ", ".join(("chat", *card.tasks)),
        "who may ask": f"{who}, {keys}",
        "known as": ", ".join(sorted(config.hosts)),
        "a request": f"{config.max_body_bytes / 1e6:g} MB, {config.max_images} pictures, {config.deadline_s:g} s",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    shown = console()
    shown.print(table)
    for notice in card.notices:
        shown.print(f"notice: {notice}", style="yellow")
    if not config.local and not config.keys:
        shown.print("notice: --insecure lets everybody in", style="yellow")
