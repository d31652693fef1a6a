"""A template uses nothing but what its comment says that it is given: who reads it needs to read nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.template import Node, NodeList
from django.template.base import FilterExpression, Variable
from django.template.defaulttags import ForNode, WithNode
from django.template.loader import get_template

from dashboard.live.screens.usage import Meter
from dashboard.queries.keys import KeyWindow
from dashboard.render import Lines

ROOT = Path(__file__).resolve().parents[2] / "templates"
TEMPLATES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.html"))
COMMENT = re.compile(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}", re.DOTALL)
# What every template has: from Django, and by inheritance or loops.
GIVEN = {"True", "False", "None", "request", "csrf_token", "now", "forloop", "block"}
# Types whose fields a comment need not repeat.
TYPES: dict[str, type[Any]] = {"KeyWindow": KeyWindow, "Lines": Lines, "Meter": Meter}
PARSED = ("django.template", "dashboard")
OF_DJANGO = {"items", "grouper", "list"}  # of a mapping; of what {% regroup %} makes


def told(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The words of a template's comments, those of templates that they refer to among them."""
    text = " ".join(COMMENT.findall((ROOT / name).read_text()))
    words = set(re.findall(r"[A-Za-z_]\w*", text))
    for referred in re.findall(r"\w+(?:/\w+)*\.html", text):
        found = [each for each in TEMPLATES if each == referred or Path(each).name == referred]
        for each in set(found) - seen - {name}:
            words |= told(each, seen | {name, each})
    for type_ in words & TYPES.keys():
        words |= {*dir(TYPES[type_]), *TYPES[type_].__annotations__}
    return words


def variables(value: Any) -> Iterator[tuple[str, ...]]:
    """The lookups of each variable in a part of a node, not those of the nodes inside it."""
    if isinstance(value, Variable):
        if value.lookups:
            yield tuple(value.lookups)
    elif isinstance(value, FilterExpression):
        yield from variables(value.var)
        for _, arguments in value.filters:
            for is_variable, argument in arguments:
                if is_variable:
                    yield from variables(argument)
    elif isinstance(value, (list, tuple)) and not isinstance(value, NodeList):
        for each in value:
            yield from variables(each)
    elif isinstance(value, dict):
        yield from variables(list(value.values()))
    elif not isinstance(value, (Node, NodeList, type)) and type(value).__module__.startswith(PARSED):
        yield from variables({key: each for key, each in vars(value).items() if key != "origin"})


def used(node: Node | NodeList, bound: set[str]) -> Iterator[str]:
    """The names that a template looks up, from what it is given; of what it names itself the fields alone."""
    if isinstance(node, NodeList):
        for each in node:
            yield from used(each, bound)
        return
    own = {key: value for key, value in vars(node).items() if key not in ("origin", "token")}
    bound |= {str(own[key]) for key in ("asvar", "target_var", "var_name") if own.get(key)}
    for lookups in variables(own):
        if lookups[0] in GIVEN or lookups[0] == "chrome":  # the frame's: see templating.py
            continue
        yield from (each for each in (lookups[1:] if lookups[0] in bound else lookups) if not each.isdigit())
    inner = set(bound)
    if isinstance(node, ForNode):
        inner |= set(node.loopvars)
    if isinstance(node, WithNode):
        inner |= set(node.extra_context)
    for value in own.values():
        if isinstance(value, NodeList):
            yield from used(value, inner)
    for _, inside in own.get("conditions_nodelists", ()):
        yield from used(inside, inner)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_uses_nothing_but_what_its_comment_names(name: str) -> None:
    template = get_template(name).template
    assert set(used(template.nodelist, set())) - told(name) - OF_DJANGO == set()


def test_a_name_that_no_comment_has_is_found(tmp_path: Path) -> None:
    from django.template import Engine

    engine = Engine(libraries={"ui": "dashboard.templatetags.ui"})
    source = "{% for a in given %}{{ a.inside|default:other }}{% endfor %}{% if not more.deep %}{{ now }}{% endif %}"
    found = set(used(engine.from_string(source).nodelist, set()))
    assert found == {"given", "inside", "other", "more", "deep"}
