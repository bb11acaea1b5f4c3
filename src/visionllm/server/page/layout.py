"""Where everything is on the page, and which button does what."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.routes import App
from gradio.themes import Base

from visionllm.engine.errors import EngineError
from visionllm.server.errors import ApiError
from visionllm.server.login import PAGE
from visionllm.server.page import boards, finding, making, pictures, talk
from visionllm.server.page.drawing import drawing_board
from visionllm.server.page.saving import saved
from visionllm.server.page.session import Session, Sessions
from visionllm.server.page.stage import stage
from visionllm.server.page.words import note, sentence
from visionllm.server.page.working import Place, View
from visionllm.server.service import Service

THRESHOLD = 0.3
"""Where the slider stands at first."""
MOST_WAITING = 64
_HERE = Path(__file__).parent
_MARKS = "(marks, ...rest) => [window.visionllm.said(), ...rest]"


def gradio_app(service: Service, uploads: Path) -> App:
    """Return gradio's app of the page.

    Args:
        service: What is served.
        uploads: Where files arrive.
    """
    blocks = Page(service, uploads).blocks()
    blocks.queue(default_concurrency_limit=16, max_size=MOST_WAITING, api_open=False)
    blocks.dev_mode = blocks.run_history = blocks.enable_monitoring = blocks.ssr_mode = False
    blocks.footer_links = []
    blocks.max_file_size = service.config.max_body_bytes
    blocks.state_session_capacity = MOST_WAITING
    blocks.custom_mount_path = PAGE
    blocks.allowed_paths, blocks.blocked_paths = [], ["/"]
    blocks.show_error = False
    blocks.auth = blocks.auth_message = blocks.favicon_path = None
    font = ("ui-sans-serif", "system-ui", "sans-serif")
    blocks.theme = Base(primary_hue="blue", neutral_hue="slate", font=font, font_mono=("ui-monospace",)).set(
        body_text_color_subdued="*neutral_500",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )
    blocks.css = (_HERE / "page.css").read_text(encoding="utf-8")
    blocks.js = ""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    blocks.head = f'<meta name="color-scheme" content="light dark"><script>{script}</script>'
    blocks.head_paths, blocks.css_paths = [], []
    blocks._set_html_css_theme_variables()
    blocks.config = blocks.get_config_file()
    blocks.validate_queue_settings()
    return App.create_app(blocks, app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None})


class Page:
    """Parts and their wires.

    Args:
        service: What is served.
        uploads: Where files arrive.
    """

    def __init__(self, service: Service, uploads: Path) -> None:
        self._service, self._uploads = service, uploads
        self._sessions = Sessions()
        self._examples = itertools.count()
        self._views: list[Any] = []

    def blocks(self) -> gr.Blocks:
        """Return the page."""
        card = self._service.card
        with gr.Blocks(title=f"visionllm – {card.name}", analytics_enabled=False, fill_width=True) as page:
            gr.HTML(
                f"<h1>visionllm</h1>{boards.about(card, self._service.config.max_body_bytes)}",
                elem_id="vl-head",
                padding=False,
            )
            note_board = gr.HTML(note("Open a picture, or draw one."), elem_id="vl-told", padding=False)
            self._marks = gr.Textbox(visible="hidden", elem_id="vl-said")
            with gr.Row(elem_id="vl-main"):
                with gr.Column(scale=6, min_width=300):
                    stage_board = gr.HTML(stage(Session()), elem_id="vl-left", padding=False)
                    self._slider()
                    with gr.Row():
                        self._upload = gr.UploadButton(
                            "Open a picture", type="filepath", elem_id="vl-open", variant="primary", min_width=120
                        )
                        self._example = gr.Button("Take an example", elem_id="vl-example", min_width=120)
                    self._draw()
                with gr.Column(scale=5, min_width=300):
                    chat_board, made_board, sheet_board = self._tabs()
            self._views = [stage_board, note_board, chat_board, made_board, sheet_board, self._question]
            self._wire()
        return page

    def _slider(self) -> None:
        with gr.Column(elem_id="vl-after"):
            self._threshold = gr.Slider(
                0, 1, THRESHOLD, step=0.01, label="Lowest score that is shown", elem_id="vl-threshold"
            )
            with gr.Row():
                self._saves = {
                    kind: gr.Button(f"Save {kind.upper()}", size="sm", elem_id=f"vl-save-{kind}", min_width=80)
                    for kind in ("png", "json", "coco")
                }
        self._carrier = gr.Textbox(visible="hidden", elem_id="vl-carrier")

    def _draw(self) -> None:
        with gr.Accordion("Draw your own picture", open=False, elem_id="vl-draw"):
            gr.HTML(
                '<p class="vl-quiet">Draw on the white paper. Colours and the size of the brush are at its left.</p>',
                padding=False,
            )
            self._drawing = drawing_board(label="Your own picture", show_label=False, elem_id="vl-board")
            self._drawn = gr.Button("Put the drawing on the table", variant="primary", elem_id="vl-drawn")

    def _tabs(self) -> tuple[gr.HTML, gr.HTML, gr.HTML]:
        with gr.Tabs():
            with gr.Tab("Ask"):
                chat_board = gr.HTML(boards.conversation(Session()), elem_id="vl-talk", padding=False)
                self._question = gr.Textbox(
                    label="Question", placeholder="What is left of the house?", lines=1, elem_id="vl-question"
                )
                with gr.Row():
                    self._ask = gr.Button("Ask", variant="primary", elem_id="vl-ask", min_width=90)
                    self._stop = gr.Button("Stop", elem_id="vl-stop", min_width=90)
                    self._restart = gr.Button("Start anew", elem_id="vl-restart", min_width=90)
            with gr.Tab("Find"):
                sheet_board = self._find()
            with gr.Tab("Make"):
                made_board = self._make()
        return chat_board, made_board, sheet_board

    def _find(self) -> gr.HTML:
        tasks = self._service.card.tasks
        choices = [(words, task) for task, words in finding.TASKS.items() if task in tasks]
        self._task = gr.Radio(
            choices, value=choices[0][1] if choices else None, label="What to find", elem_id="vl-task"
        )
        self._names = gr.Textbox(
            label="Names between commas, or a phrase", elem_id="vl-names", placeholder="fish, boat"
        )
        self._keypoints = gr.Textbox(
            label="Keypoints between commas; none takes the usual ones", elem_id="vl-keypoints"
        )
        self._find_button = gr.Button("Find", variant="primary", elem_id="vl-find", interactive=bool(choices))
        with gr.Accordion("Find more like this", open=False, elem_id="vl-samples"):
            sheet_board = gr.HTML(boards.sheet(Session()), padding=False)
            self._label = gr.Textbox(label="Name of the example (not needed)", elem_id="vl-label")
            with gr.Row():
                self._add = gr.Button("Add what is marked", elem_id="vl-add", min_width=120)
                self._clear = gr.Button("Clear the sheet", elem_id="vl-clear", min_width=120)
            self._more = gr.Button("Find more like these", variant="primary", elem_id="vl-more")
        return sheet_board

    def _make(self) -> gr.HTML:
        tasks = self._service.card.tasks
        self._words = gr.Textbox(
            label="What it should show, or what should change",
            elem_id="vl-words",
            placeholder="a red star above a boat",
        )
        with gr.Row():
            self._seed = gr.Number(0, label="Seed", precision=0, elem_id="vl-seed")
            self._steps = gr.Slider(1, making.MOST_STEPS, 20, step=1, label="Steps", elem_id="vl-steps")
        with gr.Row():
            can_make, can_edit = "generate" in tasks, "edit" in tasks
            self._generate = gr.Button("Make a new one", variant="primary", elem_id="vl-generate", interactive=can_make)
            self._edit = gr.Button("Change the picture", elem_id="vl-edit", interactive=can_edit)
        if not (can_make and can_edit):
            gr.HTML('<p class="vl-quiet">This model does not do all of this; what it cannot do is greyed out.</p>')
        board = gr.HTML(boards.made(Session()), padding=False)
        self._use = gr.Button("Put it on the table", elem_id="vl-use")
        return board

    def _wire(self) -> None:
        async def opened(place: Place, path: Any) -> AsyncGenerator[View, None]:
            async for view in pictures.from_file(place, path, self._uploads):
                yield view

        async def drew(place: Place, paths: Any) -> AsyncGenerator[View, None]:
            async for view in pictures.from_drawing(place, paths, self._uploads):
                yield view

        self._on(self._upload.upload, opened, [self._upload])
        self._on(self._example.click, self._next_example, [])
        self._on(self._drawn.click, drew, [self._drawing])
        self._on(self._use.click, pictures.from_made, [])
        asked = [self._marks, self._question]
        running = [self._on(begin, _ask, asked, js=_MARKS) for begin in (self._ask.click, self._question.submit)]
        found = [self._marks, self._task, self._names, self._keypoints]
        running.append(self._on(self._find_button.click, _find, found, js=_MARKS))
        self._on(self._add.click, _add, [self._marks, self._label], js=_MARKS)
        self._on(self._clear.click, finding.clear_samples, [])
        running.append(self._on(self._more.click, finding.find_more, []))
        numbers = [self._words, self._seed, self._steps]
        running.append(self._on(self._generate.click, making.make, numbers))
        running.append(self._on(self._edit.click, _edit, [self._marks, *numbers], js=_MARKS))
        self._on(self._restart.click, talk.restart, [])
        self._on(self._stop.click, _stopped, [], cancels=running)
        self._threshold.change(None, [self._threshold], js="(lowest) => { window.visionllm.threshold(lowest); }")
        for kind, button in self._saves.items():
            self._save(kind, button)

    async def _next_example(self, place: Place) -> AsyncGenerator[View, None]:
        async for view in pictures.example(place, next(self._examples) % 1000):
            yield view

    def _on(self, begin: Callable[..., Any], work: Callable[..., Any], inputs: list[Any], **more: Any) -> Any:
        """Let an event begin some work whose views go to the boards."""

        async def run(request: gr.Request, *given: Any) -> AsyncGenerator[list[Any], None]:
            place = self._place(request)
            try:
                async for view in work(place, *given):
                    yield _updates(view)
            except (ApiError, EngineError, ValueError) as error:
                chat = boards.conversation(place.session)
                yield _updates(View(note=note(sentence(error), wrong=True), chat=chat))

        return begin(run, inputs, self._views, show_progress="hidden", api_visibility="private", **more)

    def _save(self, kind: str, button: gr.Button) -> None:
        async def run(threshold: float, request: gr.Request) -> tuple[str, Any]:
            session = self._place(request).session
            try:
                return await asyncio.to_thread(saved, session, kind, threshold), gr.skip()
            except ValueError as error:
                return "", note(sentence(error), wrong=True)

        outputs = [self._carrier, self._views[1]]
        button.click(run, [self._threshold], outputs, show_progress="hidden", api_visibility="private").then(
            None, [self._carrier], js="(file) => { window.visionllm.save(file); }"
        )

    def _place(self, request: gr.Request) -> Place:
        scope = request.request.scope if request.request is not None else {}
        tenant = str(scope.get("state", {}).get("tenant", ""))
        return Place(self._service, self._sessions.of(tenant, str(request.session_hash)), tenant)


def _updates(view: View) -> list[Any]:
    """Return what gradio is told: parts that are None stay as they are."""
    return [gr.skip() if part is None else part for part in view]


async def _ask(place: Place, marks: str, words: str) -> AsyncGenerator[View, None]:
    async for view in talk.ask(place, words, marks):
        yield view


async def _find(place: Place, marks: str, task: str, words: str, keypoints: str) -> AsyncGenerator[View, None]:
    async for view in finding.find(place, task, words, keypoints, marks):
        yield view


async def _add(place: Place, marks: str, label: str) -> AsyncGenerator[View, None]:
    async for view in finding.add_sample(place, label, marks):
        yield view


async def _edit(place: Place, marks: str, words: str, seed: float, steps: float) -> AsyncGenerator[View, None]:
    async for view in making.edit(place, words, seed, steps, marks):
        yield view


async def _stopped(place: Place) -> AsyncGenerator[View, None]:
    yield View(chat=boards.conversation(place.session), note=note("Stopped."))
