"""Where the data that ships with the package lies.

The catalogues are documentation and the bundles are for people, so both live
at the top of the repository. The wheel carries copies inside the package; a
checkout is read in place.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(*parts: str) -> Path:
    """Return the path of a shipped file or folder, such as ``("policies", "developer")``."""
    installed = _PACKAGE / "_shipped"
    root = installed if installed.is_dir() else _PACKAGE.parent
    return root.joinpath(*parts)
