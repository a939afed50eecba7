"""Rows that a stronger row makes useless, and rows that only look like it."""

import pytest

from authz.policy.bundle import load_bundle
from tests.policies import a_bundle

BASE = "p, role:dev, *, system.info, on:host, *, allow\n"
PEOPLE = "g, user:alice, role:dev, *\ng, role:dev, role:base, *\ng, role:dev, role:red, red\n"
HOLDERS = (
    "p, role:base, *, system.info, on:host, *, allow\n"
    "p, role:red, *, system.df, on:host, *, allow\n"
)


def told(tmp_path, *rows):
    """Return the warnings of this sort about some rows, by the number of the row."""
    text = BASE + HOLDERS + "".join(f"{row}\n" for row in rows)
    bundle = load_bundle(a_bundle(tmp_path, policy=text, people=PEOPLE), thorough=True)
    return {
        each.location.line - 3: each.message
        for each in bundle.warnings
        if "to all of it" in each.message
        and each.location.file.endswith("policy.csv")
        and each.location.line > 3  # the rows before are there to be held
    }


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        ("p, *, *, *, bind:/etc/**, *, never", "p, role:dev, *, *, bind:/etc/ssl, *, allow"),
        ("p, *, *, *, bind:/etc/**, *, never", "p, role:dev, *, *, bind:/etc/ssl/**, *, allow"),
        ("p, *, *, *, bind:/etc/**, *, never", "p, role:dev, *, *, bind:/etc|bind:/etc/a, *, deny"),
        ("p, *, *, *, bind:**, *, never", "p, role:dev, *, *, bind:/home/{name}/**, *, allow"),
        ("p, role:dev, *, *, **, *, deny", "p, role:dev, *, *, **, door=plugin, allow"),
        ("p, role:dev, *, *, **, *, deny", "p, role:dev, *, *, volume:a*, *, allow"),
        (
            "p, role:dev, *, container.*, device:**, *, deny",
            "p, role:dev, *, container.create, device:/dev/kvm, *, allow",
        ),
        (
            "p, role:base, *, *, device:**, *, deny",
            "p, role:dev, *, container.create, device:/dev/kvm, *, allow",
        ),
        (
            "p, role:dev, *, *, cap.add:!CHOWN, *, deny",
            "p, role:dev, *, *, cap.add:KILL|SYS_ADMIN, *, allow",
        ),
        (
            "p, role:dev, *, *, port:1-1023/tcp, *, deny",
            "p, role:dev, *, *, port:80/tcp, *, allow",
        ),
        (
            "p, *, *, *, cap.add:!CHOWN, *, never",
            "p, role:dev, red, *, cap.add:!CHOWN, *, deny",
        ),
    ],
)
def test_a_row_that_never_settles_anything_is_named(stronger, weaker, tmp_path):
    """With the row that does, wherever the two stand."""
    word = stronger.rpartition(" ")[2]
    expected = f"the row never settles anything: policy.csv:{{}} says {word} to all of it"
    assert told(tmp_path / "a", stronger, weaker) == {2: expected.format(4)}
    assert told(tmp_path / "b", weaker, stronger) == {1: expected.format(5)}


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        ("p, *, *, *, bind:/etc/*, *, never", "p, role:dev, *, *, bind:/etc/ssl/**, *, allow"),
        ("p, *, *, *, bind:/etc/**, *, never", "p, role:dev, *, *, bind:/etc/a|bind:/b, *, allow"),
        ("p, *, *, *, bind:/etc/**, door=proxy, never", "p, *, *, *, bind:/etc/a, *, allow"),
        ("p, *, red, *, bind:/etc/**, *, never", "p, *, *, *, bind:/etc/a, *, allow"),
        ("p, role:red, *, *, bind:/etc/**, *, deny", "p, role:dev, *, *, bind:/etc/a, *, allow"),
        ("p, role:dev, *, *, bind:/etc/**, *, deny", "p, *, *, *, bind:/etc/a, *, allow"),
        ("p, *, *, *, bind:/h/{name}/**, *, deny", "p, *, *, *, bind:/h/{name}/a/**, *, allow"),
        ("p, *, *, *, bind:/h/{name}/**, *, deny", "p, *, *, *, bind:/h/bob/a, *, allow"),
        ("p, *, *, container.create, bind:**, *, deny", "p, *, *, container.*, bind:/a, *, allow"),
        ("p, *, *, *, **, *, deny", "p, *, *, *, body.opaque:**, *, allow"),
        ("p, *, *, *, **, *, deny", "p, *, *, *, on:unknown, *, allow"),
        ("p, *, *, *, port:1-1023/tcp, *, deny", "p, *, *, *, port:1-2000/tcp, *, allow"),
        ("p, *, *, *, cap.add:!CHOWN, *, deny", "p, *, *, *, cap.add:*, *, allow"),
        ("p, *, *, *, volume:a, *, deny", "p, *, *, *, volume:a, *, allow"),
        ("p, *, *, *, bind:/etc/**, *, deny", "p, *, *, *, bind:/etc/a, *, never"),
        ("p, *, *, *, bind:/etc/**, *, deny", "p, *, *, *, bind:/etc/a, *, deny"),
    ],
)
def test_what_can_escape_is_not_named(stronger, weaker, tmp_path):
    """By its value, its caller, its tenant, its action or its word; the same is told elsewhere."""
    assert told(tmp_path, stronger, weaker) == {}


def test_a_placeholder_covers_itself(tmp_path):
    """It is filled alike on both sides."""
    rows = "p, *, *, *, bind:/h/{name}, *, never", "p, role:dev, *, *, bind:/h/{name}, *, allow"
    assert set(told(tmp_path, *rows)) == {2}


def test_a_group_that_a_row_could_not_name_covers_nothing(tmp_path):
    """An own group of actions has the actions in it, and no others."""
    rows = (
        "g2, container.create, site.make",
        "p, *, *, site.make, device:**, *, deny",
        "p, role:dev, *, container.create, device:/dev/a, *, allow",
        "p, role:dev, *, container.update, device:/dev/a, *, allow",
    )
    assert set(told(tmp_path, *rows)) == {3}


def test_a_service_does_not_compare_rows(tmp_path):
    """It would take seconds where there are very many, at each reload."""
    rows = "p, *, *, *, bind:**, *, never\np, *, *, *, bind:/srv, *, allow\n"
    root = a_bundle(tmp_path, policy=rows, people="")
    assert load_bundle(root).warnings == ()
    assert len(load_bundle(root, thorough=True).warnings) == 1
