"""Lines on standard output, beside the file: for whoever collects what a container says."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from authz.audit.trail import Line


class Output:
    """Writes lines as they are. A reader who is slow is waited for, by the follower alone."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = sys.stdout.fileno() if descriptor is None else descriptor

    def send(self, lines: Sequence[Line]) -> None:
        """Write lines. Raises OSError."""
        text = b"".join(line.text for line in lines)
        while text:
            text = text[os.write(self._descriptor, text) :]

    def settled(self) -> bool:
        """Say that they were taken."""
        return True

    def close(self) -> None:
        """Leave standard output open: it is the process's."""
