"""Small bundles on disk, valid by default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from authz.errors import Location
from authz.policy.decision import Row, Word
from authz.policy.model_file import model_text
from authz.policy.source import Source

CREATE_ROW = "p, role:dev, *, container.create, on:new, *, allow\n"
"""A row that is in order."""

CORE_ONLY = 'packs = ["core"]\n'

TEN_MISTAKES = {
    # byte-order mark; misspelt verdict; missing column; unknown kind; unknown action
    "policy.csv": (
        b"\xef\xbb\xbf# a: first\n"
        b"p, role:dev, *, container.create, on:new, *, alow\n"
        b"p, role:dev, *, container.create, image:**, allow\n"
        b"p, role:dev, *, container.create, binds:/srv, *, allow\n"
        b"p, role:dev, *, container.creat, on:new, *, allow\n"
        # a value not in canonical form; a condition that cannot be read
        b"p, role:dev, *, *, bind:/var/run/docker.sock, *, deny\n"
        b"p, role:dev, *, *, on:own, dor=plugin, allow\n"
    ),
    # a role cycle; an untyped subject
    "people.csv": (b"g, role:dev, role:ops, *\ng, role:ops, role:dev, *\ng, alice, role:dev, *\n"),
    # a misspelt pack
    "bundle.toml": b'packs = ["core", "socket"]\n',
}
"""Files with one mistake each of the kinds that people make, by their path in a bundle."""


def a_bundle(  # noqa: PLR0913  one keyword for each file of a bundle
    root: Path,
    *,
    policy: str | bytes = CREATE_ROW,
    people: str | bytes = "g, user:alice, role:dev, *\n",
    bundle: str | bytes = CORE_ONLY,
    model: str | bytes = "",
    packs: Mapping[str, str | bytes] | None = None,
    files: Mapping[str, str | bytes] | None = None,
) -> Path:
    """Write a bundle into ``root`` and return it.

    ``packs`` are rows by the name of a pack that the bundle brings with it,
    ``files`` anything else by its path.
    """
    written = {
        "bundle.toml": bundle,
        "model.conf": model or model_text(),
        "policy.csv": policy,
        "people.csv": people,
        **{f"packs/{name}.csv": rows for name, rows in (packs or {}).items()},
        **(files or {}),
    }
    for name, content in written.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o755)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o644)
    return root


def a_source(content: str | bytes, name: str = "policy.csv", folder: str = "site") -> Source:
    """Return a file that was read, without a file."""
    return Source(
        name, f"{folder}/{name}", content.encode() if isinstance(content, str) else content
    )


def some_rows(*texts: str) -> list[Row]:
    """Read rows as they stand in a file, without the "p"; the id is the place in the list."""
    rows = []
    for number, text in enumerate(texts, start=1):
        *cells, word = (cell.strip() for cell in text.split(","))
        place = Location("policy.csv", number, 1)
        rows.append(Row(*cells, Word(word), str(number), place))
    return rows
