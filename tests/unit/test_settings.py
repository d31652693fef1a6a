"""Settings that name something for each context, and those that are lists."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.module_loading import import_string

from cluster_ui.settings import (
    _act_as,
    _admins,
    _backup_to,
    _by_context,
    _level,
    _networks,
    _trusting_issuer,
    _urls_by_context,
)
from dashboard.management.commands import run
from dashboard.recovery.shelf import by_default

NAME = "CLUSTER_UI_PROMETHEUS_URL"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("https://p.example", {"": "https://p.example"}),
        ("https://p.example/?cluster=prod", {"": "https://p.example/?cluster=prod"}),
        (
            "prod=https://p.example/?cluster=prod, arn:aws~2Fx=http://q:9090,http://rest",
            {"prod": "https://p.example/?cluster=prod", "arn:aws~2Fx": "http://q:9090", "": "http://rest"},
        ),
    ],
)
def test_an_address_for_every_context_or_for_one(
    monkeypatch: pytest.MonkeyPatch, text: str, found: dict[str, str]
) -> None:
    monkeypatch.setenv(NAME, text)
    assert _urls_by_context(NAME) == found


@pytest.mark.parametrize("text", ["prometheus:9090", "prod=prometheus", "https://", "ftp://x"])
def test_what_is_no_address_is_refused_with_the_name_of_the_setting(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        _urls_by_context(NAME)


@pytest.mark.parametrize(("text", "found"), [("", "INFO"), (" debug ", "DEBUG"), ("ERROR", "ERROR")])
def test_a_log_level_is_one_of_pythons(monkeypatch: pytest.MonkeyPatch, text: str, found: str) -> None:
    monkeypatch.setenv("CLUSTER_UI_LOG_LEVEL", text)
    assert _level("CLUSTER_UI_LOG_LEVEL", "INFO") == found


def test_another_log_level_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_UI_LOG_LEVEL", "verbose")
    with pytest.raises(ImproperlyConfigured, match="CLUSTER_UI_LOG_LEVEL is 'VERBOSE': use DEBUG"):
        _level("CLUSTER_UI_LOG_LEVEL", "INFO")


def test_a_path_may_hold_an_equals_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_UI_PROMETHEUS_TOKEN_FILE", "/run/a=b,prod=/run/token")
    assert _by_context("CLUSTER_UI_PROMETHEUS_TOKEN_FILE") == {"": "/run/a=b", "prod": "/run/token"}


@pytest.mark.parametrize(
    ("act_as", "text", "found"),
    [
        ("", "", set()),
        ("user", "", set()),
        ("prod=user", "", {"prod"}),
        ("prod=user,dev=user", "", set()),
        ("user,dev=installation", "", set()),
        ("user,prod=user", "", set()),
        ("prod=user,dev=user", "dev", {"dev"}),
        ("user", "*", {"*"}),
    ],
)
def test_the_issuers_token_is_for_who_is_named_or_the_only_one(
    monkeypatch: pytest.MonkeyPatch, act_as: str, text: str, found: set[str]
) -> None:
    monkeypatch.setenv("A", act_as)
    monkeypatch.setenv("C", text)
    assert _trusting_issuer("C", _act_as("A")) == found


@pytest.mark.parametrize("text", ["mara,oidc:jon", "oidc-sub:", "group:"])
def test_nobody_administers_by_a_name_that_others_can_take(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("A", text)
    with pytest.raises(ImproperlyConfigured, match=r"^A has"):
        _admins("A")
    monkeypatch.setenv("A", "mara, oidc-sub:7,group:ops")
    assert _admins("A") == {"mara", "oidc-sub:7", "group:ops"}


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_UI_TRUSTED_PROXIES", "10.42.0.0/16, 192.0.2.7,fd00::/8")
    assert _networks("CLUSTER_UI_TRUSTED_PROXIES") == ["10.42.0.0/16", "192.0.2.7/32", "fd00::/8"]
    for wrong in ("*", "ingress", "10.42.0.1/16", "10.42.0.0/33"):
        monkeypatch.setenv("CLUSTER_UI_TRUSTED_PROXIES", f"192.0.2.7,{wrong}")
        with pytest.raises(ImproperlyConfigured, match="CLUSTER_UI_TRUSTED_PROXIES") as refused:
            _networks("CLUSTER_UI_TRUSTED_PROXIES")
        assert repr(wrong) in str(refused.value)


def test_forms_are_protected_where_the_check_for_it_is_silent() -> None:
    """`check --deploy` knows Django's own middleware alone."""
    assert "security.W003" in settings.SILENCED_SYSTEM_CHECKS
    assert any(
        isinstance(found := import_string(each), type) and issubclass(found, CsrfViewMiddleware)
        for each in settings.MIDDLEWARE
    )


def test_backups_go_where_it_is_said_or_where_make_run_made_a_folder_but_not_inside_a_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    monkeypatch.delenv("CLUSTER_UI_BACKUP_TO", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(settings, "CLUSTER_UI_BACKUPS", folder)
    monkeypatch.setattr(settings, "CLUSTER_UI_BACKUP_TO", "")
    assert _backup_to(folder) == "" and not by_default("")
    said = StringIO()
    run.Command(stdout=said)._backups()
    assert _backup_to(folder) == str(folder) == settings.CLUSTER_UI_BACKUP_TO and by_default(str(folder))
    assert f"Backups go to {folder}, on this machine alone" in said.getvalue()
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert _backup_to(folder) == ""
    monkeypatch.setenv("CLUSTER_UI_BACKUP_TO", "s3://backups/prod")
    assert _backup_to(folder) == "s3://backups/prod" and not by_default("s3://backups/prod")


def test_run_makes_no_folder_where_another_place_is_set_or_inside_a_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings, "CLUSTER_UI_BACKUPS", tmp_path / "backups")
    for place, inside in (("s3://backups/prod", ""), ("", "10.0.0.1")):
        monkeypatch.setattr(settings, "CLUSTER_UI_BACKUP_TO", place)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", inside) if inside else None
        said = StringIO()
        run.Command(stdout=said)._backups()
        assert place == settings.CLUSTER_UI_BACKUP_TO and not said.getvalue()
    assert not (tmp_path / "backups").exists()
