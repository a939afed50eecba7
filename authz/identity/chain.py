"""Which methods of proof are tried, in which order.

A method returns an identity, or None when nothing of its kind was offered, or
raises when what was offered does not hold. A proof that does not hold is never
followed by a weaker method.
"""

from __future__ import annotations

from collections.abc import Callable

from authz.errors import Reason, RefusedError
from authz.identity.identity import ANONYMOUS, Identity
from authz.wire.evidence import Evidence

Method = Callable[[Evidence], Identity | None]
"""One way of proof. Raises RefusedError(BAD_CREDENTIAL) when a proof does not hold."""


def identify(evidence: Evidence, methods: tuple[Method, ...]) -> Identity:
    """Return who the first fitting method says it is.

    Raises RefusedError: BAD_CREDENTIAL from a method, NO_CREDENTIAL when no
    method fits.
    """
    for method in methods:
        identity = method(evidence)
        if identity is not None:
            return identity
    raise RefusedError(Reason.NO_CREDENTIAL, "nobody proved who asks, and this door wants a proof")


_ANONYMOUS = Identity(ANONYMOUS)


def anonymous(evidence: Evidence) -> Identity:
    """Accept a caller without any proof: last in a chain, and only where a door says so."""
    del evidence
    return _ANONYMOUS
