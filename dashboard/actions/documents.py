"""The objects of a text that creates them: what each is, where it goes, and in which order they can be made.

Pure: what the API server itself says of them is asked for in ``creation.py``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dashboard.errors import BadInput
from dashboard.kinds.base import GVR, Kind
from dashboard.kinds.catalogue import DEFINITIONS
from dashboard.kinds.references import group_of
from dashboard.queries.objects import LAST_APPLIED

from .action import Manifest, Target
from .edit_any import encoded, is_secret
from .fieldwrites import writable
from .manifesttext import MAX_DOCUMENTS, BadField, BadYaml, Document, Problem, problems_of, read_manifests

# In the order in which Helm installs them; what others need comes first. All else, custom objects too, stands between
# the Services and the last ones.
_FIRST = (
    ("", "Namespace"), (DEFINITIONS.gvr.group, DEFINITIONS.kind), ("scheduling.k8s.io", "PriorityClass"),
    ("node.k8s.io", "RuntimeClass"), ("storage.k8s.io", "StorageClass"), ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "NetworkPolicy"), ("", "ResourceQuota"), ("", "LimitRange"), ("policy", "PodDisruptionBudget"),
    ("", "ServiceAccount"), ("rbac.authorization.k8s.io", "ClusterRole"), ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"), ("rbac.authorization.k8s.io", "RoleBinding"), ("", "Secret"),
    ("", "ConfigMap"), ("", "PersistentVolume"), ("", "PersistentVolumeClaim"), ("", "Service"),
)  # fmt: skip
_LAST = (
    ("autoscaling", "HorizontalPodAutoscaler"), ("networking.k8s.io", "Ingress"),
    ("apiregistration.k8s.io", "APIService"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
)  # fmt: skip
_RANK = {
    **{what: at - len(_FIRST) for at, what in enumerate(_FIRST)},
    **{what: at + 1 for at, what in enumerate(_LAST)},
}
# A namespace is a DNS label; a name is a path segment, whose rules are those of its kind: the API server knows them.
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_API_VERSION = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class BadDocuments(BadYaml):
    """A text that can't be sent as it is. ``problems`` are all of them, each at its line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].text, line=problems[0].line)
        self.problems = tuple(problems)


