"""What was used, as rows for those who used it."""

from authz.tools.learn.rows import Link, drafted
from authz.tools.learn.uses import Holder, Seen, Use

ALICE, BOB = Holder("user:alice", "*"), Holder("user:bob", "*")
DAY = "2026-11-28"


def once(*uses):
    """Return each use, seen once."""
    return {use: Seen(1, 1, DAY, DAY) for use in uses}


def test_each_row_goes_to_those_who_used_it():
    """To a role of each, and to one of both; to nobody else."""
    new, pull = Use("container.create", "on", "new"), Use("image.pull", "image", "quay.io/a")
    learned = drafted({ALICE: once(new), BOB: once(new, pull)}, set())
    assert [draft.text for draft in learned.rows] == [
        (
            "# bob.image.pull.image: used once, on 2026-11-28\n"
            "p, role:bob, *, image.pull, image:quay.io/a, *, allow\n"
        ),
        (
            "# shared-1.container.create.on: used 2 times, on 2026-11-28\n"
            "p, role:shared-1, *, container.create, on:new, *, allow\n"
        ),
    ]
    assert learned.links == (
        Link("user:bob", "role:bob", "*"),
        Link("user:alice", "role:shared-1", "*"),
        Link("user:bob", "role:shared-1", "*"),
    )
    assert learned.guarded == {"role:bob", "role:shared-1"}


def test_values_of_a_kind_share_a_row():
    """With the dates of all of them, and what is dangerous."""
    first = Seen(3, 3, "2026-11-01", "2026-11-02", {"root on the host": None})
    second = Seen(2, 0, "2026-11-03", "2026-11-04")
    uses = {
        Use("image.pull", "image", "quay.io/a"): first,
        Use("image.pull", "image", "quay.io/b"): second,
    }
    (row,) = drafted({ALICE: uses}, set()).rows
    assert row.text == (
        "# alice.image.pull.image: used 3 times, 2026-11-01 to 2026-11-04; "
        "WARNING, it grants root on the host\n"
        "p, role:alice, *, image.pull, image:quay.io/a|quay.io/b, *, allow\n"
    )


def test_many_files_of_a_folder_become_the_folder():
    """In one row."""
    uses = once(*(Use("container.create", "bind", f"/srv/app/{name}") for name in "abc"))
    (row,) = drafted({ALICE: uses}, set()).rows
    assert row.fact == "bind:/srv/app/*"


def test_names_are_told_apart():
    """An account and a certificate of one name, and one that has no letters."""
    new = Use("container.create", "on", "new")
    own = Use("container.start", "on", "own")
    none = Use("image.pull", "on", "new")
    holders = {
        ALICE: once(new),
        Holder("cert:alice", "red"): once(own),
        Holder("cert:---", "*"): once(none),
    }
    learned = drafted(holders, {ALICE})
    assert {link.role for link in learned.links} == {"role:alice", "role:alice-2", "role:somebody"}
    assert learned.guarded == {link.role for link in learned.links if link.member != "user:alice"}


def test_a_long_list_is_split():
    """And each row has a name of its own."""
    uses = once(*(Use("image.pull", "image", f"quay.io/{n:0>200}") for n in range(30)))
    learned = drafted({ALICE: uses}, set())
    assert [draft.id for draft in learned.rows] == [
        "alice.image.pull.image",
        "alice.image.pull.image-2",
        "alice.image.pull.image-3",
    ]


def test_what_no_row_can_say_is_told():
    """And left out."""
    learned = drafted({ALICE: once(Use("no.action", "on", "new"))}, set())
    assert learned.rows == ()
    assert learned.unspeakable == (
        'on:new: action is "no.action"; expected *, an action or a group of actions',
    )


def test_a_name_that_no_row_can_hold_is_told():
    """A certificate may carry a comma, or worse; others learn all the same."""
    new = Use("container.create", "on", "new")
    learned = drafted(
        {ALICE: once(new), Holder("cert:x, role:a, *\ng, cert:y", "*"): once(new)}, []
    )
    assert [link.member for link in learned.links] == ["user:alice"]
    assert learned.unspeakable == ("cert:x, role:a, *\ng, cert:y: something in it ends the line",)
