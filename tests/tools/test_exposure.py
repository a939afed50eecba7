"""What a model of one's own leaves open: who may mount what the gate is taken over from."""

import pytest

from authz.errors import Severity
from authz.policy.bundle import load_bundle
from authz.policy.snapshot import compile_snapshot
from authz.tools import exposure
from authz.tools.exposure import PATHS, exposed
from tests.policies import a_bundle
from tests.policy.models.samples import files_of

KEYS = "g(r.sub, p.sub) && keyMatch(r.act, p.act) && keyMatch(r.obj, p.obj)"
DEV = "p, role:dev, container.*, *, allow\n"
DENY = "".join(f"p, role:dev, *, bind.over:{path}*, deny\n" for path in PATHS)
ANN = "g, user:ann, role:dev\n"


@pytest.fixture
def found(tmp_path):
    """Return what is said of a bundle, of which some files are given."""

    def find(rows, people="", **written):
        files = files_of({"g": {"g": "_, _"}, "m": KEYS, **written, "rows": rows, "people": people})
        return exposed(compile_snapshot(load_bundle(a_bundle(tmp_path, **files))))

    return find


def test_who_may_mount_everything_is_told(found):
    """With the row that lets him, all paths, and what to write."""
    (problem,) = found("# here: all\n" + DEV, ANN)
    assert (str(problem.location), problem.severity) == ("policy.csv:2:1", Severity.WARNING)
    assert problem.message.startswith(
        f'"user:ann" may mount {", ".join(PATHS)}, / (container.create): '
    )
    assert problem.suggestion.startswith("deny rows for bind.over:/run/docker.sock, ")


@pytest.mark.parametrize(
    ("rows", "people"),
    [
        (DEV + DENY, ANN),
        (DEV + "p, role:all, *, bind:*, deny\n", ANN + "g, role:dev, role:all\n"),
        (DEV, ""),
        (DEV, "g, role:ops, role:dev\n"),
        ("p, user:ann, *, bind:/srv/*, allow\n", ""),
        ("p, user:ann, *, bind.over:*, allow\n", ""),
        ("p, user:ann, image.*, *, allow\n", ""),
    ],
)
def test_what_nobody_may_is_not_told(found, rows, people):
    """Denied, held by nobody, not matched, half of it alone, or of another action."""
    assert found(rows, people) == ()


def test_one_path_is_enough(found):
    """The others are denied, and with them the root."""
    (problem,) = found(DEV + DENY.replace("/etc/dockgate", "/etc/other"), ANN)
    assert "may mount /etc/dockgate (container.create)" in problem.message


def test_a_member_of_a_group_is_named_by_it(found):
    """Whoever he is."""
    (problem,) = found(DEV, "g, group:os/dev, role:dev\n")
    assert problem.message.startswith('"group:os/dev" may mount ')


def test_a_row_for_everybody_is_anybodys(found):
    """Also of whom no row speaks."""
    (problem,) = found(
        "p, x, volume.create, *, allow\n",
        m='keyMatch(r.obj, p.obj) && r.act == p.act && p.sub == "x"',
    )
    assert problem.message.startswith('"user:anonymous" may mount ')
    assert "(volume.create)" in problem.message


def test_rules_are_asked(found):
    """Whom they name, in which tenant, by which door."""
    rule = 'r.sub in ("user:bob", "user:eve") && r.dom == "acme" && r.ctx.door == "plugin"'
    written = {"r": "sub, dom, act, obj, ctx", "p": "rule", "m": "eval(p.rule)", "g": {}}
    written["e"] = "some(where (p.eft == allow))"
    (problem,) = found(f"p, {rule}\n", **written)
    assert problem.message.startswith('"user:bob" may mount ')
    assert problem.suggestion.startswith("allow rows that do not match bind.over:")
    assert found(f'p, {rule} && r.ctx.door == "proxy"\n', **written) == ()


def test_an_order_of_rows_is_part_of_the_hint(found):
    """Where the first one settles a fact."""
    (problem,) = found(DEV, ANN, e="priority(p.eft) || deny")
    assert problem.suggestion.startswith("deny rows before it for bind.over:")


def test_callers_who_hold_the_same_are_judged_once(found, monkeypatch):
    """So that a long list of people is no long wait; nor is it without any bound."""
    monkeypatch.setattr(exposure, "MOST", 2)
    people = "".join(f"g, user:u{n}, role:none\n" for n in range(9))
    rows = DEV + "p, role:none, image.pull, on:new, allow\n"
    assert len(found(rows, people + ANN)) == 1
    assert (
        found(rows + DENY + DEV.replace("dev", "ops"), people + ANN + "g, user:x, role:ops\n") == ()
    )


def test_the_reviewed_model_has_packs(tmp_path):
    """And advice of its own."""
    assert exposed(compile_snapshot(load_bundle(a_bundle(tmp_path)))) == ()
