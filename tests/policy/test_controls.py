"""Which controls of a pack a bundle keeps."""

from authz.policy.bundle import load_bundle
from authz.policy.controls import uncovered
from tests.policies import a_bundle

PACK = """\
# no-a: x [CIS 5.4]
p, pack:guard, *, *, cap.add:**, *, deny
# no-b: x [CIS 5.5, PSS Privileged]
p, *, *, *, privileged:true, *, never
# no-c: x [CIS 5.18]
p, pack:guard, *, *, device:**, *, deny
"""
ROWS = """\
p, role:dev, *, image.pull, on:new, *, allow
# own: the same [CIS 5.18]
p, role:dev, *, *, device:**, *, deny
# elsewhere: not in force everywhere [CIS 5.4]
p, role:dev, red, *, cap.add:**, *, deny
p, *, *, system.info, on:host, *, allow
"""


def missing(tmp_path, **files):
    """Return what is missing, for which subject, and what to do."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "guard.csv").write_text(PACK)
    bundle = load_bundle(a_bundle(tmp_path / "b", **files))
    found = uncovered(bundle, load_bundle(tmp_path / "guard"))
    return [(each.message, each.suggestion, each.location.line) for each in found]


def test_a_control_that_no_row_keeps_is_told_for_each_role(tmp_path):
    """At the first row that gives the role something, with the pack that would keep it."""
    hint = "g, role:dev, pack:guard, *"
    assert missing(tmp_path, policy=ROWS) == [
        ('no row keeps "CIS 5.4" for "role:dev"', hint, 1),
        ('no row keeps "CIS 5.5" for "role:dev"', '"guard" in packs of bundle.toml', 1),
        ('no row keeps "PSS Privileged" for "role:dev"', '"guard" in packs of bundle.toml', 1),
    ]


def test_an_attached_pack_keeps_its_controls(tmp_path):
    """And a never row in it holds for everybody, attached or not."""
    rows = "p, role:dev, *, image.pull, on:new, *, allow\ng, role:dev, pack:guard, *\n"
    found = missing(
        tmp_path, policy=rows, bundle='packs = ["core", "guard"]\n', packs={"guard": PACK}
    )
    assert found == []
