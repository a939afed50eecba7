"""The messages between the daemon and an AuthZ plugin, as bytes and values.

This module knows the documents of the protocol and nothing of sockets, HTTP or
policies. A document that the daemon could not have written is refused: after a
broken connection the daemon repeats a call with an empty body and believes the
answer to that (moby pkg/plugins/client.go).

Source of the shapes: moby pkg/authorization/api.go and authz.go.
"""

import binascii
import json
from functools import partial
from typing import NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from authz.errors import Reason, RefusedError
from authz.wire.evidence import Evidence
from authz.wire.raw import BodyState, Door, RawRequest

MAX_BODY = 256 * 1024
"""Bytes of a decoded request body; a bigger one is not decoded."""

REST_OF_MESSAGE = 512 * 1024
"""Room in a document for all but the body: target, headers, certificates."""

BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Methods whose body no handler of the daemon reads."""

ACTIVATION = b'{"Implements":["authz"]}'
"""The answer to ``/Plugin.Activate``."""

ALLOWED = b'{"Allow":true,"Msg":"","Err":""}'
"""The answer that lets a request through."""

_PEM_HEAD = "-----BEGIN CERTIFICATE-----\n"
_PEM_TAIL = "\n-----END CERTIFICATE-----\n"


class Call(BaseModel):
    """The request members of ``AuthZReq``, spelt as the daemon spells them.

    Members that are not named here are left alone: a newer daemon may tell
    more. None of the named ones is ever null, because the daemon leaves empty
    members out.
    """

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    user: str = Field(default="", alias="User")
    method_of_user: str = Field(default="", alias="UserAuthNMethod")
    method: str = Field(default="", alias="RequestMethod")
    target: str = Field(default="", alias="RequestUri")
    body: str = Field(default="", alias="RequestBody")
    headers: dict[str, str] = Field(default_factory=dict, alias="RequestHeaders")
    certificates: list[str] = Field(default_factory=list, alias="RequestPeerCertificates")


def message_limit(max_body: int = MAX_BODY) -> int:
    """Return the size in bytes above which no document is read: a body in base64 and the rest."""
    return -(-max_body // 3) * 4 + REST_OF_MESSAGE


def read_call(document: bytes, *, max_body: int = MAX_BODY) -> RawRequest:
    """Turn the document of an ``AuthZReq`` into the request it describes.

    Raises RefusedError: UNREADABLE_REQUEST for anything but one JSON object of
    the daemon's shape, BODY_TOO_LARGE for a document above ``message_limit``.
    A body above ``max_body`` bytes is no error here but a state of the body.
    """
    if len(document) > message_limit(max_body):
        raise too_large(max_body)
    call = _validated(_object(document))
    if not call.method:
        _refuse("has no RequestMethod")
    if not call.target:
        _refuse("has no RequestUri")
    headers = _headers(call.headers)
    body, state = _body(call, headers, max_body)
    return RawRequest(
        method=call.method,
        target=call.target,
        headers=tuple(call.headers.items()),
        body=body,
        body_state=state,
        evidence=_evidence(call),
        door=Door.PLUGIN,
    )


_NOTHING = Evidence()


def _evidence(call: Call) -> Evidence:
    """Return what the daemon says of the caller; on a unix socket that is nothing."""
    if not (call.user or call.method_of_user or call.certificates):
        return _NOTHING
    return Evidence(
        daemon_user=call.user,
        daemon_method=call.method_of_user,
        certificates=tuple(_certificate(text) for text in call.certificates),
    )


def too_large(max_body: int = MAX_BODY) -> RefusedError:
    """Return the refusal of a message that nobody will decode."""
    return RefusedError(
        Reason.BODY_TOO_LARGE,
        f"plugin message is above {message_limit(max_body)} bytes, "
        f"more than a request with a body of {max_body} bytes needs",
    )


def denial(message: str) -> bytes:
    """Return the document by which a call is answered with no.

    ``Err`` stays empty: with status 200 the daemon ignores it, so it could not
    hold a request back.
    """
    return json.dumps({"Allow": False, "Msg": message, "Err": ""}).encode("ascii")


def _object(document: bytes) -> object:
    """Read the document, which must be one object without repeated members."""
    if not document:
        _refuse("is empty")
    try:
        text = document.decode("utf-8")
        if text.startswith("\ufeff"):
            _refuse("is not JSON: Unexpected UTF-8 BOM")
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        _refuse(f"is not JSON: {_cause(error)}")
    if not isinstance(value, dict):
        _refuse(f"is a JSON {type(value).__name__}; expected an object")
    return value


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        _refuse(f"has the member {_shown(twice)} twice")
    return members


def _constant(text: str) -> NoReturn:
    _refuse(f"is not JSON: {text} is no value")


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant)


def _cause(error: ValueError | RecursionError) -> str:
    match error:
        case UnicodeDecodeError():
            return f"byte {error.start} is not UTF-8"
        case json.JSONDecodeError():
            return f"{error.msg.removesuffix(' at')} at character {error.pos}"
        case RecursionError():
            return "too many levels"
        case _:
            return "a number has too many digits"


def _validated(value: object) -> Call:
    try:
        call = Call.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = first["msg"][0].lower() + first["msg"][1:]
        _refuse(f"has a member {_shown(place)} of the wrong kind: {reason}")
    return call


def _headers(written: dict[str, str]) -> dict[str, str]:
    """Return the headers by lower-case name; the daemon gives each name once."""
    headers = {name.lower(): value for name, value in written.items()}
    if len(headers) < len(written):
        _refuse("has two RequestHeaders whose names differ in case only")
    return headers


def _body(call: Call, headers: dict[str, str], max_body: int) -> tuple[bytes, BodyState]:
    """Say what is known of the body.

    The daemon hides bodies: of other media types, in some versions of chunked
    or big requests, and where its second reading of the target fails. Only
    ``Content-Length: 0`` proves that there is none, as net/http drops that
    header when the body is chunked.
    """
    length = headers.get("content-length")
    if not call.body:
        bodiless = call.method in BODILESS or length == "0"
        return b"", BodyState.COMPLETE if bodiless else BodyState.UNSEEN
    if _decoded_size(call.body) > max_body:
        return b"", BodyState.TOO_LARGE
    body = _base64(call.body, "RequestBody")
    if length is not None and length.lstrip("0") != str(len(body)):
        _refuse(f"shows a body of {len(body)} bytes under a Content-Length of {_shown(length)}")
    return body, BodyState.COMPLETE


def _decoded_size(text: str) -> int:
    """Return how many bytes the base64 text holds, without decoding it."""
    return len(text) * 3 // 4 - text[-2:].count("=")


def _base64(text: str, member: str) -> bytes:
    """Decode; there is one way to write bytes, and Python's strict mode takes others as well.

    Of all groups of four letters it leaves only the last one a choice, of bits that say nothing.
    """
    try:
        written = text.encode("ascii")
        found = binascii.a2b_base64(written, strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are both of it
        _refuse(f"has a {member} that is not base64")
    last = found[-(len(found) % 3 or 3) :]
    if len(written) != -(-len(found) // 3) * 4 or not written.endswith(_BASE64(last)):
        _refuse(f"has a {member} that is not base64")
    return found


_BASE64 = partial(binascii.b2a_base64, newline=False)


def _certificate(text: str) -> str:
    """Undo the outer base64; within is the PEM text of one certificate."""
    pem = _base64(text, "RequestPeerCertificates").decode("ascii", errors="replace")
    inner = pem.removeprefix(_PEM_HEAD).removesuffix(_PEM_TAIL)
    if len(pem) - len(inner) != len(_PEM_HEAD) + len(_PEM_TAIL):
        _refuse("has a RequestPeerCertificates that is not one certificate in PEM")
    _base64(inner.replace("\n", ""), "RequestPeerCertificates")
    return pem


def _shown(text: str) -> str:
    """Quote a value on one line and not at length."""
    shortest = 60
    shown = json.dumps(text)
    return shown if len(shown) <= shortest else f'{shown[: shortest - 4]}..."'


def _refuse(problem: str) -> NoReturn:
    raise RefusedError(Reason.UNREADABLE_REQUEST, f"plugin message {problem}")
