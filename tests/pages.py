"""Makes the pages for people out of the tables: ``python -m tests.pages`` writes them.

A test compares what it makes with what is there, so that a page cannot say
other than its table.
"""

import csv
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from tests import controls

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"

OPERATIONS = """# Operations

What a request can mean, by its action. Made from `operations.csv` by `python -m tests.pages`;
`dockgate routes` prints the same. Anything else is refused.

**API**: the first and the last version with the operation. **Risk**: `read` shows what is there,
`reveal` shows what may be secret or makes the daemon connect elsewhere, `write` changes
something, `host-root` can lead to root on the host. **on:**: whose objects can be touched.
**Body**: `json` is read and described member by member (`fields.csv`); so is `secret`, of which
nothing but that is written down; `opaque:X` is not read and yields `body.opaque:X`, which a row
must name; `secret:X` is the same where the body is not shown.
"""

FACTS = """# Facts

What a request can say. Made from `facts.csv` by `python -m tests.pages`.

A **grant** is denied until a row allows it; a **posture** is the state of an ordinary container,
which the core pack allows, as it does the values that are named with a grant. `unknown` stands
for what could not be told, and only a row that writes it matches. A kind with **target** also
exists as `target.KIND`: what is reached in a container that is there already. **Source** names
the members and parameters that it comes from; *look-up* is what the daemon was asked.
"""

GRAMMARS = {
    "bytes": "bytes, or `none`",
    "bytes+unlimited": "bytes, `none` or `unlimited`",
    "capability": "a capability without `CAP_`, or `ALL`",
    "field": "the path of a member, or `query.` and a parameter",
    "image": "registry and path, or `sha256:` and an id",
    "ip": "an address",
    "name": "a name",
    "net": "a network's name, `default`, or `container:` and whose it is",
    "number": "a number, or `none`",
    "opaque": "what the table of operations says",
    "pair": "`key=value`",
    "path": "an absolute path in its one spelling",
    "port": "a port and its protocol",
    "text": "a text",
    "url": "a URL",
    "user": "a name, a number above 0, `root` or `unset`",
    "version": "an API version",
}


def pages() -> dict[str, str]:
    """Return each page by its name."""
    return {
        "operations.md": "\n".join(_operations(_rows("operations.csv"))),
        "facts.md": "\n".join(_facts(_rows("facts.csv"))),
        "controls.md": "\n".join(controls.page()),
    }


def _rows(name: str) -> list[dict[str, str]]:
    with (REFERENCE / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _operations(rows: list[dict[str, str]]) -> Iterator[str]:
    """Give each area a table, its operations in the order of the table."""
    yield OPERATIONS
    by_area = sorted(rows, key=_area)
    for area, members in groupby(by_area, key=_area):
        yield f"## {area}\n"
        yield "| Request | Action | API | Risk | on: | Body |"
        yield "|---|---|---|---|---|---|"
        for row in members:
            variant = f" with `{row['variant']}`" if row["variant"] else ""
            body = f"{row['body']}:{row['opaque']}" if row["opaque"] else row["body"]
            cells = (
                f"`{row['method']} {row['path']}`{variant}",
                f"`{row['action']}`",
                f"{row['first']} to {row['last']}",
                row["risk"],
                row["target"].replace("|", ", "),
                body,
            )
            yield f"| {' | '.join(cells)} |"
        yield ""


def _area(row: dict[str, str]) -> str:
    return row["action"].partition(".")[0]


def _facts(rows: list[dict[str, str]]) -> Iterator[str]:
    yield FACTS
    for row in rows:
        yield f"## {row['kind']}\n"
        about = row["about"].replace("<", "&lt;")
        yield f"{about[0].upper()}{about[1:]}.\n"
        yield from (f"- {line}" for line in _about(row))
        yield ""


def _about(row: dict[str, str]) -> Iterator[str]:
    allowed = f"; core allows {_code(row['posture'].split('|'))}" if row["posture"] else ""
    target = ", target" if row["target"] == "yes" else ""
    yield f"{row['class']}{target}" + ("" if row["posture"] == "*" else allowed)
    unknown = ", or `unknown`" if row["unknown"] == "yes" else ""
    yield f"Value: {_grammar(row['value'])}{unknown}"
    yield f"Example: `{row['example']}`"
    yield f"Source: {row['source']}"
    actions = row["actions"].split("|")
    yield f"Actions: {'all' if actions == ['*'] else _code(actions)}"
    if row["must"]:
        must = row["must"].split("|")
        yield f"Never missing in: {'all' if must == ['*'] else _code(must)}"
    if row["controls"]:
        yield f"Controls: {row['controls']}"


def _grammar(grammar: str) -> str:
    if grammar.startswith("enum:"):
        return _code(grammar.removeprefix("enum:").split("|"))
    return GRAMMARS[grammar]


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
