"""`visionllm tasks`: what can be asked."""

from typing import Annotated

import typer

from visionllm.cli.output import console, print_json


def tasks(
    group: Annotated[
        str | None, typer.Argument(help="Show one group only: talk, region, detect, segment, refer or point.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Show what the embedded model was taught to answer, each with an example.

    visionllm tasks

    visionllm tasks refer
    """
    from rich.table import Table

    from visionllm.data.world.tasks import FAMILIES, GROUPS

    if group is not None and group not in GROUPS:
        raise ValueError(f"expected a group out of {', '.join(GROUPS)}, got {group!r}")
    families = [family for family in FAMILIES.values() if group in (None, family.group)]
    if as_json:
        print_json({"tasks": [{"group": f.group, "name": f.name, "example": f.example} for f in families]})
        return
    table = Table("group", "task", "example", box=None, pad_edge=False, header_style="dim")
    shown = ""
    for family in families:
        table.add_row("" if family.group == shown else family.group, family.name, family.example)
        shown = family.group
    console().print(table)
