"""What a policy would not allow of what is there."""

from dataclasses import replace

from authz.identity.identity import Identity, Proof
from authz.tools.scan.findings import NO_ROW, UNREADABLE, Scan, as_json, by_rule
from authz.tools.scan.inventory import Daemon
from tests.builders import a_stored_container
from tests.policies import a_bundle
from tests.records import a_snapshot
from tests.scanned import SERVICE, WEB, a_daemon, serving

ROWS = """\
# create: new ones
p, role:dev, *, container.create, on:new|image:**, *, allow
# no-root: not as root on this host [CIS 5.5, PSS Privileged]
p, role:dev, *, *, privileged:true, *, deny
# no-binds: none
p, role:dev, *, *, bind:**, *, deny
"""
ALICE = Identity("user:alice", proof=Proof.ASSUMED)


async def scanned(tmp_path, *containers, services=None, **options):
    """Scan containers."""
    (tmp_path / "p").mkdir()
    snapshot = a_snapshot(a_bundle(tmp_path / "p", policy=ROWS))
    scan = Scan(snapshot, options.pop("caller", ALICE), **options)
    path = tmp_path / "d.sock"
    with serving(path, a_daemon(*containers, services=services)) as address:
        async with Daemon(address) as daemon:
            return await scan.findings(daemon, await daemon.inventory())


async def test_what_would_be_allowed_is_no_finding(tmp_path):
    """An ordinary container."""
    assert await scanned(tmp_path, WEB) == []


async def test_each_control_is_a_rule(tmp_path):
    """A row without controls is one by its id, a fact without a row by a word of its own."""
    host = {"Privileged": True, "Binds": ["/srv:/x:ro"]}
    stored = {**a_stored_container(**host), "Id": "c1", "Name": "/bad"}
    found = by_rule(await scanned(tmp_path, stored))
    assert {"CIS 5.5", "PSS Privileged", "no-binds", NO_ROW} <= set(found)
    (one,) = found["no-binds"]
    assert as_json(one) == {
        "rule": "no-binds",
        "kind": "container",
        "id": "c1",
        "name": "bad",
        "subject": "user:alice",
        "fact": "bind:/srv",
        "message": "none",
        "row": "no-binds",
        "at": "policy.csv:6",
        "controls": [],
    }
    (none, *_) = found[NO_ROW]
    assert (as_json(none)["row"], none.message) == (None, "no row allows it")


async def test_a_pack_alone_finds_what_it_denies(tmp_path):
    """It allows nothing, so that nothing can be missed."""
    stored = {**a_stored_container(PidMode="host"), "Id": "c1"}
    assert await scanned(tmp_path, stored, only_denied=True) == []


async def test_an_owner_is_judged_as_himself(tmp_path):
    """By the label; one that names no caller does not count."""
    labels = [{"dockgate.owner": "user:bob", "dockgate.tenant": "red"}, {"dockgate.owner": "bob"}]
    both = [
        {**a_stored_container(label), "Id": f"c{n}", "Name": f"/c{n}"}
        for n, label in enumerate(labels)
    ]
    found = await scanned(tmp_path, *both)
    assert {(each.name, each.subject) for each in found} == {("c0", "user:bob")}
    assert {each.rule for each in found} == {NO_ROW}


async def test_lent_roles_count(tmp_path):
    """For whoever owns it."""
    lent = replace(ALICE, subject="user:eve", groups=("role:dev",))
    assert await scanned(tmp_path, WEB, caller=lent) == []


async def test_services_are_judged_as_well(tmp_path):
    """By the row that speaks of both."""
    found = by_rule(await scanned(tmp_path, services=[SERVICE]))
    assert [(each.kind, each.name, each.fact) for each in found["no-binds"]] == [
        ("service", "spy", "bind:/srv")
    ]


async def test_what_cannot_be_read_is_a_finding(tmp_path):
    """With what the gate says."""
    stored = {**a_stored_container(), "Id": "c1", "Name": "/odd"}
    stored["HostConfig"] = {**stored["HostConfig"], "Memory": "much"}
    (found,) = await scanned(tmp_path, stored)
    assert (found.rule, found.fact) == (UNREADABLE, "")
    assert "Memory" in found.message
