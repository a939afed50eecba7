"""Builds everything from the settings, runs it, and takes it down again.

This is the only module that knows all parts. What can be wrong with settings,
policy, sockets and files is found before the first socket answers.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import structlog

from authz import gate
from authz.admin.server import AdminServer, Duties
from authz.audit.record import Mode
from authz.facts.known import PROTECTED, FactSettings
from authz.facts.paths import clean
from authz.identity.certificate import daemon_certificate
from authz.identity.chain import anonymous
from authz.lookups.answers import Lookups
from authz.lookups.cache import Cache
from authz.lookups.daemon import DaemonLookups
from authz.lookups.events import Events
from authz.lookups.lookup_pass import Passes, load_key
from authz.lookups.paths import PathLookups
from authz.metrics import Metrics
from authz.plugin.activation import activated
from authz.plugin.server import PluginServer
from authz.plugin.socket import Listening, listen
from authz.policy.bundle import BUILTIN
from authz.policy.current import CurrentPolicy
from authz.policy.grants import Grants
from authz.policy.vocabulary import vocabulary
from authz.proxy.evidence import Accounts
from authz.proxy.listener import ProxyServer, Shared
from authz.proxy.upstream import Daemon
from authz.runner import Parts, Runner
from authz.service import front, keeping
from authz.service.accepting import accept
from authz.service.config import is_file, socket_path
from authz.service.front import Front
from authz.service.grant_file import this_boot
from authz.service.granting import Around, Granting
from authz.service.heartbeat import Heartbeat, notify
from authz.service.keeping import Kept
from authz.service.operator import Operator
from authz.service.sections import Settings

PLUGIN = "plugin"
ADMIN = "admin"
PROXY = "proxy"
"""What the sockets are called in ``LISTEN_FDNAMES``; addresses tell those of the proxy apart."""

ENDING = (signal.SIGTERM, signal.SIGINT)
SIGNALS = (*ENDING, signal.SIGHUP)
"""What ``run`` listens to. Who opens sockets before that blocks them, so that none is left over."""

Server: TypeAlias = PluginServer | AdminServer | ProxyServer

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ground:
    """What is opened before anything runs: policy, record and sockets."""

    settings: Settings
    policy: CurrentPolicy
    grants: Grants
    passes: Passes
    kept: Kept
    sockets: dict[str, Listening]
    front: Front


@contextmanager
def opened(settings: Settings) -> Iterator[Ground]:
    """Open everything, and close it again whatever happens.

    Raises ConfigurationError and PolicyError, with nothing left behind.
    """
    with ExitStack() as opening:
        grants = Grants(this_boot().count)
        policy = CurrentPolicy(settings.policy, accept, grants)
        passes = Passes(load_key(settings.pass_key))
        kept = opening.enter_context(keeping.opened(settings.audit))
        wanted = _wanted(settings)
        sockets = activated(wanted, several={PROXY: front.places(settings)})
        for listening in sockets.values():
            opening.callback(listening.close)
        # Before our own: a folder that others must enter is made for them, not for us alone.
        proxy = opening.enter_context(front.opened(settings, policy, sockets, grants=grants))
        for name, path in wanted.items():
            if name not in sockets:
                sockets[name] = listen(path)
                opening.callback(sockets[name].close)
        yield Ground(settings, policy, grants, passes, kept, sockets, proxy)


async def run(ground: Ground) -> None:
    """Answer until a signal says to end. Raises nothing that a request could cause."""
    settings = ground.settings
    metrics = Metrics()
    mode = Mode(settings.mode)
    protected = _protected(settings, ground.front.paths)
    limits = _limits(settings, FactSettings(protected=protected))
    outward = ground.front.daemon_tls
    asked = DaemonLookups(settings.daemon, ground.passes, tls=outward)
    cache = Cache(asked) if settings.proxy and settings.proxy.cache else None
    lookups = Lookups(asked, PathLookups(host_root=settings.host_root), cache)
    runner = Runner(
        Parts(
            methods=(daemon_certificate, anonymous),
            policy=ground.policy,
            lookups=lookups,
            passes=ground.passes,
            sink=ground.kept.sink,
            redaction=ground.kept.redaction,
            summary=ground.kept.summary,
            allow_reads=ground.kept.allow_reads,
            outcomes=ground.kept.outcomes,
            mode=mode,
            limits=limits,
            metrics=metrics,
        )
    )
    operator = Operator(runner, ground.policy, lookups, metrics, mode)
    operator.also_warn(ground.kept.warnings)
    operator.also_reload(ground.front.further, ground.front.renew)
    for each in ground.kept.followers:
        metrics.audit_lag.labels(each.name).set_function(partial(ground.kept.lag, each))
        metrics.audit_rejected.labels(each.name).set_function(partial(getattr, each, "rejected"))
    granting = _granting(ground, operator, metrics)
    daemon = Daemon(settings.daemon, tls=outward)
    shared = Shared(
        runner,
        daemon,
        metrics,
        Accounts(),
        limits.max_body,
        front.signing(settings, ground.passes),
        front.recording(runner),
    )
    servers: list[Server] = [*front.servers(ground.front, shared)]
    if PLUGIN in ground.sockets:
        sock = ground.sockets[PLUGIN].sock
        servers.append(PluginServer(sock, runner, max_body=limits.max_body))
    if ADMIN in ground.sockets:
        duties = Duties(operator.ready, operator.metrics, operator.reload, operator.note, granting)
        servers.append(AdminServer(ground.sockets[ADMIN].sock, duties))
    try:
        await _serve(servers, operator, granting, Events(asked, cache) if cache else None)
    finally:
        daemon.close()
        await lookups.close()
        runner.close()


def _limits(settings: Settings, facts: FactSettings) -> gate.Limits:
    """Return what the gate reads, and what the proxy changes where that is wanted."""
    if settings.proxy is None:
        return gate.Limits(facts=facts)
    proxied = replace(facts, labels=settings.proxy.owner_labels)
    return gate.Limits(facts=facts, pin_images=settings.proxy.pin_images, proxied=proxied)


def _granting(ground: Ground, operator: Operator, metrics: Metrics) -> Granting:
    granting = Granting(
        Around(
            ground.grants,
            lambda: vocabulary(ground.policy.snapshot.bundle.groups),
            operator.note_grant,
            metrics,
            ground.settings.grants,
        )
    )
    operator.also_warn(granting.warnings)
    return granting


async def _serve(
    servers: list[Server], operator: Operator, granting: Granting, events: Events | None
) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, ended.set)
    hangups: asyncio.Queue[None] = asyncio.Queue(maxsize=1)
    loop.add_signal_handler(signal.SIGHUP, _put, hangups)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    async with asyncio.TaskGroup() as group:
        background = [
            group.create_task(Heartbeat().beat()),
            group.create_task(operator.watch_engine()),
            group.create_task(operator.watch_daemon()),
            group.create_task(operator.reload_on(hangups)),
            group.create_task(operator.watch_files()),
            group.create_task(granting.watch()),
        ]
        if events:
            background.append(group.create_task(events.follow()))
        try:
            for server in servers:
                await server.start()
            log.info("service.started")
            notify("READY=1")
            await ended.wait()
        finally:
            notify("STOPPING=1")
            for server in servers:
                await server.close()
        for task in background:
            task.cancel()
    log.info("service.stopped")


def _put(queue: asyncio.Queue[None]) -> None:
    """Ask for one more reload; one that is asked for already is enough."""
    if not queue.full():
        queue.put_nowait(None)


def _wanted(settings: Settings) -> dict[str, Path]:
    """Return the path of each socket by its name."""
    wanted = {}
    if settings.plugin is not None:
        wanted[PLUGIN] = settings.plugin.socket
    if settings.admin is not None:
        wanted[ADMIN] = socket_path(settings.admin.address)
    return wanted


def _protected(settings: Settings, further: Sequence[Path] = ()) -> tuple[str, ...]:
    """Return the paths that no container may reach: the usual ones, and our own.

    Ours count as the daemon names them: a path below ``host_root`` without it.
    """
    own = [*_wanted(settings).values(), *further]
    if settings.daemon.startswith("unix:"):
        own.append(socket_path(settings.daemon))
    own += keeping.paths(settings.audit)
    if settings.pass_key is not None:
        own.append(settings.pass_key)
    if settings.grants is not None:
        own.append(settings.grants)
    if settings.daemon_tls is not None:
        own += [settings.daemon_tls.key, settings.daemon_tls.certificate, settings.daemon_tls.ca]
    if settings.identity.jwt is not None and is_file(settings.identity.jwt.jwks):
        own.append(Path(settings.identity.jwt.jwks))
    if not settings.policy.startswith(BUILTIN):
        own.append(Path(settings.policy))
    found = (_on_the_host(path, settings.host_root) for path in own)
    return tuple(dict.fromkeys((*PROTECTED, *found)))


def _on_the_host(path: Path, host_root: Path) -> str:
    inside = path.is_relative_to(host_root)
    return clean(f"/{path.relative_to(host_root)}" if inside else str(path))
