"""YAML as people type it: what it means, what is refused and where, and the lines that errors are shown at."""

from __future__ import annotations

from typing import Any

import pytest
import yaml as pyyaml

from dashboard.actions.manifesttext import (
    MAX_BYTES,
    MAX_DOCUMENTS,
    BadField,
    BadYaml,
    problems_of,
    read_manifest,
    read_manifests,
)
from dashboard.errors import BadInput, FieldCause, Invalid
from dashboard.queries.yamltext import as_yaml

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations:
    example.com/a.b: "1"
spec:
  template:
    spec:
      containers:
        - name: web
          image: web:1
        - name: side
          ports:
          - containerPort: 80
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0644", 420), ("0o644", 420), ("0x1F", 31), ("yes", True), ("off", False), ("y", "y"), ("~", None), ("", None),
        ("1.5", 1.5), ("1e3", 1000.0), ("-7", -7), ("1_000", 1000), ("12:30", "12:30"), ("2020-01-01", "2020-01-01"),
        ("'1'", "1"), ("1.2.3", "1.2.3"), ("null", None), ("0", 0), ("<kept>", "<kept>"),
    ],
)  # fmt: skip
def test_a_scalar_means_what_kubectl_makes_of_it(text: str, value: Any) -> None:
    found = read_manifest(f"a: {text}\n").manifest["a"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\n\tb: 2\n", 2, "tab"),
        ("a: 1\nb:\n\t- 2\n", 3, "tab"),
        ("a: 1\nb: 2\na: 3\n", 3, "twice"),
        ("a: &x 1\nb: *x\n", 1, "Anchors"),
        ("a: {<<: {b: 1}}\n", 1, "Merge keys"),
        ("a: !!python/object:os.system x\n", 1, "Tags"),
        ("a: 1\n---\nb: 2\n", 3, "one object"),
        ("- a\n- b\n", 1, "mapping"),
        ("a: .inf\n", 1, "number"),
        ("a: 99999999999999999999999\n", 1, "number"),
        ("a: [1, 2\nb: 3\n", 0, ""),
        ("{a: " * 150 + "1" + "}" * 150, 1, "levels"),
        ("# nothing\n", 0, "no manifest"),
        ("apiVersion: v1\nkind: List\nitems: []\n", 0, "no manifest"),
        ("a:\n\u00a0\u00a0b: 1\n", 2, "no-break spaces"),
        ("a: \x07\n", 1, "not allowed"),
        ("a: éé\nb: \x07\n", 2, "not allowed"),
        ("a: \u2028\rb: x\nb: x\n", 3, "twice"),
        ("\ufeffa: 1\nb: ]\n", 2, ""),
        ("a: |\n  \tx\n\tb: 2\n", 3, "tab"),
        (f"a: {'x' * MAX_BYTES}\n", 0, "larger"),
    ],
)
def test_what_is_refused_is_told_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(BadYaml) as refused:
        read_manifest(text)
    assert says in refused.value.message and refused.value.field == "yaml"
    assert not line or refused.value.line == line


@pytest.mark.parametrize("between", ["---\n\ufeff", "\ufeff---\n"])
def test_files_that_were_joined_keep_no_byte_order_marks(between: str) -> None:
    found = read_manifests(f"\ufeffa: 1\n{between}b: \ufeff2\n")
    assert [each.manifest for each in found] == [{"a": 1}, {"b": "\ufeff2"}]
    assert found[1].line_of("b") == 3


def test_a_text_that_doubles_by_aliases_is_refused_at_its_first_line() -> None:
    laughs = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    with pytest.raises(BadYaml) as refused:
        read_manifest(laughs)
    assert refused.value.line == 1


def test_no_refusal_holds_a_value() -> None:
    for text in (
        "a: 'canary-7391\n",
        "a: canary-7391: b\n",
        "a: [canary-7391\n",
        "%canary-7391\n",
    ):
        with pytest.raises(BadYaml) as refused:
            read_manifest(text)
        assert "canary" not in refused.value.message


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spec.template.spec.containers[0].image", 12),
        ("spec.template.spec.containers[1].ports[0].containerPort", 15),
        ("spec.template.spec.containers[1].image", 13),
        ("metadata.annotations[example.com/a.b]", 6),
        ("spec.replicas", 7),
        ("status", 1),
    ],
)
def test_a_field_of_the_api_server_has_a_line(path: str, line: int) -> None:
    assert read_manifest(WEB).line_of(path) == line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Invalid("no", causes=(FieldCause("spec.template.spec.containers[0].image", "Required value"),)), 12),
        (BadInput('strict decoding error: unknown field "spec.template.spec.containers[1].portz"'), 13),
        (
            BadInput(
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.template of type T"
            ),
            8,
        ),
        (BadInput("failed to create typed patch object: .spec.template: field not declared in schema"), 8),
    ],
)
def test_an_error_of_the_api_server_is_told_at_its_line(error: Any, line: int) -> None:
    assert [each.line for each in problems_of(error, read_manifest(WEB))] == [line]


