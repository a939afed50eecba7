"""Docker's own command line, compose and buildx, at a daemon directly and then through a door.

    python -m tests.clients.cli --engine 26.1 --door plugin [--client /usr/bin/docker]

As root, with the engines of tests/e2e/engines.py. Everybody is an administrator; whatever works
directly has to work through the door. Without `--client` it is the newest CLI of this machine. The
exit status is 1 where the door is in somebody's way.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.clients import doors
from tests.clients.compare import PASSED, Comparison, Outcomes
from tests.e2e import engines

COMMANDS = """
version
info
run --rm busybox echo hello
run -d --init --name web -p 127.0.0.1:8099:80 -v data:/data --label a=b busybox sleep 900
run -d --init --name short busybox sh -c "echo up; sleep 3"
attach --no-stdin --sig-proxy=false --detach-keys ctrl-x short
run --rm --privileged --pid host --network host -v /:/host:ro busybox ls /host
run --rm --device /dev/null --cap-add SYS_ADMIN --security-opt seccomp=unconfined busybox true
run --rm --tmpfs /t:size=1m --ulimit nofile=64 --sysctl kernel.msgmax=9000 busybox true
run --rm --mount type=volume,src=data,dst=/d,readonly --read-only --volumes-from web busybox true
run --rm --network container:web --pid container:web --ipc host --uts host busybox true
run --rm --runtime runc --log-driver none --cgroupns host --userns host busybox true
run --rm -m 64m --cpus 0.5 --pids-limit 50 --oom-score-adj 100 --add-host a:1.2.3.4 busybox true
create --name idle --health-cmd true --stop-signal INT --entrypoint true --hostname h busybox
exec web echo inside
exec -i --privileged -u root -w /tmp -e A=b web cat
exec -d web true
top web
stats --no-stream web
logs --tail 1 --timestamps web
port web
diff web
cp web:/etc/passwd {folder}/passwd
cp {folder}/passwd web:/root/passwd
pause web
unpause web
update --memory 64m --memory-swap 128m web
rename idle idler
start idler
wait idler
restart -t 0 web
commit -m text -c "CMD true" idler committed:v1
export -o {folder}/idler.tar idler
import {folder}/idler.tar imported
save -o {folder}/saved.tar busybox alpine
load -i {folder}/saved.tar
tag busybox named:v2
history named:v2
image inspect busybox
image ls --filter reference=busybox
image rm named:v2
image prune -f
build -t classic --build-arg a=b --label l=m {folder}
network create --driver bridge --subnet 10.99.0.0/24 street
network connect --alias house --ip 10.99.0.9 street web
network inspect street
network disconnect -f street web
network rm street
network prune -f
volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=1m shelf
volume inspect shelf
volume rm shelf
container ls -a --size --filter name=web
inspect --size web
plugin ls
events --since 1m --until 0s
system df -v
buildx build -t fresh --load --build-arg a=b {folder}
buildx ls
buildx du
buildx prune -f
compose -f {folder}/compose.yaml up -d --build
compose -f {folder}/compose.yaml ps
compose -f {folder}/compose.yaml exec -T web echo x
compose -f {folder}/compose.yaml logs
compose -f {folder}/compose.yaml cp web:/etc/passwd {folder}/copied
compose -f {folder}/compose.yaml restart -t 0
compose -f {folder}/compose.yaml down -v -t 0
stop -t 0 web
rm -f -v web idler short
container prune -f
volume prune -f
system prune -f
""".strip().splitlines()
"""In this order: later ones use what earlier ones made."""

_CLASSIC = {"build": {"DOCKER_BUILDKIT": "0"}}
_BUILD = "FROM busybox\nARG a\nRUN echo $a >/a\n"
PROJECT = """
services:
  web:
    build: .
    command: ["sleep", "900"]
    init: true
    privileged: true
    volumes: ["content:/content", "/etc:/host:ro"]
    networks: {inner: {aliases: [www]}}
volumes: {content: {}}
networks: {inner: {}}
"""


def outcomes(
    place: doors.Place,
    folder: Path,
    said: dict[str, str] | None = None,
    commands: Sequence[str] = tuple(COMMANDS),
    project: str = PROJECT,
) -> Outcomes:
    """Run every command; `said` gets what those that fail print."""
    (folder / "Dockerfile").write_text(_BUILD)
    (folder / "compose.yaml").write_text(project)
    found: dict[str, str] = {}
    for line in commands:
        words = [word.format(folder=folder) for word in _words(line)]
        env: Mapping[str, str] = {**place.env, **_CLASSIC.get(words[0], {})}
        done = place.daemon.docker(*words, check=False, env=env)
        found[line] = "failed" if done.returncode else PASSED
        if done.returncode and said is not None:
            said[line] = f"{done.stdout}{done.stderr}"
    return found


def newest() -> Path:
    """Return the newest CLI of this machine: that of an engine, or the one on PATH."""
    found = {each.docker for each in engines.available()}
    found |= {Path(own) for own in [shutil.which("docker")] if own}
    return max(found, key=_version)


def with_client(engine: engines.Engine, client: Path) -> engines.Engine:
    """Return the engine with another CLI."""
    return replace(engine, docker=client)


def _version(client: Path) -> tuple[int, ...]:
    said = subprocess.run([client, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, said.split()[2].partition("+")[0].rstrip(",").split(".")))


def _words(line: str) -> list[str]:
    """Split at blanks, but not between quotation marks."""
    parts = line.split('"')
    return [word for n, part in enumerate(parts) for word in ([part] if n % 2 else part.split())]


def main(arguments: Sequence[str]) -> int:
    """Run the commands twice, and print what differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients.cli")
    parser.add_argument("--engine", required=True)
    parser.add_argument("--door", choices=doors.DOORS, default="plugin")
    parser.add_argument("--client", type=Path)
    given = parser.parse_args(arguments)
    found, missing = engines.survey()
    if given.engine not in found or os.geteuid() != 0:
        parser.error(f"no engine {given.engine}: {missing.get(given.engine, 'root is needed')}")
    client = given.client or newest()
    engine = with_client(found[given.engine], client)
    said: dict[str, str] = {}
    both = []
    for door in (doors.DIRECT, given.door):
        with doors.at(engine, door) as place, tempfile.TemporaryDirectory() as name:
            both.append(outcomes(place, Path(name), said))
            sys.stderr.writelines(f"{line}\n" for line in place.refusals())
    result = Comparison(*both)
    version = ".".join(map(str, _version(client)))
    sys.stdout.write(f"CLI {version} at engine {given.engine}, {given.door}\n{result}\n")
    sys.stdout.writelines(f"\n{line}\n{text}" for line, text in said.items())
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
