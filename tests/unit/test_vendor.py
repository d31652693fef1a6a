"""The committed front-end files are those of the lock, with their licences, and nothing else is among them."""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / "static" / "vendor", ROOT / "tests" / "browser" / "vendor"]
LOCKS = {folder: json.loads((folder / "vendor.lock.json").read_text()) for folder in FOLDERS}
PACKAGES = [(folder, package) for folder, lock in LOCKS.items() for package in lock["packages"]]
BUNDLES = [(folder, bundle) for folder, lock in LOCKS.items() for bundle in lock["bundles"]]
FILES = {
    folder / name: digest for folder, each in PACKAGES + BUNDLES for name, digest in each["files"].items()
}
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


@pytest.mark.parametrize(
    ("folder", "bundle"), BUNDLES, ids=lambda each: each["name"] if isinstance(each, dict) else ""
)
def test_a_bundle_is_made_of_pinned_packages_with_the_licence_of_each(
    folder: Path, bundle: dict[str, Any]
) -> None:
    asked = json.loads((folder / "package.json").read_text())
    pinned = asked["dependencies"] | asked["devDependencies"]
    installed = json.loads((folder / "package-lock.json").read_text())["packages"]
    licences = (folder / bundle["name"] / "LICENSE").read_text()
    for package in [*bundle["packages"], bundle["made_by"]]:
        name, version = package["name"], package["version"]
        assert installed[f"node_modules/{name}"]["version"] == version
        assert installed[f"node_modules/{name}"]["integrity"].startswith("sha512-")
        assert pinned.get(name, version) == version
        assert package["licence"] == "MIT"
    for package in bundle["packages"]:
        text = licences.split(f"{package['name']} {package['version']}\n\n", 1)[1]
        assert "Permission is hereby granted" in text.split("\n\n\n")[0]
    assert {*bundle["files"]} == {f"{bundle['name']}/{bundle['name']}.js", f"{bundle['name']}/LICENSE"}


def test_the_editor_s_bundle_holds_what_its_script_uses() -> None:
    script = "".join((ROOT / f"static/js/{name}.js").read_text() for name in ("yamltext", "fieldhelp"))
    bundle = (ROOT / "static/vendor/codemirror/codemirror.js").read_text()
    exports = re.findall(r"(?:as )?(\w+)[,}]", bundle[bundle.rindex("export{") :])
    unpacked = re.search(r"const \{ (.*) \} = cm;", script)
    assert unpacked
    assert {*exports} == {*re.findall(r"\bcm\.(\w+)", script), *unpacked[1].split(", ")}
