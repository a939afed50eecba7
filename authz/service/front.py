"""Builds the proxy from the settings: its sockets, what each demands, the way to the daemon.

What can be wrong with addresses, groups, certificates and bundles is found
before the first socket answers.
"""

from __future__ import annotations

import grp
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from authz.docker.forward import Forward
from authz.errors import ConfigurationError
from authz.identity.certificate import Certificate, Revoked, read_revoked
from authz.identity.chain import Method, anonymous
from authz.identity.peercred import peer
from authz.lazy import later
from authz.lookups.lookup_pass import HEADER, Errand, Passes
from authz.plugin.activation import Place
from authz.plugin.socket import PRIVATE, Listening, listen
from authz.policy.bundle import BUILTIN
from authz.policy.current import CurrentPolicy
from authz.policy.grants import Grants
from authz.proxy.contexts import ClientFiles, ServerFiles, client_context, server_context
from authz.proxy.head import Headers
from authz.proxy.listener import BACKLOG, Listener, ProxyServer, Shared, log_stream
from authz.proxy.outcome import Outcome
from authz.runner import Entrance, Runner
from authz.service.accepting import accept
from authz.service.config import socket_path
from authz.service.sections import DaemonTls, Listen, Settings, Tls

if TYPE_CHECKING:
    from authz.identity import bearer, keys
    from authz.lookups import jwks
else:  # with PyJWT and aiohttp a third of all imports, and few doors want tokens
    bearer = later("authz.identity.bearer")
    keys = later("authz.identity.keys")
    jwks = later("authz.lookups.jwks")

log = structlog.get_logger(__name__)


Made = TypeVar("Made")

_NONE: Mapping[str, Listening] = MappingProxyType({})


class Renewable(Generic[Made]):
    """What is made of files and can be made anew, such as a TLS context."""

    def __init__(self, make: Callable[[], Made]) -> None:
        """Make it for the first time. Raises ConfigurationError."""
        self._make = make
        self._made = make()

    def __call__(self) -> Made:
        """Return the newest."""
        return self._made

    def renew(self) -> None:
        """Read the files again. Raises ConfigurationError, with the old ones in force."""
        self._made = self._make()


@dataclass(frozen=True, slots=True)
class Opened:
    """One listener, listening and not answering yet."""

    listen: Listen
    sock: socket.socket
    policy: CurrentPolicy
    tls: Renewable[ssl.SSLContext] | None
    revoked: Renewable[Revoked] | None


@dataclass(frozen=True, slots=True)
class Front:
    """The proxy, opened. ``daemon_tls`` is there where the daemon is behind TLS.

    ``tokens`` are there where listeners can take some: who checks them, and whose keys.
    """

    opened: tuple[Opened, ...]
    daemon_tls: Renewable[ssl.SSLContext] | None
    tokens: tuple[bearer.Bearer, jwks.KeySource] | None = None

    @property
    def further(self) -> tuple[CurrentPolicy, ...]:
        """The policies of single listeners."""
        return tuple(each.policy for each in self.opened if each.listen.policy)

    @property
    def paths(self) -> tuple[Path, ...]:
        """What no container may reach: sockets, keys, policies, and whom a listener believes."""
        found = []
        for each in self.opened:
            listen = each.listen
            if listen.address.startswith("unix:"):
                found.append(socket_path(listen.address))
            if listen.tls:
                found += [listen.tls.key, listen.tls.certificate, *listen.tls.client_ca]
                found += [listen.tls.crl] if listen.tls.crl else []
            if listen.policy and not listen.policy.startswith(BUILTIN):
                found.append(Path(listen.policy))
        return tuple(found)

    def renew(self) -> None:
        """Read certificates, keys and revocation lists again; those of tokens with the next one.

        Raises ConfigurationError, which names each that cannot be read.
        """
        made = (each for one in self.opened for each in (one.tls, one.revoked))
        if self.tokens:
            self.tokens[1].outdate()
        problems = []
        for each in (*made, self.daemon_tls):
            try:
                if each:
                    each.renew()
            except ConfigurationError as error:
                problems.append(str(error))
        if problems:
            raise ConfigurationError("; ".join(problems))


def places(settings: Settings) -> tuple[Place, ...]:
    """Return where sockets may be that somebody else opened. Raises ConfigurationError."""
    listens = settings.proxy.listen if settings.proxy else []
    return tuple(Place(each.address, *_openness(each)) for each in listens)


