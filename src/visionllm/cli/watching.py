"""Progress bars on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@contextmanager
def watched(title: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Show how many pictures were gone through, and how many questions were answered about them.

    Args:
        title: What goes on.
        total: How many pictures there are to be; those beyond it are not counted.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)

        def advance(pictures: int, questions: int) -> None:
            bar.update(task, completed=min(pictures, total), description=f"{title}, {questions} questions")

        yield advance


@dataclass(frozen=True)
class PrintingBar:
    """A bar beside lines that are printed one after another."""

    _bar: "Progress"
    _task: "TaskID"

    @contextmanager
    def step(self) -> Iterator[None]:
        """Take the bar away while something is printed; after that, one more is done."""
        self._bar.stop()
        yield
        self._bar.advance(self._task)
        self._bar.start()


@contextmanager
def watched_lines(title: str, total: int) -> Iterator[PrintingBar]:
    """Show how many of all are done, below what is printed about each of them.

    Args:
        title: What goes on.
        total: How many there are to be.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    errors = Console(stderr=True)
    with Progress(
        *columns,
        console=errors,
        transient=True,
        redirect_stdout=False,  # it would send an answer that belongs in a file to the terminal
        redirect_stderr=False,
        disable=not errors.is_interactive,
    ) as bar:
        yield PrintingBar(bar, bar.add_task(title, total=total))


@contextmanager
def watched_bytes(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many bytes of all are done.

    Args:
        title: What goes on.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    ends = (TransferSpeedColumn(), TimeRemainingColumn())
    errors = Console(stderr=True)  # where it is no terminal, even a bar that vanishes would leave an empty line
    with Progress(*columns, *ends, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance
