"""Labels that only Dockgate sets: they say whose an object is.

A client that could set them, itself or by an image that carries them, could
make its objects look like somebody else's, or the other way round.
"""

from collections.abc import Iterable, Mapping

from authz.errors import Reason, RefusedError

RESERVED = "dockgate."
OWNER = RESERVED + "owner"
TENANT = RESERVED + "tenant"


def check_labels(names: Iterable[str], place: str) -> None:
    """Refuse reserved labels. Raises RefusedError (RESERVED_LABEL), naming the ``place``."""
    for name in names:
        if name.lower().startswith(RESERVED):
            problem = f"{place} has the label {name!r}; labels that begin with {RESERVED} say whose"
            raise RefusedError(
                Reason.RESERVED_LABEL, f"{problem} an object is, and nobody sets them"
            )


def check_new_labels(labels: Mapping[str, str], stored: Mapping[str, str], place: str) -> None:
    """Refuse reserved labels but those that an object has: an update sends all of them back."""
    check_labels((name for name in labels if labels[name] != stored.get(name)), place)
