"""What is typed as for kubectl, taken apart as kubectl does it: its flags in every spelling (``-nshop``, ``-n=shop``,
``--namespace shop``, ``-Ao wide``), and what is around it in a shell (``watch kubectl … | grep web``).

It is not known here which kinds and objects there are: what is no flag is a word.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

_CALLED = re.compile(
    r"\s*(?:\$\s+)?(?:sudo\s+)?(?:watch\s+(?:-\S+\s+(?:[\d.]+\s+)?)*)?(?:kubectl|k|oc)\s+(?=\S)",
    re.IGNORECASE,
)
# What grep looks for is a word more; what it leaves out is none, and nor is any other program.
_LEFT_OUT = re.compile(r"\s\|\s*[ef]?grep\s+-\w*v\w*\s+\S+")
_GREP = re.compile(r"\s\|\s*[ef]?grep(?:\s+-\w+)*(?=\s)")
_PIPE = re.compile(r"\s\|.*", re.DOTALL)
_FLAG = re.compile(r"--?[A-Za-z]")

# Flags with a value, which is the next word where none stands at the flag itself.
_LETTERS = frozenset("nloLcfksv")
_VALUED = frozenset(
    {
        "address", "annotations", "as", "as-group", "cert", "chunk-size", "cluster", "container", "context", "copy-to",
        "cpu-percent", "env", "external-ip", "field-manager", "field-selector", "filename", "for", "from",
        "from-env-file", "from-file", "from-literal", "grace-period", "image", "key", "kubeconfig", "kustomize",
        "label-columns", "labels", "limit-bytes", "limits", "max", "max-log-requests", "min", "name", "namespace",
        "output", "overrides", "patch", "patch-file", "pod-running-timeout", "pod-selector", "port", "profile",
        "protocol", "replicas", "request-timeout", "requests", "resource-version", "schedule", "selector", "server",
        "since", "since-time", "sort-by", "subresource", "tail", "target", "target-port", "template", "timeout",
        "to-revision", "token", "type", "user",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """``words``: the verb, kinds and names, without kubectl itself. ``labels`` are those of a selector, as ``app=web``;
    ``everywhere``: in all namespaces; ``called``: kubectl itself was typed before it.
    """

    words: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    everywhere: bool = False
    called: bool = False

    @property
    def scope(self) -> tuple[str, ...]:
        """The flags that say which objects are meant, each in one spelling."""
        return (
            *(word for name in self.namespaces for word in ("-n", name)),
            *(word for label in self.labels for word in ("-l", label)),
            *(("-A",) if self.everywhere else ()),
        )


def taken_apart(q: str) -> Command:
    """A line as kubectl would read it. Flags that say nothing of objects are left out."""
    called = _CALLED.match(q)
    line = _GREP.sub(" ", _LEFT_OUT.sub(" ", q[called.end() :] if called else q))
    tokens = list(takewhile("--".__ne__, _PIPE.sub("", line).split()))
    words: list[str] = []
    flags: dict[str, list[str]] = defaultdict(list)
    letters = _letters_with_value({token.lower() for token in tokens})
    rest = iter(tokens)
    for token in rest:
        if _FLAG.match(token):
            for name, value in _flags(token, rest, letters):
                flags[name].append(value.strip("'\""))
        else:
            words.append(token)
    selectors = ",".join(flags["l"] + flags["selector"]).replace("==", "=").split(",")
    return Command(
        words=tuple(words),
        namespaces=tuple(name.lower() for name in flags["n"] + flags["namespace"] if name),
        labels=tuple(label for label in selectors if label and not set("!()").intersection(label)),
        everywhere=bool({"A", "all-namespaces"} & flags.keys()),
        called=called is not None,
    )


def _letters_with_value(tokens: set[str]) -> frozenset[str]:
    """``-f`` follows a log, and is a file elsewhere; ``-p`` is the patch, and elsewhere the log before."""
    return (_LETTERS - {"f"} if "logs" in tokens else _LETTERS) | (
        {"p"} if "patch" in tokens else frozenset()
    )


def _flags(token: str, rest: Iterator[str], letters: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The flags of a word with their values: one with a long name, or letters of which the last may have a value."""
    if token.startswith("--"):
        name, equals, value = token[2:].partition("=")
        yield name, value if equals or name not in _VALUED else next(rest, "")
        return
    for at, letter in enumerate(token[1:], start=1):
        if letter in letters:
            yield letter, token[at + 1 :].removeprefix("=") or next(rest, "")
            return
        yield letter, ""
