"""A form on containers that stood open while others wrote: what it leaves alone, and what it tells of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import AsyncClient, RequestFactory

from dashboard.actions.action import Target, typed_object
from dashboard.actions.registry import action_named
from dashboard.kinds import KINDS
from dashboard.views.form import ActionForm, field_context
from dashboard.views.yamlform import YamlForm
from tests.formed import Script, open_forms

from ..actions.server import Server
from ..insight.world import World, deployment

pytestmark = pytest.mark.django_db(transaction=True)

KEY = ("deployments", "shop", "web")


def container(name: str) -> dict[str, Any]:
    return {"name": name, "image": f"{name}:1", "env": [{"name": "LOG", "value": "info"}],
            "resources": {"requests": {"cpu": "100m"}}}  # fmt: skip


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = deployment("web", template={"containers": [container("app"), container("beside")]})
    made["metadata"] |= {"namespace": "shop", "uid": "u1", "resourceVersion": "7"}
    server, world = Server("deployments", made), World()
    world.put("deployments", made)
    world.reads = lambda *_: True  # type: ignore[method-assign]
    open_forms(monkeypatch, server, world)
    return server


@pytest_asyncio.fixture
async def client() -> AsyncClient:
    made = AsyncClient()
    await made.aforce_login(await User.objects.acreate(username="mara"))
    return made


def there(api: Server, name: str) -> dict[str, Any]:
    """A container as the cluster has it, to be read or changed."""
    every: list[dict[str, Any]] = api.objects[KEY]["spec"]["template"]["spec"]["containers"]
    return next(one for one in every if one["name"] == name)


# Each row: the action, its input, what that was filled with, what is typed, what others set it to.
FIELDS: dict[str, tuple[str, str, str, str, str]] = {
    "image": ("image", "image", "{}:1", "{}:2", "{}:3"),
    "a request": ("resources", "requests_cpu", "100m", "200m", "300m"),
    "no limit": ("resources", "limits_memory", "", "64Mi", "32Mi"),
    "a variable": ("env", "env", "LOG=info\n", "LOG=debug\n", "LOG=warn\n"),
}


@pytest.fixture(params=FIELDS)
def row(request: pytest.FixtureRequest) -> tuple[str, str, str, str, str]:
    return FIELDS[request.param]


def others_set(api: Server, field: str, name: str, text: str) -> None:
    one = there(api, name)
    if field == "image":
        one["image"] = text
    elif field == "env":
        one["env"] = [{"name": "LOG", "value": text.strip().partition("=")[2]}]
    else:
        which, _, resource = field.partition("_")
        one["resources"].setdefault(which, {})[resource] = text


def opened(client: AsyncClient, row: tuple[str, str, str, str, str]) -> Script:
    """The form as it is sent: of the first container another value was typed, all inputs go out."""
    action, field, was, typed, _ = row
    sent = {f"{field}.app": typed.format("app"), f"{field}.beside": was.format("beside")}
    sent |= {f"was.{field}.{name}": was.format(name) for name in ("app", "beside")}
    return Script(client, f"/c/dev/deployments/shop/web/{action}/", sent)


async def test_an_input_that_was_not_changed_takes_nothing_back(
    api: Server, client: AsyncClient, row: tuple[str, str, str, str, str]
) -> None:
    _, field, _, _, other = row
    others_set(api, field, "beside", other.format("beside"))
    meanwhile = dict(there(api, "beside"))
    script = opened(client, row)
    shown = await script.preview()
    assert "conflict" not in shown
    before = dict(there(api, "app"))
    await script.apply(shown["token"])
    assert there(api, "beside") == meanwhile
    assert there(api, "app") != before


async def test_a_form_in_which_nothing_was_changed_changes_nothing(
    api: Server, client: AsyncClient, row: tuple[str, str, str, str, str]
) -> None:
    _, field, was, _, other = row
    script = opened(client, row)
    script.typed[f"{field}.app"] = was.format("app")
    others_set(api, field, "app", other.format("app"))
    shown = await script.preview()
    assert not shown["token"] and "conflict" not in shown


async def test_what_others_changed_of_the_same_field_is_told(
    api: Server, client: AsyncClient, row: tuple[str, str, str, str, str]
) -> None:
    _, field, _, typed, other = row
    script = opened(client, row)
    assert "conflict" not in await script.preview()
    others_set(api, field, "app", other.format("app"))
    shown = await script.preview()
    assert shown["token"] and shown["conflict"]["was"] != shown["conflict"]["now"]
    page = await client.post(script.url, script.typed | {"step": "preview"}, headers={"HX-Target": "preview"})
    assert "It changed meanwhile" in page.content.decode()
    others_set(api, field, "app", typed.format("app"))
    assert "conflict" not in await script.preview(), "they want the same"


async def test_a_script_that_names_one_container_touches_no_other(api: Server, client: AsyncClient) -> None:
    script = Script(client, "/c/dev/deployments/shop/web/image/", {"image.app": "app:2"})
    others_set(api, "image", "beside", "beside:3")
    await script.apply((await script.preview())["token"])
    assert [there(api, name)["image"] for name in ("app", "beside")] == ["app:2", "beside:3"]


async def test_the_form_sends_along_what_each_input_was_filled_with(
    api: Server, row: tuple[str, str, str, str, str]
) -> None:
    name, field, was, *_ = row
    action, manifest = action_named(name, "deployments"), api.objects[KEY]
    target = Target.of("dev", KINDS["deployments"], "shop", "web")
    fields = await action.fields_of(api, target, manifest, World())  # type: ignore[arg-type]
    obj = typed_object("deployments", manifest)
    shown = [field_context(each, obj, World(), {}, {}, last=False) for each in fields]
    html = render_to_string("forms/action.html", {"s": {"form": {"fields": shown, "action_url": "/"}}})
    for container in ("app", "beside"):
        text = was.format(container)
        assert f'<input type="hidden" name="was.{field}.{container}" value="{text}">' in html


@pytest.mark.parametrize(
    ("action", "plural", "asked", "filled"),
    [
        ("scale", "deployments", "replicas=3&other=1", {"replicas": "3"}),
        ("autoscale", "deployments", "min=2", {"min": "2"}),
        ("delete", "deployments", "propagation=Orphan&confirm=web", {}),
    ],
)
def test_an_address_fills_in_numbers_and_no_choices(
    action: str, plural: str, asked: str, filled: dict[str, str]
) -> None:
    form = ActionForm.__new__(ActionForm)
    form.request = RequestFactory().get(f"/?{asked}")
    assert form.suggested(action_named(action, plural).fields) == filled


@pytest.mark.parametrize(("image", "told"), [("app", True), ("app:latest", True), ("app:1", False)])
async def test_the_form_of_images_says_that_nothing_is_filled_in_where_none_names_a_version(
    api: Server, image: str, told: bool
) -> None:
    there(api, "app")["image"] = image
    manifest = api.objects[KEY]
    target = Target.of("dev", KINDS["deployments"], "shop", "web")
    fields = await action_named("image", "deployments").fields_of(api, target, manifest, World())  # type: ignore[arg-type]
    said = [each.hint(None, World()) for each in fields]
    assert (said[0].startswith("Nothing is filled in"), said[1]) == (told, "")


@pytest.mark.parametrize(
    ("remedy", "filled", "said"),
    [
        ("spread-nodes", True, "change is filled in"),
        ("unknown", False, "Nothing is filled in"),
        ("", False, ""),
    ],
)
async def test_the_editor_says_whether_a_remedy_is_filled_in(
    api: Server, remedy: str, filled: bool, said: str
) -> None:
    view = YamlForm.__new__(YamlForm)
    view.request = RequestFactory().get(f"/?remedy={remedy}")
    view.cluster = SimpleNamespace(cluster=SimpleNamespace(slug="dev"))  # type: ignore[assignment]
    view.target = Target.of("dev", KINDS["deployments"], "shop", "web")
    form: Any = SimpleNamespace(manifest=api.objects[KEY])
    found = await view.fields(form, None)  # type: ignore[arg-type]
    assert (found["filled"], found["unfilled"]) == (filled, bool(said) and not filled)
    html = render_to_string("forms/yaml.html", {"s": {"form": {**found, "errors": {}, "action_url": "/"}}})
    assert said in html and ("filled in" in html) == bool(said)
