"""Makes backups of a cluster, lists and verifies them, restores from them, and deletes old ones (docs/backups.md)."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError

from dashboard.accounts import BY
from dashboard.errors import BadInput, ClusterError, NotFound
from dashboard.kinds.duration import human_duration
from dashboard.kinds.quantity import format_bytes
from dashboard.kinds.rows import listed, plural
from dashboard.kube.config import Cluster
from dashboard.kube.transport import Transport
from dashboard.live.runtime import USER_AGENT, runtime
from dashboard.management import backup_restore
from dashboard.management.terminal import TerminalCommand
from dashboard.models import Backup
from dashboard.recovery import records
from dashboard.recovery.archive import Summary, verify
from dashboard.recovery.claims import snapshots_delete
from dashboard.recovery.create import BackupRequest, Made, backup_create
from dashboard.recovery.errors import ArchiveError, WrongKey
from dashboard.recovery.keys import read_identities, read_recipients
from dashboard.recovery.pruning import decide, read_rules
from dashboard.recovery.storage import Storage, Stored, open_archive
from dashboard.recovery.typedkeys import installed_recipients

DAMAGED = FAILED = 1  # the exit code


class Command(TerminalCommand):
    help = "Back up what a cluster's API server holds into a folder or an object store."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parts = parser.add_subparsers(
            dest="task", required=True, metavar="create|list|verify|restore|drill|prune"
        )
        create = parts.add_parser("create", help="make a backup, read it back, and print where it is")
        list_ = parts.add_parser("list", help="the archives in a storage, the newest first")
        check = parts.add_parser("verify", help="read whole archives; exit with 1 where one is damaged")
        restore = parts.add_parser(
            "restore", help="write objects of an archive again; exit with 1 where any failed"
        )
        drill = parts.add_parser(
            "drill", help="try a restore in a namespace of its own, and take it away again"
        )
        prune = parts.add_parser("prune", help="delete what no rule keeps")

        create.add_argument("--context", default="", help="which cluster (default: the current context)")
        create.add_argument("--label", default="", metavar="SELECTOR", help="only what has these labels")
        _repeatable(create, "--namespace", "NAME", "only this one (default: the whole cluster)")
        _repeatable(
            create,
            "--recipient",
            "KEY",
            "encrypt to this public key of age (age1…) or SSH (default: CLUSTER_UI_BACKUP_RECIPIENTS)",
        )
        _repeatable(create, "--exclude", "KIND", "leave out this kind, such as jobs.batch")
        create.add_argument(
            "--without-secrets", action="store_true", help="leave Secrets out; needed without a recipient"
        )
        create.add_argument(
            "--snapshots", action="store_true", help="take a VolumeSnapshot of each claim too"
        )
        check.add_argument("archive", nargs="+", help="an address, or a name in the storage")
        _repeatable(check, "--identity", "FILE", "decrypt with this private key of age or SSH")
        _repeatable(prune, "--keep", "RULES", "such as last=7,daily=7,weekly=4")
        prune.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
        backup_restore.add_arguments(restore, drill)
        for part in (create, list_, check, restore, drill, prune):
            part.add_argument(
                "--to",
                default=settings.CLUSTER_UI_BACKUP_TO,
                metavar="URL",
                help="the storage: a folder, or such as s3://bucket/folder (default: CLUSTER_UI_BACKUP_TO)",
            )
            part.add_argument("--format", choices=("text", "json"), default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['task']}")(options)
        except ClusterError as error:
            raise CommandError(f"{error.message} {error.next_step}".strip()) from None

    def _create(self, options: dict[str, Any]) -> None:
        storage = _storage(options)
        wanted = BackupRequest(
            namespaces=tuple(options["namespace"]),
            labels=options["label"],
            recipients=read_recipients(options["recipient"]) or installed_recipients(),
            without_secrets=options["without_secrets"],
            exclude=frozenset(options["exclude"]),
            snapshots=options["snapshots"],
        )
        wanted.check()
        cluster = asyncio.run(_cluster(options["context"]))
        row: Backup | None = None
        with self._recorded():
            row = records.begun(
                context=cluster.name,
                place=storage.url,
                by=BY,
                namespaces=wanted.namespaces,
                labels=wanted.labels,
            )
        try:
            made = asyncio.run(_made(cluster, storage, wanted))
        except BaseException as error:
            if row is not None:
                with self._recorded():
                    records.failed(
                        row, error.message if isinstance(error, ClusterError) else "It was interrupted."
                    )
            raise
        if row is not None:
            with self._recorded():
                records.described(row, made.url, made.summary)
                records.ended(row)
        said = _json(made) if options["format"] == "json" else "\n".join(_words(made))
        self.stdout.write(said)

    def _list(self, options: dict[str, Any]) -> None:
        found = _storage(options).archives()
        known = self._known(found)
        if options["format"] == "json":
            self.stdout.write(
                json.dumps({"archives": [_listed(each, known.get(each.url)) for each in found]})
            )
            return
        now = datetime.now(UTC)
        for each in found:
            row = known.get(each.url)
            age = human_duration((now - each.at).total_seconds())
            said = [age, format_bytes(each.size_bytes), "encrypted" if each.encrypted else "not encrypted"]
            said += [plural(row.objects_count, "object"), _state(row)] if row is not None else []
            self.stdout.write("\t".join([each.url, *said]))
        if not found:
            self.stderr.write("No backups found.")

    def _verify(self, options: dict[str, Any]) -> None:
        identities = read_identities(options["identity"])
        results: list[dict[str, Any]] = []
        for asked in options["archive"]:
            url = asked if "/" in asked else _storage(options).url_of(asked)
            summary, error = None, None
            try:
                with open_archive(url) as file:
                    summary = verify(file, identities)
            except ArchiveError as raised:
                error = raised
            if not isinstance(error, WrongKey):
                with self._recorded():
                    records.checked(url, damaged=error.message if error is not None else "")
            results.append(_checked(url, summary, error))
            if options["format"] == "text":
                self.stdout.write("\t".join([url, results[-1]["text"]]))
        if options["format"] == "json":
            self.stdout.write(json.dumps({"archives": results}))
        if not all(each["whole"] for each in results):
            raise SystemExit(DAMAGED)

    def _restore(self, options: dict[str, Any]) -> None:
        cluster = asyncio.run(_cluster(options["context"]))
        to = "" if "/" in options["archive"] else _storage(options).url
        archive = backup_restore.archive_of(options["archive"], to, cluster.slug)
        try:
            outcome = asyncio.run(backup_restore.run(options["task"], cluster, archive, options, self.stderr))
        except ArchiveError as error:
            raise CommandError(f"{error.title}: {error.message} {error.next_step}".strip()) from None
        for line in outcome.told(options["format"]):
            self.stdout.write(line)
        if not outcome.well:
            raise SystemExit(FAILED)

    _drill = _restore

    def _prune(self, options: dict[str, Any]) -> None:
        storage, rules = _storage(options), read_rules(options["keep"])
        found = storage.archives()
        known = self._known(found)
        decided = decide(
            found,
            rules,
            damaged={row.name for row in known.values() if row.damaged},
            incomplete={row.name for row in known.values() if row.missing},
        )
        deleted: dict[str, set[str]] = defaultdict(set)  # by the slug of their context
        for each in decided:
            if not each.goes or options["dry_run"]:
                continue
            with suppress(NotFound):  # somebody else was faster
                storage.delete(each.archive.name)
            row = known.get(each.archive.url)
            if row is None or row.snapshots:
                deleted[each.archive.slug].add(each.archive.name)
            with self._recorded():
                records.gone(
                    url=each.archive.url,
                    context=row.context if row else each.archive.slug,
                    by=BY,
                    why=f"Kept are {', '.join(f'{name}={count}' for name, count in rules.items())}.",
                )
        snapshots = self._snapshots_deleted(deleted)
        if options["format"] == "json":
            said = [
                {"archive": each.archive.url, "kept": not each.goes, "why": list(each.reasons)}
                for each in decided
            ]
            self.stdout.write(
                json.dumps({"dry_run": options["dry_run"], "archives": said, "snapshots_deleted": snapshots})
            )
            return
        gone = "would be deleted" if options["dry_run"] else "deleted"
        for each in decided:
            self.stdout.write(
                "\t".join([each.archive.url, gone if each.goes else f"kept: {', '.join(each.reasons)}"])
            )
        if snapshots:
            self.stdout.write(f"Deleted {plural(snapshots, 'VolumeSnapshot')} taken with them.")

    def _snapshots_deleted(self, archives: Mapping[str, Collection[str]]) -> int:
        """The VolumeSnapshots of deleted archives, by the slug of their context, go as well; how many did. The archives
        are gone in any case: what can't be deleted is said.
        """
        count = 0
        for slug, names in archives.items():
            try:
                count += asyncio.run(_snapshots_deleted(slug, names))
            except ClusterError as error:
                self.stderr.write(
                    f"VolumeSnapshots taken with backups of {slug} were not deleted: {error.message} "
                    f"{error.next_step}".rstrip()
                )
        return count

    def _known(self, archives: list[Stored]) -> dict[str, Backup]:
        known: dict[str, Backup] = {}
        with self._recorded():
            known = records.known([each.url for each in archives])
        return known

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """The archives are what counts: without the dashboard's database they are made and read all the same."""
        try:
            yield
        except DatabaseError as error:
            self.stderr.write(
                f"Not recorded: the dashboard's own database does not answer ({type(error).__name__})."
            )


