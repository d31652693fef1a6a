"""What the dashboard itself must remember: who signs in, which clusters may be changed, what was changed.

The cluster's own state is kept here only as a record of the past (rule 1: the API server is the truth),
and never a Secret's value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from dashboard.audit.appending import appending


class SigninLink(models.Model):
    """A one-time link. Only the SHA-256 of its token is kept, so a stolen database opens no session."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    token_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"sign-in link for {self.user}"


class ExternalIdentity(models.Model):
    """Somebody who signs in with an OpenID Connect issuer: ``issuer`` and ``subject`` are who it is, for good. The user's
    name begins with ``oidc:``, which no local user's does, and stays even where the issuer calls them otherwise one day.
    """

    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="external_identity"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="one_user_a_subject")
        ]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


class SignedIn(models.Model):
    """A session as its owner sees it: since when, from where, how. It goes with the session itself.

    ``renewing_until``: a process asks the issuer for new tokens of it; the others wait.
    """

    session = models.OneToOneField("sessions.Session", on_delete=models.CASCADE, related_name="signed_in")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sessions")
    way = models.CharField(max_length=20, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    browser = models.CharField(max_length=200, blank=True)
    began_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    renewing_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"session of {self.user} since {self.began_at:%Y-%m-%d %H:%M}"


class ClusterPermit(models.Model):
    """The owner's word, given once, that a cluster may be changed through the dashboard.

    It holds for a context *at an API server*: the same name pointing elsewhere asks again.
    """

    context = models.CharField(max_length=500)
    server = models.CharField(max_length=500)
    allowed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    allowed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["context", "server"], name="one_permit_a_cluster")
        ]

    def __str__(self) -> str:
        return f"changes allowed in {self.context}"


class Change(models.Model):
    """One change made through the dashboard, with what is needed to follow it and to take it back.

    ``touched`` maps each field that the action wrote (a JSON Pointer) to its value before and after; ``inverse`` is
    the request that undoes it. Neither ever holds a Secret's value. ``reason`` is why, in the words of who made it.

    The row is written before anything is sent, with state ``sending``, and ``nonce`` names the preview it comes
    from: the same preview is applied once. Before the write itself it gets what is about to be written, so that the
    object tells of a row without an end. A change that was refused has no row; ``unknown`` means that the answer was
    lost, and that the object does not tell. ``sign_in`` is the session whose account it was made with, where that was
    not the installation's: what follows the write acts as that account as long as the session stands.
    """

    class State(models.TextChoices):
        SENDING = "sending"
        DONE = "done"
        UNKNOWN = "unknown"

    nonce = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.SENDING)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    context = models.CharField(max_length=500)
    action = models.CharField(max_length=40)
    plural = models.CharField(max_length=300)
    kind = models.CharField(max_length=100)
    namespace = models.CharField(max_length=253, blank=True)
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    touched: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    inverse: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    result: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    undoes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by"
    )
    reason = models.CharField(max_length=500, blank=True)
    sign_in = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.namespace}/{self.name}"

    @property
    def title(self) -> str:
        """What was done, for people: ``edit``, or ``undo of edit``."""
        return f"undo of {self.action}" if self.undoes_id else self.action


