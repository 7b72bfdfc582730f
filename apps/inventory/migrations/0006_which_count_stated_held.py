import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0005_availability_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="stockposition",
            name="held_counted_by",
            field=models.ForeignKey(
                db_index=False,
                help_text="The last count that stated held: later facts that it contains change held by nothing.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="inventory.stockcount",
            ),
        ),
    ]
