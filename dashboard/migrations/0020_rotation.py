import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("dashboard", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Rotation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("restarting", "Restarting"),
                            ("done", "Done"),
                            ("stopped", "Stopped"),
                            ("replaced", "Replaced"),
                        ],
                        db_index=True,
                        default="restarting",
                        max_length=10,
                    ),
                ),
                ("steps", models.JSONField(default=list)),
                ("version", models.PositiveIntegerField(default=0)),
                ("holder", models.CharField(blank=True, max_length=64)),
                ("held_until", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "change",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rotation",
                        to="dashboard.change",
                    ),
                ),
            ],
        ),
    ]
