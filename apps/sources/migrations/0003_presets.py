"""The shipped sources and mappings exist from the start, also on an empty installation."""

from django.db import migrations

from apps.sources.presets import install


def install_presets(apps, schema_editor):
    install(
        apps.get_model("masterdata", "System"),
        apps.get_model("sources", "Source"),
        apps.get_model("sources", "Mapping"),
    )


class Migration(migrations.Migration):
    dependencies = [("sources", "0002_mapping_tables_and_prelude")]

    operations = [migrations.RunPython(install_presets, migrations.RunPython.noop)]
