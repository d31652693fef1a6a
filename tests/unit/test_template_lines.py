"""Lines of templates: none is long, and long ones are broken only where a browser shows nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.templates import ROOT, WIDTH, every_template, formatted, too_long

LONG = "x" * (WIDTH - 20)


@pytest.mark.parametrize("path", every_template(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_line_is_too_long_and_formatting_again_changes_nothing(path: Path) -> None:
    assert too_long(path) == []
    assert formatted(path.read_text()) == path.read_text()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"<p>{LONG}</p><p>two three four</p>", f"<p>{LONG}</p>\n<p>two three four</p>"),
        (f'<a id="{LONG}" href="two three">x</a>', f'<a id="{LONG}"\nhref="two three">x</a>'),
        (
            f'<i{{% if x %}} id="{LONG}"{{% endif %}} hidden></i>',
            f'<i{{% if x %}}\nid="{LONG}"{{% endif %}}\nhidden></i>',
        ),
        (f"<b>{LONG}</b> {{{{ two }}}} and three four", f"<b>{LONG}</b> {{{{ two }}}}\nand three four"),
        (
            f"{{# {LONG} two three four five #}}",
            f"{{% comment %}} {LONG} two\nthree four five {{% endcomment %}}",
        ),
        (f"<i>{LONG}</i><i>two three</i>", f"<i>{LONG}</i><i>two\nthree</i>"),
    ],
)
def test_a_long_line_is_broken_where_nothing_is_seen_of_it(before: str, after: str) -> None:
    assert formatted(before) == after


@pytest.mark.parametrize(
    "shown",
    [
        f"<pre>{LONG} two three four five six</pre>",
        f"<textarea>{LONG} two three four five</textarea>",
        f'<code title="{LONG} two three four five"> six </code>',
        f"<td>{LONG}<p>two three four five six</p></td>",
    ],
)
def test_white_space_that_is_shown_or_a_value_stays(shown: str) -> None:
    new = formatted(shown)
    assert new.replace("\n>", ">").replace("\ntitle", " title") == shown
