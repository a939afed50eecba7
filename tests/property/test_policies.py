"""The policies that ship, under changes that must not widen them, or must not matter at all.

Requests are drawn from the cases of all bundles and packs, and crossed with each
other. ``DOCKGATE_EXAMPLES=5000 .venv/bin/pytest tests/property/test_policies.py``
looks longer than the quick run does.
"""

import json
import os
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.policy.bundle import load_bundle
from authz.policy.decision import Effect, Word
from authz.policy.snapshot import compile_snapshot
from tests.policies import a_bundle
from tests.rehearsals import BUNDLES, GUARDS, NOWHERE, PACKS, cases_of, compiled, loaded, put
from tests.rehearsals import with_packs as attached

pytestmark = pytest.mark.property

EXAMPLES = int(os.environ.get("DOCKGATE_EXAMPLES", "25"))
AT_ONCE = 20
"""Requests that are put through one changed policy, since making one costs more."""

POOL = [case for folder in (*BUNDLES.values(), *PACKS.values()) for case in cases_of(folder)]
BODIES = [case for case in POOL if "/create" in case.target and case.body.startswith(b"{")]
ROLES = {
    name: sorted(
        {row.subject for row in loaded(folder).rows if row.subject.startswith("role:")}
        | {link.member for link in loaded(folder).links if link.member.startswith("role:")}
    )
    for name, folder in BUNDLES.items()
}
ALLOWING = [
    row for folder in BUNDLES.values() for row in loaded(folder).rows if row.word is Word.ALLOW
]


def crossed(one, other):
    """Return a request with what both ask for; the other's members win."""
    first, second = json.loads(one.body), json.loads(other.body)
    host = {**(first.get("HostConfig") or {}), **(second.get("HostConfig") or {})}
    body = {**first, **second, **({"HostConfig": host} if host else {})}
    return replace(one, body=json.dumps(body).encode(), given={**other.given, **one.given})


REQUESTS = st.lists(
    st.sampled_from(POOL) | st.builds(crossed, st.sampled_from(BODIES), st.sampled_from(BODIES)),
    min_size=1,
    max_size=AT_ONCE,
)


def verdicts(cases, snapshot, roles=()):
    """Return what comes out for each request."""
    return [put(case, snapshot, roles).verdict.effect for case in cases]


def words(cases, snapshot, roles=()):
    """Return what comes out for each request, and the word that settles each fact."""
    found = [put(case, snapshot, roles) for case in cases]
    return [
        (each.verdict.effect, [(str(one.fact), one.word) for one in each.record.outcomes])
        for each in found
    ]


def only_takes_away(before, after):
    """Say whether nothing is allowed that was not."""
    pairs = zip(before, after, strict=True)
    return all(new is not Effect.ALLOW or old is Effect.ALLOW for old, new in pairs)


@pytest.mark.parametrize("name", BUNDLES)
def test_no_single_pack_widens_a_bundle(name):
    """Each pack alone and all together, attached to every role, over the bundle's own cases."""
    cases = cases_of(BUNDLES[name])
    before = verdicts(cases, compiled(BUNDLES[name]))
    holders = [*ROLES[name], *{case.subject for case in cases}]

    assert Effect.ALLOW in before
    for packs in (*([each] for each in GUARDS), GUARDS):
        snapshot = compile_snapshot(attached(loaded(BUNDLES[name]), packs, holders))
        assert only_takes_away(before, verdicts(cases, snapshot)), packs


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from(sorted(BUNDLES)),
    st.sets(st.sampled_from(GUARDS), min_size=1),
    REQUESTS,
    st.data(),
)
def test_attaching_packs_never_widens(name, packs, cases, data):
    """Any packs, attached to any role or subject, whatever is asked."""
    candidates = [*ROLES[name], *sorted({case.subject for case in cases})]
    holders = data.draw(st.sets(st.sampled_from(candidates), min_size=1))
    snapshot = compile_snapshot(attached(loaded(BUNDLES[name]), packs, sorted(holders)))
    before = verdicts(cases, compiled(BUNDLES[name]), ROLES[name])

    assert only_takes_away(before, verdicts(cases, snapshot, ROLES[name]))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from(sorted(BUNDLES)),
    st.sets(st.sampled_from(GUARDS)),
    REQUESTS,
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_matter(name, packs, cases, chance):
    """Every fact is settled by the same word, wherever its row stands."""
    whole = attached(loaded(BUNDLES[name]), packs, ROLES[name])
    rows, links = list(whole.rows), list(whole.links)
    chance.shuffle(rows)
    chance.shuffle(links)
    mixed = compile_snapshot(replace(whole, rows=tuple(rows), links=tuple(links)))

    assert words(cases, compile_snapshot(whole), ROLES[name]) == words(cases, mixed, ROLES[name])


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from(sorted(BUNDLES)),
    st.lists(st.sampled_from(ALLOWING), max_size=5),
    REQUESTS,
)
def test_more_allow_rows_never_take_away(name, more, cases):
    """Rows of other bundles, given to everybody."""
    bundle = loaded(BUNDLES[name])
    added = [replace(row, subject="*", location=NOWHERE) for row in more]
    wider = compile_snapshot(replace(bundle, rows=(*bundle.rows, *added)))
    before = verdicts(cases, compiled(BUNDLES[name]), ROLES[name])

    assert only_takes_away(verdicts(cases, wider, ROLES[name]), before)


def units(text):
    """Cut a file of rows into rows, each with the comment above it."""
    found, comment = [], []
    for line in text.splitlines():
        if line.startswith(("p,", "g,")):
            found.append("\n".join([*comment, line]))
            comment = []
        elif line.startswith("#"):
            comment.append(line)
        else:
            comment = []
    return found


@pytest.mark.parametrize("name", BUNDLES)
def test_the_order_in_files_does_not_matter(name, tmp_path):
    """Rows of policy.csv and packs in bundle.toml, written down in another order."""
    folder = BUNDLES[name]
    rows = units((folder / "policy.csv").read_text())
    files = {row.location.file for row in loaded(folder).rows}
    packs = sorted(file[6:-4] for file in files if file.startswith("packs/"))
    chance = random.Random(name)  # noqa: S311  what is random has to be repeatable
    chance.shuffle(rows)
    packs.reverse()
    policy = "\n\n".join(rows) or "# Nothing but the packs.\n"
    shuffled = load_bundle(
        a_bundle(tmp_path, policy=policy, people="", bundle=f"packs = {json.dumps(packs)}\n")
    )
    cases = cases_of(folder)

    assert len(shuffled.rows) == len(loaded(folder).rows)
    assert words(cases, compile_snapshot(shuffled)) == words(cases, compiled(folder))
