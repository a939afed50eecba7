"""Bundles with their own model at growing sizes: ``python -m bench.models [--json]``.

For each family the CPU time of one fact that a row allows, of one that none does, and of loading.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import process_time, thread_time_ns

from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity
from authz.policy.bundle import load_bundle
from authz.policy.snapshot import Snapshot, compile_snapshot
from bench.table import document, show

SIZES = (10, 1_000, 100_000)
TIMES = 2_000
ACL = "r.sub == p.sub && r.act == p.act"
RBAC = "g(r.sub, p.sub) && r.act == p.act"
FAMILIES: Mapping[str, tuple[str, str]] = {
    "ACL": (f"{ACL} && r.obj == p.obj", "bind:/srv/{}"),
    "RBAC": (f"{RBAC} && r.obj == p.obj", "bind:/srv/{}"),
    "RBAC keyMatch": (f"{RBAC} && keyMatch(r.obj, p.obj)", "bind:/srv/{}/*"),
    "RBAC keyMatch3": (f"{RBAC} && keyMatch3(r.obj, p.obj)", "bind:/srv/{}/{{x}}"),
    "RBAC regexMatch": (f"{RBAC} && regexMatch(r.obj, p.obj)", "^bind:/srv/{}/[a-z]+$"),
}
"""For each a matcher, and the fact column of the row with a number."""


def main() -> None:
    """Measure each family at each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="ROWS")
    options = parser.parse_args()
    results = [
        {"family": family, "rows": size, **_measured(*FAMILIES[family], size)}
        for family in FAMILIES
        for size in options.sizes
    ]
    if options.json:
        document({"models": results})
        return
    heads = ("family", "rows", "allowed us", "denied us", "load s")
    show("Bundles with their own model", heads, [tuple(each.values()) for each in results])


def _measured(matcher: str, fact: str, size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        began = process_time()
        snapshot = _site(Path(folder), matcher, fact, size)
        load = process_time() - began
    row = size // 2 // 10 * 10
    asked = f"bind:/srv/{row}" + ("" if "r.obj ==" in matcher else "/x")
    subject = f"user:u{row // 10}"
    allowed, denied = (_us(snapshot, subject, text) for text in (asked, "bind:/var/x"))
    return {"allowed_us": allowed, "denied_us": denied, "load_s": round(load, 2)}


def _site(folder: Path, matcher: str, fact: str, size: int) -> Snapshot:
    """Write and load a bundle in which ten rows speak of each role, or of each caller."""
    roles = "g(" in matcher
    who = "role:r{}" if roles else "user:u{}"
    rows = [
        f"p, {who.format(number // 10)}, container.create, {fact.format(number)}, allow"
        for number in range(size)
    ]
    links = [f"g, user:u{number}, role:r{number}" for number in range(-(-size // 10))]
    (folder / "bundle.toml").write_text("packs = []\n")
    (folder / "policy.csv").write_text("\n".join(rows) + "\n")
    (folder / "people.csv").write_text("\n".join(links) + "\n" if roles else "")
    (folder / "model.conf").write_text(
        "[request_definition]\nr = sub, act, obj\n[policy_definition]\np = sub, act, obj, eft\n"
        f"{'[role_definition]' if roles else '#'}\n{'g = _, _' if roles else '#'}\n"
        "[policy_effect]\ne = some(where (p.eft == allow)) && !some(where (p.eft == deny))\n"
        f"[matchers]\nm = {matcher}\n"
    )
    return compile_snapshot(load_bundle(folder, advised=False))


def _us(snapshot: Snapshot, subject: str, text: str) -> float:
    """Return the median CPU time of one fact in microseconds."""
    identity = Identity(subject)
    facts = Facts("container.create", (Fact(*text.split(":", 1)),))
    spent = []
    for _ in range(TIMES):
        began = thread_time_ns()
        snapshot.judge(identity, facts, {})
        spent.append(thread_time_ns() - began)
    return round(median(spent) / 1000, 1)


if __name__ == "__main__":
    main()
