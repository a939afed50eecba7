"""The policy in force: one snapshot, replaced as a whole or not at all.

A load that fails leaves the last good snapshot where it is and is remembered,
so that health can tell. It knows where the bundle is, and no request.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Lock, Thread
from typing import Final

from authz.policy.aside import aside, let_go
from authz.policy.bundle import load_bundle
from authz.policy.grants import Grants
from authz.policy.look import look
from authz.policy.row_check import forget_columns
from authz.policy.snapshot import Snapshot, compile_snapshot

LONGEST: Final = 3.0
"""Seconds after which every request has its answer that was there before a swap."""

POLL: Final = 0.02
"""Seconds between two looks whether a policy is still in use."""

ALONE: Final = 2
"""References to what only one list and the question itself refer to."""


def _unproved(_snapshot: Snapshot) -> None:
    """Take a policy as it is."""


class CurrentPolicy:
    """A bundle by its reference, and the snapshot that judges.

    ``problem`` says why the last load failed; it is empty where it did not.
    """

    def __init__(
        self,
        reference: str,
        prove: Callable[[Snapshot], None] = _unproved,
        grants: Grants | None = None,
    ) -> None:
        """Load for the first time. Raises PolicyError: without a policy there is no service.

        ``prove`` is shown each policy before it comes in force, and raises
        PolicyError where that must not be. ``grants`` lie over each of them.
        """
        self._grants = Grants() if grants is None else grants
        self._reference = reference
        self._prove = prove
        self._seen = self._glimpsed = look(reference)
        self._snapshot = self._load()
        self._loading = Lock()
        self._retiring: Thread | None = None
        self.problem = ""
        self.loaded = time.time()
        """When the policy in force was read, in seconds since 1970."""

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that judges from now on; whoever begins holds on to it."""
        return self._snapshot

    def reload(self) -> Snapshot:
        """Read the bundle again, put it in force and return it.

        Raises PolicyError, with the old one in force. May run in a thread: the
        swap is one assignment. Two loads at once take turns, so that the one
        that was asked for last, and read last, is the one that stays.
        """
        with self._loading:
            if self._retiring:
                self._retiring.join()  # three policies at once would be one too many to keep
            try:
                snapshot = self._load()
            except Exception as error:
                self.problem = str(error) or type(error).__name__
                raise
            held = [self._snapshot]
            self._snapshot = snapshot
            self._retiring = Thread(target=_retire, args=(held,), name="retire", daemon=True)
            self._retiring.start()
            self.problem = ""
            self.loaded = time.time()
        return snapshot

    def changed(self) -> bool:
        """Say whether the files differ from those that were read last, and have come to rest.

        They have when two looks in a row see the same. What a load refused is
        not read again before it changes.
        """
        last, self._glimpsed = self._glimpsed, look(self._reference)
        return self._glimpsed != self._seen and self._glimpsed == last

    def _load(self) -> Snapshot:
        self._seen = look(self._reference)
        with aside():
            snapshot = compile_snapshot(load_bundle(self._reference, guarded=True, advised=False))
            # INVARIANT: a policy is proved as it stands, whatever is granted meanwhile.
            self._prove(snapshot)
            forget_columns()
            return replace(snapshot, grants=self._grants)


def _retire(held: list[Snapshot]) -> None:
    """Let go of a policy once nobody judges by it any more. ``held`` refers to it alone."""
    for _ in range(int(LONGEST / POLL)):
        if sys.getrefcount(held[0]) <= ALONE:
            break
        time.sleep(POLL)
    let_go(held.pop().parts())
