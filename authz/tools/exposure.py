"""What a model of a bundle's own leaves open: mounts from which the gate is taken over.

Packs protect those paths under the reviewed model, and go with no other. Whoever the rows
speak of is judged for such mounts, as if he asked for them. It opens no files, and finds
what can be found without a request: a rule may say yes to one that asks for more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, product
from typing import Final

from authz.errors import Problem, Severity
from authz.facts.facts import Fact, Facts
from authz.facts.known import Known
from authz.facts.paths import host_path_facts
from authz.identity.identity import ANONYMOUS, NO_TENANT, Identity, Proof
from authz.policy.decision import Row, Word
from authz.policy.models.conf import Effect
from authz.policy.models.engine import Placed
from authz.policy.models.expression import Equal, Expression, Field, Holds, OneOf, Text, walk
from authz.policy.models.predicate import needs
from authz.policy.snapshot import Snapshot
from authz.policy.subject import ANYBODY, GROUPED, type_of

PATHS: Final = (
    "/run/docker.sock",
    "/run/docker/plugins",
    "/run/dockgate",
    "/etc/dockgate",
    "/var/log/dockgate",
)
"""From here the daemon is reached past the gate, or the gate is changed."""

ACTIONS: Final = ("container.create", "service.create", "volume.create")
DOORS: Final = ("proxy", "plugin")

MOST: Final = 300
"""Callers that are judged. Those who hold the same of what rows speak of count as one."""

_MOUNTS: Final = {
    path: tuple(host_path_facts(path, Known(), writable=False)) for path in (*PATHS, "/")
}
_OVER: Final = {path: Fact("bind.over", path) for path in PATHS}
_CONTEXT: Final = {
    "image": "docker.io/library/busybox:latest",
    "name": "web",
    "tls": "mutual",
    "source": "192.0.2.1",
    "listener": "main",
    "method": "POST",
}


def exposed(snapshot: Snapshot) -> tuple[Problem, ...]:
    """Warn about the first caller who may mount such a path; nothing where none was found."""
    brought = snapshot.bundle.brought
    if brought is None:
        return ()
    rows = [row for row in brought.placed if row.row.word is Word.ALLOW and _reaches(row.left)]
    callers = islice(_callers(snapshot, rows), MOST) if rows else ()
    for identity, action, door in product(callers, ACTIONS, DOORS):
        found = {
            path: row for path in _MOUNTS if (row := _row(snapshot, identity, action, door, path))
        }
        if found:
            who = identity.groups[0] if identity.groups else identity.subject
            return (_problem(who, action, found, brought.model.effect),)
    return ()


def _reaches(left: Expression) -> bool:
    """Say whether a row could allow to mount over one of the paths."""
    need = needs(left)
    texts = map(str, _OVER.values())
    return any(
        each == need.prefix if need.exact else each.startswith(need.prefix) for each in texts
    )


def _callers(snapshot: Snapshot, rows: Iterable[Placed]) -> Iterator[Identity]:
    """Return whoever may be told apart by the rows, each kind of caller once."""
    names, domains = _spoken_of(rows)
    links = snapshot.bundle.links
    given = [(each.member, each.domain) for each in links]
    given += [(name, NO_TENANT) for name in sorted(names)]
    given = [pair for pair in given if type_of(pair[0]) not in GROUPED]
    seen = set()
    for member, own in (*given, (ANONYMOUS, NO_TENANT)):
        for domain in dict.fromkeys((own, NO_TENANT, *sorted(domains))):
            identity = _identity(member, domain)
            key = snapshot.callers.caller(identity).held & names, identity.domain
            if key not in seen:
                seen.add(key)
                yield identity


def _spoken_of(rows: Iterable[Placed]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the subjects and the tenants that rows compare with."""
    found: dict[str, set[str]] = {"sub": set(), "dom": set()}
    for row in rows:
        for node in walk(row.left):
            match node:
                case Equal(Field(name), Text(text)) | Equal(Text(text), Field(name)):
                    found.setdefault(name, set()).add(text)
                case Holds(_, name, Text(text)):
                    found.setdefault(name, set()).add(text)
                case OneOf(Field(name), texts):
                    found.setdefault(name, set()).update(texts)
    return frozenset(found["sub"]), frozenset(found["dom"])


def _identity(member: str, domain: str) -> Identity:
    tenant = "" if domain in {ANYBODY, NO_TENANT} else domain
    if type_of(member) == "group":
        return Identity(ANONYMOUS, (member,), tenant, Proof.ASSUMED)
    return Identity(member, (), tenant, Proof.ASSUMED)


def _row(snapshot: Snapshot, identity: Identity, action: str, door: str, path: str) -> Row | None:
    """Return the row that allows to mount over a path, where the mount as a whole is allowed."""
    context = {**_CONTEXT, "user": identity.subject, "tenant": identity.tenant, "door": door}
    decision = snapshot.judge(identity, Facts(action, _MOUNTS[path]), context)
    if not all(outcome.allowed for outcome in decision.outcomes):
        return None
    return next(each.row for each in decision.outcomes if each.fact.kind == "bind.over")


def _problem(who: str, action: str, found: dict[str, Row], effect: Effect) -> Problem:
    paths = ", ".join(found)
    message = (
        f'"{who}" may mount {paths} ({action}): whoever does can take over the gate, and no '
        "pack keeps him from it under a model of your own"
    )
    facts = ", ".join(str(each) for each in _OVER.values())
    hint = {
        Effect.ALLOW_OVERRIDE: f"allow rows that do not match {facts}",
        Effect.ALLOW_AND_DENY: f"deny rows for {facts}",
        Effect.PRIORITY: f"deny rows before it for {facts}",
    }[effect]
    location = next(iter(found.values())).location
    return Problem(location, message, hint, severity=Severity.WARNING)
