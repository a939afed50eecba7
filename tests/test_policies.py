"""The policies that ship: complete, each row of use, and as their pages say."""

import json
import re
from dataclasses import replace

import pytest

from authz.identity.identity import Identity, Proof
from authz.policy.bundle import load_bundle
from authz.policy.decision import Effect
from authz.policy.snapshot import compile_snapshot
from authz.shipped import shipped
from authz.tools.rehearse import answers_from, rehearse
from authz.wire.raw import RawRequest
from tests.policies import a_bundle
from tests.rehearsals import BUNDLES, GUARDS, PACKS, cases_of, compiled, loaded, put, with_packs

PAGE = 40
"""Lines of a page."""

HEADINGS = ["Who it is for", "Allows", "Denies", "Cannot see", "How to adapt"]
FILES = {"bundle.toml", "model.conf", "policy.csv", "people.csv", "tests.toml", "README.md"}
MASTERS = {"role:admin", "role:break-glass"}
"""Roles that are root on the host, and say so."""

ORDINARY = [
    (name, role)
    for name, folder in BUNDLES.items()
    for role in sorted({row.subject for row in loaded(folder).rows})
    if role.startswith("role:") and role not in MASTERS
]


def a_create(**host):
    """Return a create with these members of HostConfig."""
    body = {"Image": "registry.example/web:1.4", "HostConfig": host}
    return "POST", "/v1.47/containers/create", json.dumps(body).encode()