class Operation(models.Model):
    """The steps that follow the write of a change, one after the other, and where they have got to.

    ``steps`` are plain JSON in their order, each with its state; a step about many objects has ``results`` besides. No
    value of a Secret is here. One process at a time moves an operation on: it holds it until ``held_until`` and writes
    only as long as ``version`` is the one that it read. ``waits``: why it can't be moved just now. ``sole`` and ``place``
    name what only one may have of those that are under way, as where so many may be under way at once.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        STOPPED = "stopped"
        REPLACED = "replaced"  # the change was undone meanwhile: what follows is that change's

    change = models.OneToOneField(Change, on_delete=models.PROTECT, related_name="operation")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING, db_index=True)
    steps: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(default=list)
    waits = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=0)
    holder = models.CharField(max_length=64, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    # None and not "": of what is unique, as many as there are may have none.
    sole = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001
    place = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001

    results: models.Manager[OperationResult]

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[key], condition=models.Q(state="running"), name=f"one_{key}_under_way"
            )
            for key in ("sole", "place")
        ]

    def __str__(self) -> str:
        return f"operation of {self.change}: {self.state}"


class OperationResult(models.Model):
    """What becomes of one object in a step about many: ``waiting``, ``running``, ``retrying`` (refused for now), then
    ``done``, ``failed``, ``left`` or ``down``. ``data`` is what the step needs to go on with it after a kill; its
    ``word``, if any, is shown in place of the state.
    """

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="results")
    position = models.PositiveIntegerField()
    plural = models.CharField(max_length=300)
    kind = models.CharField(max_length=100)
    namespace = models.CharField(max_length=253, blank=True)
    name = models.CharField(max_length=253)
    state = models.CharField(max_length=10, default="waiting")
    text = models.TextField(blank=True)
    data: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    began_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["operation", "position"], name="one_result_a_position")
        ]
        indexes: ClassVar = [
            models.Index(fields=["operation", "state", "position"], name="result_state"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}: {self.state}"


class AccountMapping(models.Model):
    """As whom a user of the dashboard, or a group of the sign-in, acts in a context (its slug; "": in every one) where
    people are impersonated. What it names is checked when it is used (``kube/acting.py``).
    """

    class Subject(models.TextChoices):
        USER = "user"
        GROUP = "group"

    subject = models.CharField(max_length=5, choices=Subject.choices)
    name = models.CharField(max_length=253)
    context = models.CharField(max_length=500, blank=True)
    cluster_user = models.CharField(max_length=253)
    cluster_groups: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    extra: models.JSONField[dict[str, list[str]], dict[str, list[str]]] = models.JSONField(default=dict)
    by = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["subject", "name", "context"], name="one_mapping_a_subject")
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.name} in {self.context or 'every context'}"


class AddedCluster(models.Model):
    """A context that an administrator added while the dashboard ran; ``sealed`` is all that is needed to reach it, with
    its credentials, encrypted (``clusters/keeping.py``). One that was removed keeps its row without these as long as the
    audit may tell of it: who may read that depends on how people acted there. So does each that had other rules: a
    change of them ends a row and begins another one.
    """

    class ActAs(models.TextChoices):
        INSTALLATION = "installation"
        USER = "user"
        IMPERSONATE = "impersonate"

    name = models.CharField(max_length=253)
    server = models.CharField(max_length=500)
    sealed = models.TextField()
    act_as = models.CharField(max_length=12, choices=ActAs.choices)
    production = models.BooleanField(default=False)
    read_only = models.BooleanField(default=False)
    added_by = models.CharField(max_length=150)
    added_at = models.DateTimeField(default=timezone.now)
    removed_by = models.CharField(max_length=150, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(removed_at=None), name="one_added_cluster_a_name"
            )
        ]

    def __str__(self) -> str:
        return f"context {self.name} at {self.server}"


class SeenCluster(models.Model):
    """A cluster that the name of a context has led to: ``uid`` of its namespace kube-system, "" where that may not be
    read, and at which ``server`` it was. What is recorded of it has the context ``records``. ``since``: from when on the
    name led to it, the last time; it leads to the one that has the latest (``queries/seenclusters.py``).
    """

    context = models.CharField(max_length=500, db_index=True)
    uid = models.CharField(max_length=64, blank=True)
    server = models.CharField(max_length=500)
    records = models.CharField(max_length=500, unique=True)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.context} at {self.server} since {self.since:%Y-%m-%d %H:%M:%S}"


class ColumnChoice(models.Model):
    """Which columns somebody wants to see in the list of a kind, in every cluster: their keys, in no order."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    plural = models.CharField(max_length=300)
    columns: models.JSONField[list[str], list[str]] = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "plural"], name="one_choice_of_columns_a_kind")
        ]

    def __str__(self) -> str:
        return f"columns of {self.plural} for {self.user}"


