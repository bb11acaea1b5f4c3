"""The `visionllm` command. Everything heavy is imported when a command runs, so that help is there at once."""

import os
import sys
from typing import Annotated

import typer

from visionllm import __version__
from visionllm.cli import (
    ask,
    build,
    convert,
    demo,
    detect,
    doctor,
    find,
    make,
    pose,
    semantic,
    serve,
    tasks,
    train,
    world,
)
from visionllm.cli import eval as evaluate
from visionllm.cli.loading import loads_a_model

# The base of all complaints of the parser that typer brings along; it lies elsewhere in older versions.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    help="One model that answers questions about pictures in text, boxes, masks, keypoints and new pictures.",
    epilog='Start with: visionllm demo · visionllm run "Detect every red star." YOUR.png --out found.png',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"visionllm {__version__}")
        raise typer.Exit


@app.callback()
def _whole(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from, with any command.")] = False,
) -> None:
    """Options of all commands; `main` reads `--debug` itself."""


app.command()(loads_a_model(ask.run))
app.command()(loads_a_model(detect.detect))
app.command()(loads_a_model(detect.segment))
app.command()(loads_a_model(semantic.semantic))
app.command()(loads_a_model(detect.refer))
app.command()(loads_a_model(find.find))
app.command()(loads_a_model(pose.pose))
app.command()(loads_a_model(make.generate))
app.command()(loads_a_model(make.edit))
app.command()(loads_a_model(ask.caption))
app.command()(loads_a_model(demo.demo))
app.command()(loads_a_model(serve.serve))
app.command()(tasks.tasks)
app.command()(doctor.doctor)
app.command()(convert.convert)
app.command()(build.build)
app.add_typer(world.app, name="world")
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="eval")


def main() -> None:
    """Run the command line; errors are one line on standard error and exit code 2."""
    given = sys.argv[1:]
    own = given[: given.index("--")] if "--" in given else given
    debug = "--debug" in own
    try:
        code = app(args=[*(word for word in own if word != "--debug"), *given[len(own) :]], standalone_mode=False)
    except KeyboardInterrupt:
        code = _complain("interrupted", 130)
    except BrokenPipeError:
        # Whoever reads the output has enough; the interpreter must not complain about the rest when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except typer.Abort:
        code = _complain("aborted", 1)
    except (UsageError, ValueError, OSError, ImportError, RuntimeError, MemoryError) as error:
        if debug:
            raise
        code = _complain(_one_line(error), 2)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str, code: int) -> int:
    if message:
        print(f"visionllm: error: {message}", file=sys.stderr)
    return code


def _one_line(error: BaseException) -> str:
    if isinstance(error, UsageError):  # empty where the help was shown instead
        return " ".join(str(getattr(error, "format_message", error.__str__)()).split())
    return " ".join(str(error).split()) or type(error).__name__
