"""A policy and a record."""

from authz.audit.record import Mode
from authz.tools.learn.rerun import Lack, rerun, unused
from tests.policies import a_bundle
from tests.records import a_create, a_record, a_snapshot, read_back

ROWS = """\
# create: new ones
p, role:dev, *, container.create, on:new|image:**, *, allow
# pull: any
p, role:dev, *, image.pull, on:new|image:**, *, allow
# no-binds: none
p, role:ops, *, *, bind:/x, *, deny
"""


def test_what_would_still_be_denied_is_named(tmp_path):
    """Of what went through; the rest does not count."""
    snapshot = a_snapshot(a_bundle(tmp_path, policy=ROWS))
    bodies = a_create(), a_create(Binds=["/srv:/s:ro"])
    records = [read_back(a_record(snapshot, body=b, mode=Mode.SHADOW)) for b in bodies]
    records.append(read_back(a_record(snapshot, body=a_create(Privileged=True))))
    records.append(read_back(a_record(snapshot, "GET", "//info")))
    found = rerun(records, snapshot)
    assert (found.judged, found.denied) == (2, 1)
    assert Lack("user:alice", "container.create", "bind:/srv") in found.lacks


def test_rows_that_gave_nothing_are_named(tmp_path):
    """Rows that take away are never candidates, nor is a row that settled one fact."""
    snapshot = a_snapshot(a_bundle(tmp_path, policy=ROWS))
    records = [read_back(a_record(snapshot, body=a_create()))]
    records.append(read_back(a_record(snapshot, "GET", "//info")))
    names = [row.id for row in unused(records, snapshot)]
    assert "pull" in names
    assert not {"create", "no-binds", "posture-image"} & set(names)
    assert names.index("pull") > names.index("ping")
