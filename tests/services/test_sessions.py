"""One session's requests at once, in real databases: with threads that really meet, and an issuer that is asked once."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tools.server import ROOT, Server

SECONDS = 300.0
BEGINS = """
import asyncio, json, threading, time, django
django.setup()
from datetime import UTC, datetime, timedelta
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from dashboard.sessionstore import SessionStore
THREADS, ROUNDS, TOLD = 6, 12, {}

def at_once(*works):
    raised = []
    def run(work):
        try:
            work()
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for each in threads: each.start()
    for each in threads: each.join()
    if raised: raise raised[0]

def patient(work):
    while True:  # SQLite's lock is not fair: on a busy machine one waits in vain
        try:
            return work()
        except OperationalError as error:
            assert "locked" in str(error)
"""
# Each request has read the session before any of them saves it.
SAVES = """
made = SessionStore()
made["begun"] = 1
made.save()
for number in range(ROUNDS):
    met = threading.Barrier(THREADS)
    def request(which):
        mine = SessionStore(made.session_key)
        mine.get("begun")
        met.wait()
        mine[f"of {which}"] = number
        patient(mine.save)
    at_once(*(lambda which=which: request(which) for which in range(THREADS)))
    found = dict(SessionStore(made.session_key).items())
    assert found == {"begun": 1} | {f"of {which}": number for which in range(THREADS)}, found
TOLD["saved"] = True
back = 0
for number in range(ROUNDS):
    made = SessionStore()
    made["begun"] = 1
    made.save()
    met = threading.Barrier(THREADS)
    def request(which):
        mine = SessionStore(made.session_key)
        mine.get("begun")
        met.wait()
        if which == 0:
            patient(mine.flush)
            return
        mine[f"of {which}"] = number
        try:
            patient(mine.save)
        except UpdateError:
            pass
    at_once(*(lambda which=which: request(which) for which in range(THREADS)))
    back += Session.objects.filter(pk=made.session_key).count()
TOLD["back"] = back
print(json.dumps(TOLD))
"""
# The issuer's word is over for all of them, and it takes each refresh token once.
RENEWS = """
from dashboard import sessions
from dashboard.credentials import load
from dashboard.models import SignedIn
from dashboard.oidc import Person, SignInRefused

def person(number, seconds):
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return Person("https://sso.example", "7", "mara", "Mara", (), f"id-{number}", f"refresh-{number}", until)

used, lock = [], threading.Lock()
async def refresh(*, refresh_token, subject):
    await asyncio.sleep(0.3)  # as long as an issuer may take, so that all of them meet
    with lock:
        if refresh_token in used:
            raise SignInRefused("used already")
        used.append(refresh_token)
        return person(len(used), 3600)
sessions.refresh = refresh
mara = User.objects.create(username="oidc:mara")
made = SessionStore()
sessions.session_vouch(made, person(0, -1))
made.save()
SignedIn.objects.create(session_id=made.session_key, user=mara)
met, answers = threading.Barrier(THREADS), []
def request(which):
    mine = SessionStore(made.session_key)
    assert sessions.is_renewal_due(mine)
    met.wait()
    answers.append(asyncio.run(sessions.session_renewed(mine)))
    mine[f"of {which}"] = 1
    patient(mine.save)
at_once(*(lambda which=which: request(which) for which in range(THREADS)))
found = SessionStore(made.session_key)
TOLD |= {"answers": answers, "used": used, "kept": load(found).refresh_token,
    "others": sum(f"of {which}" in found for which in range(THREADS))}
print(json.dumps(TOLD))
"""
# A link preview, a second click and the reader themselves press the button at once.
REDEEMS = """
from dashboard.models import AuditEntry
from dashboard.signin import link_create, link_redeem
TOLD["signed in"] = []
for number in range(ROUNDS):
    token = link_create().partition("token=")[2]
    met, answers = threading.Barrier(THREADS), []
    def request():
        met.wait()
        answers.append(patient(lambda: link_redeem(token=token)))
    at_once(*(request for _ in range(THREADS)))
    TOLD["signed in"].append(sum(each is not None for each in answers))
TOLD["audited"] = AuditEntry.objects.filter(action="sign in").count()
print(json.dumps(TOLD))
"""


def told(server: Server, program: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", BEGINS + program], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False,
        env=server.environment | {"DJANGO_SETTINGS_MODULE": "cluster_ui.settings"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_what_requests_save_at_once_is_all_there_and_no_session_comes_back(made: Server) -> None:
    assert told(made, SAVES) == {"saved": True, "back": 0}


def test_a_refresh_token_is_used_once_by_all_who_ask_at_once(made: Server) -> None:
    found = told(made, RENEWS)
    assert found == {"answers": [True] * 6, "used": ["refresh-0"], "kept": "refresh-1", "others": 6}


def test_a_link_signs_one_of_those_in_who_use_it_at_once(made: Server) -> None:
    found = told(made, REDEEMS)
    assert found == {"signed in": [1] * 12, "audited": 12}