def _repeatable(parser: argparse.ArgumentParser, option: str, value: str, words: str) -> None:
    parser.add_argument(option, action="append", default=[], metavar=value, help=f"{words}; repeatable")


def _storage(options: dict[str, Any]) -> Storage:
    if not options["to"]:
        raise BadInput(
            "No storage for backups was given.",
            next_step="Give --to, or set CLUSTER_UI_BACKUP_TO.",
            field="to",
        )
    return Storage(options["to"])


async def _cluster(context: str) -> Cluster:
    with suppress(DatabaseError):  # without the database there are only those of the configuration
        await runtime.refresh()
    clusters = runtime.clusters()
    found = next((each for each in clusters if not context or context in (each.name, each.slug)), None)
    if found is None:
        raise NotFound(f"No context is called {context}." if context else "No cluster is configured.")
    return found


async def _snapshots_deleted(slug: str, archives: Collection[str]) -> int:
    transport = Transport(await _cluster(slug), user_agent=USER_AGENT)
    try:
        return await snapshots_delete(transport, archives)
    finally:
        await transport.close()


async def _made(cluster: Cluster, storage: Storage, wanted: BackupRequest) -> Made:
    transport = Transport(cluster, user_agent=USER_AGENT)
    try:
        return await backup_create(transport=transport, storage=storage, wanted=wanted, progress=_progress)
    finally:
        await transport.close()


