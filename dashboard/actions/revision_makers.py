"""Who made the revisions of a workload, as far as that is known: changes made here by their records; of the present pod
template else which field manager wrote it last. Of all others the cluster keeps nothing but when they were created.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dashboard.models import Change

from .action import Manifest, Target
from .templatemark import MARK, template_digest
from .writers import last_manager

if TYPE_CHECKING:
    from .revisions import Revision

# A controller makes a revision at once; one that was written much later was made again by somebody else.
MADE_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """``change`` is the one by which it was made here; None where ``who`` is a field manager."""

    who: str
    at: datetime | None
    change: Change | None = None

    @property
    def words(self) -> str:
        """ "mara with Cluster UI", "last written by field manager helm on 2026-03-01 at 12:00 UTC"."""
        if self.change is not None:
            return f"{self.who} with Cluster UI"
        when = f" on {self.at:%Y-%m-%d at %H:%M} UTC" if self.at is not None else ""
        return f"last written by field manager {self.who}{when}"


def revision_makers(
    target: Target, manifest: Manifest, found: Sequence[Revision], current: Revision | None
) -> Mapping[int, Maker]:
    """By the number of the revision. Reads the database."""
    here = Change.objects.select_related("user").filter(
        context=target.context, plural=target.plural, uid=manifest["metadata"]["uid"], state=Change.State.DONE,
        result__has_key=MARK,
    )  # fmt: skip
    changes = [each for each in here.order_by("pk") if isinstance(each.result[MARK], dict)]
    makers = {
        one.number: Maker(who=made.user.get_username(), at=made.created_at, change=made)
        for one in found
        if (made := _made(one, changes)) is not None
    }
    if current is not None and current.number not in makers:
        who, at = last_manager(manifest, "/spec/template")
        if who:
            makers[current.number] = Maker(who=who, at=at)
    return makers


def _made(one: Revision, changes: Sequence[Change]) -> Change | None:
    """The change that made a revision: the template says so, and what tells that nobody made it again since."""
    digest = template_digest(one.template)
    alike = [each for each in changes if each.result[MARK]["digest"] == digest]
    next_one = [each for each in alike if each.result[MARK]["after"] == one.number - 1]
    if next_one:
        return next_one[-1]
    last = alike[-1] if alike else None
    if last is None or one.again:
        return None
    if last.result[MARK]["after"] is None:  # it counts no revisions in its annotations
        at = datetime.fromisoformat(one.written) if one.written else None
        return last if at is not None and abs(at - last.created_at) <= MADE_WITHIN else None
    return last
