"""What the proxy itself answers."""

import json

import pytest

from authz.errors import Reason
from authz.proxy.refusal import answer, status


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.NO_RULE, 403),
        (Reason.UNREADABLE_REQUEST, 403),
        (Reason.NO_CREDENTIAL, 401),
        (Reason.BAD_CREDENTIAL, 401),
        (Reason.BODY_TOO_LARGE, 413),
        (Reason.LOOKUP_FAILED, 503),
        (Reason.INTERNAL_ERROR, 500),
    ],
)
def test_every_reason_has_a_status(reason, expected):
    """A denial and a failure can be told apart."""
    assert status(reason) == expected


def test_the_format_is_the_daemons():
    """A document with a message, which the client prints."""
    head, _, body = answer(401, "dockgate: refused: é", closes=True).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n")
    assert b"\r\nWWW-Authenticate: Bearer" in head
    assert head.endswith(b"\r\nConnection: close")
    assert json.loads(body) == {"message": "dockgate: refused: é"}
    assert b"Content-Length: %d\r\n" % len(body) in head


def test_a_head_request_gets_the_head_alone():
    """Its length is that of the body it does not get."""
    assert answer(403, "no", closes=False, bodiless=True).endswith(b"\r\n\r\n")
