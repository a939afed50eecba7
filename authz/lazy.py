"""Modules that are imported when something of them is first needed.

For what is big and not always used: a web server where there is an admin
socket, X.509 where somebody shows a certificate. It knows none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class _Later:
    """Stands for a module."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the module has
        return getattr(import_module(self._name), name)


def later(name: str) -> Any:  # noqa: ANN401  stands for any module
    """Return what stands for a module, and imports it when it is first looked into."""
    return _Later(name)
