"""What was learned, as a bundle: rows, people, and tests of what must stay denied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from authz.identity.identity import Identity, Proof
from authz.policy.snapshot import Snapshot
from authz.tools.drafts.cases import cases_text
from authz.tools.drafts.folder import Folder
from authz.tools.learn.lesson import CORE, GUARD, Lesson
from authz.tools.learn.rows import Learned
from authz.tools.rehearse import rehearse
from authz.wire.raw import RawRequest

MOST_TESTED: Final = 20
"""People for whom tests are written."""

CREATE: Final = "/v1.41/containers/create"
DANGEROUS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "run --privileged": ("privileged:true", {"Privileged": True}),
    "mount the root of the host": ("bind:/", {"Binds": ["/:/h"]}),
}
"""What nobody should be able to do who did not do it before."""

_HEAD = """\
# Learned from {count} decisions{when}. Read every row before you rely on it: what was done is
# not always what should be done. Rows with WARNING are worth as much as root on this host.

"""


def folder_of(lesson: Lesson, learned: Learned) -> Folder:
    """Return the files of a bundle, without tests."""
    guards = [f"g, {role}, pack:{GUARD}, *\n" for role in sorted(learned.guarded)]
    rows = "\n".join(draft.text for draft in learned.rows)
    head = _HEAD.format(count=lesson.learned, when=_when(lesson))
    people = "".join(f"g, {link.member}, {link.role}, {link.domain}\n" for link in learned.links)
    guard = "".join(guards) + "\n" if guards else ""
    packs = (CORE, GUARD) if guards else (CORE,)
    return Folder(packs, head + guard + rows, "# Who did what the rows allow.\n" + people)


def cases_of(learned: Learned, snapshot: Snapshot) -> str:
    """Return tests of what the learned policy denies, and that it answers a ping.

    What somebody did do is allowed, and has no test that says otherwise.
    """
    ping = {"name": "everybody may ping", "request": "GET /_ping", "expect": "allow"}
    cases: list[Mapping[str, Any]] = [ping]
    for subject in list(dict.fromkeys(link.member for link in learned.links))[:MOST_TESTED]:
        tenant = next(each.domain for each in learned.links if each.member == subject)
        image = _image_of(subject, learned)
        cases += _denied(Identity(subject, (), tenant.strip("*"), Proof.ASSUMED), image, snapshot)
    return cases_text(cases)


def _denied(identity: Identity, image: str, snapshot: Snapshot) -> Iterator[Mapping[str, Any]]:
    for what, (fact, host) in DANGEROUS.items():
        body = json.dumps({"Image": image, "HostConfig": host})
        headers = (("Content-Type", "application/json"),)
        raw = RawRequest("POST", CREATE, headers, body.encode())
        outcomes = rehearse(raw, identity, snapshot).record.outcomes
        if any(str(each.fact) == fact and not each.allowed for each in outcomes):
            yield {
                "name": f"{identity.subject} may not {what}",
                "as": identity.subject,
                "tenant": identity.tenant,
                "request": f"POST {CREATE}",
                "body": body,
                "expect": "deny",
            }


def _image_of(subject: str, learned: Learned) -> str:
    """Return an image that the caller may use: a test must not fail for want of one."""
    roles = {link.role for link in learned.links if link.member == subject}
    images = [
        draft.fact.partition(":")[2].partition("|")[0]
        for draft in learned.rows
        if draft.subject in roles and draft.fact.startswith("image:")
    ]
    return next((each for each in images if "?" not in each and "*" not in each), "alpine")


def _when(lesson: Lesson) -> str:
    seen = [each for uses in lesson.uses.values() for each in uses.values()]
    if not seen:
        return ""
    return f", {min(each.first for each in seen)} to {max(each.last for each in seen)}"
