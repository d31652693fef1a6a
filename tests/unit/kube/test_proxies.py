"""Which proxy an API server is reached through, by the cases of golang.org/x/net/http/httpproxy and our own."""

from __future__ import annotations

import pytest

from dashboard.kube.proxies import environment_proxy

PROXY = "http://proxy.corp:3128"


def direct(no_proxy: str, url: str) -> bool:
    environ = {"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY, "NO_PROXY": no_proxy}
    return environment_proxy(url, environ) is None


@pytest.mark.parametrize(
    ("no_proxy", "url", "expected"),
    [
        ("", "https://api.example", False),
        ("*", "https://api.example", True),
        ("other, *", "https://10.0.0.1", True),
        # Never proxied, whatever is set.
        ("", "https://localhost:6443", True),
        ("", "https://127.0.0.9:6443", True),
        ("", "https://[::1]:6443", True),
        ("", "https://[::ffff:127.0.0.1]:6443", True),
        # Domains.
        ("example", "https://api.example", True),
        ("example", "https://example", True),
        ("example", "https://notexample", False),
        (".example", "https://api.example", True),
        (".example", "https://example", False),
        ("*.example", "https://api.example", True),
        ("*.example", "https://example", False),
        (" Api.Example ,x", "https://API.example", True),
        ("api", "https://api.example", False),
        ("münchen.example", "https://xn--mnchen-3ya.example", True),
        ("xn--mnchen-3ya.example", "https://münchen.example", True),
        # Ports: that of the address, or of its scheme.
        ("api.example:6443", "https://api.example:6443", True),
        ("api.example:6443", "https://api.example", False),
        (".example:443", "https://api.example", True),
        ("example:80", "http://api.example", True),
        ("10.1.2.3:6443", "https://10.1.2.3:6443", True),
        ("10.1.2.3:6443", "https://10.1.2.3:443", False),
        ("[fd00::1]:6443", "https://[fd00::1]:6443", True),
        ("[fd00::1]:443", "https://[fd00::1]:6443", False),
        # Addresses and networks.
        ("10.1.2.3", "https://10.1.2.3:6443", True),
        ("10.1.2.3", "https://110.1.2.3", False),
        ("fd00::1", "https://[fd00::1]:6443", True),
        ("fd00:0:0::1", "https://[fd00::1]", True),
        ("10.0.0.0/8", "https://10.200.3.4:6443", True),
        ("10.9.9.9/8", "https://10.200.3.4:6443", True),
        ("10.0.0.0/8", "https://11.0.0.1", False),
        ("10.0.0.0/255.0.0.0", "https://10.200.3.4", False),
        ("10.0.0.0/8:6443", "https://10.200.3.4:6443", False),
        ("fd00::/8", "https://[fd12:3456::1]:6443", True),
        ("fd00::/8", "https://10.0.0.1", False),
        ("10.0.0.0/8", "https://[::ffff:10.0.0.1]", True),
        ("::ffff:10.0.0.0/104", "https://10.200.3.4:6443", True),
        ("::ffff:10.9.9.9/104", "https://[::ffff:10.0.0.1]", True),
        ("::ffff:10.0.0.0/104", "https://11.0.0.1", False),
        ("::ffff:0:0/96", "https://11.0.0.1", True),
        ("::ffff:10.0.0.0/95", "https://10.0.0.1", False),
        ("::/0", "https://10.0.0.1", False),
        ("::ffff:10.1.2.3", "https://10.1.2.3:6443", True),
        ("10.0.0.0/8", "https://api.example", False),
        ("10.1", "https://10.1.2.3", False),
        (".2.3", "https://10.1.2.3", False),
        ("*.2.3,2.3", "https://10.1.2.3", False),
        ("fe80::1", "https://[fe80::1%25eth0]", True),
        ("fe80::1%eth0", "https://[fe80::1%25eth0]", False),
        # What makes no sense stands for nothing.
        (",, ,:6443,/8,10.0.0.0/99,.", "https://api.example:6443", False),
    ],
)
def test_what_no_proxy_names_is_reached_directly(no_proxy: str, url: str, expected: bool) -> None:
    assert direct(no_proxy, url) is expected


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://upper", "https_proxy": "http://lower"}, "http://upper"),
        ({"HTTPS_PROXY": "", "https_proxy": "http://lower"}, "http://lower"),
        ({"HTTPS_PROXY": "proxy.corp:3128"}, "http://proxy.corp:3128"),
        ({"HTTPS_PROXY": "10.0.0.1"}, "http://10.0.0.1"),
        ({"HTTP_PROXY": "http://plain", "ALL_PROXY": "http://all"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "other", "no_proxy": "api.example"}, "http://p"),
        ({"HTTPS_PROXY": "http://p", "no_proxy": "api.example"}, None),
    ],
)
def test_the_upper_case_variable_goes_first_and_a_proxy_needs_no_scheme(
    environ: dict[str, str], proxy: str | None
) -> None:
    assert environment_proxy("https://api.example:6443", environ) == proxy
