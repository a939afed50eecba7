"""The documents of the AuthZ protocol, as the daemon writes them and as it does not."""

import base64
import json
from typing import Any

import pytest

from authz.errors import Reason, RefusedError
from authz.plugin import protocol
from authz.wire.raw import BodyState, Door

PEM = "-----BEGIN CERTIFICATE-----\nMIIBAQ==\n-----END CERTIFICATE-----\n"


def encoded(text: bytes | str) -> str:
    """Return base64 as Go's encoder writes it."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def a_call(**members: Any) -> bytes:
    """Return the document of a call, valid unless told otherwise; None drops a member."""
    call = {"RequestMethod": "GET", "RequestUri": "/v1.41/containers/json", **members}
    return json.dumps({k: v for k, v in call.items() if v is not None}).encode()


def refusal(document: bytes, **limits: int) -> RefusedError:
    """Return the refusal that a document meets."""
    with pytest.raises(RefusedError) as caught:
        protocol.read_call(document, **limits)
    return caught.value


def test_a_whole_call_is_read():
    """Every member that the daemon sends arrives in its place."""
    document = a_call(
        User="alice",
        UserAuthNMethod="TLS",
        RequestMethod="POST",
        RequestBody=encoded(b'{"Image":"x"}'),
        RequestHeaders={"Content-Type": "application/json", "Content-Length": "13"},
        RequestPeerCertificates=[encoded(PEM)],
    )

    raw = protocol.read_call(document)

    assert (raw.method, raw.target, raw.door) == ("POST", "/v1.41/containers/json", Door.PLUGIN)
    assert raw.headers == (("Content-Type", "application/json"), ("Content-Length", "13"))
    assert (raw.body, raw.body_state) == (b'{"Image":"x"}', BodyState.COMPLETE)
    assert (raw.evidence.daemon_user, raw.evidence.daemon_method) == ("alice", "TLS")
    assert raw.evidence.certificates == (PEM,)


def test_a_member_that_nobody_knows_is_left_alone():
    """A newer daemon may say more than this program understands."""
    raw = protocol.read_call(a_call(RequestTrailers={"X": 1}))

    assert raw.method == "GET"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"", "is empty"),
        (b"{", "is not JSON: Expecting property name enclosed in double quotes at character 1"),
        (b'{"a', "is not JSON: Unterminated string starting at character 1"),
        (b"{}x", "is not JSON: Extra data at character 2"),
        (b"\xff{}", "is not JSON: byte 0 is not UTF-8"),
        (b"\xef\xbb\xbf{}", "is not JSON: Unexpected UTF-8 BOM"),
        (b"[" * 100_000, "is not JSON: too many levels"),
        (b'{"a":' + b"1" * 5000 + b"}", "is not JSON: a number has too many digits"),
        (b'{"a":NaN}', "is not JSON: NaN is no value"),
        (b"[]", "is a JSON list; expected an object"),
        (b"null", "is a JSON NoneType; expected an object"),
        (b'{"RequestUri":"/a","RequestUri":"/b"}', 'has the member "RequestUri" twice'),
        (b"{}", "has no RequestMethod"),
        (a_call(RequestMethod=None), "has no RequestMethod"),
        (a_call(RequestMethod=""), "has no RequestMethod"),
        (a_call(RequestUri=None), "has no RequestUri"),
        (a_call(RequestUri=""), "has no RequestUri"),
        (a_call(RequestMethod=7), 'has a member "RequestMethod" of the wrong kind'),
        (a_call(RequestHeaders={"A": ["b"]}), 'has a member "RequestHeaders.A" of the wrong kind'),
        (a_call(RequestHeaders={"A": "1", "a": "2"}), "names differ in case only"),
        (a_call(RequestHeaders={"x" * 90: 1}), '..."'),
        (a_call(RequestBody="###"), "has a RequestBody that is not base64"),
        (a_call(RequestBody="YQ==YQ=="), "has a RequestBody that is not base64"),
        (a_call(RequestBody="YQ"), "has a RequestBody that is not base64"),
        (a_call(RequestBody="YR=="), "has a RequestBody that is not base64"),
        (a_call(RequestBody="Y\u00e9=="), "has a RequestBody that is not base64"),
        (a_call(RequestPeerCertificates=["#"]), "RequestPeerCertificates that is not base64"),
        (a_call(RequestPeerCertificates=[encoded("x")]), "is not one certificate in PEM"),
        (a_call(RequestPeerCertificates=[encoded(PEM + PEM)]), "that is not base64"),
    ],
)
def test_what_the_daemon_could_not_have_written_is_refused(document: bytes, problem: str):
    """Anything but one well-formed call gets a refusal that says what is wrong."""
    error = refusal(document)

    assert error.reason is Reason.UNREADABLE_REQUEST
    assert error.detail.startswith("plugin message ")
    assert problem in error.detail


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_methods_whose_body_nobody_reads_are_complete(method: str):
    """The daemon ignores a body there, shown or not."""
    raw = protocol.read_call(a_call(RequestMethod=method))

    assert raw.body_state is BodyState.COMPLETE


@pytest.mark.parametrize(
    ("headers", "state"),
    [
        ({}, BodyState.UNSEEN),
        ({"Content-Length": "0"}, BodyState.COMPLETE),
        ({"content-length": "0"}, BodyState.COMPLETE),
        ({"Content-Length": "2"}, BodyState.UNSEEN),
        ({"Content-Length": ""}, BodyState.UNSEEN),
        ({"Content-Length": "00"}, BodyState.UNSEEN),
    ],
)
def test_only_a_shown_length_of_zero_proves_an_empty_body(
    headers: dict[str, str], state: BodyState
):
    """A body that is not shown may be there all the same."""
    document = a_call(RequestMethod="POST", RequestHeaders=headers)

    raw = protocol.read_call(document)

    assert (raw.body, raw.body_state) == (b"", state)


def test_a_lower_case_method_is_not_one_without_a_body():
    """The daemon keeps the case of the method, and only the exact ones are known."""
    raw = protocol.read_call(a_call(RequestMethod="get"))

    assert raw.body_state is BodyState.UNSEEN


def test_a_chunked_body_that_is_shown_is_complete():
    """Newer daemons show chunked bodies; those have no Content-Length."""
    raw = protocol.read_call(a_call(RequestMethod="POST", RequestBody=encoded("{}")))

    assert (raw.body, raw.body_state) == (b"{}", BodyState.COMPLETE)


@pytest.mark.parametrize("length", ["3", "0", "x", "+2", ""])
def test_a_length_that_contradicts_the_body_is_refused(length: str):
    """The message must not disagree with itself on how much body there is."""
    document = a_call(
        RequestMethod="POST", RequestBody=encoded("{}"), RequestHeaders={"Content-Length": length}
    )

    assert "shows a body of 2 bytes under a Content-Length of" in refusal(document).detail


def test_leading_zeros_of_a_length_are_the_daemons_way_too():
    """The daemon takes them, so they are no contradiction."""
    headers = {"Content-Length": "002"}
    document = a_call(RequestMethod="POST", RequestBody=encoded("{}"), RequestHeaders=headers)

    assert protocol.read_call(document).body == b"{}"


@pytest.mark.parametrize(
    ("size", "state"), [(10, "complete"), (11, "too_large"), (12, "too_large")]
)
def test_a_body_above_the_limit_is_not_decoded(size: int, state: str):
    """The limit counts decoded bytes and is exact."""
    document = a_call(RequestMethod="POST", RequestBody=encoded(b"x" * size))

    raw = protocol.read_call(document, max_body=10)

    assert raw.body_state == state
    assert raw.body == (b"x" * size if state == "complete" else b"")


def test_a_document_above_the_limit_is_not_read():
    """What cannot be a request of bearable size is refused before it is parsed."""
    error = refusal(b"{" * (protocol.message_limit(9) + 1), max_body=9)

    assert error.reason is Reason.BODY_TOO_LARGE
    assert "above 524300 bytes" in error.detail


def test_a_body_of_the_limit_fits_into_a_document():
    """A request with the biggest body and big headers is read."""
    document = a_call(
        RequestMethod="POST",
        RequestBody=encoded(b"x" * protocol.MAX_BODY),
        RequestHeaders={"X-Big": "y" * 500_000},
    )

    assert len(protocol.read_call(document).body) == protocol.MAX_BODY


def test_an_answer_says_yes_or_no():
    """The three members that the daemon reads, and no error member that it would ignore."""
    assert json.loads(protocol.ALLOWED) == {"Allow": True, "Msg": "", "Err": ""}
    assert json.loads(protocol.denial('no "x"\n')) == {"Allow": False, "Msg": 'no "x"\n', "Err": ""}


def test_activation_names_the_protocol():
    """The daemon accepts a plugin only if it implements authz."""
    assert json.loads(protocol.ACTIVATION) == {"Implements": ["authz"]}
