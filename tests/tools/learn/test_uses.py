"""Counts of uses."""

from authz.tools.learn.uses import Seen


def test_uses_are_counted_with_their_days():
    """The first and the last; a request counts once for a kind."""
    seen = Seen()
    seen.add("2026-11-28", ["a device"])
    seen.add("2026-11-27", [], leads=False)
    assert seen == Seen(2, 1, "2026-11-27", "2026-11-28", {"a device": None})


def test_counts_are_put_together():
    """Of nothing and something, too."""
    seen = Seen(2, 1, "2026-11-27", "2026-11-28", {"a": None})
    assert Seen().merged(seen) == seen
    assert seen.merged(Seen(1, 1, "2026-11-20", "2026-11-20", {"b": None})) == Seen(
        3, 2, "2026-11-20", "2026-11-28", {"a": None, "b": None}
    )
