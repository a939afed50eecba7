"""Allow-lists of regular expressions by method."""

import pytest

from authz.tools.importers.regex_list import ROLE, read


def operations(text):
    """Return everything that is granted."""
    return set().union(*(grant.operations for grant in read(text, ()).grants))


@pytest.mark.parametrize(
    "line",
    [
        r"-allowGET=/v1\..{1,2}/(version|events.*)",
        r"      - '-allowGET=/v1\..{1,2}/(version|events.*)' # for traefik",
        r"""proxy '-allowGET=/v1\..{1,2}/(version|events.*)' -allowHEAD=x""",
        r"""SP_ALLOW_GET="/v1\..{1,2}/(version|events.*)" """,
        r"      SP_ALLOW_GET_2: '/v1\..{1,2}/(version|events.*)'",
        r"      - 'socket-proxy.allow.get.1=/v1\..{1,2}/(version|events.*)'",
        r"proxy -loglevel=info -allowGET=/v1\..{1,2}/version -allowGET=/v1\..{1,2}/events.*",
        r"""command: ["-allowGET=/v1\\..{1,2}/version", "-allowGET=/v1\\..{1,2}/events.*"]""",
        r"""SP_ALLOW_GET: "/v1\\..{1,2}/(version|events.*)" """,
    ],
)
def test_an_expression_is_read_in_any_file(line):
    """It must fit the whole path, under one version at least."""
    assert operations(line) == {"SystemVersion", "SystemEvents"}


def test_what_is_commented_out_grants_nothing():
    """Nor does it say who may connect."""
    found = read(
        "# -allowGET=/info\n  #- '-allowGET=/info'\nx # -allowGET=/info\n#SP_ALLOWFROM=x", ()
    )
    assert (found.grants, found.left) == ([], [])


def test_an_expression_for_everything_is_everything_of_the_method():
    """And of no other."""
    found = operations("-allowGET=.*")
    assert {"ContainerList", "ImageGet", "SystemInfo"} <= found
    assert "ContainerCreate" not in found


def test_an_expression_for_some_names_is_left():
    """It would be wider as a row."""
    found = read("-allowPOST=/v1.41/containers/(web|db)/restart", ())
    assert found.grants == []
    (text,) = found.left
    assert "fits some names of ContainerRestart and not others" in text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-allowGET=/nowhere", "fits the path of no operation"),
        ("-allowGET=(", "cannot be read as a regular expression"),
        ("-allowGET=" + "x" * 2000, "cannot be read as a regular expression"),
        ("-allowGET=/[[:alpha:]]+", "cannot be read as a regular expression"),
        ("-allowPATCH=.*", "the daemon has nothing under PATCH"),
        ("-allowfrom=traefik,dozzle", "who may connect, traefik,dozzle"),
    ],
)
def test_what_cannot_be_carried_over_is_left(line, said):
    """In its own words."""
    (text,) = read(line, ()).left
    assert said in text


def test_a_limit_of_bind_mounts_becomes_a_row():
    """Below these folders, and nowhere else; subfolders included."""
    found = read("- '-allowbindmountfrom=/home,/var/log/'", ())
    assert {draft.fact for draft in found.rows} == {"bind:!/home/**|/var/log/**"}
    assert {(draft.subject, draft.word) for draft in found.rows} == {(ROLE, "deny")}
