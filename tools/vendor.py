"""Updates the committed front-end files, those that are served (``static/vendor``) and those that only tests use
(``tests/browser/vendor``), from the versions named in each folder's ``package.json``.

Needs npm and the network; nothing else of the project does. ``npm ci`` checks each package against the integrity
hashes of ``package-lock.json``; the files are copied as they ship, or bundled by esbuild where a library ships as many
modules, and ``vendor.lock.json`` records what is there: name, version, licence and SHA-256 of every file.
``tests/unit/test_vendor.py`` hashes them again, without npm. The same lock gives the same bytes.

    python tools/vendor.py            install what package-lock.json says, copy, write the lock
    python tools/vendor.py --update   take new versions of package.json into package-lock.json first
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Package → its folder there and the files that are used or must go with them.
Files = dict[str, tuple[str, dict[str, str]]]
FOLDERS: dict[Path, Files] = {
    ROOT / "static" / "vendor": {
        "htmx.org": ("htmx", {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "LICENSE"}),
        "plotly.js-cartesian-dist-min": (
            "plotly",
            {"plotly-cartesian.min.js": "plotly-cartesian.min.js", "LICENSE": "LICENSE"},
        ),
        "@xterm/xterm": (
            "xterm",
            {"lib/xterm.mjs": "xterm.mjs", "css/xterm.css": "xterm.css", "LICENSE": "LICENSE"},
        ),
        "@xterm/addon-fit": ("xterm-fit", {"lib/addon-fit.mjs": "addon-fit.mjs", "LICENSE": "LICENSE"}),
    },
    ROOT / "tests" / "browser" / "vendor": {
        "axe-core": ("axe", {"axe.min.js": "axe.min.js", "LICENSE": "LICENSE"}),
    },
}
# Folder → what its one module exports, by the package that it comes from.
BUNDLES: dict[Path, dict[str, dict[str, str]]] = {
    ROOT / "static" / "vendor": {
        "codemirror": {
            "@codemirror/autocomplete": "autocompletion, closeBrackets, closeBracketsKeymap",
            "@codemirror/commands": "defaultKeymap, history, historyKeymap, indentWithTab",
            "@codemirror/lang-yaml": "yaml",
            "@codemirror/language": "HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting",
            "@codemirror/lint": "forEachDiagnostic, lintGutter, lintKeymap, setDiagnostics",
            "@codemirror/search": "search, searchKeymap",
            "@codemirror/state": "Annotation, EditorState",
            "@codemirror/view": "EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, "
            "keymap, lineNumbers",
            "@lezer/highlight": "tags",
            "style-mod": "StyleModule",
        },
    },
}


def npm(where: Path, *arguments: str) -> None:
    command = ["npm", *arguments, "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=where, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="resolve package.json anew")
    options = parser.parse_args()
    for vendor, files in FOLDERS.items():
        if options.update:
            npm(vendor, "install", "--package-lock-only")
        with tempfile.TemporaryDirectory() as temporary:
            room = Path(temporary)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(vendor / name, room / name)
            npm(room, "ci")
            packages = [
                _copy(room / "node_modules" / name, name, vendor / folder, kept)
                for name, (folder, kept) in files.items()
            ]
            bundles = [
                _bundle(room, exports, vendor / name) for name, exports in BUNDLES.get(vendor, {}).items()
            ]
        lock = json.dumps({"packages": packages, "bundles": bundles}, indent=2)
        (vendor / "vendor.lock.json").write_text(f"{lock}\n")


def _copy(source: Path, package: str, target: Path, files: dict[str, str]) -> dict[str, object]:
    """Copies one package's files and gives its entry of the lock."""
    target.mkdir(exist_ok=True)
    for name, kept in files.items():
        shutil.copy(source / name, target / kept)
    return {**_about(source, package), "files": _hashes(target, [*files.values()])}


def _bundle(room: Path, exports: dict[str, str], target: Path) -> dict[str, object]:
    """Makes one module of what is exported, with the licences of all packages in it, and gives its entry of the lock."""
    target.mkdir(exist_ok=True)
    entry, meta = room / "entry.js", room / "meta.json"
    entry.write_text("".join(f'export {{ {names} }} from "{name}";\n' for name, names in exports.items()))
    made = target / f"{target.name}.js"
    program = str(room / "node_modules" / ".bin" / "esbuild")
    esbuild = [program, entry.name, "--bundle", "--minify", "--format=esm"]
    how = ["--target=es2022", "--legal-comments=none", "--log-level=warning"]
    subprocess.run([*esbuild, *how, f"--metafile={meta.name}", f"--outfile={made}"], cwd=room, check=True)
    modules = [Path(name).parts for name in json.loads(meta.read_text())["inputs"]]
    names = sorted({"/".join(each[1 : 3 if each[1][0] == "@" else 2]) for each in modules if len(each) > 1})
    sources = {name: room / "node_modules" / name for name in names}
    packages = [_about(source, name) for name, source in sources.items()]
    licences = [
        f"{about['name']} {about['version']}\n\n{(sources[about['name']] / 'LICENSE').read_text().strip()}\n"
        for about in packages
    ]
    (target / "LICENSE").write_text("\n\n".join(licences))
    return {
        "name": target.name,
        "made_by": _about(room / "node_modules" / "esbuild", "esbuild"),
        "packages": packages,
        "files": _hashes(target, [made.name, "LICENSE"]),
    }


def _about(source: Path, package: str) -> dict[str, str]:
    about = json.loads((source / "package.json").read_text())
    return {"name": package, "version": about["version"], "licence": about["license"]}


def _hashes(folder: Path, names: list[str]) -> dict[str, str]:
    return {f"{folder.name}/{name}": sha256((folder / name).read_bytes()).hexdigest() for name in names}


if __name__ == "__main__":
    main()
