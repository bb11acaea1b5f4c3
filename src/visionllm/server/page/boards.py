"""The other boards of the page as HTML: the conversation, what was made, the sheet of examples, the model."""

from html import escape

from PIL import Image

from visionllm.rendering import draw_regions
from visionllm.server.card import ModelCard
from visionllm.server.page.session import PREVIEW, Session, Turn, data_url
from visionllm.types import Example

THUMB = 96
ENVELOPE = 4096
"""Bytes that a form has around its file."""
_DOES = {
    "detection": "finds and masks things",
    "pose": "finds keypoints",
    "generation": "makes pictures",
    "editing": "changes pictures",
}
"""What a model can do with a decoder."""
_HELLO = (
    '<p class="vl-quiet">Ask about the picture: “What is left of the house?”, “Detect every red star.” '
    "What you mark or pick in the picture goes with the question.</p>"
)


def conversation(session: Session) -> str:
    """Return the turns of a conversation; names in the last answer belong to shapes of the same span."""
    last = len(session.turns) - 1
    said = "".join(_turn(turn, linked=number == last) for number, turn in enumerate(session.turns))
    return f'<div class="vl-chat" role="log" aria-live="polite" aria-label="Conversation">{said or _HELLO}</div>'


def _turn(turn: Turn, *, linked: bool) -> str:
    thumb = f'<img src="{turn.thumb}" alt="the picture of this question">' if turn.thumb else ""
    answer = _linked(turn) if linked else escape(turn.answer)
    return (
        f'<div class="vl-said vl-user">{thumb}<span>{escape(turn.words)}</span></div>'
        f'<div class="vl-said vl-model">{answer or "…"}</div>'
    )


def _linked(turn: Turn) -> str:
    """Return an answer in which words that found something can be pointed at."""
    found = () if turn.routed is None else turn.routed.instances
    spans = sorted({thing.span for thing in found if thing.span is not None})
    text, done, parts = turn.answer, 0, []
    for start, end in spans:
        if done <= start < end <= len(text):
            parts.append(escape(text[done:start]))
            name = escape(text[start:end])
            parts.append(f'<mark class="vl-name" tabindex="0" data-span="{start}-{end}">{name}</mark>')
            done = end
    return "".join(parts) + escape(text[done:])


def thumb_of(image: Image.Image) -> str:
    """Return a picture as small as it stands beside a question."""
    return data_url(image, THUMB)


def made(session: Session) -> str:
    """Return the picture that was made last."""
    if session.made is None:
        return '<p class="vl-quiet" id="vl-made">What is made appears here.</p>'
    return f'<img id="vl-made" class="vl-made" src="{data_url(session.made, PREVIEW)}" alt="the picture that was made">'


def sheet(session: Session) -> str:
    """Return the sheet of examples."""
    if not session.samples:
        return (
            '<p class="vl-quiet" id="vl-sheet">No examples yet. Mark a thing on a picture and add it; '
            "then open another picture and look for more like it.</p>"
        )
    cards = "".join(_card(number, sample) for number, sample in enumerate(session.samples, start=1))
    return f'<div id="vl-sheet" class="vl-sheet">{cards}</div>'


def _card(number: int, sample: Example) -> str:
    shown = data_url(draw_regions(sample.image, [sample.region]), 240)
    name = escape(sample.label or f"example {number}")
    return f'<figure><img src="{shown}" alt="{name}, marked"><figcaption>{name}</figcaption></figure>'


def about(card: ModelCard, most: int) -> str:
    """Return a line that says which model runs and what it knows, and for the browser the most bytes of a file."""
    does = ", ".join(["answers questions", *(escape(_DOES.get(decoder, decoder)) for decoder in card.decoders)])
    told = [f"<strong>{escape(card.name)}</strong> {does}", f"reads up to {card.context} tokens"]
    told += [escape(notice).rstrip(".") for notice in card.notices]
    told.append('<a href="about" target="_blank" rel="noopener">all of it as JSON</a>')
    return f'<p class="vl-about" data-most="{most - ENVELOPE}" data-created="{card.created}">{" · ".join(told)}</p>'
