"""What an operator may ask and do: readiness, reload, and warnings about the engine.

It knows the state of the service and nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from authz import __version__
from authz.admin.server import Answer, Peer
from authz.audit.record import Asked, Mode
from authz.errors import ConfigurationError, LookupFailedError, PolicyError, Severity
from authz.facts.questions import Question, Topic
from authz.identity.identity import Identity, Proof
from authz.inquiry import Lookups
from authz.metrics import Metrics
from authz.policy.current import CurrentPolicy
from authz.policy.snapshot import Snapshot
from authz.policy.text import problem_json, render_problems
from authz.runner import Runner

ASKS_NO_PLUGIN = (29, 2)
"""From this engine on, gRPC on the API's unix socket is served before any plugin is asked."""

WARNING = (
    "engine {version} serves BuildKit's gRPC on its unix socket without asking any plugin: "
    "give nobody that socket"
)

UNKNOWN = (
    "engine {version} may be one that serves BuildKit's gRPC without asking any plugin "
    "(29.2 and later do): give nobody its unix socket"
)

SHADOW = "shadow mode: what the policy denies is let through, but for never rows"

EVERY = 5.0
"""Seconds between two attempts to reach a daemon that has not started yet."""

PULSE = 15.0
"""Seconds between two looks whether the daemon answers."""

LOOK = 1.0
"""Seconds between two looks at the files of the policies."""

log = structlog.get_logger(__name__)


