"""How values are written: what is wrong with a pattern, and what was meant."""

import pytest

from authz.facts.values import value_fault

HEX = "4b" * 32

GOOD = {
    "capability": ["SYS_ADMIN", "ALL", "NET_*", "*", "**", "SYS_?DMIN"],
    "path": ["/", "/etc", "/etc/**", "/home/{name}/*", "**", "**/x", "/run/docker.sock"],
    "image": [
        "docker.io/library/nginx",
        "registry.corp/**",
        "localhost/*",
        "registry:5000/*",
        "**",
        "*/app",
        "{tenant}.corp/*",
        "?.corp/*",
        f"sha256:{HEX}",
        "sha256:*",
    ],
    "ip": ["127.0.0.1", "::1", "10.*", "*"],
    "net": ["host", "team", "{tenant}-*", "container:own", "container:*", "container:unknown"],
    "version": ["1.30", "1.*"],
    "pair": ["a=b", "a=", "a*", "net.ipv4.*"],
    "user": ["root", "unset", "1000", "app", "*"],
    "text": ["", "anything at all"],
    "name": ["x"],
    "enum:true": ["true", "*", "t*", "{name}"],
    "enum:host|private": ["host", "h*", "**", "?ost"],
    "enum:none|sha256:<hex>": ["none", f"sha256:{HEX}", "sha256:*", "sha256:4b*", "s*", "*"],
    "enum:container:own|host": ["container:*", "container:own"],
}

BAD = [
    ("capability", "CAP_SYS_ADMIN", "SYS_ADMIN"),
    ("capability", "sys_admin", "SYS_ADMIN"),
    ("capability", "CAP_NET_*", "NET_*"),
    ("capability", "SYS_ADMN", "SYS_ADMIN"),
    ("capability", "XYZZYXYZZY", ""),
    ("path", "etc", "/etc"),
    ("path", "*/etc", "/*/etc"),
    ("path", "/etc/", "/etc"),
    ("path", "//etc", "/etc"),
    ("path", "/srv/../etc/**", "/etc/**"),
    ("path", "/var/run/docker.sock", "/run/docker.sock"),
    ("image", "nginx", "docker.io/library/nginx"),
    ("image", "nginx:1.27", "docker.io/library/nginx"),
    ("image", f"docker.io/library/nginx@sha256:{HEX}", "docker.io/library/nginx"),
    ("image", "nginx*", "docker.io/library/nginx*"),
    ("image", "corp/*", "docker.io/corp/*"),
    ("image", HEX, f"sha256:{HEX}"),
    ("image", "a b", ""),
    ("ip", "localhost", ""),
    ("ip", "127.0.0.01", ""),
    ("ip", "0:0:0:0:0:0:0:1", "::1"),
    ("net", "container:web", "container:own"),
    ("version", "1", ""),
    ("version", "v1.30", ""),
    ("pair", "net.core.somaxconn", "net.core.somaxconn=*"),
    ("user", "0", "root"),
    ("user", "0:0", "root"),
    ("user", "app:app", "app"),
    ("enum:true", "yes", "true"),
    ("enum:host|private", "Host", "host"),
    ("enum:host|private", "xyzzy", ""),
    ("enum:host|private", "x*", ""),
    ("enum:none|sha256:<hex>", "md5:*", ""),
    ("enum:none|sha256:<hex>", "sha256:", "sha256:<hex>"),
]


@pytest.mark.parametrize(
    ("grammar", "text"), [(grammar, text) for grammar, texts in GOOD.items() for text in texts]
)
def test_a_value_in_its_one_spelling(grammar, text):
    """A pattern that some fact can fit is in order."""
    assert value_fault("kind", grammar, text) is None


@pytest.mark.parametrize(("grammar", "text", "meant"), BAD)
def test_a_value_in_another_spelling(grammar, text, meant):
    """It would never match; where it is clear what was meant, that is suggested."""
    fault = value_fault("kind", grammar, text)

    assert fault is not None
    assert f'"{text}"' in fault[0]
    assert fault[1] == meant


@pytest.mark.parametrize(
    ("grammar", "meant"), [(row[0], row[2]) for row in BAD if row[2] and "<" not in row[2]]
)
def test_what_is_suggested_is_in_order(grammar, meant):
    """Whoever follows the advice is done, but for a part that only he knows."""
    assert value_fault("kind", grammar, meant) is None


def test_a_long_value_takes_no_time():
    """Expressions are linear in what somebody wrote."""
    text = "sha256:" + "*a" * 2000

    assert value_fault("kind", "enum:none|sha256:<hex>", text) is None
    assert value_fault("kind", "enum:container:unowned", "**?" * 1000 + "x") is not None
