"""The form that edits a ConfigMap (GET shows it, POST previews or applies), and its values to read and download."""

from __future__ import annotations

import asyncio
import base64
import binascii
import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.actions.configmap_plan import Choice, Clash, Draft, Row
from dashboard.actions.configmap_values import MOST_BYTES, Field, Value, digest, size_words
from dashboard.actions.configmaps import (
    Broken,
    Clashes,
    EditForm,
    Immutable,
    configmap_edit_apply,
    configmap_edit_form,
    configmap_edit_preview,
    configmap_value,
    configmap_values,
    edit_command,
    flaw_words,
)
from dashboard.actions.linetext import editable, normal
from dashboard.actions.valuediff import text_lines
from dashboard.errors import BadInput, ClusterError, NotFound
from dashboard.kinds.base import Ref
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screens.common import iso, object_url
from dashboard.live.screens.detail import DetailScreen
from dashboard.live.screens.edit import EditScreen
from dashboard.models import Change

from .actions import Parts, actor_of, error_context, listed, preview_context, show_action, take_step
from .errors import clear_errors
from .offers import object_offers
from .pages import page

MOST_SHOWN = 64 * 1024  # bytes of a value on its page; all of it is a download away


@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def edit(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    cluster = runtime.open(context)
    screen = EditScreen(cluster, request.GET, plural, namespace, name)
    transport, actor = cluster.transport, actor_of(await request.auser())
    draft = read_draft(request) if request.method == "POST" else None
    chosen = request.POST.getlist("restart")

    async def apply(token: str) -> Change:
        check_uploads(request)
        return await configmap_edit_apply(
            transport=transport, actor=actor, namespace=namespace, name=name, draft=_sent(draft), token=token,
            objects=cluster.reader, restart=chosen,
        )  # fmt: skip

    async def preview() -> Parts:
        check_uploads(request)
        edited = await configmap_edit_preview(
            transport=transport, actor=actor, namespace=namespace, name=name, draft=_sent(draft),
            objects=cluster.reader,
        )  # fmt: skip
        if edited.preview is None:
            merged = [f"{each.key} was {each.how}" for each in edited.merged]
            return {"instead": "partials/nothing.html", "merged": merged}
        return {
            "preview": preview_context(cluster, edited.preview),
            "kept": _kept(_sent(draft)),
            "restarts": [_restart(ref, refusal, chosen) for ref, refusal in edited.restarts.items()],
        }

    async with listed(cluster, screen):
        said = await take_step(
            request,
            apply=apply,
            preview=preview,
            at_once=False,
            tell=lambda error: _said(error, _sent(draft)),
        )
        if said.done:
            return said.done
        form = await _form(cluster, screen, draft)
        # Large texts are packed for the way back: that takes its time.
        keys = await asyncio.to_thread(_fields, form, draft)
        url = object_url(cluster, plural, namespace, name)
        return await show_action(
            request,
            cluster,
            screen,
            said,
            title="Edit",
            template="forms/edit.html",
            form={
                "files": True,
                "version": form.version,
                "keys": keys,
                "blank": _blank("new-template"),
                "value_url": f"{url}value/",
                "most": "1 MiB",
            },
            kubectl=edit_command(namespace, name, form),
            refusal=form.refusal,
            way_out=(f"{url}values/", "Its values, to download")
            if isinstance(form.refusal, Immutable)
            else None,
        )


async def _form(cluster: ClusterRuntime, screen: EditScreen, draft: Draft | None) -> EditForm:
    """The form as it is, or without anything but what was typed where the ConfigMap cannot be read any more."""
    try:
        return await configmap_edit_form(
            transport=cluster.transport, namespace=screen.namespace, name=screen.name, objects=cluster.reader
        )
    except ClusterError:
        if draft is None:
            raise
        return EditForm(values={}, version="", refusal=None)


def _sent(draft: Draft | None) -> Draft:
    if draft is None:
        raise TypeError("Only a form that was sent has a draft.")
    return draft


@require_safe
@clear_errors
async def values(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    """Every key with its text, read as the user at this moment."""
    cluster = runtime.open(context)
    _only_configmaps(plural)
    found = await configmap_values(transport=cluster.transport, namespace=namespace, name=name)
    url = object_url(cluster, plural, namespace, name)
    screen = DetailScreen(cluster, request.GET, plural, namespace, name)
    return await page(
        request,
        cluster,
        screen,
        title=f"{name} · ConfigMap",
        more={
            "contents": [_shown(key, value, url) for key, value in found.items()],
            "actions": await object_offers(screen),
        },
    )


@require_safe
@clear_errors
async def value(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    """``?key=``: one key's exact bytes, as a file."""
    cluster = runtime.open(context)
    _only_configmaps(plural)
    key = request.GET.get("key", "")
    content = await configmap_value(transport=cluster.transport, namespace=namespace, name=name, key=key)
    # Never shown by the browser itself: what it holds is somebody else's, and would run as ours.
    response = HttpResponse(content, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{key}"'
    response["Cache-Control"] = "no-store"
    return response


def _only_configmaps(plural: str) -> None:
    if plural != "configmaps":
        raise NotFound("Only a ConfigMap's values are shown like this.")


# ---- The form's fields


def read_draft(request: HttpRequest) -> Draft:
    """The form as it came back. ``row`` (repeated) is "<id>" for a new key, or "<id> <field> <digest> <name>"; beside
    it ``n<id>`` the name, ``t<id>`` the text, ``f<id>`` a file, ``u<id>`` a file sent before, ``d<id>`` to remove it,
    ``b<id>`` the value that the form was filled with. A key of which nothing else comes was not touched.

    Raises BadInput for what no form of ours sends.
    """
    post = request.POST
    choices = {
        name[2:]: Choice("theirs" if side == "theirs" else "mine", str(post.get(f"s-{name[2:]}", "")))
        for name, side in post.items()
        if name.startswith("c-")
    }
    rows = tuple(_row(request, words.split(" ")) for words in post.getlist("row"))
    return Draft(rows, choices, frozenset(str(key) for key in post.getlist("anyway")))


def check_uploads(request: HttpRequest) -> None:
    """Raises BadInput, with the input's name, for a file that is larger than any ConfigMap."""
    for name, file in request.FILES.items():
        size, title = getattr(file, "size", None) or 0, getattr(file, "name", "")
        if size > MOST_BYTES:
            raise BadInput(
                f"The file {title} has {size:,} bytes: {MOST_BYTES:,} fit into a ConfigMap at most.",
                next_step="Choose a smaller one, or keep large files in a volume; nothing was sent.",
                field=name,
            )


def _row(request: HttpRequest, words: list[str]) -> Row:
    post = request.POST
    number = words[0]
    file = request.FILES.get(f"f{number}")
    # One that is too large is not even read: check_uploads() says so.
    upload = (
        file.read()
        if file is not None and (file.size or 0) <= MOST_BYTES
        else unpacked(post.get(f"u{number}"))
    )
    text, name = post.get(f"t{number}"), post.get(f"n{number}")
    if len(words) == 1:
        return Row(id=number, name=name or "", text=text, upload=upload, delete=f"d{number}" in post)
    if len(words) != 4 or words[1] not in ("data", "binaryData"):
        raise BadInput("The form is damaged.", next_step="Open it anew.", field="row")
    content = unpacked(post.get(f"b{number}"))
    if content is not None and digest(content) != words[2]:
        raise BadInput("The form is damaged.", next_step="Open it anew.", field=f"b{number}")
    field: Field = "data" if words[1] == "data" else "binaryData"
    return Row(
        id=number,
        was=words[3],
        base=words[2],
        field=field,
        content=content,
        name=name,
        delete=f"d{number}" in post,
        text=text,
        upload=upload,
    )


def packed(content: bytes) -> str:
    """Bytes for a hidden field: exact, whatever a browser does to text."""
    return base64.b64encode(zlib.compress(content)).decode()


def unpacked(text: str | None) -> bytes | None:
    """What ``packed`` packed. Raises BadInput for anything else, and for more than any ConfigMap can hold."""
    if not text:
        return None
    opener = zlib.decompressobj()
    try:
        content = opener.decompress(base64.b64decode(text, validate=True), 4 * MOST_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise BadInput("The form is damaged.", next_step="Open it anew.") from error
    if not opener.eof and not opener.unconsumed_tail:
        raise BadInput("The form is damaged.", next_step="Open it anew.")
    if opener.unconsumed_tail:
        raise BadInput(f"A file has more than the {MOST_BYTES:,} bytes that fit into a ConfigMap.")
    return content


def _fields(form: EditForm, draft: Draft | None) -> list[dict[str, Any]]:
    """The rows of the form: as it is, or as somebody sent it, so that nothing typed is lost."""
    if draft is None:
        rows = [
            Row(id=str(number), was=key, base=digest(value.content), field=value.field, content=value.content)
            for number, (key, value) in enumerate(form.values.items())
        ]
        return [_field(row, form.values, sent=False) for row in rows] + [_blank("new")]
    blank = next(
        name for name in (f"new{at}" for at in range(len(draft.rows) + 1)) if _is_free(name, draft.rows)
    )
    return [*(_field(row, form.values, sent=True) for row in draft.rows), _blank(blank)]


def _is_free(name: str, rows: Iterable[Row]) -> bool:
    return all(row.id != name for row in rows)


def _blank(number: str) -> dict[str, Any]:
    return {
        "id": number,
        "row": number,
        "name": "",
        "was": "",
        "text": "",
        "lines": 1,
        "rows": 3,
        "new": True,
    }


def _field(row: Row, now: Mapping[str, Value], *, sent: bool) -> dict[str, Any]:
    content = row.content
    if content is None and row.was in now and digest(now[row.was].content) == row.base:
        content = now[row.was].content
    text = editable(content) if content is not None else None
    if row.text is not None:
        text = row.text
    elif not row.was:
        text = ""
    shown = None if text is None else normal(text)
    return {
        "id": row.id,
        "row": f"{row.id} {row.field} {row.base} {row.was}" if row.was else row.id,
        "was": row.was,
        "name": row.was if row.name is None else row.name,
        "text": shown,
        "lines": line_count(shown or ""),
        "rows": min(18, max(2, (shown or "").count("\n") + 1)),
        "size": size_words(len(content)) if content is not None else "",
        "base": packed(content) if content is not None and text is not None else "",
        "delete": row.delete,
        "upload": packed(row.upload) if row.upload is not None else "",
        "upload_size": size_words(len(row.upload)) if row.upload is not None else "",
        "sent": sent and any((row.text is not None, row.upload is not None, row.name is not None)),
        "new": not row.was,
    }


def line_count(text: str) -> int:
    """Lines as an editor counts them: an ending at the very end begins no further one."""
    return text.count("\n") + (not text.endswith("\n"))


def _kept(draft: Draft) -> list[tuple[str, str]]:
    """Decisions made in one preview that the next one must know."""
    kept = [("anyway", key) for key in sorted(draft.anyway)]
    for key, choice in draft.choices.items():
        kept += [(f"c-{key}", choice.side), (f"s-{key}", choice.seen)]
    return kept


# ---- What is said


def _said(error: ClusterError, draft: Draft) -> Parts:
    if isinstance(error, Clashes):
        return {
            "instead": "partials/clashes.html",
            "clashes": [_clash(each, error) for each in error.clashes],
            "merged": [f"{each.key} was {each.how}" for each in error.merged],
            "kept": [(name, text) for name, text in _kept(draft) if name[2:] not in {c.key for c in error.clashes}],
        }  # fmt: skip
    if isinstance(error, Broken):
        return {
            "instead": "partials/broken.html",
            "flaws": [
                {"key": each.key, "words": flaw_words(each), "format": each.format, "line": each.line,
                 "row": _row_of(draft, each.key)}
                for each in error.flaws
            ],
            "kept": _kept(draft),
        }  # fmt: skip
    return {"error": error_context(error), "kept": _kept(draft)}


def _row_of(draft: Draft, key: str) -> str:
    """The editor that holds a key's text; "" for one that came as a file."""
    rows = (
        row for row in draft.rows if key in (row.name, row.was) and not row.delete and row.text is not None
    )
    return next((row.id for row in rows if row.upload is None), "")


def _clash(clash: Clash, error: Clashes) -> dict[str, Any]:
    writer = error.writers[clash.key]
    return {
        "key": clash.key,
        "row": clash.row,
        "seen": digest(clash.theirs),
        "who": writer.who or "Somebody",
        "when": iso(writer.when and writer.when.replace(microsecond=0)),
        "base": _side(None, clash.base) if clash.base is not None else None,
        "theirs": _side(clash.base, clash.theirs),
        "mine": _side(clash.base, clash.mine)
        | ({"words": f"renames it to {clash.renamed}"} if clash.renamed else {}),
        "text": clash.mine is not None and editable(clash.mine) is not None,
    }


def _side(base: bytes | None, content: bytes | None) -> dict[str, Any]:
    """One side of a three-way diff: its lines against the base where both are text, else its size."""
    if content is None:
        return {"words": "removes the key", "lines": ()}
    old, new = editable(base or b""), editable(content)
    if old is None or new is None:
        return {"words": f"binary, {size_words(len(content))}", "lines": ()}
    return {"words": size_words(len(content)), "lines": text_lines(old, new)}


def _restart(ref: Ref, refusal: str, chosen: Collection[str]) -> dict[str, Any]:
    word = f"{ref.plural}/{ref.name}"
    return {"value": word, "text": f"{ref.kind} {ref.name}", "checked": word in chosen, "refusal": refusal}


def _shown(key: str, value: Value, url: str) -> dict[str, Any]:
    text = (
        editable(value.content[:MOST_SHOWN]) if editable(value.content) is None else editable(value.content)
    )
    return {
        "key": key,
        "size": size_words(len(value.content)),
        "text": None if text is None else text[:MOST_SHOWN],
        "cut": text is not None and len(text) > MOST_SHOWN,
        "url": f"{url}value/?key={key}",
    }
