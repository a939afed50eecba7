"""The errors that cross a stage, and the closed list of reasons.

Every other module may import this one. It knows nothing about requests,
policies or the daemon.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """Why an answer came out as it did: the closed list of codes.

    A code is part of the audit record and of the metrics. Members are added,
    never renamed.
    """

    RULE = "rule"
    """Rows of the policy settled the answer."""
    NO_RULE = "no_rule"
    """At least one fact has no row that allows it, and no row denies any."""
    RULE_ERROR = "rule_error"
    """A deny or never row could not be evaluated."""
    UNREADABLE_REQUEST = "unreadable_request"
    """The daemon's reading could differ from ours, or there is no reading."""
    UNKNOWN_ROUTE = "unknown_route"
    """No operation of the Engine API has this method and path."""
    LEGACY_FORM = "legacy_form"
    """A form that only old daemons apply, such as HostConfig at the top level."""
    BODY_INCOMPLETE = "body_incomplete"
    """A body should be there and was not shown, or not all of it."""
    BODY_TOO_LARGE = "body_too_large"
    """The body is above the limit and was not decoded."""
    TOO_MANY_FACTS = "too_many_facts"
    """The request yields more facts than will be judged."""
    MISSING_FACT = "missing_fact"
    """The request does not yield a fact that its action must have."""
    RESERVED_LABEL = "reserved_label"
    """The request sets a label by which Dockgate knows whose an object is."""
    NO_CREDENTIAL = "no_credential"
    """Nobody proved who asks, and this door wants a proof."""
    BAD_CREDENTIAL = "bad_credential"
    """A proof was offered and does not hold."""
    LOOKUP_FAILED = "lookup_failed"
    """A question to the daemon was not answered."""
    TIMEOUT = "timeout"
    """The judgement took longer than its limit."""
    OVERLOADED = "overloaded"
    """Too many questions were in flight."""
    AUDIT_UNAVAILABLE = "audit_unavailable"
    """The record could not be written."""
    INTERNAL_ERROR = "internal_error"
    """A defect of Dockgate. The log has the traceback."""


class AuthzError(Exception):
    """Base of every error that Dockgate raises on purpose."""


class RefusedError(AuthzError):
    """The gate cannot read or authenticate this request and refuses it.

    ``reason`` is the code; ``detail`` a fragment for the caller: what is wrong
    with the value quoted, and what was expected. It holds no secret.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def bare(self) -> Self:
        """Forget the way it came, and return it: who keeps it keeps no request and no policy."""
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self


class LookupFailedError(AuthzError):
    """A question could not be answered, for a reason other than "no such object"."""


class AuditUnavailableError(AuthzError):
    """The audit record could not be written, so nothing may be answered."""


class ConfigurationError(AuthzError):
    """The settings cannot be used. The message says which, where and why."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file that a person wrote; lines and columns count from 1."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Print as ``file:line:column``, leaving out what is not known."""
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n)]
        return ":".join(parts)


class Severity(StrEnum):
    """How much a problem weighs: errors stop a load, warnings do not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a policy file, for the person who wrote it.

    ``message`` quotes the value and says what was expected; ``suggestion`` is
    the correction where there is one; ``source`` is the line as written, with
    ``width`` characters of it underlined from the location's column.
    """

    location: Location
    message: str
    suggestion: str = ""
    source: str = ""
    width: int = 1
    severity: Severity = Severity.ERROR


class PolicyError(AuthzError):
    """A bundle does not load. ``problems`` names everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        errors = [p for p in problems if p.severity is Severity.ERROR]
        found = f"{len(errors)} problems, the first" if len(errors) > 1 else "1 problem,"
        super().__init__(f"{found} at {errors[0].location}")
        self.problems = problems
