"""The files of a bundle with its own model."""

import pytest

from authz.errors import PolicyError
from authz.policy.bundle import MAX_ROWS, load_bundle
from authz.policy.models.folder import folder_of
from tests.policies import a_bundle, a_source
from tests.policy.models.samples import conf, files_of

GROUPED = {
    "g": {"g": "_, _", "g2": "_, _"},
    "m": "g(r.sub, p.sub) && g2(r.act, p.act) && r.obj == p.obj",
    "rows": "p, role:dev, all, on:new, allow\ng2, image.pull, all\n",
    "people": "g, user:ann, role:ops\ng, role:ops, role:dev\n",
}


def test_a_bundle_brings_its_model(tmp_path):
    """With rows, and links by role definition."""
    bundle = load_bundle(a_bundle(tmp_path, **files_of(GROUPED)), thorough=True)
    assert bundle.brought is not None
    assert [row.subject for row in bundle.rows] == ["role:dev"]
    assert [(link.member, link.role, link.domain) for link in bundle.links] == [
        ("user:ann", "role:ops", "*"),
        ("role:ops", "role:dev", "*"),
    ]
    assert bundle.brought.links["g2"] == {("*", "image.pull"): {"all"}}
    assert bundle.own_rows() == bundle.rows
    assert bundle.warnings == ()


def test_rows_are_in_the_order_of_the_file_or_of_priority(tmp_path):
    """Equal numbers stay in the order of the file."""
    rows = "".join(f"p, user:ann, image.pull, on:new, allow, {each}\n" for each in (10, 9, 10, 1))
    written = {"p": "sub, act, obj, eft, priority", "rows": rows}
    bundle = load_bundle(a_bundle(tmp_path, **files_of(written)))
    assert [row.location.line for row in bundle.rows] == [4, 2, 1, 3]


def test_too_many_rows_are_told(tmp_path):
    """As with the reviewed model."""
    rows = "p, user:ann, image.pull, on:new, allow\n" * (MAX_ROWS + 1)
    with pytest.raises(PolicyError) as caught:
        load_bundle(a_bundle(tmp_path, **files_of({"rows": rows})))
    assert "200001 rows" in caught.value.problems[-1].message


def test_without_a_model_there_are_no_rows():
    """What they would mean is not known; the model's own problem is enough."""
    folder = folder_of(a_source(conf(e="nonsense"), "model.conf"))
    assert folder.read(a_source("p, whatever\n")).entries == ()
    assert folder.judge() == (None, [])
    assert folder.links() == ()
    assert folder.rows(None) == ()
    assert len(folder.problems) == 1