class OnlyAdded(models.QuerySet["AuditEntry"]):
    """Neither one row nor many are changed or deleted; what is added follows the last."""

    def bulk_create(self, objs: Iterable[AuditEntry], *args: Any, **kwargs: Any) -> list[AuditEntry]:
        entries = list(objs)
        with appending(entries):
            return super().bulk_create(entries, *args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        raise TypeError("Audit entries are never changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("Audit entries are never deleted.")


class AuditEntry(models.Model):
    """Who did what, when, from where, with what result; refusals too. Rows are only ever added, at the end of a chain of
    hashes (``dashboard/audit``); retention takes the oldest away. The database refuses all else (``audit/guards.py``).

    ``keys`` are the names of what changed (JSON Pointers, a Secret's keys), never a value. ``sign_in`` and ``session``
    are how somebody signed in, and which session it was (a part of a hash); ``address`` is the browser's.
    """

    class Result(models.TextChoices):
        DONE = "done"
        REFUSED = "refused"
        FAILED = "failed"
        UNKNOWN = "unknown"

    at = models.DateTimeField(default=timezone.now, db_index=True)
    user_name = models.CharField(max_length=150)
    address = models.CharField(max_length=64, blank=True)
    sign_in = models.CharField(max_length=20, blank=True)
    session = models.CharField(max_length=16, blank=True)
    context = models.CharField(max_length=500, blank=True)
    action = models.CharField(max_length=40)
    plural = models.CharField(max_length=300, blank=True)
    namespace = models.CharField(max_length=253, blank=True)
    name = models.CharField(max_length=253, blank=True)
    keys: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    detail = models.TextField(blank=True)
    result = models.CharField(max_length=10, choices=Result.choices)
    reason = models.CharField(max_length=500, blank=True)
    change = models.ForeignKey(Change, null=True, blank=True, on_delete=models.PROTECT, related_name="audit")
    previous = models.CharField(max_length=64)
    key = models.CharField(max_length=8, blank=True)
    hash = models.CharField(max_length=64)

    objects = OnlyAdded.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(result__in=["done", "refused", "failed", "unknown"]), name="audit_result_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.user_name} {self.action} {self.result}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An audit entry is never changed.")
        with appending([self]):
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("An audit entry is never deleted.")


class AuditCheckpoint(models.Model):
    """Up to which entry retention took the audit away: ``through`` is that entry's id, ``hash`` its hash, from which the
    chain goes on. ``entries`` counts all that have gone so far. ``seal`` is the hash of this row, as an entry has one.
    """

    at = models.DateTimeField(default=timezone.now)
    through = models.BigIntegerField(unique=True)
    hash = models.CharField(max_length=64)
    entries = models.BigIntegerField()
    key = models.CharField(max_length=8, blank=True)
    seal = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"the audit through {self.through} is gone"


class ConfigMapContent(models.Model):
    """All keys of a ConfigMap with their values, compressed; equal ones are kept once. Never anything of a Secret."""

    sha256 = models.CharField(max_length=64, unique=True)
    packed = models.BinaryField()
    stored_bytes = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"content {self.sha256[:12]}"


class ConfigMapVersion(models.Model):
    """What a ConfigMap held from a change on, until the next one.

    ``number`` counts those of one object. ``by`` is a person for a ``change`` made here, else the field manager that
    wrote it, or "" where nobody knows; ``at`` when it was written, as far as is known. ``keys`` are what differs from the
    version before: ``{"changed": [[key, "added" | "changed" | "removed"], …], "more": n}``; empty for the first one.
    ``resource_version`` is the latest that has this content. A version that was not replaced has no ``replaced_at``.
    """

    context = models.CharField(max_length=500)
    namespace = models.CharField(max_length=253)
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    resource_version = models.CharField(max_length=64)
    by = models.CharField(max_length=253, blank=True)
    at = models.DateTimeField()
    reason = models.CharField(max_length=500, blank=True)
    change = models.ForeignKey(
        Change, null=True, blank=True, on_delete=models.SET_NULL, related_name="versions"
    )
    keys: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    size_bytes = models.PositiveIntegerField()
    content = models.ForeignKey(ConfigMapContent, on_delete=models.PROTECT, related_name="versions")
    kept_at = models.DateTimeField(default=timezone.now, db_index=True)
    replaced_at = models.DateTimeField(null=True, blank=True, db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["context", "uid", "number"], name="one_version_a_number")
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {self.namespace}/{self.name}"


class Backup(models.Model):
    """A backup that was made, or tried, with this database. The archive at ``url`` is good without it.

    ``cluster_uid`` is of its cluster (``SeenCluster``), once it was made. ``namespaces``: none for the whole cluster.
    ``missing`` is what should have been in it, ``[{"what", "why", "objects"}]``; with any it is ``partial``. ``claims``:
    how many are in it by their definition; ``snapshots``: of how many a VolumeSnapshot was taken. ``verified_at``: when
    it was read to its end last and was whole; ``damaged`` says what was wrong the last time.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        VERIFIED = "verified"
        PARTIAL = "partial"
        FAILED = "failed"

    context = models.CharField(max_length=500)
    cluster_uid = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    by = models.CharField(max_length=150)
    began_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    url = models.CharField(max_length=2000)
    name = models.CharField(max_length=1000, blank=True)
    namespaces: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    labels = models.CharField(max_length=1000, blank=True)
    encrypted = models.BooleanField(default=False)
    secrets = models.BooleanField(default=False)
    objects_count = models.PositiveIntegerField(default=0)
    size_bytes = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    claims = models.PositiveIntegerField(default=0)
    snapshots = models.PositiveIntegerField(default=0)
    missing: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(default=list)
    error = models.TextField(blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    damaged = models.TextField(blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["context", "began_at"], name="backup_time")]

    def __str__(self) -> str:
        return f"backup of {self.context} {self.began_at:%Y-%m-%d %H:%M:%S} {self.state}"


class TimelineEvent(models.Model):
    """Something that a watch told: an object came, changed or went, or an Event said something.

    ``key`` names it, so that server processes that watch the same cluster keep it once. ``what`` holds, of a change, the
    fields with their values before and after as far as the cache keeps fields at all (never a Secret's value); of an
    Event its words. ``notable``: somebody asked for it, or it warns; not what controllers and kubelets report all the
    time. ``plural``, ``namespace`` and ``name`` are of the object that it is about, ``owner_…`` of what that belongs to
    in the end.
    """

    class Type(models.TextChoices):
        ADDED = "added"
        CHANGED = "changed"
        DELETED = "deleted"
        EVENT = "event"
        WATCHING = "watching"

    context = models.CharField(max_length=500)
    key = models.CharField(max_length=160)
    at = models.DateTimeField()
    type = models.CharField(max_length=10, choices=Type.choices)
    plural = models.CharField(max_length=300, blank=True)
    namespace = models.CharField(max_length=253, blank=True)
    name = models.CharField(max_length=253, blank=True)
    uid = models.CharField(max_length=64, blank=True)
    owner_plural = models.CharField(max_length=300, blank=True)
    owner_name = models.CharField(max_length=253, blank=True)
    notable = models.BooleanField(default=True)
    what: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["context", "key"], name="one_happening_a_key")
        ]
        indexes: ClassVar = [
            models.Index(fields=["context", "at"], name="happening_time"),
            models.Index(
                fields=["context", "at"], name="happening_notable", condition=models.Q(notable=True)
            ),
            models.Index(fields=["context", "plural", "namespace", "name", "at"], name="happening_object"),
            models.Index(
                fields=["context", "owner_plural", "namespace", "owner_name", "at"], name="happening_owner"
            ),
            models.Index(
                fields=["context", "plural", "at"],
                name="happening_marks",
                condition=models.Q(type="watching"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.type} {self.plural} {self.namespace}/{self.name}"


class Recording(models.Model):
    """A process' record of a cluster's objects without a gap: from ``began_at`` until ``until`` all is known.

    ``holds``: it goes on, unless ``until`` was long ago. One at a time does, whatever the number of processes. See
    docs/adr/0070.
    """

    context = models.CharField(max_length=500)
    began_at = models.DateTimeField()
    until = models.DateTimeField()
    holds = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["context"], condition=models.Q(holds=True), name="one_recorder_a_context"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["context", "until"], name="recording_time")]

    def __str__(self) -> str:
        return f"{self.context} from {self.began_at:%Y-%m-%d %H:%M:%S} until {self.until:%H:%M:%S}"


class ProblemSpan(models.Model):
    """Something that was wrong, as the rules told the dashboard's own account each minute while it recorded; ``ended_at``
    None: it goes on. ``key`` names what it is, so that a cluster has it once at a time.
    """

    context = models.CharField(max_length=500)
    key = models.CharField(max_length=800)
    severity = models.CharField(max_length=8)
    plural = models.CharField(max_length=300, blank=True)
    namespace = models.CharField(max_length=253, blank=True)
    name = models.CharField(max_length=253, blank=True)
    text = models.CharField(max_length=500, blank=True)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["context", "key"], condition=models.Q(ended_at=None), name="one_problem_at_a_time"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["context", "began_at"], name="problem_time")]

    def __str__(self) -> str:
        return f"{self.key} from {self.began_at:%Y-%m-%d %H:%M:%S}"


class RecordingPiece(models.Model):
    """A part of a recording, packed as ``cache/recording.py`` says: of a snapshot a head, written last, and parts; or the
    changes until ``at``, numbered up to ``seq``. ``packed`` is the last column, so that nobody reads it who counts bytes.
    """

    class Type(models.TextChoices):
        HEAD = "head"
        PART = "part"
        CHANGES = "changes"

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="pieces")
    type = models.CharField(max_length=8, choices=Type.choices)
    at = models.DateTimeField(db_index=True)
    seq = models.BigIntegerField()
    stored_bytes = models.PositiveIntegerField()
    packed = models.BinaryField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["recording", "type", "at"], name="recording_piece")]

    def __str__(self) -> str:
        return f"{self.type} of {self.recording_id} at {self.at:%Y-%m-%d %H:%M:%S}"


class HourlyFigures(models.Model):
    """Figures of a cluster that are kept each hour, so that there is a trend: how much of its quotas is used, how full
    its volumes are, how well its workloads are prepared. ``values`` are the figures by the name of what they are of. What
    a viewer may not see of it is left out where it is shown.
    """

    class What(models.TextChoices):
        QUOTAS = "quotas"
        VOLUMES = "volumes"
        SCORES = "scores"

    context = models.CharField(max_length=500)
    at = models.DateTimeField()  # a full hour
    what = models.CharField(max_length=10, choices=What.choices)
    values: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["context", "what", "at"], name="one_row_an_hour")
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.what} of {self.context}"