class UnknownKind(BadDocuments):
    """It has kinds that the API server does not offer, as far as is known: it may have got them just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextObject:
    """One object of a text. ``number`` is that of its document, from 1, as they stand there; ``manifest`` is what is
    sent; ``defined_at``: the number of the document of the same text that defines its kind, or 0.
    """

    number: int
    document: Document
    target: Target
    manifest: Manifest = field(repr=False)
    defined_at: int = 0

    @property
    def secret(self) -> bool:
        return is_secret(self.manifest)

    @property
    def defines(self) -> bool:
        """Whether it is a CustomResourceDefinition."""
        return (
            self.target.gvr.plural == DEFINITIONS.gvr.plural
            and self.target.gvr.group == DEFINITIONS.gvr.group
        )

    @property
    def words(self) -> str:
        """``Deployment web in namespace shop``."""
        return f"{self.target}{self.target.where}"


def secret_values(text: str, but: Collection[str] = ()) -> list[str]:
    """The values of whatever calls itself a Secret in a text, as they are used, ``but`` those of some keys; none of a
    text that can't be read.
    """
    try:
        secrets = [each.manifest for each in read_manifests(text) if each.manifest.get("kind") == "Secret"]
    except BadYaml:
        return []
    found = [value for each in secrets for value in _values(each, "stringData", but)]
    for value in (value for each in secrets for value in _values(each, "data", but)):
        with suppress(binascii.Error, ValueError, UnicodeDecodeError):
            found.append(base64.b64decode(str(value), validate=True).decode())
    return [value for value in found if isinstance(value, str) and value]


def _values(manifest: Manifest, field: str, but: Collection[str]) -> list[Any]:
    return [value for key, value in _mapping(manifest.get(field)).items() if key not in but]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def read_objects(
    text: str, *, namespace: str, context: str, kinds: Mapping[str, Kind[Any]]
) -> list[TextObject]:
    """The objects of a text, in the order in which they are made. ``namespace`` is that of documents without one.

    Raises BadYaml for what is no manifest, BadDocuments with all that is wrong with some, BadInput with the field
    ``namespace`` where one is needed, or is none.
    """
    namespace = namespace.strip()
    if namespace and not _NAMESPACE.fullmatch(namespace):
        raise BadInput("A namespace has lower-case letters, digits and hyphens.", field="namespace")
    documents = read_manifests(text)
    if len(documents) > MAX_DOCUMENTS:
        raise BadYaml(
            f"More than {MAX_DOCUMENTS} objects: apply them in parts.", line=documents[MAX_DOCUMENTS].line
        )
    reading = _Reading(namespace, context, kinds, dict(_defined(documents)))
    for number, document in enumerate(documents, start=1):
        reading.read(number, document)
    if reading.problems:
        raise (UnknownKind if reading.unknown else BadDocuments)(reading.problems)
    if reading.homeless is not None:
        one = reading.homeless
        raise BadInput(
            f"{one.manifest['kind']} {one.manifest['metadata']['name']} at line {one.line} names no namespace.",
            next_step="Choose the namespace for documents without one.",
            field="namespace",
        )
    return sorted(reading.found, key=_rank)


def _rank(one: TextObject) -> int:
    return _RANK.get((one.target.gvr.group, one.target.kind), 0)


def _defined(documents: Iterable[Document]) -> Iterator[tuple[tuple[str, str], tuple[int, GVR]]]:
    """The kinds that the text itself defines: (group, kind) → the number of the document, and the resource."""
    for number, document in enumerate(documents, start=1):
        manifest = document.manifest
        spec = manifest.get("spec")
        if manifest.get("kind") != DEFINITIONS.kind or not isinstance(spec, dict):
            continue
        names, group = spec.get("names"), spec.get("group")
        if not isinstance(names, dict) or not isinstance(group, str):
            continue
        kind, plural = names.get("kind"), names.get("plural")
        if isinstance(kind, str) and isinstance(plural, str):
            yield (group, kind), (number, GVR(group, "", plural, spec.get("scope") != "Cluster"))


class _Reading:
    """The documents of one text, read one after the other. ``homeless`` is the first one that needs a namespace."""

    def __init__(
        self,
        namespace: str,
        context: str,
        kinds: Mapping[str, Kind[Any]],
        defined: Mapping[tuple[str, str], tuple[int, GVR]],
    ) -> None:
        self.namespace, self.context, self.defined = namespace, context, defined
        self.kinds = {(kind.gvr.group, kind.kind): kind for kind in kinds.values()}
        self.found: list[TextObject] = []
        self.problems: list[Problem] = []
        self.unknown = False
        self.homeless: Document | None = None
        self._lines: dict[tuple[str, str, str, str], int] = {}

    def read(self, number: int, document: Document) -> None:
        try:
            made = self._object(number, document)
        except BadYaml as error:
            self.problems.append(Problem(error.line, error.message.partition(": ")[2]))
        except BadField as error:  # of a Secret's keys
            self.problems += problems_of(error, document)
        else:
            if made is not None:
                self.found.append(made)

    def _object(self, number: int, document: Document) -> TextObject | None:
        manifest = _cleaned(document)
        meta = manifest["metadata"]
        gvr, plural, defined_at = self._resource(manifest, document)
        if gvr.namespaced:
            meta.setdefault("namespace", self.namespace)
            if not meta["namespace"]:
                self.homeless = self.homeless or document
                return None
        else:
            meta.pop("namespace", None)
        target = Target(
            context=self.context,
            gvr=gvr,
            plural=plural,
            kind=manifest["kind"],
            namespace=meta.get("namespace", ""),
            name=meta["name"],
        )
        key = (gvr.group, target.kind, target.namespace, target.name)
        if key in self._lines:
            raise BadYaml(f"{target} is there twice: first at line {self._lines[key]}.", line=document.line)
        self._lines[key] = document.line
        if is_secret(manifest):
            manifest = encoded(manifest)
        return TextObject(
            number=number, document=document, target=target, manifest=manifest, defined_at=defined_at
        )

    def _resource(self, manifest: Manifest, document: Document) -> tuple[GVR, str, int]:
        """What is written to, the kind's key in addresses, and the number of the document that defines it."""
        api_version, name = manifest["apiVersion"], manifest["kind"]
        group, version = group_of(api_version) or "", api_version.rpartition("/")[2]
        number, gvr = self.defined.get((group, name), (0, None))
        if (kind := self.kinds.get((group, name))) is not None:
            return GVR(group, version, kind.gvr.plural, kind.gvr.namespaced), kind.plural, number
        if gvr is not None:
            return GVR(group, version, gvr.plural, gvr.namespaced), f"{gvr.plural}.{group}", number
        self.unknown = True
        raise BadYaml(
            f"The API server offers no kind {name[:60]} in {api_version[:100]}.",
            line=document.line_of("kind"),
        )


def _cleaned(document: Document) -> Manifest:
    """The manifest without what the API server keeps: an export can be pasted. Raises BadYaml where it is none."""
    manifest = document.manifest
    for key in ("apiVersion", "kind"):
        if not isinstance(manifest.get(key), str) or not manifest[key]:
            raise BadYaml(f"{key} is missing.", line=document.line)
    if not _API_VERSION.fullmatch(manifest["apiVersion"]):
        raise BadYaml(
            "An apiVersion is a version, such as v1, or a group and a version, such as apps/v1.",
            line=document.line_of("apiVersion"),
        )
    meta = manifest.get("metadata")
    if not isinstance(meta, dict):
        raise BadYaml("metadata with a name is missing.", line=document.line)
    made = writable(manifest)
    meta = made["metadata"]
    where = document.line_of("metadata")
    name, namespace, notes = meta.get("name"), meta.get("namespace"), meta.get("annotations")
    if not name and meta.get("generateName"):
        raise BadYaml(
            "generateName is not taken, as applying needs a name: give it a metadata.name.",
            line=document.line_of("metadata.generateName"),
        )
    for field_, value in (("name", name), ("namespace", namespace)):
        if not isinstance(value, str | None):
            at = document.line_of(f"metadata.{field_}")
            raise BadYaml(f"metadata.{field_} is not text: quote it.", line=at)
    if not name:
        raise BadYaml("metadata.name is missing.", line=where)
    if "/" in name or "%" in name or name in (".", "..") or len(name) > 253:
        raise BadYaml("This is not a valid name of an object.", line=document.line_of("metadata.name"))
    if namespace is None:
        meta.pop("namespace", None)
    elif not _NAMESPACE.fullmatch(namespace):
        raise BadYaml(
            "A namespace has lower-case letters, digits and hyphens.",
            line=document.line_of("metadata.namespace"),
        )
    if isinstance(notes, dict) and LAST_APPLIED in notes:
        meta["annotations"] = {key: text for key, text in notes.items() if key != LAST_APPLIED}
    return made
