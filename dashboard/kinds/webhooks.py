"""Admission webhooks: whom the API server asks before it takes a request. With failurePolicy Fail it takes none while
they do not answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from .base import GVR, Cell, Detail, Entry, Row, Table
from .custom import CustomKind
from .facts import page
from .meta import Object, Struct
from .references import reference
from .rows import (
    AGE_HELP,
    NAME_HELP,
    age,
    age_key,
    col,
    columns,
    deleted_state,
    listed,
    make_row,
    natural,
    plural,
)
from .selectors import LabelSelector, format_label_selector

_VERBS = {"CREATE": "create", "UPDATE": "update", "DELETE": "delete", "CONNECT": "connect to"}
RULES = 3  # that are put into words


class WebhookService(Struct, frozen=True, gc=False):
    """clientConfig.service."""

    namespace: str = ""
    name: str = ""


class ClientConfig(Struct, frozen=True, gc=False):
    """clientConfig of a webhook, without the authority that it trusts."""

    service: WebhookService | None = None
    url: str = ""


class WebhookRule(Struct, frozen=True, gc=False):
    """One of the rules that say which requests it is asked about."""

    api_groups: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None


class Webhook(Struct, frozen=True, gc=False):
    """One webhook of a configuration."""

    name: str = ""
    client_config: ClientConfig = ClientConfig()
    rules: tuple[WebhookRule, ...] | None = None
    failure_policy: str = "Fail"
    namespace_selector: LabelSelector | None = None

    @property
    def requests(self) -> str:
        """Which requests it is asked about: ``create or update deployments``."""
        rules = self.rules or ()
        words = list(dict.fromkeys(map(_requests, rules[:RULES])))
        return "; ".join([*words, *(["and more"] if len(rules) > RULES else [])])

    @property
    def where(self) -> str:
        """In which namespaces: `` in namespaces with team=a``; "" for all."""
        selector = format_label_selector(self.namespace_selector, "")
        return f" in namespaces with {selector}" if selector else ""


class WebhookConfiguration(Object, frozen=True, gc=False):
    """admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration or MutatingWebhookConfiguration."""

    webhooks: tuple[Webhook, ...] | None = None


def _requests(rule: WebhookRule) -> str:
    operations, resources = rule.operations or (), rule.resources or ()
    verbs = _VERBS.values() if "*" in operations else [_VERBS.get(each, each.lower()) for each in operations]
    if not {"*", "*/*"} & set(resources):
        return f"{_or(verbs)} {_or(resources)}"
    groups = [group or "core" for group in rule.api_groups or ()]
    return f"{_or(verbs)} anything" + ("" if "*" in groups else f" of API group {_or(groups)}")


def _or(words: Iterable[str]) -> str:
    *rest, last = list(words) or ["-"]
    return f"{', '.join(rest)} or {last}" if rest else last


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Webhooks", "How many webhooks it has.", num=True),
    col("Age", AGE_HELP),
)


def row(configuration: WebhookConfiguration) -> Row:
    """The row, as ``printValidatingWebhook`` writes it."""
    meta, count = configuration.metadata, len(configuration.webhooks or ())
    cells = (Cell(meta.name), Cell(str(count)), age(meta.creation_timestamp))
    sort = (natural(meta.name), count, age_key(meta.creation_timestamp))
    return make_row(meta, cells, sort, *deleted_state(meta))


def detail(configuration: WebhookConfiguration) -> Detail:
    """The facts of the configuration's page."""
    hooks = configuration.webhooks or ()
    asked = listed(dict.fromkeys(hook.requests for hook in hooks[:RULES]))
    sentence = f"The API server asks {plural(len(hooks), 'webhook')} before it lets anybody {asked}"
    table = Table(
        "Webhooks", ("Name", "Asked about", "Calls", "When it does not answer"), tuple(map(_entries, hooks))
    )
    return page(configuration.metadata, sentence if hooks else "It has no webhooks", (), tables=(table,))


def _entries(hook: Webhook) -> tuple[Entry, ...]:
    service = hook.client_config.service
    calls = Entry(hook.client_config.url)
    if service is not None:
        link = reference("Service", service.namespace, service.name)
        calls = Entry(f"Service {service.name} in {service.namespace}", link=link)
    fails = hook.failure_policy == "Fail"
    then = Entry(hook.failure_policy, "the request is refused" if fails else "the request is allowed")
    return Entry(hook.name), Entry(hook.requests + hook.where), calls, then


def _kind(kind: str, explain: str) -> CustomKind[WebhookConfiguration]:
    gvr = GVR("admissionregistration.k8s.io", "v1", f"{kind.lower()}s", namespaced=False)
    return CustomKind(
        gvr=gvr, kind=kind, title=f"{kind}s", singular=kind, type=WebhookConfiguration, columns=COLUMNS, row=row,
        detail=detail, explain=explain,
    )  # fmt: skip


# As kinds without a module here they are found by discovery, and stand in the menu with those.
WEBHOOKS = (
    _kind(
        "ValidatingWebhookConfiguration",
        "A ValidatingWebhookConfiguration names programs that the API server asks whether it may take a request.",
    ),
    _kind(
        "MutatingWebhookConfiguration",
        "A MutatingWebhookConfiguration names programs that may change what is created or updated.",
    ),
)