@contextmanager
def opened(
    settings: Settings,
    policy: CurrentPolicy,
    activated: Mapping[str, Listening] = _NONE,
    *,
    grants: Grants | None = None,
) -> Iterator[Front]:
    """Open the sockets, and close them again whatever happens.

    ``policy`` judges where a listener names no other; ``activated`` are sockets
    that were opened by somebody else, by address; ``grants`` lie over all
    policies. Raises ConfigurationError and PolicyError.
    """
    daemon_tls = settings.daemon_tls
    outward = Renewable(lambda: _outward(daemon_tls)) if daemon_tls else None
    found: list[Opened] = []
    with ExitStack() as opening:
        for each in settings.proxy.listen if settings.proxy else ():
            own = CurrentPolicy(each.policy, accept, grants) if each.policy else policy
            passed = activated.get(each.address)
            sock = passed.sock if passed else _socket(each, opening)
            found.append(Opened(each, sock, own, _inward(each), _revoked(each)))
            if each.insecure:
                log.warning("listener.insecure", address=each.address)
        yield Front(tuple(found), outward, _tokens(settings))


def _outward(files: DaemonTls) -> ssl.SSLContext:
    return client_context(ClientFiles(files.ca, files.certificate, files.key))


def signing(settings: Settings, passes: Passes) -> Callable[[Forward], Headers]:
    """Return what adds a pass to requests for a daemon that may ask our plugin about them."""
    if settings.plugin is None and settings.pass_key is None:
        return lambda _: ()
    return lambda sent: ((HEADER, passes.issue(sent.method, sent.target, Errand.FORWARD)),)


def recording(runner: Runner) -> Callable[[Outcome], None]:
    """Return what is told how each request ended: the log has streams, the record all."""

    def ended(outcome: Outcome) -> None:
        log_stream(outcome)
        if runner.records_outcomes:
            runner.outcome(
                outcome.request,
                status=outcome.status,
                object_id=outcome.created,
                bytes_in=outcome.sent,
                bytes_out=outcome.received,
                duration_s=outcome.seconds,
                ended=outcome.end.value,
                entries=outcome.entries,
                hidden=outcome.hidden,
            )

    return ended


def servers(front: Front, shared: Shared) -> list[ProxyServer]:
    """Return a server for each listener."""
    return [
        ProxyServer(
            Listener(
                each.sock,
                each.listen.address,
                _entrance(each, front.tokens),
                each.tls,
                each.listen.filter,
            ),
            shared,
        )
        for each in front.opened
    ]


def _entrance(opened: Opened, tokens: tuple[bearer.Bearer, jwks.KeySource] | None) -> Entrance:
    methods: list[Method] = []
    takes_tokens = False
    for name in opened.listen.identity:
        if name == "peer":
            methods.append(peer)
        elif name == "certificate":
            revoked = opened.revoked
            methods.append(Certificate(revoked=revoked) if revoked else Certificate())
        elif tokens is not None:
            methods.append(tokens[0])
            takes_tokens = True
    if not opened.listen.identity:
        methods.append(anonymous)
    if tokens is not None and takes_tokens:
        return Entrance(
            tuple(methods), opened.policy, opened.listen.tenant, before=tokens[1].before
        )
    return Entrance(tuple(methods), opened.policy, opened.listen.tenant)


def _tokens(settings: Settings) -> tuple[bearer.Bearer, jwks.KeySource] | None:
    jwt = settings.identity.jwt
    if jwt is None:
        return None
    ring = keys.KeyRing(time.monotonic)
    rules = bearer.Rules(
        jwt.issuer,
        jwt.audience,
        frozenset(jwt.algorithms),
        jwt.type,
        jwt.lifetime,
        jwt.leeway,
        jwt.groups,
        jwt.tenant,
    )
    checks = bearer.Bearer(rules, ring, time.time)
    return checks, jwks.KeySource(jwt.jwks, ring, checks)


def _socket(each: Listen, opening: ExitStack) -> socket.socket:
    if each.address.startswith("unix:"):
        mode, group = _openness(each)
        listening = listen(socket_path(each.address), mode=mode, group=group)
        opening.callback(listening.close)
        return listening.sock
    host, _, port = each.address.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        why = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise ConfigurationError(f"{each.address}: cannot listen: {why}") from None
    opening.callback(sock.close)
    return sock


def _openness(each: Listen) -> tuple[int, int | None]:
    """Return mode and group of a listener's file."""
    if each.socket is None:
        return PRIVATE, None
    return int(each.socket.mode, 8), _group(each.socket.group) if each.socket.group else None


def _group(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigurationError(f"proxy.listen: there is no group {name!r}") from None


def _revoked(each: Listen) -> Renewable[Revoked] | None:
    path = each.tls.crl if each.tls else None
    return Renewable(lambda: _list(path)) if path else None


def _list(path: Path) -> Revoked:
    try:
        return read_revoked(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: is no revocation list: {error}") from None


def _inward(each: Listen) -> Renewable[ssl.SSLContext] | None:
    tls = each.tls
    if tls is None:
        return None
    required = each.identity == ["certificate"]
    return Renewable(lambda: _server_context(tls, required=required))


def _server_context(tls: Tls, *, required: bool) -> ssl.SSLContext:
    return server_context(
        ServerFiles(tls.certificate, tls.key, tuple(tls.client_ca), tls.crl, required=required)
    )
