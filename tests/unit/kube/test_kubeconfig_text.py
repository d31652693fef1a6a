"""A kubeconfig that somebody hands in: what is taken of it, and what is refused, by its field and with the way out."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from dashboard.errors import BadInput
from dashboard.kube.kubeconfig_text import MAX_BYTES, MAX_CONTEXTS, cluster_of, read_kubeconfig
from tests.kubeconfigs import TOKEN, Pair, encoded, issued, kubeconfig


@pytest.fixture(scope="module")
def authority() -> Pair:
    return issued("authority", days=400)


@pytest.fixture(scope="module")
def client(authority: Pair) -> Pair:
    return issued("client", authority, days=9)


def test_contexts_are_offered_with_what_there_is_to_say_of_them(authority: Pair, client: Pair) -> None:
    ca = {"certificate-authority-data": encoded(authority.certificate), "tls-server-name": "api.test"}
    pair = {
        "client-certificate-data": encoded(client.certificate),
        "client-key-data": encoded(client.key),
    }
    one, two = read_kubeconfig(kubeconfig("dev", "a/b", cluster=ca, user=pair))
    assert (one.name, two.name, one.refusal) == ("dev", "a/b", None)
    assert one.authority is not None and len(one.authority.fingerprint.split(":")) == 32
    assert one.credential == "client certificate" and one.credential_expires_at is not None
    made = cluster_of(two, "mara")
    assert (made.slug, made.server, made.source) == ("a~2Fb", "https://10.0.0.1:6443", "added")
    assert made.connection.user == pair and made.connection.cluster["tls-server-name"] == "api.test"
    assert client.key.decode() not in repr(one) + repr(made)


def test_until_when_a_token_holds_is_told_where_it_says_so() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 2_000_000_000}).encode()).decode().rstrip("=")
    (one,) = read_kubeconfig(kubeconfig("dev", user={"token": f"e30.{claims}.sig"}))
    assert one.credential_expires_at is not None and one.credential_expires_at.year == 2033
    (two,) = read_kubeconfig(kubeconfig("dev"))
    assert (two.credential, two.credential_expires_at) == ("token", None)


@pytest.mark.parametrize(
    ("cluster", "user", "field", "way_out"),
    [
        ({}, {"exec": {"command": "aws"}}, "users[dev].exec", "token"),
        ({}, {"auth-provider": {"name": "oidc"}}, "users[dev].auth-provider", "token"),
        ({}, {"tokenFile": "/var/run/token"}, "users[dev].tokenFile", "into token"),
        ({}, {"token": TOKEN, "client-certificate": "/a"}, "users[dev].client-certificate", "--flatten"),
        ({}, {"token": TOKEN, "client-key": "/a"}, "users[dev].client-key", "--flatten"),
        ({}, {"username": "u", "password": TOKEN}, "users[dev].password", "token"),
        ({}, {"token": TOKEN, "surprise": "1"}, "users[dev].surprise", "Remove it"),
        ({}, {}, "users[dev]", "token"),
        ({}, {"token": f"{TOKEN} x"}, "users[dev].token", ""),
        ({}, {"token": 12}, "users[dev].token", ""),
        ({}, {"token": TOKEN, "as": ["x"]}, "users[dev].as", "Remove it"),
        ({"certificate-authority": "/ca"}, None, "clusters[dev].certificate-authority", "-data"),
        ({"insecure-skip-tls-verify": True}, None, "clusters[dev].insecure-skip-tls-verify", "-data"),
        ({"insecure-skip-tls-verify": "false"}, None, "clusters[dev].insecure-skip-tls-verify", "-data"),
        ({"proxy-url": "http://p"}, None, "clusters[dev].proxy-url", "directly"),
        ({"certificate-authority-data": "%%%"}, None, "clusters[dev].certificate-authority-data", "Paste"),
        ({"certificate-authority-data": "AAAA"}, None, "clusters[dev].certificate-authority-data", "Paste"),
    ],
)  # fmt: skip
def test_what_runs_reads_or_leads_elsewhere_is_refused(
    cluster: dict[str, Any], user: dict[str, Any] | None, field: str, way_out: str
) -> None:
    (offered,) = read_kubeconfig(kubeconfig("dev", cluster=cluster, user=user))
    assert offered.refusal is not None
    assert offered.refusal.field == field
    assert field in offered.refusal.message and way_out in offered.refusal.next_step
    assert TOKEN not in str(offered.refusal) + offered.refusal.next_step
    assert not offered.user


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("http://10.0.0.1:6443", "https"), ("10.0.0.1:6443", "https"), ("ftp://10.0.0.1", "https"), ("", "address"),
        ("https://", "more than"), ("https://10.0.0.1:99999", "address"), ("https://10.0.0.1:0", "more than"),
        ("https://mara@10.0.0.1", "more than"), ("https://10.0.0.1/?a=b", "more than"), ("https://a b", "address"),
        ("https://169.254.169.254", "link-local"), ("https://[fe80::1]:6443", "link-local"),
        ("https://[::ffff:169.254.169.254]", "link-local"), ("https://[fd00:ec2::254]", "cloud"),
        ("https://100.100.100.200", "cloud"), ("https://2852039166", "usual form"), ("https://0xA9FEA9FE", "usual form"),
        ("https://0251.0376.0251.0376", "usual form"), ("https://169.254.43518", "usual form"),
        ("https://0.0.0.0:6443", "one machine"), ("https://[::]:6443", "one machine"), ("https://224.0.0.1", "machine"),
        ("https://[fe80::1%25eth0]", "interface"), ("https://[64:ff9b::a9fe:a9fe]", "link-local"),
        ("https://[fd20:ce::254]", "cloud"), ("https://[fd00:ec2::23]", "cloud"),
        ("https://[::ffff:0:169.254.169.254]", "link-local"), ("https://[64:ff9b:1::a9fe:a9fe]", "link-local"),
        ("https://[64:ff9b:1:a9fe:a9:fe00::]", "link-local"), ("https://[64:ff9b:1:a9:fe:a9fe::]", "link-local"),
        ("https://[64:ff9b:1:0:a9:fea9:fe00:0]", "link-local"), ("https://[64:ff9b:1::100.100.100.200]", "cloud"),
        ("https://a..b", "looked up"), ("https://xn--\xe4", "looked up"), (f"https://{'a' * 64}.b", "looked up"),
        ("https://[2002:a9fe:a9fe::1]", "link-local"), ("https://[::169.254.169.254]", "link-local"),
    ],
)  # fmt: skip
def test_a_server_that_is_no_api_servers_is_refused(server: str, why: str) -> None:
    (offered,) = read_kubeconfig(kubeconfig("dev", server=server))
    assert offered.refusal is not None and why in offered.refusal.message
    assert offered.refusal.field == "clusters[dev].server"


def test_certificates_and_keys_must_belong_together(authority: Pair, client: Pair) -> None:
    other = issued("another", authority)
    (offered,) = read_kubeconfig(
        kubeconfig(
            "dev",
            user={
                "client-certificate-data": encoded(client.certificate),
                "client-key-data": encoded(other.key),
            },
        )
    )
    assert offered.refusal is not None and "does not belong" in offered.refusal.message
    (half,) = read_kubeconfig(
        kubeconfig("dev", user={"client-certificate-data": encoded(client.certificate)})
    )
    assert half.refusal is not None and half.refusal.field == "users[dev].client-key-data"
    swapped = kubeconfig("dev", cluster={"certificate-authority-data": encoded(client.key)})
    (keyed,) = read_kubeconfig(swapped)
    assert keyed.refusal is not None and "private key" in keyed.refusal.message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Paste"), ("   \n", "Paste"), ("x" * (MAX_BYTES + 1), "KiB"), ("just words", "not a kubeconfig"),
        ("[]", "not a kubeconfig"), (": : :", "not YAML"), ("a: [", "not YAML"), ("a: \x00", "not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"), ("a: &x 1\nb: *x", "alias"), ("a: 1\na: 2", "twice"),
        ("users: [{name: a, user: {token: a, token: b}}]", "twice"), ("a: {<<: {b: 1}}", "twice"),
        ("a: !!python/object/apply:os.system [id]", "tag"), ("? [a]\n: 1", "not text"), ("[" * 200, "deep"),
        ("kind: Secret\napiVersion: v1", "kind is Config"), ("contexts: 1", "not a list"),
        ("apiVersion: v1", "no contexts"),
        ("contexts: [{context: {}}]", "no name"), ("contexts: [{name: a, context: 1}]", "not a mapping"),
        ("contexts: [{name: a}, {name: a}]", "one name"), ("# nothing", "not a kubeconfig"),
        ("\ufeff", "not a kubeconfig"), ("---", "not a kubeconfig"), ("{null: 1}", "not text"),
        ("{true: 1}", "not text"), ("{1: 1}", "not text"),
        ("users: [{name: a, user: {as-user-extra: {null: [y]}}}]", "not text"),
        (kubeconfig(*map(str, range(MAX_CONTEXTS + 1))), f"{MAX_CONTEXTS} are read"),
    ],
)  # fmt: skip
def test_what_is_no_kubeconfig_is_refused_as_a_whole(text: str, why: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_kubeconfig(text)
    assert why in refused.value.message + refused.value.next_step


def test_a_billion_laughs_are_refused_before_they_are_read() -> None:
    lines = ["a0: &a0 [lol]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(BadInput, match="alias"):
        read_kubeconfig("\n".join(lines))


def test_the_parsers_words_which_quote_the_text_are_not_repeated() -> None:
    with pytest.raises(BadInput) as refused:
        read_kubeconfig(f"users:\n- name: a\n  user: {{token: {TOKEN}\n")
    assert TOKEN not in f"{refused.value} {refused.value.next_step}" and refused.value.__suppress_context__


@pytest.mark.parametrize("name", ["", " dev", "a\tb", "x" * 254, "群" * 60])
def test_a_name_that_no_address_should_have_is_refused(name: str) -> None:
    (offered,) = read_kubeconfig(kubeconfig(name))
    assert offered.refusal is not None and "name" in offered.refusal.message


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"cluster": {"disable-compression": "yes"}}, "clusters[dev].disable-compression"),
        ({"cluster": {"disable-compression": {"a": 1}}}, "clusters[dev].disable-compression"),
        ({"cluster": {"tls-server-name": "a..b"}}, "clusters[dev].tls-server-name"),
        ({"namespace": "n" * 64}, "contexts[dev].namespace"),
        ({"namespace": "A b"}, "contexts[dev].namespace"),
    ],
)
def test_fields_have_their_types_and_lengths(more: Any, field: str) -> None:
    (offered,) = read_kubeconfig(kubeconfig("dev", **more))
    assert offered.refusal is not None and offered.refusal.field == field


def test_a_users_name_has_a_limit() -> None:
    long = "u" * 300
    text = (
        kubeconfig("dev")
        .replace("user: dev", f"user: {long}")
        .replace("name: dev\n  user:", f"name: {long}\n  user:")
    )
    (offered,) = read_kubeconfig(text)
    assert offered.refusal is not None and offered.refusal.field == "contexts[dev].user"


def test_a_translator_of_ones_own_network_may_lead_to_an_api_server() -> None:
    for server in ("https://[64:ff9b:1::10.0.0.1]:6443", "https://[64:ff9b:1:a00:0:100::]:6443"):
        (offered,) = read_kubeconfig(kubeconfig("dev", server=server))
        assert offered.refusal is None
