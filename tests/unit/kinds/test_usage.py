"""Measures as metrics.k8s.io sends them, and amounts as people read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest

from dashboard.kinds.quantity import format_bytes
from dashboard.kinds.units import cpu_words, memory_words, percent, top_cpu, top_memory
from dashboard.kinds.usage import Use, decode_node_metrics, decode_pod_metrics

AT = "2026-03-01T12:00:00Z"
SECONDS = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def node(name: str, cpu: str, memory: str) -> dict[str, object]:
    return {"metadata": {"name": name}, "timestamp": AT, "usage": {"cpu": cpu, "memory": memory}}


def listed(*items: object) -> bytes:
    return json.dumps({"kind": "List", "metadata": {}, "items": items}).encode()


@pytest.mark.parametrize(
    ("cpu", "memory", "use"),
    [
        ("31011127n", "89044221", Use(0.031011127, 89044221)),
        ("250m", "512Ki", Use(0.25, 524288)),
        ("2", "1536Mi", Use(2, 1610612736)),
        ("1500u", "1.5Gi", Use(0.0015, 1610612736)),
        ("0", "12e6", Use(0, 12_000_000)),
    ],
)
def test_every_way_to_write_a_quantity_is_read(cpu: str, memory: str, use: Use) -> None:
    found = decode_node_metrics(listed(node("a", cpu, memory)))["a"]
    assert found.at == SECONDS
    assert found.use == pytest.approx(use)


def test_what_is_no_quantity_leaves_out_its_node_alone() -> None:
    found = decode_node_metrics(listed(node("a", "much", "1"), node("b", "1", "1")))
    assert list(found) == ["b"]


def test_a_pod_is_the_sum_of_its_containers() -> None:
    pod = {
        "metadata": {"name": "web", "namespace": "shop"},
        "timestamp": AT,
        "containers": [
            {"name": "main", "usage": {"cpu": "100m", "memory": "10Mi"}},
            {"name": "proxy", "usage": {"cpu": "5m", "memory": "6Mi"}},
        ],
    }
    found = decode_pod_metrics(listed(pod))["shop", "web"]
    assert found.total == pytest.approx(Use(0.105, 16 * 2**20))
    assert found.containers["proxy"].cpu == pytest.approx(0.005)


def test_a_list_without_items_is_empty_and_another_shape_is_refused() -> None:
    assert decode_pod_metrics(b'{"items": null}') == {}
    with pytest.raises(msgspec.DecodeError):
        decode_pod_metrics(b'{"items": [{"metadata": {}}]}')


@pytest.mark.parametrize(
    ("cores", "words"),
    [
        (None, "–"), (0, "0"), (0.0003, "1m"), (0.25, "250m"), (0.9996, "1 core"), (1.5731, "1.57 cores"),
        (27.58, "27.6 cores"), (1024, "1024 cores"),
    ],
)  # fmt: skip
def test_cpu_is_told_in_millicores_below_one_core(cores: float | None, words: str) -> None:
    assert cpu_words(cores) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (None, "–"), (0, "0"), (500, "500 B"), (2048, "2 KiB"), (89044221, "84.9 MiB"), (1023.9 * 2**20, "1 GiB"),
        (2178 * 2**20, "2.13 GiB"), (3 * 2**40, "3 TiB"), (999.6 * 2**30, "0.98 TiB"), (5 * 2**60, "5 EiB"),
    ],
)  # fmt: skip
def test_memory_is_told_in_the_unit_that_leaves_few_digits(size: float | None, words: str) -> None:
    assert memory_words(size) == words


@pytest.mark.parametrize("unit", range(1, 7))
def test_no_amount_of_bytes_has_an_exponent_or_a_unit_too_small(unit: int) -> None:
    for part in (0.9, 0.97, 0.9761, 0.99, 0.9999):
        for words in (format_bytes(round(part * 1024**unit)), memory_words(part * 1024**unit)):
            assert "e" not in words and "1024" not in words, words


def test_a_share_needs_a_whole_and_a_little_is_not_nothing() -> None:
    assert [percent(1, 3), percent(0.001, 1), percent(0, 1), percent(1, None), percent(None, 1)] == [
        "33 %", "<1 %", "0 %", "–", "–",
    ]  # fmt: skip


def test_kubectl_tops_rounding() -> None:
    assert top_cpu(0.031011127) == "32m"
    assert top_cpu(0.25) == "250m"
    assert top_memory(89044221) == "84Mi"
