"""A real `dockgate serve` as the front proxy of a daemon, with a listener of each kind.

Knows the ways to it: a unix socket, TLS with a client's certificate, TLS with a token in the CLI's
`HttpHeaders`; knows nothing of what a policy should say.
"""

import fcntl
import json
import os
import pty
import shutil
import socket
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.e2e.conftest import Certificates
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import Gate

WAYS = ("unix", "certificate", "jwt")
ISSUER = "https://issuer.example"
STRANGER = 12_345
"""A uid without a name."""

PEOPLE = "".join(
    f"g, {name}, role:admin, *\n" for name in ("user:root", "cert:alice", "token:alice")
)


class Front(Gate):
    """A gate whose door is the proxy. `direct` is the way around it, for comparison."""

    def __init__(  # noqa: PLR0913  what a gate takes, too
        self,
        daemon: Dockerd,
        certificates: Certificates,
        bundle: str = "admin",
        people: str = PEOPLE,
        mode: str = "enforce",
        *,
        with_plugin: bool = False,
    ) -> None:
        self.open = Path(tempfile.mkdtemp(prefix="dgf-"))
        self.open.chmod(0o755)
        self.front = self.open / "docker.sock"
        self.ports = {way: _free_port() for way in WAYS[1:]}
        self._certificates = certificates
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._with_plugin = with_plugin
        super().__init__(daemon, bundle, people, mode)
        self._clients = {way: self._client(way) for way in WAYS[1:]}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, however it ended, and remove what is not below the daemon's folder."""
        super().__exit__(kind, error, trace)
        self.close()

    def close(self) -> None:
        """Remove what is not below the daemon's folder."""
        shutil.rmtree(self.open)

    def way(self, name: str) -> Mapping[str, str]:
        """Return the environment of a CLI that comes this way."""
        if name == "direct":
            return {}
        if name == "unix":
            return {"DOCKER_HOST": f"unix://{self.front}"}
        folder = self._clients[name]
        found = {
            "DOCKER_HOST": f"tcp://127.0.0.1:{self.ports[name]}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(folder),
        }
        return found if name == "certificate" else found | {"DOCKER_CONFIG": str(folder)}

    def docker(self, way: str, *arguments: str | Path, **options: Any) -> Any:
        """Run the engine's CLI this way."""
        return self.daemon.docker(*arguments, env=self.way(way), **options)

    def at_terminal(self, way: str, *arguments: str, size: tuple[int, int]) -> tuple[int, Any]:
        """Start the CLI at a terminal of this size (rows, columns); return our end of it."""
        ours, its = pty.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        client = str(self.daemon.root / "client")
        environment = {
            "PATH": self.daemon.engine.path,
            "HOME": client,
            "DOCKER_CONFIG": client,
            "TERM": "xterm",
            "DOCKER_HOST": f"unix://{self.daemon.socket}",
            **self.way(way),
        }
        command = ["setsid", "--ctty", "--wait", self.daemon.engine.docker, *arguments]
        process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment)
        os.close(its)
        return ours, process

    def as_uid(self, uid: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the CLI as another account, over the unix socket."""
        command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        environment = {"PATH": self.daemon.engine.path, "HOME": "/", **self.way("unix")}
        return subprocess.run(
            [*command, self.daemon.engine.docker, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def token(self, **claims: Any) -> str:
        """Sign a token for alice, good for half an hour."""
        now = int(time.time())
        usual = {"iss": ISSUER, "aud": "dockgate", "sub": "alice", "iat": now, "exp": now + 1800}
        return jwt.encode(usual | claims, self._key, "ES256", headers={"kid": "one"})

    def _client(self, way: str) -> Path:
        folder = self._certificates.client("alice")
        if way == "jwt":
            (folder / "cert.pem").unlink()
            (folder / "key.pem").unlink()
            said = json.loads((self.daemon.root / "client/config.json").read_text())
            said["HttpHeaders"] = {"Authorization": f"Bearer {self.token()}"}
            (folder / "config.json").write_text(json.dumps(said))
        return folder

    def _write_settings(self, mode: str) -> None:
        server = self._certificates.server_files()
        public = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        (self.folder / "keys.json").write_text(json.dumps({"keys": [{**public, "kid": "one"}]}))
        pair = f'certificate = "{server}/cert.pem", key = "{server}/key.pem"'
        self.settings = self.folder / "dockgate.toml"
        self.settings.write_text(
            f'policy = "policy"\nmode = "{mode}"\ndaemon = "unix://{self.daemon.socket}"\n'
            f'[[proxy.listen]]\naddress = "unix://{self.front}"\nidentity = ["peer"]\n'
            'socket = { mode = "0666" }\n'
            f'[[proxy.listen]]\naddress = "tcp://127.0.0.1:{self.ports["certificate"]}"\n'
            f'identity = ["certificate"]\ntls = {{ {pair}, client_ca = ["{server}/ca.pem"] }}\n'
            f'[[proxy.listen]]\naddress = "tcp://127.0.0.1:{self.ports["jwt"]}"\n'
            f'identity = ["jwt"]\ntls = {{ {pair} }}\n'
            f'[identity.jwt]\nissuer = "{ISSUER}"\naudience = "dockgate"\njwks = "keys.json"\n'
            'algorithms = ["ES256"]\n'
            f'[audit]\npath = "{self.audit}"\n'
            + (f'[plugin]\nsocket = "{self.plugin}"\n' if self._with_plugin else "")
            + f'[admin]\naddress = "unix://{self.admin}"\n'
        )

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/healthz").status == 200 and self.front.exists()
        except OSError:
            return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port
