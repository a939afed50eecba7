"""Subjects are typed, so that none can pass for another."""

from __future__ import annotations

import pytest

from authz.policy.subject import CALLERS, fault_of, type_of


@pytest.mark.parametrize(
    "subject",
    [
        "user:alice",
        "user:1000",
        "cert:Alice Smith",
        "cert:x",
        "token:https://issuer.example/ci",
        "container:web",
        "group:os/docker",
        "group:cert/Ops Team",
        "group:token/ci",
        "role:developer",
        "pack:pss-baseline",
    ],
)
def test_typed_subjects_are_fine(subject: str):
    """Every type, and names as certificates have them."""
    assert fault_of(subject) is None


@pytest.mark.parametrize(
    ("subject", "fault"),
    [
        (
            "alice",
            (
                (
                    '"alice" has no known type; expected user:, cert:, token:, container:,'
                    " group:, role: or pack:"
                ),
                "user:alice",
            ),
        ),
        (
            "rol:dev",
            (
                (
                    '"rol:dev" has no known type; expected user:, cert:, token:, container:,'
                    " group:, role: or pack:"
                ),
                "role:dev",
            ),
        ),
        (
            "group:docker",
            (
                (
                    '"group:docker" does not say where the group comes from; expected group:os/...,'
                    " group:cert/... or group:token/..."
                ),
                "group:os/docker",
            ),
        ),
        (
            "group:certs/ops",
            (
                (
                    '"certs" is not a source of groups; expected group:os/..., group:cert/... or'
                    " group:token/..."
                ),
                "group:cert/ops",
            ),
        ),
        (
            "group:ldap/ops",
            (
                (
                    '"ldap" is not a source of groups; expected group:os/..., group:cert/... or'
                    " group:token/..."
                ),
                "",
            ),
        ),
        (
            "user:role:admin",
            (
                ('"user:role:admin" has two types; no caller whose name begins with one is let in'),
                "role:admin",
            ),
        ),
        (
            "group:os/Role:admin",
            (
                (
                    '"group:os/Role:admin" has two types; no caller whose name begins with one'
                    " is let in"
                ),
                "",
            ),
        ),
        ("group:os/", ('"group:os/" has no name after its type', "")),
        ("user:", ('"user:" has no name after its type', "")),
        ("user: alice", ('"user: alice" has no name after its type', "")),
        (
            "user:a*",
            ('"user:a*" looks like a pattern; a subject is one name, or * for anybody', ""),
        ),
        (
            "user:{name}",
            ('"user:{name}" looks like a pattern; a subject is one name, or * for anybody', ""),
        ),
        (
            "role:a b",
            ('"role:a b" is not a name; expected letters, digits, dots and dashes', ""),
        ),
        (
            "pack:../x",
            ('"pack:../x" is not a name; expected letters, digits, dots and dashes', ""),
        ),
    ],
)
def test_other_subjects_are_faulty(subject: str, fault: tuple[str, str]):
    """What is wrong, and what was meant."""
    assert fault_of(subject) == fault


def test_a_role_is_no_caller():
    """Pitfall 7: a name that equals a role's must not give the role."""
    assert fault_of("role:admin", CALLERS) == (
        '"role:admin" cannot stand here; expected user:, cert:, token: or container:',
        "",
    )


@pytest.mark.parametrize(("subject", "kind"), [("user:a", "user"), ("a", ""), ("*", "")])
def test_the_type_is_what_stands_before_the_colon(subject: str, kind: str):
    """Without a colon there is none."""
    assert type_of(subject) == kind
