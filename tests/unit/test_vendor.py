"""The committed front-end files are those of the lock, with their licences, and nothing else is among them."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"
PACKAGES = json.loads((VENDOR / "vendor.lock.json").read_text())["packages"]
FILES = {name: digest for package in PACKAGES for name, digest in package["files"].items()}
OURS = {"package.json", "package-lock.json", "vendor.lock.json"}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_vendored_file_is_as_it_shipped(name: str) -> None:
    assert sha256((VENDOR / name).read_bytes()).hexdigest() == FILES[name]


def test_nothing_unlisted_is_served_from_the_vendor_folder() -> None:
    there = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert there == set(FILES) | OURS


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_a_package_is_pinned_and_brings_its_licence(package: dict[str, object]) -> None:
    pinned = json.loads((VENDOR / "package.json").read_text())["dependencies"]
    installed = json.loads((VENDOR / "package-lock.json").read_text())["packages"]
    name = str(package["name"])
    assert pinned[name] == package["version"] == installed[f"node_modules/{name}"]["version"]
    assert package["licence"] in {"0BSD", "MIT"}
    assert any(file.endswith("/LICENSE") for file in package["files"])  # type: ignore[attr-defined]
