"""Host paths."""

import pytest

from authz.errors import RefusedError
from authz.facts.facts import Fact
from authz.facts.known import FactSettings, Known
from authz.facts.paths import clean, host_path_facts, real_paths
from authz.facts.questions import MISSING, Question, Topic


def facts(path, *, writable=False, answers=None, protected=()):
    """Describe a bind and print its facts."""
    known = Known(answers=answers or {}, settings=FactSettings(protected=protected))
    return [str(fact) for fact in host_path_facts(path, known, writable=writable)]


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("/", "/"),
        ("//", "/"),
        ("/etc/", "/etc"),
        ("//etc", "/etc"),
        ("/a//b/./c", "/a/b/c"),
        ("/srv/../etc", "/etc"),
        ("/../../etc", "/etc"),
        ("/..", "/"),
        ("/a/...", "/a/..."),
        ("/var/run", "/run"),
        ("/var/run/docker.sock", "/run/docker.sock"),
        ("/var//run/../run/x", "/run/x"),
        ("/var/running", "/var/running"),
        ("etc", "/etc"),
    ],
)
def test_a_path_has_one_spelling(written, cleaned):
    """Dots, double slashes and the old name of /run disappear, and do so once and for all."""
    assert clean(written) == cleaned
    assert clean(cleaned) == cleaned


def test_a_read_only_bind_is_one_fact():
    """A path that is only read yields bind alone."""
    assert facts("/data/") == ["bind:/data"]


def test_a_writable_bind_is_two_facts():
    """More privilege is more facts."""
    assert facts("/data", writable=True) == ["bind:/data", "bind.rw:/data"]


@pytest.mark.parametrize("path", ["/run/docker.sock", "/run", "/", "/run/docker.sock/x"])
def test_a_protected_path_is_named(path):
    """A bind that is, contains or lies below a protected path says which."""
    protected = ("/run/docker.sock", "/proc")

    assert "bind.over:/run/docker.sock" in facts(path, protected=protected)


@pytest.mark.parametrize("path", ["/srv/docker.sock2", "/server", "/sr"])
def test_a_similar_name_is_not_protected(path):
    """Only whole segments count."""
    assert facts(path, protected=("/srv/docker.sock", "/serv")) == [f"bind:{path}"]


def test_a_protected_root_covers_everything():
    """A site may protect the root folder."""
    assert facts("/x", protected=("/",)) == ["bind:/x", "bind.over:/"]


def test_a_link_yields_both_ends():
    """Where links lead elsewhere, the written and the real path must both be allowed."""
    answers = {Question(Topic.PATH, "/home/a/link"): {"path": "/var/run/docker.sock"}}
    known = Known(answers=answers, settings=FactSettings(protected=("/run/docker.sock",)))

    assert list(host_path_facts("/home/a//link", known, writable=True)) == [
        Fact("bind", "/home/a/link"),
        Fact("bind.rw", "/home/a/link"),
        Fact("bind", "/run/docker.sock", looked_up=True),
        Fact("bind.rw", "/run/docker.sock", looked_up=True),
        Fact("bind.over", "/run/docker.sock", looked_up=True),
    ]


@pytest.mark.parametrize("answer", [MISSING, {"path": "/srv/x"}])
def test_a_path_without_links_yields_one_end(answer):
    """A path that leads to itself, or is not there yet, is the written one."""
    assert facts("/srv/x", answers={Question(Topic.PATH, "/srv/x"): answer}) == ["bind:/srv/x"]


def test_links_are_asked_about():
    """A path that nobody has looked at yet is a pending question."""
    known = Known()

    list(real_paths("/var/run/x", known))

    assert list(known.pending) == [Question(Topic.PATH, "/var/run/x")]


@pytest.mark.parametrize("path", ["", "etc", "./x", "~/x", "\\etc"])
def test_a_relative_path_is_refused(path):
    """A path that counts from an unknown folder cannot be judged."""
    with pytest.raises(RefusedError, match="is not absolute"):
        facts(path)


def test_a_raw_path_is_asked_about_as_it_is_written():
    """For the kernel the folder above a link is the one above its end."""
    known = Known()

    list(real_paths("/srv/link/../x", known, raw=True))
    list(real_paths("/srv//x/", known, raw=True))

    assert [question.key for question in known.pending] == ["/srv/link/../x", "/srv/x"]


@pytest.mark.parametrize("answer", [{}, {"path": ""}, {"path": "x"}, {"path": ["/x"]}])
def test_an_answer_that_is_no_path_is_refused(answer):
    """It would stand for no path at all, and allow what is behind it."""
    with pytest.raises(RefusedError, match="a look-up failed"):
        facts("/srv/x", answers={Question(Topic.PATH, "/srv/x"): answer})
