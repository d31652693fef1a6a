"""What must hold for every template and for the style sheet, read from the files themselves."""

import gzip
import re
from graphlib import TopologicalSorter
from itertools import product
from pathlib import Path

import pytest
from django.template.loader import get_template, render_to_string

from dashboard.templatetags.ui import breaks
from tests.unit.markup import flat

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))
CSS = "".join(path.read_text() for path in sorted((ROOT / "static" / "css").glob("*.css")))
SPRITE = set(re.findall(r'<symbol id="i-([a-z-]+)"', (ROOT / "templates/partials/icons.html").read_text()))
ROWS = (ROOT / "dashboard" / "tablerow.py").read_text()


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT / "templates"))


def markup(path: Path) -> str:
    """A template without its comments."""
    comments = r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}"
    return re.sub(comments, "", path.read_text(), flags=re.DOTALL)


every_template = pytest.mark.parametrize("path", TEMPLATES, ids=name_of)


@every_template
def test_a_template_compiles(path: Path) -> None:
    get_template(name_of(path))


@every_template
def test_nothing_inline_that_the_content_security_policy_refuses(path: Path) -> None:
    html = markup(path)
    for tag in re.findall(r"<script\b[^>]*>", html):
        assert "src=" in tag or 'type="application/json"' in tag, tag
    assert not re.search(r"<style\b", html)
    assert not re.search(r"\sstyle\s*=", html)
    assert not re.search(r"\son[a-z]+\s*=", html)
    assert not re.search(r"(href|src|action)=[\"']\s*javascript:", html)
    assert "hx-on" not in html
    assert "js:" not in html


@every_template
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    assert not re.search(r"(src|href)=[\"'](https?:)?//", path.read_text())


@every_template
def test_a_template_trusts_no_text(path: Path) -> None:
    assert not re.search(r"\|\s*safe\b|autoescape off|mark_safe", path.read_text())


@every_template
def test_what_a_template_explains_can_be_reached_by_keyboard(path: Path) -> None:
    html = markup(path)
    assert not re.search(r"<[a-z][^>]*\stitle=", html), "an explanation in title= is for mice only"
    for button in re.findall(r"<button\b[^>]*icon-btn[^>]*>", html):
        assert "aria-label=" in button, button


def used_icons() -> set[str]:
    names = set(re.findall(r"state_icon \"([a-z-]+)\"", " ".join(path.read_text() for path in TEMPLATES)))
    for path in TEMPLATES:
        names |= set(re.findall(r"\{% icon \"([a-z-]+)\"", path.read_text()))
    for path in SCRIPTS:
        names |= set(re.findall(r"#i-([a-z-]+)", path.read_text()))
        names |= set(re.findall(r"\bicon\(\"([a-z-]+)\"", path.read_text()))
    states = re.search(r"STATE_ICONS = \{(.*?)\}", ROWS)
    assert states
    return (names - {"info"}) | set(re.findall(r": \"([a-z-]+)\"", states[1]))


def test_every_icon_that_is_used_is_in_the_sprite() -> None:
    assert used_icons() <= SPRITE


def test_every_script_that_is_imported_exists() -> None:
    for path in SCRIPTS:
        for name in re.findall(r"(?:from|import\()\s*\"\./([^\"]+)\"", path.read_text()):
            assert (path.parent / name).exists(), f"{path.name} imports {name}"


def test_scripts_import_each_other_in_no_circle() -> None:
    imports = {
        path.name: re.findall(r"^import .* from \"\./([^\"]+)\";", path.read_text(), re.MULTILINE)
        for path in SCRIPTS
    }
    assert imports["app.js"]
    assert list(TopologicalSorter(imports).static_order())  # a CycleError names the circle


def test_scripts_evaluate_no_text() -> None:
    for path in SCRIPTS:
        assert not re.search(r"\beval\(|new Function\(|setAttribute\(\"style\"", path.read_text()), path.name


def test_a_selector_breaks_after_its_commas_and_is_escaped() -> None:
    assert breaks("app=web,tier in (a,<b>)") == "app=web,<wbr>tier in (a,<wbr>&lt;b&gt;)"


def test_a_fact_puts_its_time_in_brackets_only_where_asked() -> None:
    at = "2026-01-01T00:00:00Z"
    facts = [
        {"label": "Restarts", "value": 14, "since": at, "paren": True},
        {"label": "Seen", "value": "x", "since": at},
    ]
    html = flat(render_to_string("regions/facts.html", {"facts": facts}))
    assert re.search(r"14 \(<time[^>]*>[^<]* ago</time>\)", html)
    assert re.search(r"x <time[^>]*>[^<]* ago</time></dd>", html)


def test_of_a_deleted_deployment_no_numbers_are_told() -> None:
    html = render_to_string("regions/object_now.html", {"gone": True, "word": "This Deployment was deleted."})
    assert "This Deployment was deleted." in html
    assert "data-gone" in html
    assert "wanted" not in html


