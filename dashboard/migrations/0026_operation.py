from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def _generalise(apps: Any, schema_editor: Any) -> None:
    """A rotation is an operation whose steps are restarts; one that is under way goes on."""
    for operation in apps.get_model("dashboard", "Operation").objects.iterator():
        for step in operation.steps:
            step["do"], step["title"] = "restart", f"Restart {step['kind']} {step['name']}"
            for key, absent in (("since", ""), ("up", True), ("variable", False), ("confirmed", "")):
                step.setdefault(key, absent)  # of before these were kept
            step["state"] = "running" if step["state"] == "restarting" else step["state"]
            step["stamp"] = "" if step["state"] == "waiting" else step["stamp"]
        if operation.state == "restarting":
            operation.state = "running"
        operation.save(update_fields=["steps", "state"])


def _specialise(apps: Any, schema_editor: Any) -> None:
    for operation in apps.get_model("dashboard", "Operation").objects.iterator():
        for step in operation.steps:
            step.pop("do"), step.pop("title")
            step["state"] = "restarting" if step["state"] == "running" else step["state"]
        if operation.state == "running":
            operation.state = "restarting"
        operation.save(update_fields=["steps", "state"])


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0025_reason"),
    ]

    operations = [
        migrations.RenameModel("Rotation", "Operation"),
        migrations.AlterField(
            "operation",
            "change",
            models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="operation",
                to="dashboard.change",
            ),
        ),
        migrations.AlterField(
            "operation",
            "state",
            models.CharField(
                choices=[
                    ("running", "Running"),
                    ("done", "Done"),
                    ("stopped", "Stopped"),
                    ("replaced", "Replaced"),
                ],
                db_index=True,
                default="running",
                max_length=10,
            ),
        ),
        migrations.AddField(
            "operation", "waits", models.TextField(blank=True, default=""), preserve_default=False
        ),
        migrations.CreateModel(
            name="OperationResult",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("plural", models.CharField(max_length=300)),
                ("kind", models.CharField(max_length=100)),
                ("namespace", models.CharField(blank=True, max_length=253)),
                ("name", models.CharField(max_length=253)),
                ("state", models.CharField(default="waiting", max_length=10)),
                ("text", models.TextField(blank=True)),
                ("data", models.JSONField(default=dict)),
                ("began_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "operation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="results",
                        to="dashboard.operation",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["operation", "state", "position"], name="result_state")],
                "constraints": [
                    models.UniqueConstraint(fields=("operation", "position"), name="one_result_a_position")
                ],
            },
        ),
        migrations.RunPython(_generalise, _specialise),
    ]
