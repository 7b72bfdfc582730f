import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sources", "0004_stock_documents")]

    operations = [
        migrations.AlterField(
            model_name="rawmessage",
            name="message",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="raw",
                serialize=False,
                to="sources.inboxmessage",
            ),
        ),
    ]
