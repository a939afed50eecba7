"""Secrets in the environment, told by their names."""

import pytest

from authz.facts.environment import secret_facts
from tests.builders import words


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "mysql_root_password",
        "SSH_PASSPHRASE",
        "CLIENT_SECRET",
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "APIKEY",
        "API_KEY",
        "TLS_PRIVATE_KEY",
        "GOOGLE_CREDENTIALS",
        "passwd",
    ],
)
def test_a_variable_that_is_called_like_a_secret_is_told(name):
    """By its name; its value is in no fact."""
    assert words(secret_facts({"Env": [f"{name}=hunter2"]})) == [f"env.secret:{name}"]


@pytest.mark.parametrize(
    "entry",
    [
        "PATH=/usr/bin",
        "KEYBOARD=us",
        "DB_PASSWORD_FILE=/run/secrets/db",
        "db_password_file=/run/secrets/db",
        "DB_PASSWORD=",
        "DB_PASSWORD",
    ],
)
def test_what_holds_no_secret_is_silent(entry):
    """A file's name, an empty value and a variable that is taken away give nothing away."""
    assert words(secret_facts({"Env": [entry]})) == []


def test_no_environment_is_no_secret():
    """Nor is one that is null."""
    assert words(secret_facts({})) == words(secret_facts({"Env": None})) == []
