"""``dockgate routes``: the catalogue of operations, actions and fact kinds."""

from __future__ import annotations

import json

import click

from authz.docker.routes import Operation, load_operations
from authz.facts.catalogue import Kind, catalogue


@click.command(help="Print the catalogue of operations, their actions, and the kinds of facts.")
@click.option("--json", "as_json", is_flag=True, help="Print it for a program.")
def command(*, as_json: bool) -> None:
    """Print both tables."""
    operations, kinds = load_operations(), tuple(catalogue().kinds.values())
    if as_json:
        document = {
            "operations": [_operation(row) for row in operations],
            "facts": [_kind(kind) for kind in kinds],
            "groups": {name: sorted(members) for name, members in catalogue().groups.items()},
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo("OPERATIONS (in the order of matching)\n")
    _table(
        ("method", "path", "action", "API", "risk", "on:", "body"),
        [
            (
                row.method,
                row.path + (f" [{row.variant}]" if row.variant else ""),
                row.action,
                f"{_version(row.first)}-{_version(row.last)}",
                row.risk,
                "|".join(sorted(row.targets)),
                row.opaque if row.body == "opaque" else row.body,
            )
            for row in operations
        ],
    )
    click.echo("\nFACTS\n")
    _table(
        ("kind", "class", "value", "example"),
        [(kind.name, kind.class_, kind.value, kind.example) for kind in kinds],
    )


def _operation(row: Operation) -> dict[str, object]:
    return {
        "operation": row.name,
        "method": row.method,
        "path": row.path,
        "variant": row.variant,
        "action": row.action,
        "first": _version(row.first),
        "last": _version(row.last),
        "risk": row.risk,
        "stream": row.stream,
        "target": sorted(row.targets),
        "body": row.body,
        "opaque": row.opaque,
    }


def _kind(kind: Kind) -> dict[str, object]:
    return {
        "kind": kind.name,
        "class": kind.class_,
        "value": kind.value,
        "source": kind.source,
        "example": kind.example,
        "controls": kind.controls,
        "about": kind.about,
    }


def _version(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print columns wide enough for their longest cell; the last one runs on."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads) - 1)]
    for row in [heads, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[-1]]).rstrip())
