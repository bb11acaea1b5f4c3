"""`visionllm tasks`: what can be asked."""

from typing import Annotated

import typer

from visionllm.cli.output import console, print_json


def tasks(
    group: Annotated[str | None, typer.Argument(help="Show one group only, such as talk, refer or pose.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Show what can be asked about the picture world, each with an example.

    The embedded model was taught all of them; those of version 2 ask about figures, signs and new pictures.

    visionllm tasks

    visionllm tasks refer
    """
    from rich.table import Table

    from visionllm.data.world.tasks import ALL_FAMILIES, ALL_GROUPS

    if group is not None and group not in ALL_GROUPS:
        raise ValueError(f"expected a group out of {', '.join(ALL_GROUPS)}, got {group!r}")
    families = [family for family in ALL_FAMILIES.values() if group in (None, family.group)]
    if as_json:
        print_json(
            {
                "tasks": [
                    {"group": f.group, "name": f.name, "version": f.version, "example": f.example} for f in families
                ]
            }
        )
        return
    table = Table("group", "task", "version", "example", box=None, pad_edge=False, header_style="dim")
    shown = ""
    for family in families:
        table.add_row("" if family.group == shown else family.group, family.name, str(family.version), family.example)
        shown = family.group
    console().print(table)
