"""Who made a revision, as far as that is known, and two of them compared."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.actions.action import Target, absent
from dashboard.actions.revision_makers import revision_makers
from dashboard.actions.revisions import Revision
from dashboard.actions.rollback import revisions_compared
from dashboard.actions.templatemark import MARK, REVISION, template_mark
from dashboard.errors import BadInput, Invalid
from dashboard.kinds import KINDS
from dashboard.models import Change

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSWORD = "old-canary-password"


def template(image: str) -> dict[str, Any]:
    container = {"name": "app", "image": image, "env": [{"name": "PASSWORD", "value": PASSWORD}]}
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}


def manifest(image: str, revision: int | None = None, kind: str = "Deployment") -> dict[str, Any]:
    notes = {} if revision is None else {REVISION: str(revision)}
    managed = [
        {
            "manager": "helm", "operation": "Update", "time": "2026-03-01T10:00:00Z",
            "fieldsV1": {"f:spec": {"f:template": {"f:spec": {}}}},
        },
        {"manager": "kubectl-scale", "operation": "Update", "time": "2026-03-01T11:00:00Z",
         "fieldsV1": {"f:spec": {"f:replicas": {}}}},
    ]  # fmt: skip
    meta = {"name": "web", "namespace": "shop", "uid": "u", "annotations": notes, "managedFields": managed}
    return {"kind": kind, "metadata": meta, "spec": {"template": template(image)}}


def revision(number: int, image: str, *, again: bool = False, written: str = "") -> Revision:
    return Revision(
        number=number, name=f"web-{number}", cause="", created="2026-03-01T09:00:00Z", again=again,
        written=written, template=template(image),
    )  # fmt: skip


def target(plural: str = "deployments") -> Target:
    return Target.of("dev", KINDS[plural], "shop", "web")


def change(user: User, before: dict[str, Any], after: dict[str, Any], **more: Any) -> Change:
    facts = {
        "nonce": f"n {Change.objects.count()}", "state": "done", "user": user, "context": "dev",
        "action": "image", "plural": f"{after['kind'].lower()}s", "kind": after["kind"], "namespace": "shop",
        "name": "web", "uid": "u", "result": template_mark(before, after), "created_at": AT,
    }  # fmt: skip
    return Change.objects.create(**(facts | more))


def test_a_mark_is_kept_where_the_template_changed_and_tells_nothing_of_it() -> None:
    before, after = manifest("web:1", 4), manifest("web:2", 4)
    mark = template_mark(before, after)
    assert mark[MARK]["after"] == 4 and PASSWORD not in repr(mark) and "web:2" not in repr(mark)
    scaled = copy.deepcopy(before)
    scaled["spec"]["replicas"] = 7
    assert template_mark(before, scaled) == {}
    assert template_mark(absent(target()), before)[MARK]["after"] == 0, "the first one of a new object"
    assert (
        template_mark(manifest("a", kind="StatefulSet"), manifest("b", kind="StatefulSet"))[MARK]["after"]
        is None
    )
    settings = {"kind": "ConfigMap", "metadata": {}, "data": {}}
    assert template_mark(settings, settings | {"data": {"a": "b"}}) == {}


@pytest.mark.django_db
class TestMakers:
    def makers(
        self, found: list[Revision], *, now: dict[str, Any] | None = None, plural: str = "deployments"
    ) -> dict[int, str]:
        made = revision_makers(
            target(plural), now or manifest("web:9", 9), found, found[0] if found else None
        )
        return {
            number: f"{maker.words} {maker.change.pk if maker.change else 0}"
            for number, maker in made.items()
        }

    def test_a_change_made_here_is_known_again_by_its_template_and_its_number(self) -> None:
        mara, jon = (User.objects.create(username=name) for name in ("mara", "jon"))
        one = change(mara, manifest("web:1", 1), manifest("web:2", 1))
        two = change(jon, manifest("web:2", 2), manifest("web:3", 2))
        found = [revision(3, "web:3"), revision(2, "web:2"), revision(1, "web:1")]
        assert self.makers(found) == {
            3: f"jon with Cluster UI {two.pk}", 2: f"mara with Cluster UI {one.pk}",
        }  # fmt: skip

    def test_of_two_with_the_same_template_the_number_tells(self) -> None:
        mara = User.objects.create(username="mara")
        change(mara, manifest("web:1", 1), manifest("web:2", 1))
        back = change(mara, manifest("web:3", 3), manifest("web:2", 3))
        assert self.makers([revision(4, "web:2", again=True)]) == {4: f"mara with Cluster UI {back.pk}"}

    def test_what_somebody_else_went_back_to_is_not_said_to_be_made_here(self) -> None:
        mara = User.objects.create(username="mara")
        change(mara, manifest("web:1", 1), manifest("web:2", 1))
        assert self.makers([revision(9, "web:9"), revision(5, "web:2", again=True)]) == {
            9: "last written by field manager helm on 2026-03-01 at 10:00 UTC 0"
        }

    def test_of_the_present_one_the_last_writer_of_its_template_is_named_and_of_others_nobody(self) -> None:
        found = [revision(9, "web:9"), revision(8, "web:8")]
        assert self.makers(found) == {9: "last written by field manager helm on 2026-03-01 at 10:00 UTC 0"}
        assert self.makers(found, now=manifest("web:9", 9) | {"metadata": {"uid": "u"}}) == {}

    def test_changes_of_other_objects_and_those_not_known_to_be_made_count_for_nothing(self) -> None:
        mara = User.objects.create(username="mara")
        for more in (
            {"uid": "other"},
            {"state": "unknown"},
            {"context": "prod"},
            {"result": {"template": 3}},
        ):
            change(mara, manifest("web:1", 1), manifest("web:2", 1), **more)
        assert 2 not in self.makers([revision(3, "web:3"), revision(2, "web:2")])

    @pytest.mark.parametrize(("after", "known"), [(2, True), (3600, False)])
    def test_of_a_statefulset_the_moment_tells(self, after: int, known: bool) -> None:
        mara = User.objects.create(username="mara")
        before, made = manifest("web:1", kind="StatefulSet"), manifest("web:2", kind="StatefulSet")
        own = change(mara, before, made)
        written = (AT + timedelta(seconds=after)).isoformat().replace("+00:00", "Z")
        found = [revision(3, "web:3"), revision(2, "web:2", written=written)]
        makers = self.makers(found, now=manifest("web:3", kind="StatefulSet"), plural="statefulsets")
        assert makers.get(2) == (f"mara with Cluster UI {own.pk}" if known else None)


FOUND = [revision(3, "web:3"), revision(2, "web:2"), revision(1, "web:3")]


def test_any_two_are_compared_in_the_direction_that_was_asked_for() -> None:
    made = revisions_compared(target(), FOUND, FOUND[0], "2", "3")
    assert (made.old, made.new) == (2, 3)
    changed = [(line.sign, line.text.strip()) for line in made.lines if line.sign in "+-" and line.sign]
    assert changed == [("-", "image: web:2"), ("+", "image: web:3")]
    back = revisions_compared(target(), FOUND, FOUND[0], "3", "2")
    assert [(line.sign, line.text.strip()) for line in back.lines if line.sign in ("+", "-")] == [
        ("-", "image: web:3"), ("+", "image: web:2"),
    ]  # fmt: skip
    assert revisions_compared(target(), FOUND, FOUND[0], "1", "3").lines == ()


def test_what_is_left_out_is_the_current_one_and_the_one_that_a_rollback_takes() -> None:
    for now in (FOUND[0], None):
        made = revisions_compared(target(), FOUND, now, "", "")
        assert (made.old, made.new) == (3, 2)
    assert revisions_compared(target(), FOUND, FOUND[0], "2", "").new == 3


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("9", "1", "from", "Deployment web has no revision 9: 3, 2 and 1 are kept."),
        ("1", "0", "to", "Deployment web has no revision 0: 3, 2 and 1 are kept."),
        ("one", "1", "from", "“one” is not a revision: enter its number."),
        ("1", "9" * 40, "to", f"“{'9' * 20}” is not a revision: enter its number."),
        ("1", "-2", "to", "“-2” is not a revision: enter its number."),
    ],
)
def test_wrong_revisions_are_told_in_words(old: str, new: str, field: str, words: str) -> None:
    with pytest.raises(BadInput) as wrong:
        revisions_compared(target(), FOUND, FOUND[0], old, new)
    assert (wrong.value.field, wrong.value.message) == (field, words)


def test_one_revision_is_not_told_like_a_count() -> None:
    with pytest.raises(BadInput, match=r"has no revision 1: only 3 is kept\.$"):
        revisions_compared(target(), FOUND[:1], FOUND[0], "1", "")


def test_where_there_is_but_one_there_is_nothing_to_compare_it_with() -> None:
    with pytest.raises(Invalid, match="no earlier revision"):
        revisions_compared(target(), FOUND[:1], FOUND[0], "3", "")