class Operator:
    """The state of the service, for the admin socket and for signals."""

    def __init__(
        self,
        runner: Runner,
        policy: CurrentPolicy,
        lookups: Lookups,
        metrics: Metrics,
        mode: Mode,
    ) -> None:
        self._further: Sequence[CurrentPolicy] = ()
        self._renew: Callable[[], None] = lambda: None
        self._also_warn: list[Callable[[], list[str]]] = []
        self._runner = runner
        self._policy = policy
        self._lookups = lookups
        self._metrics = metrics
        self._mode = mode
        self._up = False
        metrics.build.labels(__version__).set(1)
        metrics.shadow.set(1 if mode is Mode.SHADOW else 0)

    def also_reload(self, further: Sequence[CurrentPolicy], renew: Callable[[], None]) -> None:
        """Reload more than the policy: those of single listeners, and other files.

        ``renew`` reads certificates and the like again; it raises
        ConfigurationError, and leaves the old ones in force then.
        """
        self._further = further
        self._renew = renew

    def also_warn(self, warnings: Callable[[], list[str]]) -> None:
        """Let ``/readyz`` tell more than what is known here."""
        self._also_warn.append(warnings)

    async def ready(self) -> Answer:
        """Say whether requests can be judged: 200, or 503 where nothing can be recorded.

        ``status`` is ``ready``, ``degraded`` (what works is not all that should)
        or ``failing``.
        """
        version, unreached = await self._engine()
        policies = [self._policy, *self._further]
        problems = [*(each.problem for each in policies), unreached, self._runner.audit_problem]
        others = [text for warnings in self._also_warn for text in warnings()]
        document = {
            "status": self._status(problems),
            "mode": self._mode.value,
            "policy": self._policy.snapshot.digest,
            "daemon": version or None,
            "warnings": [*filter(None, problems), *self._warnings(version), *others],
        }
        return Answer(503 if self._runner.audit_problem else 200, document)

    def metrics(self) -> bytes:
        """Return all that is counted, and the state of now, in Prometheus' text format."""
        made, policies = self._metrics, [self._policy, *self._further]
        made.policy.clear()
        for each in policies:
            made.policy.labels(each.snapshot.digest).set(1)
        made.policy_loaded.set(min(each.loaded for each in policies))
        made.policy_stale.set(sum(1 for each in policies if each.problem))
        made.audit_failing.set(1 if self._runner.audit_problem else 0)
        made.audit_waiting.set(self._runner.audit_waiting)
        return made.text()

    async def reload(self) -> Answer:
        """Read the policy again: 200 with its digest, or 422 with every problem."""
        try:
            snapshot = await asyncio.to_thread(self._read_again)
        except PolicyError as error:
            self._metrics.reloads.labels("failed").inc()
            log.error(  # noqa: TRY400  the problems are the policy's, a traceback says nothing
                "policy.reload_failed", problems=render_problems(error.problems)
            )
            found = [problem_json(p) for p in error.problems if p.severity is Severity.ERROR]
            return Answer(422, {"message": str(error), "problems": found})
        except ConfigurationError as error:
            self._metrics.reloads.labels("failed").inc()
            log.error("policy.reload_failed", problems=str(error))  # noqa: TRY400  as above
            return Answer(422, {"message": str(error)})
        except Exception:
            self._metrics.reloads.labels("failed").inc()
            log.exception("policy.reload_failed")
            return Answer(500, {"message": "a defect; the log has the traceback"})
        self._metrics.reloads.labels("done").inc()
        log.info("policy.reloaded", policy=snapshot.digest)
        return Answer(200, {"policy": snapshot.digest})

    def _read_again(self) -> Snapshot:
        """Read policies and files; a policy that does not load holds no revocation list back."""
        try:
            snapshot = self._policy.reload()
            for policy in self._further:
                policy.reload()
        except Exception:
            try:
                self._renew()
            except ConfigurationError as error:
                log.error("policy.reload_failed", problems=str(error))  # noqa: TRY400  as above
            raise
        self._renew()
        return snapshot

    async def reload_on(self, hangups: asyncio.Queue[None]) -> None:
        """Read the policy again for every item of the queue."""
        while True:
            await hangups.get()
            await self.reload()

    async def watch_files(self) -> None:
        """Read the policies again when their files have changed and come to rest."""
        while True:
            await asyncio.sleep(LOOK)
            if await asyncio.to_thread(self._changed):
                log.info("policy.files_changed")
                await self.reload()

    def _changed(self) -> bool:
        found = [policy.changed() for policy in (self._policy, *self._further)]
        return any(found)

    async def note(self, what: str, peer: Peer, allowed: bool) -> None:  # noqa: FBT001  the admin socket's contract
        """Record what was asked of the service. Raises AuditUnavailableError.

        Only root has a name here: to look up another one can take for ever.
        """
        method, _, target = what.partition(" ")
        identity = Identity(
            f"user:#{peer.uid}" if peer.uid else "user:root",
            proof=Proof.PEER,
            uid=peer.uid,
            gid=peer.gid,
            pid=peer.pid,
        )
        await self._runner.note(Asked(method, target), identity, allowed=allowed)

    async def note_grant(self, peer: Peer | None, event: Mapping[str, str]) -> None:
        """Record what became of a grant, and by whom. Raises AuditUnavailableError."""
        who = {"uid": str(peer.uid), "pid": str(peer.pid)} if peer else {}
        await self._runner.note_grant({**event, **who})

    async def watch_engine(self) -> None:
        """Wait for the daemon, and say once which it is and what that means."""
        if self._mode is Mode.SHADOW:
            log.warning("policy.not_enforced", problem=SHADOW)
        while True:
            version, _ = await self._engine()
            if version:
                break
            await asyncio.sleep(EVERY)
        self._up = True
        self._metrics.daemon_up.set(1)
        log.info("engine.seen", version=version)
        if warning := engine_warning(version):
            log.warning("engine.not_guarded", problem=warning)

    async def watch_daemon(self) -> None:
        """Take note of whether the daemon still answers, until cancelled."""
        while True:
            await asyncio.sleep(PULSE)
            version, unreached = await self._engine()
            self._metrics.daemon_up.set(1 if version else 0)
            up, self._up = self._up, bool(version)
            if up and not version:
                log.warning("engine.lost", problem=unreached)

    async def _engine(self) -> tuple[str, str]:
        """Return the engine's version, or why it is not known."""
        try:
            answer = await self._lookups.answer(Question(Topic.DAEMON, ""))
        except LookupFailedError as error:
            return "", f"the daemon cannot be asked: {error}"
        known: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
        return str(known.get("ServerVersion", "")), ""

    def _status(self, problems: list[str]) -> str:
        if self._runner.audit_problem:
            return "failing"
        return "degraded" if any(problems) else "ready"

    def _warnings(self, version: str) -> list[str]:
        shadow = SHADOW if self._mode is Mode.SHADOW else ""
        return [warning for warning in (engine_warning(version), shadow) if warning]


def engine_warning(version: str) -> str:
    """Say what an engine does not ask its plugins about; nothing where it asks about all.

    Of a daemon that was not reached (an empty version) nothing can be said.
    """
    if not version:
        return ""
    numbers = re.match(r"([0-9]{1,4})\.([0-9]{1,4})(?![0-9])", version)
    if numbers is None:
        return UNKNOWN.format(version=version)
    if (int(numbers[1]), int(numbers[2])) < ASKS_NO_PLUGIN:
        return ""
    return WARNING.format(version=version)
