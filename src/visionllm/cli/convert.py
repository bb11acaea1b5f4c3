"""`visionllm convert`: the published checkpoint becomes a folder of ours, and the other way round."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from visionllm.cli.options import AsJson
from visionllm.cli.output import print_json, print_notices
from visionllm.cli.watching import watched_bytes

if TYPE_CHECKING:
    from visionllm.weights.convert import Converted
    from visionllm.weights.plan import Plan

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder of the checkpoint.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Folder to be made; it must not be there yet.")],
    to: Annotated[
        Literal["ours", "published"], typer.Option(help="Layout of TARGET: ours, or that of the authors' code.")
    ] = "ours",
    shard_size: Annotated[str, typer.Option(metavar="SIZE", help="Largest file of weights, such as 500MB.")] = "5GB",
    verify: Annotated[
        bool, typer.Option(help="Read everything again, and compare checksums, shapes and every number with SOURCE.")
    ] = True,
    processor: Annotated[
        bool, typer.Option(help="Convert tokenizer and processor too; without them a model cannot be asked.")
    ] = True,
    like: Annotated[
        Path | None,
        typer.Option(help="With --to published: a published folder whose tokenizer and configuration are taken over."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Pass over an unknown key, such as config.llm_config.odd (again for more)."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Check configuration, names and shapes, show the summary, write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Convert the published VisionLLM v2 checkpoint into one self-contained folder, or go back.

    visionllm convert VisionLLMv2 my-model

    visionllm run "What is in the picture?" photo.jpg --model my-model

    visionllm convert my-model again --to published

    SOURCE holds config.json, the tokenizer and the weights: .safetensors, or .bin files of which tensors are taken and
    nothing is run. Tensors pass one by one, so that little memory is enough. A conversion that was cut off goes on when
    the same command is given again; TARGET has its name only once everything is there.
    """
    size = _bytes(shard_size)
    if like is not None and to != "published":
        raise ValueError("expected --like with --to published only")
    if not plan and target.exists():
        raise FileExistsError(f"expected no {target} yet; remove it, or choose another name")
    go = _to_ours if to == "ours" else _to_published
    options = {"shard_bytes": size, "verify": verify}
    told, notices = go(source, None if plan else target, processor, like, ignore or [], options)
    summary = _summary(source, None if plan else target, to, told, notices)
    if as_json:
        print_json(summary)
        return
    _show(summary)
    print_notices(notices)


def _to_ours(
    source: Path, target: Path | None, processor: bool, like: Path | None, ignored: list[str], options: dict[str, Any]
) -> "tuple[Converted | Plan, list[str]]":
    from visionllm.weights.checkpoint import Checkpoint
    from visionllm.weights.convert import convert_from_published
    from visionllm.weights.folder import CONFIG
    from visionllm.weights.plan import plan_from_published
    from visionllm.weights.published_folder import is_published, read_published

    if not source.is_dir():
        raise ValueError(f"expected the folder of a published checkpoint, got {str(source)!r}")
    if (source / CONFIG).is_file() and not is_published(source):
        raise ValueError(
            f"expected vis_encoder_config in {source / CONFIG}, as every published checkpoint has, got none"
        )
    found = read_published(source, processor=processor, ignored=ignored)
    notices = list(found.notices)
    if not processor:
        notices.append("the folder gets no processor, as you asked: it cannot be asked anything")
    if target is None:
        with Checkpoint(source) as checkpoint:
            return plan_from_published(checkpoint.shapes, found.config), notices
    with watched_bytes(f"converting {source.name}") as advance:
        done = convert_from_published(
            source, target, found.config, found.processor, kept=found.files, progress=advance, **options
        )
    return done, notices


