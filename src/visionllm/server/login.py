"""A key in a browser: a form takes it once, and a cookie that no script reads stands for it afterwards."""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from visionllm.server.config import digest_of
from visionllm.server.errors import ApiError
from visionllm.server.service import Service

PAGE = "/page"
LOGIN = f"{PAGE}/login"
COOKIE = "visionllm_page"
LONGEST = 4096
"""Most bytes of a filled form."""
_FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><title>visionllm</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:24rem;margin:15vh auto;padding:0 1rem}}
input,button{{font:inherit;width:100%;box-sizing:border-box;padding:.6rem;margin:.3rem 0}}</style>
<h1>visionllm</h1><form method="post" action="{action}"><label>API key
<input name="key" type="password" autocomplete="current-password" required autofocus></label>
<button>Open the page</button></form><p role="alert">{told}</p></html>"""
_POLICY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}

router = APIRouter(include_in_schema=False)


def pass_of(salt: bytes, digest: bytes) -> str:
    """Return what the cookie of a key holds; it tells nothing about the key and ends with the server.

    Args:
        salt: Of the server, random.
        digest: SHA-256 of the key.
    """
    return hmac.new(salt, b"page" + digest, sha256).hexdigest()


def key_behind(cookies: Sequence[str], salt: bytes, keys: Sequence[bytes]) -> bytes:
    """Return the digest of the key that a cookie stands for, or nothing; all keys are compared, whichever fits.

    Args:
        cookies: The `Cookie` headers of a request.
        salt: Of the server.
        keys: Digests of the keys that are known.
    """
    jar = SimpleCookie()
    try:
        for header in cookies:
            jar.load(header)
    except CookieError:
        return b""
    given = jar[COOKIE].value if COOKIE in jar else ""
    found = b""
    for digest in keys:
        if hmac.compare_digest(given.encode("utf-8", "replace"), pass_of(salt, digest).encode()):
            found = digest
    return found


def is_page(path: str) -> bool:
    """Tell whether a path belongs to the page.

    >>> is_page("/page/assets/a.js"), is_page("/pages")
    (True, False)
    """
    return path == PAGE or path.startswith(f"{PAGE}/")


@router.get(LOGIN)
async def form() -> Response:
    """Ask for a key."""
    return HTMLResponse(_FORM.format(action=LOGIN, told=""), headers=_POLICY)


@router.post(LOGIN)
async def take(request: Request) -> Response:
    """Take a key, and give a cookie for it."""
    service: Service = request.app.state.service
    if int(request.headers.get("content-length", LONGEST + 1)) > LONGEST:
        raise ApiError(413, f"expected a form of at most {LONGEST} bytes, got more", code="request_too_large")
    async with request.form(max_files=0, max_fields=4) as filled:
        given = filled.get("key")
    digest, found = digest_of(given.strip() if isinstance(given, str) else ""), b""
    for own in service.config.keys:
        if hmac.compare_digest(digest, own):
            found = own
    if not found:
        told = "This key is not known here. Look for a blank too many, or ask whoever runs the server."
        return HTMLResponse(_FORM.format(action=LOGIN, told=told), 401, headers=_POLICY)
    response = RedirectResponse(f"{PAGE}/", 303)
    secure = request.url.scheme == "https"
    value = pass_of(service.salt, found)
    response.set_cookie(COOKIE, value, path=PAGE, httponly=True, samesite="strict", secure=secure)
    return response
