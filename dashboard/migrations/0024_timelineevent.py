from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0023_happening_notable")]

    operations = [migrations.RenameModel(old_name="Happening", new_name="TimelineEvent")]
