"""A server from its first to its last request: it says when it is ready, and ends without breaking an answer off."""

import asyncio
import atexit
import gc
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from visionllm.server.config import ServerConfig
from visionllm.server.service import Service

LOG = logging.getLogger("visionllm.server")
MAX_CONNECTIONS = 1024
LAST_WORDS_S = 0.3
"""How long clients whose requests are given up are told so."""


def listen(config: ServerConfig) -> socket.socket:
    """Take the address of a server, so that it is known before a model is loaded whether it is free.

    Raises:
        ValueError: If it is taken, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # a client that reads no more is let go by the kernel
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(2000 * config.send_s))
        taken.bind((config.host, config.port))
    except OSError as error:
        taken.close()
        why = f"{config.host} port {config.port}, got: {error.strerror}"
        raise ValueError(f"expected a free address, {why}; --port takes another one") from None
    return taken


def serve(app: FastAPI, taken: socket.socket, on_ready: Callable[[], None] = lambda: None) -> int:
    """Serve until a signal stops the server, or its engine dies.

    Args:
        app: From `create_app`.
        taken: From `listen`.
        on_ready: Called when requests are answered.

    Returns:
        The exit code: 0, or 1 if the engine died.
    """
    atexit.register(gc.freeze)  # else the interpreter looks through all of torch for garbage, for more than a second
    server = Server(app, on_ready)
    server.run(sockets=[taken])
    return server.code


class Server(uvicorn.Server):
    """A server that ends well.

    The first signal lets running requests finish, the second ends everything at once, and the death of the engine ends
    the process with an exit code that a supervisor sees.

    Args:
        app: From `create_app`.
        on_ready: Called when requests are answered.
        abort: Ends the process.
    """

    def __init__(
        self, app: FastAPI, on_ready: Callable[[], None] = lambda: None, abort: Callable[[int], None] = os._exit
    ) -> None:
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self.service: Service = app.state.service
        self.code = 0
        self._on_ready, self._abort = on_ready, abort
        self._signals = 0
        self._told = False
        self._drain: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal; what it means is done by `on_tick`, outside of the signal's own context."""
        self.service.draining = True
        self._signals += 1

    async def on_tick(self, counter: int) -> bool:
        """Look after the server ten times a second."""
        if not self._told:
            self._told = True
            self._on_ready()
        if self._signals > 1:
            LOG.warning("stopping at once")
            threading.Thread(target=self.service.engine.stop, daemon=True).start()
            self.force_exit = self.should_exit = True
            await asyncio.sleep(0.2)
            self._abort(1)
        elif self._signals and self._drain is None:
            self._drain = asyncio.create_task(self._finish())
        elif not self._signals and not self.service.engine.status.alive:
            LOG.error("the engine died")
            self.service.draining = True
            self.code, self.should_exit = 1, True
        return await super().on_tick(counter)

    async def _finish(self) -> None:
        """Let running requests finish, for so long as they are given, then leave."""
        most = self.service.config.drain_s
        end = time.monotonic() + most
        LOG.info("stopping: %d requests finish", self.service.open)
        engine = threading.Thread(target=self.service.engine.drain, args=(most,), daemon=True)
        engine.start()
        while time.monotonic() < end and (self.service.open or engine.is_alive()):
            await asyncio.sleep(0.02)
        if self.service.open or engine.is_alive():
            LOG.warning("stopping: %d requests are given up", self.service.open)
            threading.Thread(target=self.service.engine.stop, daemon=True).start()
            end = time.monotonic() + LAST_WORDS_S
            while time.monotonic() < end and self.service.open:
                await asyncio.sleep(0.02)
        self.should_exit = True
