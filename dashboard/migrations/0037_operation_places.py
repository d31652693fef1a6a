from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0036_backup"),
    ]

    operations = [
        *(
            migrations.AddField(
                model_name="operation",
                name=name,
                field=models.CharField(blank=True, max_length=64, null=True),
            )
            for name in ("sole", "place")
        ),
        *(
            migrations.AddConstraint(
                model_name="operation",
                constraint=models.UniqueConstraint(
                    condition=models.Q(("state", "running")), fields=(name,), name=f"one_{name}_under_way"
                ),
            )
            for name in ("sole", "place")
        ),
    ]
