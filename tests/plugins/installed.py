"""Installs plugins for a test as pip would: a package on the path, and beside it the metadata with its entry point."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def install(folder: Path, name: str, module: str, version: str = "1.0") -> None:
    """Metadata in a folder of the path, for a module that is on the path."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[cluster_ui]\n{name} = {module}\n")


def write(folder: Path, name: str, source: str, **templates: str) -> None:
    """A plugin of one file, with its templates by name, installed."""
    package = folder / f"plugin_{name.replace('-', '_')}"
    package.mkdir()
    (package / "__init__.py").write_text(source)
    for template, text in templates.items():
        (package / "templates" / name).mkdir(parents=True, exist_ok=True)
        (package / "templates" / name / f"{template}.html").write_text(text)
    install(folder, name, package.name)
