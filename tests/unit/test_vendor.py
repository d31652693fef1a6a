"""The committed front-end files are those of the lock, with their licences, and nothing else is among them."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / "static" / "vendor", ROOT / "tests" / "browser" / "vendor"]
PACKAGES = [
    (folder, package)
    for folder in FOLDERS
    for package in json.loads((folder / "vendor.lock.json").read_text())["packages"]
]
FILES = {folder / name: digest for folder, package in PACKAGES for name, digest in package["files"].items()}
OURS = {"package.json", "package-lock.json", "vendor.lock.json"}


@pytest.mark.parametrize("file", sorted(FILES), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_vendored_file_is_as_it_shipped(file: Path) -> None:
    assert sha256(file.read_bytes()).hexdigest() == FILES[file]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_nothing_unlisted_is_in_a_vendor_folder(folder: Path) -> None:
    there = {path for path in folder.rglob("*") if path.is_file()}
    assert there == {file for file in FILES if folder in file.parents} | {folder / name for name in OURS}


@pytest.mark.parametrize(
    ("folder", "package"), PACKAGES, ids=lambda each: each["name"] if isinstance(each, dict) else ""
)
def test_a_package_is_pinned_and_brings_its_licence(folder: Path, package: dict[str, Any]) -> None:
    pinned = json.loads((folder / "package.json").read_text())["dependencies"]
    installed = json.loads((folder / "package-lock.json").read_text())["packages"]
    name = package["name"]
    assert pinned[name] == package["version"] == installed[f"node_modules/{name}"]["version"]
    # MPL-2.0 asks nothing of who only uses a file as it is; only tests do.
    assert package["licence"] in {"0BSD", "MIT"} | ({"MPL-2.0"} if "tests" in folder.parts else set())
    assert any(file.endswith("/LICENSE") for file in package["files"])
