"""What a server lets in, and how much of it."""

import math
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from os import PathLike
from pathlib import Path

from visionllm.processing import PictureLimits

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
EVERY_ADDRESS = ("0.0.0.0", "[::]")
LEAST_KEY = 16
"""Fewest characters of a key."""


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Limits of a server.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        keys: SHA-256 of each API key, as `read_keys` returns them; without any, everybody on this machine may ask.
        insecure: Listen on other addresses than this machine's even without a key.
        allowed_hosts: What the `Host` header may say beside the names of this machine, without a port.
        allowed_origins: Web pages elsewhere whose scripts may ask, such as `https://example.org`.
        max_body_bytes: Largest body of a request.
        body_idle_s: Seconds without a byte after which a body is given up.
        body_s: Seconds after which a body is given up that is still not whole.
        max_requests: Most requests that are open at once.
        max_held_bytes: Most bytes of the bodies of all open requests.
        max_images: Most pictures of a request.
        max_messages: Most messages of a conversation.
        max_depth: Deepest nesting of JSON.
        max_made_side: Longest side of a picture that is made, in pixels; None is twice that of the model's own ones.
        pictures: What may be opened.
        max_held_pixels: Most pixels of the pictures of all open requests.
        deadline_s: Seconds that a job may take, waiting included.
        send_s: Seconds a client may take to accept a piece of an answer.
        drain_s: Seconds that running requests are given when the server is told to stop.

    Raises:
        ValueError: If a number is out of its range, a host or origin has another form, or the server would listen to
            everybody without a key.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    keys: tuple[bytes, ...] = ()
    insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: int = 20_000_000
    body_idle_s: float = 5.0
    body_s: float = 60.0
    max_requests: int = 256
    max_held_bytes: int = 400_000_000
    max_images: int = 8
    max_messages: int = 64
    max_depth: int = 32
    max_made_side: int | None = None
    pictures: PictureLimits = field(default_factory=PictureLimits)
    max_held_pixels: int = 400_000_000
    deadline_s: float = 120.0
    send_s: float = 20.0
    drain_s: float = 30.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, int | float) and name not in ("port", "insecure") and not 0 < value < math.inf:
                raise ValueError(f"expected {name} above 0, got {value}")
        if not 0 <= self.port < 65536:
            raise ValueError(f"expected a port in [0, 65536), got {self.port}")
        if not (self.local or self.keys or self.insecure):
            raise ValueError(
                f"expected an API key where others can reach the server ({self.host}), got none: give --api-key-file, "
                "or --insecure to let everybody in"
            )
        for origin in self.allowed_origins:
            if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
                raise ValueError(f"expected an origin such as https://example.org, got {origin!r}")
        for host in self.allowed_hosts:
            if not host or "/" in host or "*" in host:
                raise ValueError(f"expected the name of a host such as example.org, got {host!r}")

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def hosts(self) -> frozenset[str]:
        """What the `Host` header may say, without a port."""
        own = f"[{self.host}]" if ":" in self.host else self.host
        named = () if own in EVERY_ADDRESS else (own,)
        return frozenset(host.lower() for host in (*LOOPBACK, *named, *self.allowed_hosts))


def digest_of(key: str | bytes) -> bytes:
    """Return what is kept of a key."""
    return sha256(key.encode() if isinstance(key, str) else key).digest()


def read_keys(path: str | PathLike[str]) -> tuple[bytes, ...]:
    """Read a file with an API key a line; blank lines and those that begin with `#` don't count.

    Returns:
        The SHA-256 of each key; keys themselves are not kept.

    Raises:
        ValueError: If there is no such file, no key in it, or one is short or holds blanks. No message repeats a key.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"expected a text file with an API key a line, got {str(path)!r}") from None
    keys = []
    for number, line in enumerate(lines, start=1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if len(key) < LEAST_KEY or not key.isascii() or any(letter.isspace() for letter in key):
            raise ValueError(
                f"line {number} of {str(path)!r}: expected a key of at least {LEAST_KEY} letters, digits and signs "
                "without blanks, got another one"
            )
        keys.append(digest_of(key))
    if not keys:
        raise ValueError(f"expected an API key in {str(path)!r}, got none")
    return tuple(keys)
