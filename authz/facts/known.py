"""What is known beyond the request itself, and what would have to be asked.

The describers of this stage ask here. An answer that is not there is noted as
pending, and the describer goes on with ``unknown``: so one piece of code says
both what must be looked up and what the answers mean. It knows whose an object
is, and no field of a request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from authz.facts.labels import OWNER, TENANT
from authz.facts.members import is_table
from authz.facts.questions import Answer, Answers, Question, Topic
from authz.identity.identity import Identity

PROTECTED = (
    "/run/docker.sock",
    "/run/docker",
    "/run/docker/plugins",
    "/run/containerd",
    "/run/dockgate",
    "/etc/docker",
    "/etc/docker/plugins",
    "/etc/dockgate",
    "/etc/systemd",
    "/lib/systemd",
    "/run/systemd",
    "/usr/lib/systemd",
    "/usr/lib/docker",
    "/usr/lib/docker/plugins",
    "/usr/libexec/docker",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/log/dockgate",
    "/proc",
)
"""Paths from which the daemon or the gate can be taken over, ``/var/run`` written as ``/run``."""

UNKNOWN = "unknown"

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class FactSettings:
    """What the configuration says about the description of requests.

    ``protected`` paths are cleaned and absolute. ``max_facts`` bounds the facts of
    one request. ``labels`` says that the door writes the labels of owner and
    tenant into what is created, over those that an image carries.
    """

    protected: tuple[str, ...] = PROTECTED
    max_facts: int = 2000
    labels: bool = False


NOBODY = Identity("user:nobody")
"""Stands in where it does not matter who asks: only questions are wanted."""


@dataclass(slots=True)
class Key:
    """What stands for a request and who asks, once somebody worked it out; empty before.

    It belongs to one request and one caller.
    """

    value: bytes = b""


@dataclass(slots=True)
class Known:
    """The answers, who asks, and the questions that are still open."""

    answers: Answers = field(default_factory=dict)
    identity: Identity = NOBODY
    settings: FactSettings = field(default_factory=FactSettings)
    pending: dict[Question, None] = field(default_factory=dict)
    """Unanswered questions, in the order asked."""
    asked: dict[Question, None] = field(default_factory=dict)
    """All questions, in the order asked."""
    key: Key = field(default_factory=Key)
    """The key of the request that is described."""
    _made: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def ask(self, topic: Topic, key: str = "") -> Answer | None:
        """Return the answer; None, and a pending question, where there is none yet."""
        question = Question(topic, key)
        self.asked[question] = None
        answer = self.answers.get(question)
        if answer is None:
            self.pending[question] = None
        return answer

    def document(self, topic: Topic, key: str = "") -> Mapping[str, Any] | None:
        """Return the inspect document; None where it is unanswered or there is no such object."""
        answer = self.ask(topic, key)
        return answer if answer is not None and is_table(answer) else None

    def once(self, key: tuple[str, ...], make: Callable[[], Made]) -> Made:
        """Return what ``make`` returns, made once for a key.

        A short request can name one large object many times over.
        """
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    def whose(self, labels: Mapping[str, str] | None) -> str:
        """Say whose an object with these labels is: own, tenant, foreign or unowned."""
        labels = labels or {}
        owner = labels.get(OWNER, "")
        tenant = labels.get(TENANT, "")
        if owner and owner == self.identity.subject:
            return "own"
        if tenant and tenant == self.identity.tenant:
            return "tenant"
        return "foreign" if owner or tenant else "unowned"
