"""Lines of a shell as kubectl would get them."""

from __future__ import annotations

import pytest

from dashboard.kinds import KINDS
from dashboard.queries.kubectl import Command, taken_apart
from dashboard.queries.reading import read


@pytest.mark.parametrize(
    ("line", "words", "scope"),
    [
        ("get po|grep web", "get po web", ""),
        ("get po|grep -v web|grep api", "get po api", ""),
        ("get po -l 'app in (web, api)' -n shop", "get po", "-n shop"),
        ("get po -l 'app=web, tier=front'", "get po", "-l app=web -l tier=front"),
        ("get cm web -o jsonpath='{.data.x y}'", "get cm web", ""),
        ("get cm web -o jsonpath='{range .items[*]}{.a}; {.b | x}'", "get cm web", ""),
        ("get po it's", "get po it's", ""),
        ("get po -n shop > out.txt", "get po", "-n shop"),
        ("get po web 2>/dev/null", "get po web", ""),
        ("get po web; rm -r x", "get po web", ""),
        ("get po web && echo done", "get po web", ""),
        ("get po web || echo none", "get po web", ""),
        ("get po -A=false", "get po", ""),
        ("get po --all-namespaces=false", "get po", ""),
        ("get po -A=true", "get po", "-A"),
        ("get po -n shop --namespace mail", "get po", "-n mail"),
        ('"><script>alert(1)</script>', '"><script>alert(1)</script>', ""),
    ],
)
def test_a_line_is_what_the_shell_hands_to_kubectl(line: str, words: str, scope: str) -> None:
    found = taken_apart(line)
    assert (" ".join(found.words), " ".join(found.scope)) == (words, scope)


@pytest.mark.parametrize(
    "line", ["KUBECONFIG=x kubectl get po", "kubectl.exe get po", "sudo A=1 B=2 k get po"]
)
def test_kubectl_is_known_by_whatever_name_it_is_called(line: str) -> None:
    found = taken_apart(line)
    assert found.called and found.words == ("get", "po")


def test_which_cluster_a_line_is_for_is_kept() -> None:
    assert taken_apart("KUBECONFIG=x kubectl --context a get po --context=b --cluster c -s d").elsewhere == (
        ("context", "b"),
        ("cluster", "c"),
        ("server", "d"),
        ("kubeconfig", "x"),
    )
    assert taken_apart("get po") == Command(words=("get", "po"))


def test_a_kind_of_the_core_group_may_have_its_version() -> None:
    assert read("get pods.v1. web", KINDS).plurals == {"pods"}
