"""The policy in force: one snapshot, replaced as a whole or not at all.

A load that fails leaves the last good snapshot where it is and is remembered,
so that health can tell. It knows where the bundle is, and no request.
"""

from __future__ import annotations

from threading import Lock

from authz.policy.bundle import load_bundle
from authz.policy.snapshot import Snapshot, compile_snapshot


class CurrentPolicy:
    """A bundle by its reference, and the snapshot that judges.

    ``problem`` says why the last load failed; it is empty where it did not.
    """

    def __init__(self, reference: str) -> None:
        """Load for the first time. Raises PolicyError: without a policy there is no service."""
        self._reference = reference
        self._snapshot = compile_snapshot(load_bundle(reference))
        self._loading = Lock()
        self.problem = ""

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
            try:
                snapshot = compile_snapshot(load_bundle(self._reference))
            except Exception as error:
                self.problem = str(error) or type(error).__name__
                raise
            self._snapshot = snapshot
            self.problem = ""
        return snapshot
