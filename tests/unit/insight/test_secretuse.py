"""Who reads one key of a Secret, and when a new value reaches it."""

from __future__ import annotations

from typing import Any

from dashboard.insight.secretuse import Consumer, secret_consumers

from .world import World, meta


def spec(**parts: Any) -> dict[str, Any]:
    container = {"name": "c", **parts.pop("container", {})}
    return {"containers": [container], **parts}


def one(manifest_spec: dict[str, Any], key: str = "password") -> Consumer | None:
    template = {"replicas": 2, "selector": {}, "template": {"spec": manifest_spec}}
    objects = World(("deployments", {"metadata": meta("web"), "spec": template, "status": {"replicas": 2}}))
    found = secret_consumers(objects, "shop", "database", key)
    return found[0] if found else None


def env(key: str, name: str = "database") -> dict[str, Any]:
    return {"env": [{"name": "PW", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}]}


def files(mount: dict[str, Any] | None = None, **source: Any) -> dict[str, Any]:
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/etc/db"} | (mount or {})]}
    return spec(container=mounts, volumes=[{"name": "v", "secret": {"secretName": "database", **source}}])


def test_a_variable_needs_a_restart_and_only_for_its_own_key() -> None:
    found = one(spec(container=env("password")))
    assert found is not None
    assert (found.propagation, found.restartable, found.pods) == ("restart", True, 2)
    assert [(use.how, use.detail) for use in found.uses] == [("env", "PW")]
    assert one(spec(container=env("username"))) is None
    assert one(spec(container=env("password", "other"))) is None


def test_all_keys_at_once_carry_the_prefix() -> None:
    found = one(spec(container={"envFrom": [{"prefix": "DB_", "secretRef": {"name": "database"}}]}))
    assert found is not None
    assert (found.uses[0].how, found.uses[0].detail, found.restartable) == ("envFrom", "DB_password", True)


def test_files_arrive_by_themselves_but_for_a_sub_path() -> None:
    found = one(files())
    assert found is not None
    assert (found.propagation, found.restartable, found.uses[0].detail) == ("soon", False, "/etc/db/password")
    renamed = one(files(items=[{"key": "password", "path": "pw.txt"}]))
    assert renamed is not None and renamed.uses[0].detail == "/etc/db/pw.txt"
    assert one(files(items=[{"key": "username", "path": "user"}])) is None
    never = one(files({"subPath": "password"}))
    assert never is not None and (never.uses[0].how, never.restartable) == ("subPath", True)
    assert one(files({"subPath": "username"})) is None
    perhaps = one(files({"subPathExpr": "$(FILE)"}))
    assert perhaps is not None and perhaps.uses[0].how == "subPath"


def test_projected_files_pull_secrets_and_drivers() -> None:
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/p"}]}
    volume = {"name": "v", "projected": {"sources": [{"secret": {"name": "database"}}]}}
    projected = one(spec(container=mounts, volumes=[volume]))
    assert projected is not None and (projected.uses[0].how, projected.propagation) == ("projected", "soon")
    pull = one(spec(imagePullSecrets=[{"name": "database"}]))
    assert pull is not None and (pull.uses[0].how, pull.propagation, pull.restartable) == (
        "imagePullSecret",
        "next",
        False,
    )
    driver = {"name": "v", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "database"}}}
    csi = one(spec(container=mounts, volumes=[driver]))
    assert csi is not None and (csi.uses[0].how, csi.restartable) == ("csi", True)


def test_what_nothing_restarts_is_told_and_what_has_an_owner_is_told_once() -> None:
    pod = spec(container=env("password"))
    job = {"template": {"spec": pod}}
    objects = World(
        ("pods", {"metadata": meta("alone"), "spec": pod, "status": {"phase": "Running"}}),
        ("pods", {"metadata": meta("over"), "spec": pod, "status": {"phase": "Succeeded"}}),
        ("pods", {"metadata": meta("owned", owner=("ReplicaSet", "web-1")), "spec": pod}),
        ("jobs", {"metadata": meta("once"), "spec": job}),
        (
            "cronjobs",
            {"metadata": meta("nightly"), "spec": {"schedule": "@daily", "jobTemplate": {"spec": job}}},
        ),
        (
            "ingresses",
            {"metadata": meta("shop"), "spec": {"tls": [{"hosts": ["a.b"], "secretName": "database"}]}},
        ),
    )
    found = {each.ref.name: each for each in secret_consumers(objects, "shop", "database", "password")}
    assert {name: (each.propagation, each.restartable) for name, each in found.items()} == {
        "alone": ("restart", False),
        "once": ("restart", False),
        "nightly": ("next", False),
        "shop": ("soon", False),
    }


def test_the_smallest_is_restarted_first() -> None:
    body = {"selector": {}, "template": {"spec": spec(container=env("password"))}}
    objects = World(
        ("deployments", {"metadata": meta("big"), "spec": body, "status": {"replicas": 9}}),
        ("statefulsets", {"metadata": meta("small"), "spec": body, "status": {"replicas": 1}}),
        ("daemonsets", {"metadata": meta("mid"), "spec": body, "status": {"currentNumberScheduled": 3}}),
    )
    assert [each.ref.name for each in secret_consumers(objects, "shop", "database", "password")] == [
        "small", "mid", "big",
    ]  # fmt: skip
