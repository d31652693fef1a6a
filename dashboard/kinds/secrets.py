"""Secrets, read through the Table form with ``includeObject=Metadata``: a value never reaches this process.

Annotations are not decoded either: ``last-applied-configuration`` repeats the values.
"""

from __future__ import annotations

import msgspec

from .base import GVR, Cell, Detail, Fact, Kind, ListPage, Row
from .facts import page
from .meta import Object
from .rows import AGE_HELP, NAME_HELP, age, age_key, col, columns, deleted_state, make_row, natural, plural
from .table import METADATA, TABLE, TableRow, read_table, single_row

# A label: the uid of the Secret whose old value this one keeps, for the undo of a rotation.
BACKUP_OF = "cluster-ui.dev/backup-of"


class Secret(Object, frozen=True, gc=False):
    """What the Table tells of a v1 Secret: its type and how many keys it has."""

    secret_type: str
    key_count: int


class SecretKind(Kind[Secret]):
    """Decodes Tables where other kinds decode objects. Their columns: Name, Type, Data, Age."""

    def decode_list(self, raw: bytes) -> ListPage[Secret]:
        """A Table answer to a list."""
        table = read_table(raw)
        meta = table.metadata
        items = tuple(map(_secret, table.rows or ()))
        return ListPage(items, meta.resource_version, meta.continue_, meta.remaining_item_count)

    def decode_object(self, raw: bytes | msgspec.Raw) -> Secret:
        """A Table of one row: the answer to a get, or the object of a watch event."""
        return _secret(single_row(read_table(raw)))


def _secret(row: TableRow) -> Secret:
    _, type_, count, *_ = row.cells
    return Secret(metadata=row.object.metadata, secret_type=str(type_), key_count=int(count))


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Type", "Its type, such as a certificate or registry credentials."),
    col("Data", "How many keys it has.", num=True),
    col("Age", AGE_HELP),
)


def row(secret: Secret) -> Row:
    """The row, as ``printSecret`` writes it."""
    meta = secret.metadata
    cells = (
        Cell(meta.name),
        Cell(secret.secret_type),
        Cell(str(secret.key_count)),
        age(meta.creation_timestamp),
    )
    sort = (
        natural(meta.name),
        natural(secret.secret_type),
        secret.key_count,
        age_key(meta.creation_timestamp),
    )
    return make_row(meta, cells, sort, *deleted_state(meta))


_TYPES = {
    "Opaque": "Confidential values",
    "kubernetes.io/tls": "A certificate and its private key",
    "kubernetes.io/dockerconfigjson": "Credentials for an image registry",
    "kubernetes.io/dockercfg": "Credentials for an image registry",
    "kubernetes.io/basic-auth": "Basic authentication credentials",
    "kubernetes.io/ssh-auth": "An SSH private key",
    "kubernetes.io/service-account-token": "A service account token",
    "bootstrap.kubernetes.io/token": "A bootstrap token, with which nodes join the cluster",
    "helm.sh/release.v1": "A Helm release",
}


def detail(secret: Secret) -> Detail:
    """The facts of the Secret's page; key names and values are read on request, never here."""
    what = _TYPES.get(secret.secret_type, "Confidential values")
    facts = [Fact("Type", secret.secret_type), Fact("Keys", str(secret.key_count))]
    return page(secret.metadata, f"{what}: {plural(secret.key_count, 'key')}", facts)


SECRETS: Kind[Secret] = SecretKind(
    gvr=GVR("", "v1", "secrets"),
    kind="Secret",
    title="Secrets",
    singular="Secret",
    section="Configuration",
    type=Secret,
    columns=COLUMNS,
    accept=TABLE,
    query=METADATA,
    row=row,
    detail=detail,
    explain="A Secret holds confidential data, such as passwords, tokens or keys, that containers read.",
)