def _to_published(
    source: Path, target: Path | None, processor: bool, like: Path | None, ignored: list[str], options: dict[str, Any]
) -> "tuple[Converted | Plan, list[str]]":
    from visionllm.config import VisionLLMConfig
    from visionllm.weights.checkpoint import Checkpoint
    from visionllm.weights.convert import KEPT, convert_to_published
    from visionllm.weights.folder import CONFIG, check_files, read_json
    from visionllm.weights.plan import plan_to_published
    from visionllm.weights.published_config import config_to_published
    from visionllm.weights.published_folder import FILES
    from visionllm.weights.published_words import MODEL

    if like is not None and not like.is_dir():
        raise ValueError(f"expected --like to be a published folder, got {str(like)!r}")
    check_files(source)
    config = VisionLLMConfig.from_dict(read_json(source / CONFIG))
    kept = source / KEPT if like is None else like
    files = {name: kept / name for name in FILES if (kept / name).is_file()}
    if processor and MODEL not in files:
        raise ValueError(
            f"expected {MODEL} in {kept}, got none; name the published folder with --like, or leave the tokenizer out "
            "with --no-processor"
        )
    notices = []
    before = read_json(files.pop(CONFIG)) if CONFIG in files else None
    if before is None:
        notices.append(
            "without a published config.json to start from (--like), keys without a meaning here are missing"
        )
    settings, left = config_to_published(config, before, ignored)
    notices += [f"{path} {value} stays behind: the published code has a fixed value" for path, value in left.items()]
    if target is None:
        with Checkpoint(source) as checkpoint:
            return plan_to_published(checkpoint.shapes, config), notices
    with watched_bytes(f"converting {source.name}") as advance:
        done = convert_to_published(
            source, target, config, settings=settings, kept=files if processor else {}, progress=advance, **options
        )
    return done, notices


def _summary(
    source: Path, target: Path | None, to: str, told: "Converted | Plan", notices: list[str]
) -> dict[str, Any]:
    """Return what was done as plain data."""
    from visionllm.weights.convert import Converted

    plan = told.plan if isinstance(told, Converted) else told
    read = {name for origin in plan.taken.values() for name in origin.names}
    dropped: dict[str, int] = {}
    for reason in plan.dropped.values():
        dropped[reason] = dropped.get(reason, 0) + 1
    summary: dict[str, Any] = {
        "source": str(source),
        "target": None if target is None else str(target),
        "layout": to,
        "tensors": {
            "read": len(read),
            "tied": len(plan.tied),
            "dropped": dropped,
            "written": len(plan.taken) + len(plan.made),
            "made": len(plan.made),
        },
    }
    if isinstance(told, Converted):
        summary |= {"bytes": told.nbytes, "files": list(told.files), "verified": told.checked}
    return summary | {"notices": notices}


def _show(summary: dict[str, Any]) -> None:
    """Print what was done for people."""
    from rich.filesize import decimal

    counts, target = summary["tensors"], summary["target"]
    print(f"{counts['read']} tensors of {summary['source']} are taken, and make {counts['written'] - counts['made']}")
    if counts["tied"]:
        print(
            f"{counts['tied']} are copies of shared ones, and equal to them" if target else f"{counts['tied']} copies"
        )
    for reason, count in counts["dropped"].items():
        print(f"{count} are dropped: each {reason}")
    if counts["made"]:
        print(f"{counts['made']} follow from the configuration, and are made")
    if target is None:
        print("nothing was written")
        return
    files = summary["files"]
    print(f"wrote {target}: {decimal(summary['bytes'])} of weights in {len(files)} file{'s' * (len(files) > 1)}")
    checked = "checksums, shapes and every number were compared with the source"
    print(checked if summary["verified"] else "nothing was compared (--no-verify)")
    if summary["layout"] == "ours":
        print(f'next: visionllm run "What is in the picture?" photo.jpg --model {target}')


def _bytes(text: str) -> int:
    """Read a size.

    >>> _bytes("500MB"), _bytes("0.5 gb")
    (500000000, 500000000)
    """
    number = text.strip().rstrip("KMGBkmgb").strip()
    unit = text.strip()[len(number) :].strip().upper()
    try:
        size = int(float(number) * UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        size = 0
    if size < 1:
        raise ValueError(f"expected --shard-size such as 500MB or 5GB, got {text!r}")
    return size
