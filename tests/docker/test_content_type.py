"""Content types."""

import pytest

from authz.docker.content_type import content_type
from authz.errors import Reason, RefusedError


def read(*values, name="Content-Type"):
    """Read the media type of a request with these headers."""
    return content_type([("Host", "docker"), *((name, value) for value in values)])


@pytest.mark.parametrize(
    ("value", "media"),
    [
        ("application/json", "application/json"),
        ("Application/JSON", "application/json"),
        (" application/json\t", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("application/json;charset=UTF-8", "application/json"),
        ("application/json ;\tcharset=utf-8 ; v=1", "application/json"),
        ('application/json; charset="utf-8"', "application/json"),
        ('application/json; a=";b=c"; b="d e"', "application/json"),
        ("text/plain", "text/plain"),
        ("application/x-tar", "application/x-tar"),
        ("application/vnd.docker.raw-stream", "application/vnd.docker.raw-stream"),
        ("", ""),
        (" ", ""),
    ],
)
def test_a_media_type_is_read_without_its_parameters(value, media):
    """Clients add a charset, and case does not count."""
    assert read(value) == media


def test_no_header_is_no_media_type():
    """Most requests have none."""
    assert read() == ""


@pytest.mark.parametrize("name", ["content-type", "CONTENT-TYPE", "Content-type"])
def test_the_name_of_the_header_has_any_case(name):
    """Doors may pass headers on as they came."""
    assert read("text/plain", name=name) == "text/plain"


@pytest.mark.parametrize("name", ["Content_Type", "X-Content-Type", "Content-Type "])
def test_another_header_is_not_it(name):
    """An underscore or a blank makes another name."""
    assert read("text/plain", name=name) == ""


@pytest.mark.parametrize(
    "values",
    [
        ("application/json", "text/plain"),
        ("application/json", "application/json"),
        ("", "application/json"),
        ("a/b", "c/d", "e/f"),
    ],
)
def test_two_headers_are_refused(values):
    """Handlers take the first, and a plugin is shown the last."""
    with pytest.raises(RefusedError, match=rf"Content-Type comes {len(values)} times"):
        read(*values)


@pytest.mark.parametrize(
    "value",
    [
        "application/json; foo",
        "application/json;",
        "application/json; a=1; a=2",
        "application/json; a=1; A=1",
        "application/json, text/plain",
        "application/json; charset*=utf-8''x",
        'application/json; a="b',
        'application/json; a="b\\"c"',
        "application/json; a = b",
        "application/json x",
        "application/json\n",
        "application / json",
        "json",
        "/json",
        "application/",
        "*/*",
        "äpplication/json",
        "application/json\udcff",
    ],
)
def test_what_mime_parsers_disagree_on_is_refused(value):
    """The daemon hides the body of a type it cannot parse, and some handlers read it."""
    with pytest.raises(RefusedError, match="which is no media type") as refusal:
        read(value)

    assert refusal.value.reason is Reason.UNREADABLE_REQUEST


@pytest.mark.parametrize(
    "value",
    [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        "multipart/form-data; boundary=x",
        "multipart/mixed",
        "MULTIPART/form-data",
    ],
)
def test_a_form_is_refused(value):
    """The daemon would take its values before those of the query, and shows them to nobody."""
    with pytest.raises(RefusedError, match="would read a form over the query") as refusal:
        read(value)

    assert refusal.value.reason is Reason.UNREADABLE_REQUEST
