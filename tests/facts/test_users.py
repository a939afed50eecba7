"""Users in their one spelling."""

from time import process_time

import pytest

from authz.facts.questions import MISSING
from authz.facts.users import exec_user, normal_number, normal_user, user_value
from tests.builders import a_known, a_stored_container

LONG = "1" * 10_000


@pytest.mark.parametrize(
    "written", ["", "0", "00", "+0", "-0", "root", "root:root", "0:1000", ":docker", "0" * 10_000]
)
def test_root_however_it_is_written(written):
    """The daemon reads all of these as user 0."""
    assert normal_user(written) == "root"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("1000", "1000"),
        ("1000:0", "1000"),
        ("+1000", "1000"),
        ("001000", "1000"),
        ("-5", "-5"),
        ("app", "app"),
        (" 0", " 0"),
        ("0x0", "0x0"),
        ("\u0660", "\u0660"),
        (LONG, LONG),
        (f"-{LONG}", f"-{LONG}"),
    ],
)
def test_other_users(written, name):
    """A number without sign and zeros; what is no number to Go stays as it is."""
    assert normal_user(written) == name


@pytest.mark.parametrize(
    ("written", "value"), [("0", "0"), ("00", "0"), ("+07", "7"), ("docker", "docker"), ("", "")]
)
def test_a_number_has_one_spelling(written, value):
    """Groups are written alike."""
    assert normal_number(written) == value


@pytest.mark.parametrize(
    ("image", "user"),
    [
        ({"Config": {"User": "app"}}, "app"),
        ({"Config": {"User": ""}}, "root"),
        ({"Config": None}, "root"),
        (MISSING, "unset"),
    ],
)
def test_the_user_of_a_new_container(image, user):
    """Its own, else the image's, else root."""
    known = a_known(image={"nginx": image})

    assert user_value({"Image": "nginx", "User": "7"}, known) == "7"
    assert user_value({"Image": "nginx"}, known) == user


def test_the_user_of_a_process():
    """Its own, else the container's."""
    container = a_stored_container(config={"User": "app"})

    assert exec_user("0", container) == "root"
    assert exec_user("", container) == "app"
    assert exec_user("", a_stored_container()) == "root"
    assert exec_user("", None) == "unset"


def test_time_grows_with_the_length_alone():
    """Of what only looks like a number to its end, too."""
    began = process_time()
    assert normal_user("0" * 100_000 + "x") == "0" * 100_000 + "x"

    assert process_time() - began < 0.5
