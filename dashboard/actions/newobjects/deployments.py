"""A Deployment of one container, with a Service for it where one is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from dashboard.actions.action import Manifest
from dashboard.actions.fields import replicas
from dashboard.actions.keysources import keys_of, no_key_words
from dashboard.errors import BadInput
from dashboard.insight import Effect
from dashboard.insight.capacity import in_words, pod_amounts
from dashboard.insight.environment import variable_flaw
from dashboard.insight.impact import selector_of
from dashboard.insight.newpods import REVISIONS, NewPods, quota_words
from dashboard.insight.scheduling.room import room_on_nodes
from dashboard.insight.selecting import matching_pods
from dashboard.insight.words import bold, parts
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.images import ImageError, parse_image
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.quantity import parse
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.selectors import from_labels

from .form import NAMESPACE, Checks, Input, Look, NewObject, Section, manifest, name_input
from .reading import amount, counted, label_name, port

_SOURCES = (("value", "Value"), ("configmaps", "ConfigMap"), ("secrets", "Secret"))
_PROBES = (("", "None"), ("http", "HTTP GET"), ("tcp", "TCP connection"))
_KINDS = {"configmaps": "ConfigMap", "secrets": "Secret"}
MAX_SECRETS = 5  # whose keys are looked at for one answer


def _image(typed: str) -> str:
    text = typed.strip()
    try:
        parse_image(text)
    except ImageError as error:
        raise BadInput(str(error)) from error
    return text


def _variable(typed: str) -> str:
    """What an environment variable may be called: printable ASCII but "=" (RelaxedEnvironmentVariableValidation)."""
    text = typed.strip()
    if "=" in text or not text.isascii() or not text.isprintable() or " " in text:
        raise BadInput("A variable is called like LOG_LEVEL: letters, digits and underscores.")
    return text


def _path(typed: str) -> str:
    text = typed.strip()
    if not text.startswith("/"):
        raise BadInput("A path begins with a slash, such as /healthz.")
    return text


def _sources(look: Look) -> Iterable[str]:
    return counted(sorted(each.metadata.name for kind in _KINDS for each in look.all(kind)))


def _keys(look: Look) -> Iterable[str]:
    names = {row["from"] for row in look.values.get("env") or () if row["source"] == "configmaps"}
    return counted(
        key for each in look.all("configmaps") if each.metadata.name in names for key in each.data or ()
    )


def _probe(which: str, label: str) -> tuple[Input, ...]:
    at = f"spec.template.spec.containers[0].{which}Probe"
    return (
        Input(name=which, label=label, input="choice", choices=_PROBES, at=(at,)),
        Input(
            name=f"{which}_path",
            label=f"{label}: path",
            parse=_path,
            placeholder="/healthz",
            hint="Of an HTTP GET.",
        ),
    )


RESOURCE_INPUTS = {
    "requests_cpu": ("CPU request", "250m"),
    "requests_memory": ("Memory request", "256Mi"),
    "limits_cpu": ("CPU limit", "500m"),
    "limits_memory": ("Memory limit", "512Mi"),
}


class NewDeployment(NewObject):
    plural = "deployments"
    reads = frozenset(
        {
            "pods", "nodes", "configmaps", "secrets", "services", "networkpolicies", "poddisruptionbudgets",
            "resourcequotas", "limitranges",
        }
    )  # fmt: skip
    sections = (
        Section(
            title="What runs",
            inputs=(
                name_input(label_name),
                NAMESPACE,
                Input(
                    name="image", label="Image", parse=_image, required=True,
                    placeholder="registry.example/shop/web:2.4.0", at=("spec.template.spec.containers[0].image",),
                ),
                Input(
                    name="replicas", label="Replicas", input="number", parse=replicas, required=True, value="1",
                    at=("spec.replicas", "pods"),
                ),
                Input(
                    name="port", label="Port", input="number", parse=port,
                    hint="Where the container listens, if it does.", at=("spec.template.spec.containers[0].ports",),
                ),
                Input(name="service", label="Create a Service for it too", input="box", hint="On the same port."),
            ),
        ),
        Section(
            title="Configuration",
            note="environment variables of the container",
            inputs=(
                Input(
                    name="env",
                    label="Variables",
                    input="rows",
                    add="Variable",
                    at=("spec.template.spec.containers[0].env",),
                    columns=(
                        Input(name="name", label="Name", parse=_variable),
                        Input(name="source", label="From", input="choice", choices=_SOURCES),
                        Input(name="from", label="Value, or its name", suggest=_sources, blanks=True),
                        Input(name="key", label="Key", suggest=_keys),
                    ),
                    hint="Without a name and a key, every key of a ConfigMap or Secret becomes a variable. Passwords "
                    "belong in a Secret: a value that is typed here can be read by everybody who may see the Deployment.",
                ),
            ),
        ),
        Section(
            title="Health checks",
            note="on its port",
            inputs=(*_probe("readiness", "Readiness"), *_probe("liveness", "Liveness")),
        ),
        Section(
            title="Resources",
            note="of each pod",
            inputs=tuple(
                Input(
                    name=name, label=label, parse=amount(example), placeholder=example,
                    at=(f"spec.template.spec.containers[0].resources.{name.replace('_', '.')}", name.replace("_", ".")),
                )
                for name, (label, example) in RESOURCE_INPUTS.items()
            ),
        ),
    )  # fmt: skip

    def spec(self, values: Mapping[str, Any]) -> Manifest:
        labels = {"app.kubernetes.io/name": values["name"] or ""}
        return {
            "metadata": {"labels": labels},
            "spec": {
                "replicas": values["replicas"] if values["replicas"] is not None else "",
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [_container(values)]}},
            },
        }

    def manifests(self, values: Mapping[str, Any]) -> list[Manifest]:
        made = super().manifests(values)
        if values["service"]:
            named = {"name": "http", "port": values["port"] or "", "protocol": "TCP", "targetPort": "http"}
            labels = {"app.kubernetes.io/name": values["name"] or ""}
            spec = {"metadata": {"labels": labels}, "spec": {"selector": labels, "ports": [named]}}
            made.append(manifest(KINDS["services"], values, spec))
        return made

    async def check_inputs(self, look: Look, checks: Checks) -> None:
        _check_image(look, checks)
        _check_shape(look, checks)
        for at, row in enumerate(look.values["env"]):
            await _check_variable(look, checks, row, read=at < MAX_SECRETS)

    async def check(self, look: Look, checks: Checks) -> None:
        await self.check_inputs(look, checks)
        if look.values["name"] and look.namespace:
            checks.effects += _around(look)
        if look.values["image"] and look.namespace and not checks.refusal():
            checks.effects += _room(look, self)


def _container(values: Mapping[str, Any]) -> Manifest:
    made: Manifest = {"name": values["name"] or "", "image": values["image"] or ""}
    if values["port"] is not None:
        made["ports"] = [{"name": "http", "containerPort": values["port"], "protocol": "TCP"}]
    env, env_from = [], []
    for row in values["env"]:
        if row["source"] == "value":
            env.append({"name": row["name"] or "", "value": row["from"] or ""})
        elif not row["name"] and not row["key"]:
            ref = "configMapRef" if row["source"] == "configmaps" else "secretRef"
            env_from.append({ref: {"name": row["from"] or ""}})
        else:
            ref = "configMapKeyRef" if row["source"] == "configmaps" else "secretKeyRef"
            key = row["key"] or row["name"]
            env.append(
                {
                    "name": row["name"] or row["key"],
                    "valueFrom": {ref: {"name": row["from"] or "", "key": key}},
                }
            )
    made |= {"env": env} if env else {}
    made |= {"envFrom": env_from} if env_from else {}
    for which in ("readiness", "liveness"):
        if values[which] == "http":
            made[f"{which}Probe"] = {"httpGet": {"path": values[f"{which}_path"] or "/", "port": "http"}}
        elif values[which] == "tcp":
            made[f"{which}Probe"] = {"tcpSocket": {"port": "http"}}
    resources: dict[str, dict[str, str]] = {}
    for name in RESOURCE_INPUTS:
        which, _, resource = name.partition("_")
        if values[name]:
            resources.setdefault(which, {})[resource] = values[name]
    return made | ({"resources": resources} if resources else {})


def _check_image(look: Look, checks: Checks) -> None:
    if look.values["image"] is None:
        return
    image = parse_image(look.values["image"])
    if image.digest or image.tag not in ("", "latest"):
        checks.at(
            "image",
            "ok",
            "The digest never moves" if image.digest else f"The tag {image.tag} names one version",
        )
    else:
        what = "The tag latest" if image.tag else "No tag means latest: it"
        checks.at("image", "warn", f"{what} can be another image tomorrow, or on another node.")


def _check_shape(look: Look, checks: Checks) -> None:
    """What of the form needs what else of it."""
    values = look.values
    for place in ("service", "readiness", "liveness"):
        if values[place] and values["port"] is None:
            checks.at(
                "port",
                "bad",
                f"Enter the port: {'the Service' if place == 'service' else f'the {place} check'} needs it.",
            )
    if values["service"] and values["name"] and look.get("services", values["name"]) is not None:
        ref = Ref("Service", look.namespace, values["name"], "services")
        text = f"Service {values['name']} is there already: leave this out, or choose another name."
        checks.at("service", "bad", text, ref=ref, link="Look at it")
    for resource in ("cpu", "memory"):
        request, limit = values[f"requests_{resource}"], values[f"limits_{resource}"]
        if request and limit and parse(limit) < parse(request):
            checks.at(
                f"limits_{resource}", "bad", f"The limit, {limit}, is less than the request, {request}."
            )
    if not values["requests_memory"] and not values["requests_cpu"]:
        checks.at(
            "requests_cpu",
            "info",
            "Without requests its pods are the first to be evicted, and can't be autoscaled.",
        )


async def _check_variable(look: Look, checks: Checks, row: Any, *, read: bool) -> None:
    """Whether what a variable comes from is there: a container does not start without it."""
    kind, name, key = row["source"], row["from"], row["key"] or row["name"]
    if kind == "value":
        if not row["name"]:
            checks.at(row.place, "bad", "Enter the name of the variable.")
        elif flaw := variable_flaw((name or "").encode()):
            checks.at(row.place, "bad", f"{row['name']} {flaw}.")
        return
    if not name:
        checks.at(row.place, "bad", f"Enter the name of the {_KINDS.get(kind, 'object')}.")
        return
    if kind is None or not look.namespace:
        return
    found = look.get(kind, name)
    if found is None:
        if why := look.unknown(kind):
            checks.at(row.place, "info", f"Whether there is {_KINDS[kind]} {name} is not known: {why}.")
        else:
            text = f"There is no {_KINDS[kind]} {name} in {look.namespace}: the container would not start."
            checks.at(row.place, "warn", text)
        return
    if not row["name"] and not row["key"]:
        count = len(found.data or ()) if kind == "configmaps" else found.key_count
        checks.at(row.place, "ok", f"all {plural(count, 'key')} of {_KINDS[kind]} {name}")
        return
    keys = await keys_of(look.transport, kind, look.namespace, name, found, look.now) if read else None
    if keys is None:
        checks.at(row.place, "info", f"Whether {_KINDS[kind]} {name} has the key {key} is not known here.")
    elif key in keys:
        checks.at(row.place, "ok", f"key {key} of {_KINDS[kind]} {name}")
    else:
        has = listed(keys, "more") or "none"
        text = f"{no_key_words(_KINDS[kind], found, key)}: the container would not start. Keys: {has}."
        checks.at(row.place, "warn", text)


def _around(look: Look) -> Iterator[Effect]:
    """Who else has, or selects, the labels of its pods."""
    namespace = look.namespace
    labels = {"app.kubernetes.io/name": look.values["name"]}
    if not look.unknown("pods"):
        others = matching_pods(look.objects, namespace, labels)
        if others:
            text = parts(
                f"{plural(len(others), 'pod')} of something else has its label: ",
                bold(others[0].metadata.name),
            )
            yield Effect("warn", "warn", text, "a Service with this selector would route to both")
        else:
            yield Effect(
                "ok",
                "ok",
                parts("Its selector matches only its own pods"),
                f"app.kubernetes.io/name={look.values['name']}",
            )
    for service in look.all("services"):
        if from_labels(service.spec.selector).matches(labels):
            meta = service.metadata
            ref = Ref("Service", namespace, meta.name, "services")
            yield Effect(
                "info", "link", parts(bold(f"Service {meta.name}"), " will route to its pods"), "", "", ref
            )
    for policy in look.all("networkpolicies"):
        if policy.guards[0] and selector_of(policy.spec.pod_selector).matches(labels):
            meta = policy.metadata
            note = "only what it lets in reaches them" if policy.spec.ingress else "nothing reaches them"
            ref = Ref("NetworkPolicy", namespace, meta.name, "networkpolicies")
            yield Effect(
                "info", "link", parts(bold(f"NetworkPolicy {meta.name}"), " selects its pods"), note, "", ref
            )
    budgets = look.all("poddisruptionbudgets")
    covered = any(selector_of(budget.spec.selector).matches(labels) for budget in budgets)
    if not covered and (look.values["replicas"] or 0) > 1 and not look.unknown("poddisruptionbudgets"):
        text = parts("No PodDisruptionBudget covers its pods")
        yield Effect("info", "info", text, "drains may evict all of them at once")


def _room(look: Look, form: NewDeployment) -> Iterator[Effect]:
    """Whether quota and nodes take its pods. Nodes are looked at for a preview alone: that costs as many as there are."""
    raw = msgspec.json.encode(form.manifests(look.values)[0])
    spec: PodSpec = KINDS["deployments"].decode_object(raw).spec.template.spec
    count = look.values["replicas"] or 0
    if not count:
        return
    made = NewPods(
        maker=look.values.get("name") or "its Deployment", namespace=look.namespace, spec=spec, count=count,
        first=REVISIONS[Deployment],
    )  # fmt: skip
    if look.namespace and (said := quota_words(look.objects, made)) is not None:
        yield said.effect
    if not look.whole or not look.objects.reads("nodes") or not look.objects.reads("pods"):
        return
    room = room_on_nodes(spec, look.objects.all("nodes"), look.objects.all("pods"), count)
    asked = in_words(pod_amounts(spec), count) or "no CPU or memory requested"
    if room.pods >= count:
        yield Effect("ok", "server", parts(f"The nodes have room for {plural(count, 'pod')}"), asked)
    else:
        text = parts(f"The nodes have room for {room.pods} of {plural(count, 'pod')}")
        yield Effect("warn", "server", text, f"{asked}; the others stay Pending", "too big")


NEW_DEPLOYMENT = NewDeployment()
