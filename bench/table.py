"""Tables that a person can read, and JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Sequence


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right."""
    texts = [[_text(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    print(f"\n{title}\n")
    for number, row in enumerate(texts):
        first, *rest = zip(row, widths, strict=True)
        print("  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]))
        if number == 0:
            print("  ".join("-" * width for width in widths))


def document(found: object) -> None:
    """Print one JSON document."""
    print(json.dumps(found, indent=2))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _text(cell: object) -> str:
    if isinstance(cell, float):
        digits = 0 if abs(cell) >= 100 else 1 if abs(cell) >= 10 else 2  # noqa: PLR2004  a scale
        return f"{cell:,.{digits}f}"
    return f"{cell:,}" if isinstance(cell, int) else "-" if cell is None else str(cell)
