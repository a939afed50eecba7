"""Which registry gets the caller's credentials."""

import pytest

from authz.facts.logins import login_facts
from tests.builders import a_call, words


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
        ("HTTPS://Registry.example:5000/v2/", "registry.example:5000"),
        ("http://10.0.0.1", "10.0.0.1"),
        ("https://user:word@r.example/v2/", "r.example"),
    ],
)
def test_a_login_names_a_host(address, host):
    """However the address is written."""
    request = a_call("SystemAuth", body={"serveraddress": address, "password": "x"})

    assert words(login_facts(request)) == [f"registry.login:{host}"]


def test_a_login_whose_body_is_not_shown():
    """Only a row that writes it lets it through."""
    assert words(login_facts(a_call("SystemAuth"))) == ["registry.login:unknown"]
