"""ConfigMaps: settings for containers. Only key names and sizes are kept, never values."""

from __future__ import annotations

from .base import GVR, Cell, Detail, Fact, KeyFact, Kind, Row
from .facts import page
from .meta import Object
from .rows import AGE_HELP, NAME_HELP, age, age_key, col, columns, deleted_state, make_row, natural, plural
from .sizes import Base64Size, TextSize


class ConfigMap(Object, frozen=True, gc=False):
    """v1 ConfigMap: key → size in bytes."""

    data: dict[str, TextSize] | None = None
    binary_data: dict[str, Base64Size] | None = None
    immutable: bool = False

    @property
    def sizes(self) -> dict[str, int]:
        """All keys and their sizes in bytes, text first, each part sorted."""
        text = {key: int(size) for key, size in sorted((self.data or {}).items())}
        return text | {key: int(size) for key, size in sorted((self.binary_data or {}).items())}


COLUMNS = columns(
    col("Name", NAME_HELP),
    col("Data", "How many keys it has.", num=True),
    col("Age", AGE_HELP),
)


def row(config_map: ConfigMap) -> Row:
    """The row, as ``printConfigMap`` writes it."""
    meta = config_map.metadata
    count = len(config_map.data or ()) + len(config_map.binary_data or ())
    cells = (Cell(meta.name), Cell(str(count)), age(meta.creation_timestamp))
    sort = (natural(meta.name), count, age_key(meta.creation_timestamp))
    return make_row(meta, cells, sort, *deleted_state(meta))


def detail(config_map: ConfigMap) -> Detail:
    """The facts of the ConfigMap's page."""
    sizes = config_map.sizes
    total = sum(sizes.values())
    facts = [Fact("Keys", str(len(sizes))), Fact("Size", plural(total, "byte"))]
    if config_map.immutable:
        facts.append(Fact("Immutable", "Yes", "can only be replaced as a whole"))
    facts += [Fact("Binary key", key) for key in sorted(config_map.binary_data or ())]
    sentence = f"Configuration for containers: {plural(len(sizes), 'key')}, {plural(total, 'byte')} in all"
    keys = tuple(KeyFact(key, size) for key, size in sizes.items())
    return page(config_map.metadata, sentence, facts, keys=keys)


CONFIGMAPS: Kind[ConfigMap] = Kind(
    gvr=GVR("", "v1", "configmaps"),
    kind="ConfigMap",
    title="ConfigMaps",
    singular="ConfigMap",
    section="Configuration",
    short_names=("cm",),
    type=ConfigMap,
    columns=COLUMNS,
    row=row,
    detail=detail,
    explain="A ConfigMap holds configuration that containers read as environment variables or files.",
)