EXEC = ("POST", "/v1.47/containers/web/exec", b'{"Cmd":["sh"]}')
DANGERS = {
    "privileged": a_create(Privileged=True),
    "the host's root": a_create(Binds=["/:/h"]),
    "the daemon's socket": a_create(Binds=["/var/run/docker.sock:/s"]),
    "the socket's folder, as a mount": a_create(
        Mounts=[{"Type": "bind", "Source": "/run", "Target": "/x"}]
    ),
    "the host's processes": a_create(PidMode="host"),
    "the host's network": a_create(NetworkMode="host"),
    "every capability": a_create(CapAdd=["ALL"]),
    "a disk": a_create(Devices=[{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda"}]),
    "seccomp off": a_create(SecurityOpt=["seccomp=unconfined"]),
    "the root as a volume": (
        "POST",
        "/v1.47/volumes/create",
        b'{"Name":"x","DriverOpts":{"type":"none","o":"bind","device":"/"}}',
    ),
    "a process in somebody else's container": EXEC,
    "a plugin": ("POST", "/v1.47/plugins/x/enable", b""),
    "an archive of images": ("POST", "/v1.47/images/load", b""),
}
FOREIGN = {"container": {"web": {"owner": "user:bob"}}}


def ids(rows):
    """Name rows by their ids."""
    return {row.id for row in rows}


def settled(folder):
    """Return the ids of rows that settle a fact in some case of a folder."""
    found = [put(case, compiled(folder)) for case in cases_of(folder)]
    return ids(each.row for one in found for each in one.record.outcomes if each.row)


@pytest.mark.parametrize("name", PACKS)
def test_every_row_of_a_pack_settles_a_case(name):
    """A row without a case may say anything."""
    assert ids(loaded(PACKS[name]).rows) - settled(PACKS[name]) == set()


@pytest.mark.parametrize("name", BUNDLES)
def test_every_row_of_a_bundle_settles_a_case(name):
    """Those of its packs have cases of their own."""
    own = [row for row in loaded(BUNDLES[name]).rows if row.location.file == "policy.csv"]

    assert ids(own) - settled(BUNDLES[name]) == set()
    assert {row.id for row in own if row.id.startswith("policy.csv:")} == set()


@pytest.mark.parametrize("name", GUARDS)
def test_what_a_pack_permits_is_allowed(name):
    """To an administrator who holds nothing but this pack, without those it leads to."""
    admin = loaded(BUNDLES["admin"])
    rows = (*admin.rows, *loaded(PACKS[name]).rows)
    snapshot = compile_snapshot(replace(admin, rows=rows))

    for case in cases_of(PACKS[name]):
        expected = Effect.DENY if case.because else Effect.ALLOW
        result = put(case, snapshot, ["role:admin"])
        assert (case.name, result.verdict.effect) == (case.name, expected)
        assert case.because is not None
        assert not case.because or result.because == case.because


@pytest.mark.parametrize(
    ("pack", "base"),
    [
        ("pss-restricted", "pss-baseline"),
        ("cis-docker-5-level2", "cis-docker-5-level1"),
        ("images-pinned", "images"),
    ],
)
def test_a_higher_level_brings_the_lower_along(pack, base):
    """Whoever holds the higher one is denied what the lower one denies."""
    snapshot = compile_snapshot(with_packs(loaded(PACKS[pack]), [base]))
    denied = [case for case in cases_of(PACKS[base]) if case.because]

    assert denied
    for case in denied:
        assert case.because <= put(case, snapshot, [f"pack:{pack}"]).because, case.name


@pytest.mark.parametrize(("name", "role"), ORDINARY)
@pytest.mark.parametrize("danger", DANGERS)
def test_no_bundle_gives_the_host_away(name, role, danger):
    """Only the roles that are root by their purpose may do these."""
    method, target, body = DANGERS[danger]
    headers = (("Content-Type", "application/json"),) if body else ()
    for tenant in ("", "red"):
        identity = Identity("user:alice", (role,), tenant, Proof.ASSUMED)
        raw = RawRequest(method, target, headers, body)
        result = rehearse(raw, identity, compiled(BUNDLES[name]), answers_from(FOREIGN))
        assert result.verdict.effect is not Effect.ALLOW


def test_ryuk_can_have_a_socket_of_the_proxy_instead(tmp_path):
    """As its page says: then the daemon's own is nobody's."""
    other = "/srv/dockgate/docker.sock"
    text = (BUNDLES["testcontainers"] / "policy.csv").read_text().replace("/run/docker.sock", other)
    packs = '["core", "images"]'
    folder = a_bundle(tmp_path, policy=text, people="", bundle=f"packs = {packs}\n")
    snapshot = compile_snapshot(load_bundle(folder))
    (ryuk,) = (
        case
        for case in cases_of(BUNDLES["testcontainers"])
        if case.name.endswith("with the socket")
    )
    moved = replace(ryuk, body=ryuk.body.replace(b"/var/run/docker.sock:", f"{other}:".encode()))

    assert put(ryuk, snapshot).verdict.effect is Effect.DENY
    assert put(moved, snapshot).verdict.effect is Effect.ALLOW


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_is_complete(name):
    """Six files, and nobody in them who is not an example."""
    folder = BUNDLES[name]

    assert {path.name for path in folder.iterdir()} == FILES
    assert all(
        line.startswith("#") or not line for line in (folder / "people.csv").read_text().split("\n")
    )
    guards = {link.role for link in loaded(folder).links}
    assert guards or name in {"admin", "observe"}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_has_a_page(name):
    """Five headings, and the way in is shadow mode."""
    text = (BUNDLES[name] / "README.md").read_text()

    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert "shadow" in text.split("## How to adapt\n")[1]
    assert len(text.splitlines()) <= PAGE


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_has_a_page(name):
    """With the row that attaches it."""
    text = (PACKS[name] / "README.md").read_text()

    assert text.startswith(f"# {name}\n")
    assert name == "core" or f"pack:{name}, *`" in text.replace("\n", " ")


def test_the_front_page_names_every_folder():
    """Each bundle and each pack has a line, with its page."""
    text = shipped("policies", "README.md").read_text()
    listed = re.findall(r"^\| \[`([\w-]+)`\]\(([\w/.-]+)\)", text, re.MULTILINE)

    assert dict(listed) == {
        **{name: f"{name}/README.md" for name in BUNDLES},
        **{name: f"packs/{name}/README.md" for name in PACKS},
    }
    assert len(listed) == len(BUNDLES) + len(PACKS) == 30


SNIPPETS = [
    (path.parent.name, " ".join(snippet.split()))
    for path in sorted(shipped("policies").rglob("README.md"))
    for snippet in re.findall(r"`((?:p|g), [^`]*)`", path.read_text())
    + re.findall(r"^    (p, .*)$", path.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize(("page", "row"), SNIPPETS)
def test_rows_on_pages_load(page, row, tmp_path):
    """Whoever copies one has a row that is in order."""
    row = row.replace("role:NAME", "role:dev")
    packs = json.dumps(sorted(PACKS))
    policy = "p, role:dev, *, container.create, on:new, *, allow\n"
    roles = re.findall(r"role:[\w-]+", row)
    policy += "".join(f"p, {role}, *, system.ping, on:host, *, allow\n" for role in roles)
    lines = row if row.startswith("p") else ""
    people = f"g, user:alice, role:dev, *\n{'' if lines else row}\n"
    folder = a_bundle(
        tmp_path, policy=f"{policy}{lines}\n", people=people, bundle=f"packs = {packs}\n"
    )

    assert load_bundle(folder).rows, page
