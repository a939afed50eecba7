"""What of a request is written down, and what is not."""

from collections.abc import Mapping
from time import process_time

import pytest

from authz.audit.redaction import LONGEST_TARGET, LONGEST_TEXT, Redaction
from authz.docker.request import ApiRequest
from authz.docker.routes import Operation

KEY = b"k" * 32
HIDDEN = "digest:"


def a_request(
    path: str = "/containers/{id}/json",
    variables: Mapping[str, str] | None = None,
    query: Mapping[str, tuple[str, ...]] | None = None,
    version: tuple[int, int] | None = (1, 41),
) -> ApiRequest:
    """Return a request that was read."""
    operation = Operation(
        name="Some",
        method="GET",
        path=path,
        variant="",
        action="some.action",
        first=(1, 24),
        last=(1, 55),
        risk="read",
        stream="none",
        object="none",
        targets=frozenset(),
        body="none",
        required=False,
        opaque="",
    )
    return ApiRequest(operation, version, variables or {}, query or {})


def test_a_target_is_printed_in_its_canonical_form():
    """Path variables and harmless parameters appear as they are, escaped where they must be."""
    request = a_request(
        variables={"id": "my/web 1"}, query={"all": ("1",), "t": ("a:1", "b:2"), "q": ("x y&z",)}
    )

    target = Redaction(KEY).target(request)

    assert target == "/v1.41/containers/my/web%201/json?all=1&t=a:1&t=b:2&q=x%20y%26z"


def test_a_target_without_version_and_query_is_the_path():
    """Nothing is made up."""
    assert Redaction(KEY).target(a_request("/info", version=None)) == "/info"


def test_a_brace_in_a_name_is_no_variable():
    """A value cannot pull another variable into its place."""
    request = a_request("/a/{id}/{name}", {"id": "{name}", "name": "n"})

    assert Redaction(KEY).target(request) == "/v1.41/a/%7Bname%7D/n"


@pytest.mark.parametrize(
    "name", ["buildargs", "changes", "labels", "session", "message", "unheardof"]
)
def test_values_that_may_be_secrets_are_digested(name: str):
    """Only parameters known to hold no secret are printed."""
    request = a_request(query={name: ("hunter2",)})

    target = Redaction(KEY).target(request)

    assert "hunter2" not in target
    assert f"?{name}={HIDDEN}" in target


def test_an_empty_value_stays_empty():
    """There is nothing to hide in it, and it matters that it was empty."""
    assert Redaction(KEY).parameter("buildargs", "") == ""


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("remote", "https://me:pw@example.com/x.git#main", "https://digest:"),
        ("remote", "https://example.com/x?token=pw", "https://example.com/x?digest:"),
        ("fromSrc", "http://pw@h/", "http://digest:"),
        ("fromImage", "https://me:pw@h/x", "https://digest:"),
        ("filters", '{"label":["db.password=pw"]}', '{"label":["db.password=digest:'),
    ],
)
def test_credentials_inside_a_printed_value_are_digested(name: str, value: str, kept: str):
    """The rest of the value stays readable."""
    printed = Redaction(KEY).parameter(name, value)

    assert "pw" not in printed
    assert printed.startswith(kept)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("nothing to hide", "nothing to hide"),
        ("alice@example.com", "alice@example.com"),
        ("bind:/a//b", "bind:/a//b"),
        ("memory=8g", "memory=8g"),
        ("password=, x", "password=, x"),
        ("git@host/x#y@z", "git@host/x#y@z"),
    ],
)
def test_harmless_text_stays_as_it_is(text: str, kept: str):
    """Redaction does not eat what a person needs to read."""
    assert Redaction(KEY).text(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "volume.opt:o=addr=10.0.0.1,username=me,password=pw,vers=3",
        "log.opt:splunk-token=pw",
        "build.remote:https://me:pw@example.com/x",
        "PASSWORD=pw",
        "plugin.setting:AWS_ACCESS_KEY_ID=pw",
        "log.opt:x-api-key=pw",
        "https://a@pw@example.com/",
    ],
)
def test_named_secrets_and_credentials_of_urls_are_digested(text: str):
    """Options of drivers hold passwords too."""
    redacted = Redaction(KEY).text(text)

    assert "pw" not in redacted
    assert HIDDEN in redacted


