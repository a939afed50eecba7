"""The process at the other end of a unix socket, to an identity.

The door has asked the kernel and resolved the names (``authz.proxy.evidence``);
this module says what is believed. A process that lives in a container is that
container and never an account of the host, whatever its uid.
"""

from __future__ import annotations

import re
from functools import lru_cache

from authz.errors import Reason, RefusedError
from authz.identity.certificate import NAME, RESERVED
from authz.identity.identity import ANONYMOUS, Identity, Proof
from authz.wire.evidence import Evidence, PeerCredentials

_CONTAINER = re.compile(r"[0-9a-f]{64}")


def peer(evidence: Evidence) -> Identity | None:
    """Return ``user:<account>`` or ``container:<id>``; None where no socket says who it is.

    An account without a name is ``user:#<uid>``. Raises
    RefusedError(BAD_CREDENTIAL) where the process cannot be told to be anybody,
    and on names that read as something else in a policy.
    """
    return None if evidence.peer is None else _identity(evidence.peer)


@lru_cache(maxsize=256)
def _identity(found: PeerCredentials) -> Identity:
    """Say who a peer is; one that asks again is the same."""
    if found.problem:
        raise _bad(f"the peer {found.problem}")
    if found.container:
        if not _CONTAINER.fullmatch(found.container):
            raise _bad("the peer's container has no id")
        return Identity(
            f"container:{found.container}",
            proof=Proof.PEER,
            uid=found.uid,
            gid=found.gid,
            pid=found.pid,
        )
    account = f"#{found.uid}" if found.account is None else _name(found.account)
    if f"user:{account}" == ANONYMOUS:
        raise _bad("the account is called like nobody")
    return Identity(
        f"user:{account}",
        tuple(f"group:os/{group}" for group in found.groups if _plain(group)),
        proof=Proof.PEER,
        uid=found.uid,
        gid=found.gid,
        pid=found.pid,
    )


def _name(account: str) -> str:
    if not NAME.fullmatch(account) or RESERVED.match(account):
        raise _bad(f"the account's name is {account!r}; expected one plain name")
    return account


def _plain(group: str) -> bool:
    """Say whether a group can stand in a policy; one that cannot gives nothing."""
    return bool(NAME.fullmatch(group.removeprefix("#"))) and not RESERVED.match(group)


def _bad(detail: str) -> RefusedError:
    return RefusedError(Reason.BAD_CREDENTIAL, detail)
