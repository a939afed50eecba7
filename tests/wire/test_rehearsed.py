"""What a rehearsal may say of the connection that nobody made."""

from __future__ import annotations

import pytest

from authz.wire.evidence import Evidence
from authz.wire.raw import Door
from authz.wire.rehearsed import ArrivalError, rehearsed


def test_the_proxy_knows_all_of_it():
    """A listener, what protects the connection, and where it comes from."""
    found = rehearsed(Door.PROXY, listener="tcp://[::]:2376", tls="mutual", source="10.0.0.1")

    assert found == Evidence(listener="tcp://[::]:2376", tls="mutual", source="10.0.0.1")


@pytest.mark.parametrize("door", [Door.PLUGIN, Door.PROXY])
def test_nothing_said_is_what_was_known_before(door):
    """A source that nobody named is not known, and no address."""
    assert rehearsed(door) == Evidence()


def test_an_empty_source_is_a_unix_socket():
    """Known to be none is another thing than not known."""
    assert rehearsed(Door.PROXY, source="").source == ""


def test_a_plugin_is_told_of_client_certificates():
    """As the daemon tells it."""
    assert rehearsed(Door.PLUGIN, tls="mutual") == Evidence(daemon_method="TLS")


@pytest.mark.parametrize(
    ("door", "said", "key", "message"),
    [
        ("plugin", {"listener": "x"}, "listener", "listener is 'x'; a plugin is not told"),
        ("plugin", {"source": ""}, "source", "source is ''; a plugin is not told"),
        ("plugin", {"tls": "none"}, "tls", "tls is 'none'; a plugin is told of mutual only"),
        ("proxy", {"source": "here"}, "source", "source is 'here'; expected an IP address"),
        ("proxy", {"source": "::ffff:1.2.3.4"}, "source", "expected an IP address"),
    ],
)
def test_what_cannot_be_is_told(door, said, key, message):
    """With the member that says it."""
    with pytest.raises(ArrivalError) as caught:
        rehearsed(Door(door), **said)

    assert caught.value.key == key
    assert message in str(caught.value)


def test_an_address_in_another_form_is_proposed_in_its_own():
    """What the door would say."""
    with pytest.raises(ArrivalError) as caught:
        rehearsed(Door.PROXY, source="::ffff:1.2.3.4")

    assert caught.value.suggestion == "1.2.3.4"
