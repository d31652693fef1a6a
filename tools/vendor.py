"""Updates the committed front-end files, those that are served (``static/vendor``) and those that only tests use
(``tests/browser/vendor``), from the versions named in each folder's ``package.json``.

Needs npm and the network; nothing else of the project does. ``npm ci`` checks each package against the integrity
hashes of ``package-lock.json``; the files are copied as they ship, and ``vendor.lock.json`` records what is there:
name, version, licence and SHA-256 of every file. ``tests/unit/test_vendor.py`` hashes them again.

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
        lock = json.dumps({"packages": packages}, indent=2)
        (vendor / "vendor.lock.json").write_text(f"{lock}\n")


def _copy(source: Path, package: str, target: Path, files: dict[str, str]) -> dict[str, object]:
    """Copies one package's files and gives its entry of the lock."""
    about = json.loads((source / "package.json").read_text())
    target.mkdir(exist_ok=True)
    hashes = {}
    for name, kept in files.items():
        shutil.copy(source / name, target / kept)
        hashes[f"{target.name}/{kept}"] = sha256((target / kept).read_bytes()).hexdigest()
    return {"name": package, "version": about["version"], "licence": about["license"], "files": hashes}


if __name__ == "__main__":
    main()