SECRET = """apiVersion: v1
kind: Secret
metadata:
  name: db
data:
  a.b: Y2FuYXJ5
stringData:
  bad key: canary
"""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (BadField("it is not base64.", "data", "a.b"), 6),
        (BadField("it is not text.", "stringData", "bad key"), 8),
        (BadField("it keeps nothing.", "data", "bad key"), 8),
        (BadField("it is not there.", "data", "gone"), 5),
        (Invalid("no", causes=(FieldCause("data[a.b]", "a valid config key"),)), 6),
        (Invalid("no", causes=(FieldCause("data[bad key]", "a valid config key"),)), 8),
    ],
)
def test_a_key_of_a_secret_has_its_line_however_it_was_typed(error: Any, line: int) -> None:
    (told,) = problems_of(error, read_manifest(SECRET))
    assert told.line == line and "canary" not in told.text


def test_documents_and_lists_come_one_by_one_with_their_lines() -> None:
    items = "kind: ConfigMapList\nitems:\n- kind: ConfigMap\n  data: {a: b}\n- kind: Two\n"
    text = f"a: 1\n---\n# only a comment\n---\n{items}"
    found = read_manifests(text)
    assert [(each.manifest.get("kind"), each.line) for each in found] == [
        (None, 1),
        ("ConfigMap", 7),
        ("Two", 9),
    ]
    assert found[1].line_of("data.a") == 8


def test_items_that_say_no_kind_are_what_their_list_says() -> None:
    """So the API server itself answers, and so it is by kubectl."""
    text = "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n- {kind: Pod, metadata: {}}\n"
    own, named = read_manifests(text)
    assert own.manifest == {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    assert own.line_of("metadata.name") == 4 and "apiVersion" not in named.manifest
    (untold,) = read_manifests("apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n")
    assert "kind" not in untold.manifest
    (blank,) = read_manifests("kind: PodList\nitems: [{kind: '', metadata: {name: a}}]")
    assert blank.manifest["kind"] == "Pod" and blank.manifest["apiVersion"] is None


def test_what_is_shown_is_read_as_it_was() -> None:
    manifest = {
        "a": ["y", "0644", "1e3", 0.5, None, True, {"b": "x\n y\n"}, "2020-01-01", "12:30", "<<"],
        "c": {"d.e/f": ""},
    }
    assert read_manifest(as_yaml(manifest)).manifest == manifest == pyyaml.safe_load(as_yaml(manifest))


def test_a_text_that_begins_with_a_tab_is_read_as_it_is_shown() -> None:
    manifest = {"data": {"run": "\tmake\nall\n", "more": ["\tx\n\ty\n"]}}
    assert "|" in as_yaml(manifest)
    assert read_manifest(as_yaml(manifest)).manifest == manifest


@pytest.mark.parametrize(("size", "most"), [(0, 100), (1_000_000, 8)])
def test_so_many_block_scalars_may_begin_with_a_tab_and_one_more_is_refused_with_the_limit(
    size: int, most: int
) -> None:
    def text(count: int) -> str:
        return f"# {'x' * size}\n" + "".join(f"k{n}: |\n  \tmake\n" for n in range(count))

    assert read_manifest(text(most)).manifest[f"k{most - 1}"] == "\tmake\n"
    with pytest.raises(BadYaml, match=f"More than {most} block scalars begin with a tab") as refused:
        read_manifest(text(most + 1))
    assert refused.value.line == 1 + 2 * (most + 1) and "double quotes" in refused.value.message


def test_a_list_is_as_long_as_a_text_may_be_and_read_in_one_pass() -> None:
    with pytest.raises(BadYaml, match=f"Line 103: More than {MAX_DOCUMENTS} objects in a List"):
        read_manifests("kind: List\nitems:\n" + "- {}\n" * 4_000)
    items = "".join(f"- kind: A\n  data:\n    key-{n}: b\n" for n in range(MAX_DOCUMENTS))
    found = read_manifests(f"kind: List\nitems:\n{items}")
    assert [each.line_of("data") for each in found] == [4 + 3 * n for n in range(MAX_DOCUMENTS)]
    assert sum(len(each.lines) for each in found) == 3 * MAX_DOCUMENTS, "each has its own lines alone"
