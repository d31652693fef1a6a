"""Sessions in the database, of which a request saves what it changed and nothing else.

Django reads a session as a whole and saves it as a whole, so of two requests at once the later one undoes what the first
has written: a token that was renewed, a choice that was kept. Here a key that this request did not change stays as it is
in the database by then, under a lock on its row. A session that is over is not saved at all.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.db import router, transaction
from django.utils import timezone

from .database import in_database

Values = dict[str, Any]


class SessionStore(db.SessionStore):
    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._as_read: Values = {}  # what the database has, as far as it is known here
        self._emptied = False  # nothing of what it has is to stay
        self._set: set[str] = set()  # what was set here, be it to what it was

    def load(self) -> Values:
        found: Values = super().load()
        self._as_read = deepcopy(found)
        return found

    async def aload(self) -> Values:
        return await in_database(self.load)()

    def __setitem__(self, key: str, value: Any) -> None:
        self._set.add(key)
        super().__setitem__(key, value)

    async def aset(self, key: str, value: Any) -> None:
        self._set.add(key)
        await super().aset(key, value)

    def update(self, dict_: Any = (), /, **more: Any) -> None:
        made = {**dict(dict_), **more}
        self._set.update(made)
        super().update(made)

    async def aupdate(self, dict_: Any) -> None:
        made = dict(dict_)
        self._set.update(made)
        await super().aupdate(made)

    def clear(self) -> None:
        super().clear()
        self._as_read, self._emptied = {}, True

    def save(self, must_create: bool = False) -> None:
        """Raises UpdateError for a session that is over: signed out, ended elsewhere or expired meanwhile."""
        if self.session_key is None:
            self.create()
        elif must_create:
            super().save(must_create=True)
            self._saved(self._session_cache)
        else:
            self.keys()  # it is read
            with transaction.atomic(using=router.db_for_write(Session)):
                row = self._row()
                if row is None:
                    raise UpdateError
                merged = self._merged(self.decode(row.session_data))
                row.session_data = self.encode(merged)
                row.expire_date = self.get_expiry_date(expiry=merged.get("_session_expiry"))
                row.save(update_fields=["session_data", "expire_date"])
            self._saved(merged)

    async def asave(self, must_create: bool = False) -> None:
        await in_database(self.save)(must_create)

    async def acreate(self) -> None:
        await in_database(self.create)()

    def cycle_key(self) -> None:
        """Gives the session another key. Of one that is over meanwhile nothing is taken along."""
        self.keys()  # it is read
        with transaction.atomic(using=router.db_for_write(Session)):
            row = self._row()
            self._session_cache = self._merged(self.decode(row.session_data) if row is not None else {})
            super().cycle_key()

    async def acycle_key(self) -> None:
        await in_database(self.cycle_key)()

    def _row(self) -> Session | None:
        """The session in the database, held until the transaction ends (SQLite's hold all of it from their start)."""
        standing = Session.objects.filter(session_key=self.session_key, expire_date__gt=timezone.now())
        return standing.select_for_update(no_key=True).first()

    def _merged(self, kept: Values) -> Values:
        """What the database has, with what was set or changed here. What was set last is last."""
        mine, read = self._session_cache, self._as_read
        made = {} if self._emptied else {key: kept[key] for key in kept if key in mine or key not in read}
        for key, value in mine.items():
            if key in self._set or key not in read or repr(read[key]) != repr(value):  # 1 is no True
                made.pop(key, None)
                made[key] = value
        return made

    def _saved(self, values: Values) -> None:
        self._session_cache, self._as_read, self._emptied = values, deepcopy(values), False
        self._set.clear()
