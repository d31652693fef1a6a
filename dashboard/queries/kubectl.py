"""What is typed as for kubectl, taken apart as kubectl does it: its flags in every spelling (``-nshop``, ``-n=shop``,
``--namespace shop``, ``-Ao wide``), and what is around it in a shell (``watch kubectl … | grep web``).

It is not known here which kinds and objects there are: what is no flag is a word.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

_CALLED = re.compile(
    r"\s*(?:\$\s+)?(?:(?:sudo|(?-i:[A-Z_][A-Z0-9_]*)=\S*)\s+)*(?:watch\s+(?:-\S+\s+(?:[\d.]+\s+)?)*)?"
    r"(?:kubectl|k|oc)(?:\.exe)?\s+(?=\S)",
    re.IGNORECASE,
)
_KUBECONFIG = re.compile(r"\bKUBECONFIG=(\S+)")
# What a shell takes for itself, outside quotes: another program that reads this one's output, or the end of this one.
_SHELL = re.compile(
    r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|(?P<end>\|\||&&|;(?=\s|$)|\s[\d&]?>)|(?P<pipe>\|)""", re.DOTALL
)
_GREP = frozenset({"grep", "egrep", "fgrep"})
_FLAG = re.compile(r"--?[A-Za-z]")

# Flags with a value, which is the next word where none stands at the flag itself.
_LETTERS = frozenset("nloLcfksv")
_LONG = {"n": "namespace", "l": "selector", "A": "all-namespaces", "s": "server"}
_NO = frozenset({"false", "f", "0"})
_CLUSTERS = ("context", "cluster", "server", "kubeconfig")  # flags that say which cluster is meant
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
    ``everywhere``: in all namespaces; ``called``: kubectl itself was typed before it. ``elsewhere``: which
    cluster it is for, by the names of flags (``context``, ``cluster``, ``server``, ``kubeconfig``) and their values.
    """

    words: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    everywhere: bool = False
    called: bool = False
    elsewhere: tuple[tuple[str, str], ...] = ()

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
    first, *piped = _programs(q[called.end() :] if called else q)
    tokens = list(takewhile("--".__ne__, _split(first)))
    words: list[str] = []
    flags: dict[str, list[str]] = defaultdict(list)
    letters = _letters_with_value({token.lower() for token in tokens})
    rest = iter(tokens)
    for token in rest:
        if _FLAG.match(token):
            for name, value in _flags(token, rest, letters):
                flags[_LONG.get(name, name)].append(value.strip("'\""))
        elif token:
            words.append(token)
    if called and (file := _KUBECONFIG.search(called[0])):
        flags["kubeconfig"].insert(0, file[1])
    labels = (label.strip() for label in ",".join(flags["selector"]).replace("==", "=").split(","))
    return Command(
        words=(*words, *_grepped(piped)),
        namespaces=tuple(name.lower() for name in flags["namespace"][-1:] if name),  # the last one counts
        labels=tuple(label for label in labels if label and not set("!() ").intersection(label)),
        everywhere=any(value.lower() not in _NO for value in flags["all-namespaces"][-1:]),
        called=called is not None,
        elsewhere=tuple((name, flags[name][-1]) for name in _CLUSTERS if any(flags[name][-1:])),
    )


def _programs(line: str) -> list[str]:
    """A line's first program, and those that read what it writes."""
    found, begin = list[str](), 0
    for part in _SHELL.finditer(line):
        if part["end"]:
            return [*found, line[begin : part.start()]]
        if part["pipe"]:
            found.append(line[begin : part.start()])
            begin = part.end()
    return [*found, line[begin:]]


def _split(program: str) -> list[str]:
    """Its words as a shell has them; a quote that is not closed is a letter like others."""
    try:
        return shlex.split(program)
    except ValueError:
        return program.split()


def _grepped(programs: list[str]) -> Iterator[str]:
    """What grep looks for is a word more; what it leaves out is none, and nor is any other program."""
    for tokens in map(_split, programs):
        if not tokens or tokens[0].lower() not in _GREP:
            return
        options = [token for token in tokens[1:] if token.startswith("-")]
        if not any("v" in each and not each.startswith("--") for each in options):
            yield from (token for token in tokens[1:] if token and not token.startswith("-"))


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
        if token[at + 1 : at + 2] == "=":
            yield letter, token[at + 2 :]
            return
        yield letter, ""