def test_equal_values_have_equal_digests_under_one_key_only():
    """Two records can be compared, but nobody can try out guesses without the key."""
    one, other = Redaction(KEY), Redaction()

    assert one.digest("x") == Redaction(KEY).digest("x")
    assert one.digest("x") != one.digest("y")
    assert one.digest("x") != other.digest("x")


def test_text_that_is_not_unicode_can_be_digested():
    """A lone surrogate must not break the record of a refusal."""
    assert Redaction(KEY).digest("\ud800").startswith(HIDDEN)


@pytest.mark.parametrize(
    ("target", "printed"),
    [
        ("/a/../b", "/a/../b"),
        ("/a?", "/a?"),
        ("/a?all=1&&x", "/a?all=1&&digest:"),
        ("/a?name=x\x1b[2J", "/a?name=x\x1b[2J"),
        ("http://me:pw@host/a", "http://digest:"),
        ("/build?buildargs=pw&t=x", "/build?buildargs=digest:"),
        ("/build?t=1;buildargs=pw", "/build?digest:"),
        ("/build?b%75ildargs=pw", "/build?b%75ildargs=digest:"),
        ("/build?pw", "/build?digest:"),
    ],
)
def test_a_target_that_could_not_be_read_shows_no_secret(target: str, printed: str):
    """It is kept as it came, except for values of which nothing is known."""
    shown = Redaction(KEY).raw_target(target)

    assert shown.startswith(printed)
    assert "pw" not in shown


def test_a_long_text_is_cut_and_can_still_be_told_from_another():
    """A record does not grow with what a caller writes; equal texts stay equal."""
    redaction = Redaction(KEY)
    one, other = "x" * 100_000, "x" * 99_999 + "y"

    shown = redaction.text(one)

    assert shown.startswith("x" * LONGEST_TEXT + "...(100000 characters, digest:")
    assert len(shown) < LONGEST_TEXT + 60
    assert shown == redaction.text(one) != redaction.text(other)
    assert redaction.text("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT


def test_a_target_without_end_is_cut():
    """A record of a refusal does not grow with the attempt."""
    shown = Redaction(KEY).raw_target("/" * 100_000)

    assert len(shown) == LONGEST_TARGET
    assert shown.endswith("/...")


LONG = 20_000


@pytest.mark.parametrize(
    "part", ["v", ".", "a=", "pass=", "x=,", "token=a,", "//", "a@", "//a@", "api_", "//token=a@,"]
)
def test_time_grows_with_the_length_alone(part: str):
    """A request must not take a minute to be written down: all others wait for that long."""
    text = f"=@{part * (LONG // len(part))}"
    began = process_time()
    Redaction(KEY).text(text)
    Redaction(KEY).raw_target(text)
    Redaction(KEY).raw_target(f"/x?{text.replace(',', '&')}")
    Redaction(KEY).target(a_request(query={"x": ("v",) * LONG}))

    assert process_time() - began < 0.5


def test_what_is_left_out_behind_very_many_secrets_is_marked():
    """And none of them is shown."""
    found = Redaction(KEY).text("secret=" + "//pw@" * 100 + ", the end")

    assert found.startswith("secret=digest:")
    assert found.endswith("...")
    assert "pw" not in found


def test_a_query_of_very_many_pairs_is_cut():
    """However short they are; nothing of the rest is shown."""
    found = Redaction(KEY).raw_target("/x?" + "&" * LONGEST_TARGET + "labels=pw")

    assert len(found) == LONGEST_TARGET
    assert found.endswith("...")
    assert "pw" not in found
