"""What comes back from the ConfigMap's form, read exactly, or refused."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping

from django.http import HttpRequest

from dashboard.actions.configmap_plan import Choice, Draft, Row
from dashboard.actions.configmap_values import MAX_BYTES, Field, Value, digest
from dashboard.errors import BadInput

MAX_ROWS = 5_000  # keys that one save may touch
KNOWN_LETTERS = 12  # of a digest: it only tells whether a key is as it was, nothing is decided by it


def read_draft(request: HttpRequest) -> Draft:
    """The form as it came back. ``known``, packed, are all keys that there were, so that only rows of touched ones must
    come; without it nothing is known of keys without a row. ``row`` (repeated) is "<id>" for a new key, or
    "<id> <field> <digest> <name>"; beside it ``n<id>`` the name, ``t<id>`` the text, ``f<id>`` a file, ``u<id>`` a
    file sent before, ``d<id>`` to remove it, ``b<id>`` the value that the form was filled with. A key of which nothing
    else comes was not touched.

    Raises BadInput for what no form of ours sends.
    """
    post = request.POST
    choices = {
        name[2:]: Choice("theirs" if side == "theirs" else "mine", str(post.get(f"s-{name[2:]}", "")))
        for name, side in post.items()
        if name.startswith("c-")
    }
    sent = post.getlist("row")
    if len(sent) > MAX_ROWS:
        raise BadInput(
            f"The form has {len(sent):,} keys: one save may touch {MAX_ROWS:,} at most.",
            next_step="Send only the keys that change, or save some of them first; nothing was sent.",
            field="row",
        )
    rows = tuple(_row(request, words.split(" ")) for words in sent)
    return Draft(
        rows, choices, frozenset(str(key) for key in post.getlist("anyway")), _known(post.get("known"))
    )


def check_uploads(request: HttpRequest) -> None:
    """Raises BadInput, with the input's name, for a file that is larger than any ConfigMap."""
    for name, file in request.FILES.items():
        size, title = getattr(file, "size", None) or 0, getattr(file, "name", "")
        if size > MAX_BYTES:
            raise BadInput(
                f"The file {title} has {size:,} bytes: {MAX_BYTES:,} fit into a ConfigMap at most.",
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
        if file is not None and (file.size or 0) <= MAX_BYTES
        else unpacked(post.get(f"u{number}"))
    )
    text, name = post.get(f"t{number}"), post.get(f"n{number}")
    if len(words) == 1:
        return Row(id=number, name=name or "", text=text, upload=upload, delete=f"d{number}" in post)
    if len(words) != 4 or words[1] not in ("data", "binaryData"):
        raise BadInput("The form is damaged.", next_step="Reopen the form.", field="row")
    content = unpacked(post.get(f"b{number}"))
    if content is not None and digest(content) != words[2]:
        raise BadInput("The form is damaged.", next_step="Reopen the form.", field=f"b{number}")
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
        content = opener.decompress(base64.b64decode(text, validate=True), 4 * MAX_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise BadInput("The form is damaged.", next_step="Reopen the form.") from error
    if not opener.eof and not opener.unconsumed_tail:
        raise BadInput("The form is damaged.", next_step="Reopen the form.")
    if opener.unconsumed_tail:
        raise BadInput(f"A file has more than the {MAX_BYTES:,} bytes that fit into a ConfigMap.")
    return content


def known_now(values: Mapping[str, Value]) -> str:
    """All keys as they are, for a form that brings back only those that were touched."""
    return packed(
        json.dumps({key: digest(one.content)[:KNOWN_LETTERS] for key, one in values.items()}).encode()
    )


def _known(text: str | None) -> dict[str, str] | None:
    content = unpacked(text)
    if content is None:
        return None
    try:
        found = json.loads(content)
    except ValueError as error:
        raise BadInput("The form is damaged.", next_step="Reopen the form.", field="known") from error
    if not isinstance(found, dict) or not all(isinstance(mark, str) for mark in found.values()):
        raise BadInput("The form is damaged.", next_step="Reopen the form.", field="known")
    return found


def kept_decisions(draft: Draft) -> list[tuple[str, str]]:
    """Decisions made in one preview that the next one must know."""
    kept = [("anyway", key) for key in sorted(draft.anyway)]
    for key, choice in draft.choices.items():
        kept += [(f"c-{key}", choice.side), (f"s-{key}", choice.seen)]
    return kept
