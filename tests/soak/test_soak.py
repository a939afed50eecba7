"""A slice of the soak in seconds; the whole of it is ``python -m bench.soak``."""

from bench import soak


def test_the_proxy_does_not_grow():
    """Through streams both ways, a reader that does not read, logs, connections, slow clients."""
    parts = soak.soak(soak.SHORT)

    assert [part.name for part in parts if part.problem] == []
    assert len(parts) == 6
