"""A page for browsers: ask about pictures, draw them, point at things, look at what was found."""

from visionllm.server.page.mount import add_page

__all__ = ["add_page"]