def _progress(kind: str, objects: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{objects} objects, reading {kind}")
        sys.stderr.flush()


def _json(made: Made) -> str:
    manifest, header = made.manifest, made.summary.header
    said = {
        "archive": made.url,
        "context": header.cluster.context,
        "at": header.at,
        "objects": manifest.objects,
        "size_bytes": made.summary.size_bytes,
        "sha256": made.summary.sha256,
        "encrypted": made.summary.encrypted,
        "secrets": header.secrets,
        "complete": not manifest.incomplete,
        "kinds": {each.key: each.objects for each in manifest.kinds if each.objects},
        "left_out": manifest.left_out,
        "claims": manifest.claims,
    }
    return msgspec.json.encode(said).decode()


def _words(made: Made) -> Iterator[str]:
    manifest, summary = made.manifest, made.summary
    kinds = sum(1 for each in manifest.kinds if each.objects)
    yield f"{made.url}"
    yield (
        f"{plural(manifest.objects, 'object')} of {plural(kinds, 'kind')}, {format_bytes(summary.size_bytes)}, "
        f"{'encrypted' if summary.encrypted else 'not encrypted'}; read back and verified."
    )
    for each in manifest.incomplete:
        yield f"MISSING {each.what}: {each.why}"
    for each in manifest.left_out:
        if not each.wanted:
            yield f"Not in it: {each.what}{f' ({each.objects})' if each.objects else ''}: {each.why}"
    uncovered: dict[str, list[str]] = defaultdict(list)
    for claim in manifest.claims:
        if claim.snapshot is None or not claim.snapshot.ready:
            uncovered[claim.why].append(f"{claim.namespace}/{claim.name}")
    for why, names in uncovered.items():
        yield f"Without a snapshot: {plural(len(names), 'claim')} ({listed(names)}): {why}"


def _listed(archive: Stored, row: Backup | None) -> dict[str, Any]:
    return {
        "archive": archive.url,
        "name": archive.name,
        "context": row.context if row else archive.slug,
        "scope": archive.scope,
        "at": f"{archive.at:%Y-%m-%dT%H:%M:%SZ}",
        "size_bytes": archive.size_bytes,
        "encrypted": archive.encrypted,
        "objects": row.objects_count if row else None,
        "state": _state(row) if row else "",
        "verified_at": f"{row.verified_at:%Y-%m-%dT%H:%M:%SZ}" if row and row.verified_at else None,
    }


def _state(row: Backup) -> str:
    return "damaged" if row.damaged else row.state


def _checked(url: str, summary: Summary | None, error: ArchiveError | None) -> dict[str, Any]:
    if summary is None:
        assert error is not None  # noqa: S101 one of them is there
        return {
            "archive": url,
            "whole": False,
            "text": f"{error.title}: {error.message} {error.next_step}".strip(),
        }
    manifest = summary.manifest
    said = f"Whole: {plural(manifest.objects, 'object')}"
    if manifest.incomplete:
        said += f"; missing: {', '.join(each.what for each in manifest.incomplete)}"
    return {
        "archive": url,
        "whole": True,
        "text": f"{said}.",
        "objects": manifest.objects,
        "complete": not manifest.incomplete,
        "sha256": summary.sha256,
        "at": summary.header.at,
        "context": summary.header.cluster.context,
    }
