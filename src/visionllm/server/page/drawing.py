"""The board to draw on: gradio's editor, of which only the finished drawing is taken, as bytes, and not many of them."""

from collections import OrderedDict
from typing import Any

import gradio as gr
from gradio.components.base import server
from gradio.components.image_editor import AcceptBlobs, EditorData

SIZE = (320, 240)
COLOURS = ["#111827", "#dc2626", "#f97316", "#facc15", "#16a34a", "#2563eb", "#7c3aed", "#ec4899", "#92400e", "#ffffff"]
MOST_HELD = 32
"""Drawings on their way from a browser to a request."""


class Held:
    """Finished drawings until they are asked for; those of the earliest make room."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, bytes] = OrderedDict()

    def accept(self, data: AcceptBlobs) -> None:
        """Keep a finished drawing; backgrounds and layers are parts of it, and left out."""
        name, files = data.data["id"], data.files
        if data.data["type"] == "composite" and len(files) == 1 and isinstance(name, str) and len(name) <= 100:
            self._held[name] = files[0][1]
            while len(self._held) > MOST_HELD:
                self._held.popitem(last=False)

    def take(self, payload: EditorData | None) -> bytes | None:
        """Return the file of a drawing, or None where nothing is drawn; paths are never followed."""
        return self._held.pop(payload.id, None) if payload is not None and payload.id is not None else None


def drawing_board(**more: Any) -> gr.ImageEditor:
    """Return an editor whose value for functions is the file of the drawing, unopened, or None.

    Two methods are replaced on the object, as gradio writes a file beside the source of every class of components.
    """
    board = gr.ImageEditor(
        sources=(),
        canvas_size=SIZE,
        fixed_canvas=True,
        layers=False,
        transforms=(),
        brush=gr.Brush(default_size=6, colors=COLOURS, default_color=COLOURS[0], color_mode="defaults"),
        format="png",
        buttons=[],
        **more,
    )
    held = Held()

    @server
    def accept_blobs(data: AcceptBlobs) -> None:
        held.accept(data)

    vars(board).update(accept_blobs=accept_blobs, preprocess=held.take)
    return board
