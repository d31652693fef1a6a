"""What the server never imports does nothing there, however well it is tested."""

from __future__ import annotations

import re
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
# Found by Django by where they are, or by an ASGI server by name.
BY_PLACE = re.compile(
    r"\.(migrations|management\.commands|templatetags)\.|^dashboard\.apps$|^cluster_ui\.asgi$"
)


def test_every_module_is_imported_by_another_or_named_in_the_settings() -> None:
    graph = grimp.build_graph("dashboard", "cluster_ui", cache_dir=None)
    named = "".join((ROOT / f"cluster_ui/{name}.py").read_text() for name in ("settings", "urls"))
    alone = [
        module
        for module in graph.modules
        if not graph.find_children(module)
        and not graph.find_modules_that_directly_import(module)
        and not BY_PLACE.search(module)
        and f'"{module}' not in named
    ]
    assert [module for module in alone if module != "cluster_ui.settings"] == []
    assert len(graph.modules) > 300
