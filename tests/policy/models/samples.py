"""Models for tests, of which each test says what is special."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ALLOW_AND_DENY = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"
ACL = "r.sub == p.sub && r.act == p.act && r.obj == p.obj"
ROW = "p, user:ann, image.pull, on:new, allow\n"


def conf(  # noqa: PLR0913  one for each definition
    *,
    r: str = "sub, act, obj",
    p: str = "sub, act, obj, eft",
    g: Mapping[str, str] | None = None,
    e: str = ALLOW_AND_DENY,
    m: str = ACL,
    before: str = "",
    extra: str = "",
) -> str:
    """Return a model.conf; ``g`` are role definitions, ``extra`` lines at the end."""
    roles = "".join(f"{name} = {value}\n" for name, value in (g or {}).items())
    return (
        f"{before}[request_definition]\nr = {r}\n\n[policy_definition]\np = {p}\n\n"
        + (f"[role_definition]\n{roles}\n" if roles else "")
        + f"[policy_effect]\ne = {e}\n\n[matchers]\nm = {m}\n{extra}"
    )


def files_of(written: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of a bundle of which some definitions or files are given."""
    own = {key: each for key, each in written.items() if key in (*"rpgem", "before", "extra")}
    return {
        "model": written.get("model") or conf(**own),
        "policy": written.get("rows", ROW),
        "people": written.get("people", ""),
        "bundle": written.get("bundle", "packs = []\n"),
    }
