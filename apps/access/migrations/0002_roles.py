"""The roles exist as groups from the first migration on, and the teams that own causes."""

from django.db import migrations

ROLES = (
    "viewer",
    "triager",
    "team lead",
    "pricing author",
    "pricing approver",
    "channel admin",
    "administrator",
)
TEAMS = {
    "erp": "ERP",
    "e-commerce": "E-commerce",
    "middleware": "Middleware",
    "warehouse": "Warehouse",
    "pricing": "Pricing",
}


def create(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Team = apps.get_model("access", "Team")
    for role in ROLES:
        Group.objects.get_or_create(name=role)
    for code, name in TEAMS.items():
        Team.objects.get_or_create(code=code, defaults={"name": name})


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
