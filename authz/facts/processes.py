"""What a process is given that is started in a container which runs already.

Its isolation is the container's, which the target facts tell; here stands what
the exec adds. A start repeats what was said when the exec was made, so the
stored exec counts (moby daemon/exec.go).
"""

from collections.abc import Iterator

from authz.docker.request import ApiRequest
from authz.facts.environment import secret_facts
from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.members import Document, flag, strings, table, text
from authz.facts.objects import path_name, target_container
from authz.facts.programs import exec_program
from authz.facts.questions import Topic
from authz.facts.users import exec_user


def exec_create_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe ``POST /containers/{id}/exec``."""
    body: Document = request.body or {}
    user = exec_user(text(body, "User"), target_container(request, known))
    if flag(body, "Privileged"):
        yield Fact("exec.privileged", "true")
    yield Fact("exec.user", user)
    if flag(body, "Tty"):
        yield Fact("exec.tty", "on")
    yield from secret_facts(body)
    yield from exec_program(strings(body, "Cmd"))


def exec_start_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe ``POST /exec/{id}/start`` and its resize by the exec that is stored."""
    stored = known.document(Topic.EXEC, path_name(request))
    process = table(stored or {}, "ProcessConfig")
    user = exec_user(text(process, "user"), target_container(request, known))
    if flag(process, "privileged"):
        yield Fact("exec.privileged", "true", looked_up=True)
    yield Fact("exec.user", user, looked_up=True)
    if flag(process, "tty"):
        yield Fact("exec.tty", "on", looked_up=True)
    words = [text(process, "entrypoint"), *strings(process, "arguments")]
    yield from exec_program(words, looked_up=True)