def test_a_state_names_the_field_that_it_is_about() -> None:
    assert 'data-field="labels"' in render_to_string(
        "regions/list_state.html", {"state": "no-match", "field": "labels"}
    )
    assert "data-field" not in render_to_string("regions/list_state.html", {"state": "no-match"})


# --- Contrast. Tokens are written as light-dark(#light, #dark): each theme is computed by itself.

TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([a-z0-9-]+):\s*light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", CSS
    )
}
SURFACES = ("bg", "surface", "sunken", "hover")
TEXT_PAIRS = [
    *product(("ink", "ink-2"), SURFACES),
    *product(("ink-3",), ("bg", "surface", "hover")),
    *product(("accent",), ("bg", "surface", "accent-bg")),
    ("ink", "accent-bg"),
    ("accent-ink", "accent"),
    ("bad", "bad-bg"),
    ("bad", "surface"),
    ("ink", "bad-bg"),
    ("bad-on", "bad-solid"),
    ("warn", "warn-bg"),
    ("warn", "surface"),
    ("ink", "warn-bg"),
    ("add", "add-bg"),
    ("prod", "prod-bg"),
    *product((f"src-{number}" for number in range(10)), ("surface", "hover")),
    ("prod", "surface"),
]
# Shapes and edges of controls: 3:1.
SHAPE_PAIRS = [
    *product(("control", "pod", "bad-solid", "warn-solid"), ("bg", "surface")),
    ("accent", "surface"),
    ("prod-bar", "surface"),
]


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance of #rrggbb."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT_PAIRS)
def test_text_stands_out(front: str, back: str, theme: str) -> None:
    at = ("light", "dark").index(theme)
    assert contrast(TOKENS[front][at], TOKENS[back][at]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), SHAPE_PAIRS)
def test_shapes_stand_out(front: str, back: str, theme: str) -> None:
    at = ("light", "dark").index(theme)
    assert contrast(TOKENS[front][at], TOKENS[back][at]) >= 3


def test_the_style_sheet_names_only_tokens_that_exist() -> None:
    assert set(re.findall(r"var\(--([a-z0-9-]+)\)", CSS)) <= set(re.findall(r"--([a-z0-9-]+):", CSS))


LATER = {
    "fieldhelp.js",
    "yamlfields.js",
    "changes.js",
    "charts.js",
    "choose.js",
    "clipboard.js",
    "columns.js",
    "editor.js",
    "finder.js",
    "logfind.js",
    "logmatch.js",
    "logs.js",
    "map.js",
    "namespaces.js",
    "newobject.js",
    "palette.js",
    "places.js",
    "rewind.js",
    "secrets.js",
    "settings.js",
    "shell.js",
    "shellfind.js",
    "still.js",
    "yamltext.js",
}  # loaded where they are needed


def test_a_class_has_rules_of_its_own_in_one_sheet_alone() -> None:
    """Of two, the one that was not thought of is seen: a list of logs in the box of the map's legend."""
    bare: dict[str, set[str]] = {}
    for path in sorted((ROOT / "static" / "css").glob("*.css")):
        text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.DOTALL)
        for selectors in re.findall(r"[^{}]+(?={)", re.sub(r"\([^()]*\)", "", text)):
            for name in re.findall(r"(?:^|,)\s*\.([\w-]+)\s*(?=,|$)", selectors):
                bare.setdefault(name, set()).add(path.stem)
    # These are meant: a page's sheet has more of what all pages have.
    assert {name for name, sheets in bare.items() if len(sheets - {"print"}) > 1} <= {"log", "said", "spark"}


def test_no_rule_is_about_a_class_or_id_that_nothing_has() -> None:
    selectors = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", CSS, flags=re.DOTALL)
    sources = [*TEMPLATES, *SCRIPTS, *(ROOT / "dashboard").rglob("*.py")]
    words = set(re.findall(r"[\w-]+", " ".join(path.read_text() for path in sources)))
    # Put together with a number or a word: the sources and colours of log lines, the states of a list.
    made = r"c\d|s-(b|d|i|u|c[1-7])|s-(empty|forbidden|gone|loading|no-match|partly|stale|unreachable)"
    named = {name for name in re.findall(r"[.#]([a-zA-Z][\w-]*)", selectors) if not re.fullmatch(made, name)}
    assert named - words == {"htmx-request"}


def test_the_first_page_without_charts_is_light() -> None:
    files = [*SCRIPTS, ROOT / "static/css/app.css", ROOT / "static/vendor/htmx/htmx.min.js"]
    sent = sum(len(gzip.compress(path.read_bytes())) for path in files if path.name not in LATER)
    assert sent <= 69_000  # of 150 kB, as the browser gets them; the rest is the page's
