"""Whose another container is that a request leans on.

A container can be named in namespaces, links and volumes-from; each wants to
know its owner, and nothing else about it.
"""

from authz.facts.known import UNKNOWN, Known
from authz.facts.members import table, texts, unreadable
from authz.facts.questions import Topic


def whose_container(name: str, known: Known) -> str:
    """Say whose the named container is: own, tenant, foreign, unowned, or unknown.

    Unknown covers a container that is not there: a name may be taken by the
    time the daemon looks. Raises RefusedError where no name is given.
    """
    plain = name.removeprefix("/")  # as the daemon does, and as it stores links
    if not plain:
        raise unreadable(f"container {name!r}: expected a name or an id")
    return known.once(("whose", Topic.CONTAINER, plain), lambda: _whose(plain, known))


def _whose(name: str, known: Known) -> str:
    container = known.document(Topic.CONTAINER, name)
    if container is None:
        return UNKNOWN
    return known.whose(texts(table(container, "Config"), "Labels"))
