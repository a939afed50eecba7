"""What is remembered of heads, and what never is."""

import pytest

from authz.proxy import familiar
from authz.proxy.head import FramingError

GET = b"GET /info HTTP/1.1\r\nHost: x"


@pytest.fixture(autouse=True)
def nothing_known():
    """Begin with nothing."""
    familiar.forget()


def test_equal_heads_are_read_once():
    """The second time it is the very same value."""
    assert familiar.read_request(GET) is familiar.read_request(GET)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2"
    assert familiar.read_answer(answer) is familiar.read_answer(answer)


def test_a_target_that_nobody_can_read_has_no_plan():
    """Its head is there: the refusal is recorded with it."""
    head, handling = familiar.read_request(b"GET /nowhere HTTP/1.1\r\nHost: x")

    assert head.target == "/nowhere"
    assert handling is None


@pytest.mark.parametrize("reads", [familiar.read_request, familiar.read_answer])
def test_what_is_refused_is_refused_again(reads):
    """A refusal is not remembered."""
    for _ in range(2):
        with pytest.raises(FramingError):
            reads(b"nonsense")
    assert not familiar._requests
    assert not familiar._answers


@pytest.mark.parametrize(
    "text",
    [
        GET + b"\r\nAuthorization: Bearer secret",
        GET + b"\r\nx-registry-auth: secret",
        GET + b"\r\nX-Own: secret",
        GET.replace(b"/info", b"/" + b"x" * familiar.LONGEST),
        b"POST /build?buildargs=secret HTTP/1.1\r\nHost: x",
    ],
)
def test_what_may_be_a_secret_is_not_remembered(text):
    """Nor what is long."""
    familiar.read_request(text)

    assert not familiar._requests


def test_what_came_first_goes_first():
    """There are only so many."""
    for number in range(familiar.MOST + 1):
        familiar.read_request(b"GET /%d HTTP/1.1\r\nHost: x" % number)

    assert len(familiar._requests) == familiar.MOST
    assert b"GET /0 HTTP/1.1\r\nHost: x" not in familiar._requests
