"""The board to draw on: gradio's editor, whose files are not opened by gradio, as it sets them no limits."""

from typing import Any

import gradio as gr
from gradio.components.image_editor import EditorData

SIZE = (320, 240)
COLOURS: list[str | tuple[str, float]] = [
    *("#111827", "#dc2626", "#f97316", "#facc15", "#16a34a"),
    *("#2563eb", "#7c3aed", "#ec4899", "#92400e", "#ffffff"),
]


def drawing_board(**more: Any) -> gr.ImageEditor:
    """Return an editor whose value for functions is what `files_of` returns.

    A method is replaced on the object, as gradio writes a file beside the source of every class of components.
    """
    board = gr.ImageEditor(
        sources=(),
        canvas_size=SIZE,
        fixed_canvas=True,
        layers=False,
        transforms=(),
        brush=gr.Brush(default_size=6, colors=COLOURS, default_color="#111827", color_mode="defaults"),
        format="png",
        buttons=[],
        **more,
    )
    vars(board)["preprocess"] = files_of
    return board


def files_of(payload: EditorData | None) -> list[str]:
    """Return the paths of the files of a drawing, the finished one first; none where nothing is drawn."""
    if payload is None:
        return []
    parts = (payload.composite, payload.background, *payload.layers)
    return [part.path for part in parts if part is not None]
