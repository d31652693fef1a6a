"""Takes the entries that are there into a chain, numbered without gaps, and has the database keep it so."""

from typing import Any

import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from dashboard.audit.chain import GENESIS, canonical, digest, signer
from dashboard.audit.guards import guards_put, guards_take

SLICE = 1000


def chain(apps: Any, schema_editor: Any) -> None:
    entries = apps.get_model("dashboard", "AuditEntry").objects.order_by("pk")
    keys, number, last, seen = settings.CLUSTER_UI_AUDIT_KEYS, 0, GENESIS, 0
    while rows := list(entries.filter(pk__gt=seen)[:SLICE]):
        changes = []
        for row in rows:
            number, previous, seen = number + 1, last, row.pk
            last = digest(canonical(number, previous, vars(row)), signer(keys), keys)
            changes.append((number, previous, signer(keys), last, seen))
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE dashboard_auditentry SET id = %s, previous = %s, key = %s, hash = %s WHERE id = %s",
                changes,
            )


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0027_configmap_versions"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("through", models.BigIntegerField(unique=True)),
                ("hash", models.CharField(max_length=64)),
                ("entries", models.BigIntegerField()),
                ("key", models.CharField(blank=True, max_length=8)),
                ("seal", models.CharField(max_length=64)),
            ],
        ),
        migrations.AddField(
            "auditentry", "address", models.CharField(blank=True, max_length=64, default=""), False
        ),
        migrations.AddField(
            "auditentry", "sign_in", models.CharField(blank=True, max_length=20, default=""), False
        ),
        migrations.AddField(
            "auditentry", "session", models.CharField(blank=True, max_length=16, default=""), False
        ),
        migrations.AddField("auditentry", "keys", models.JSONField(default=list)),
        migrations.AddField("auditentry", "previous", models.CharField(max_length=64, default=""), False),
        migrations.AddField(
            "auditentry", "key", models.CharField(blank=True, max_length=8, default=""), False
        ),
        migrations.AddField("auditentry", "hash", models.CharField(max_length=64, default=""), False),
        migrations.RunPython(chain, migrations.RunPython.noop),
        migrations.RunPython(guards_put, guards_take),
    ]
