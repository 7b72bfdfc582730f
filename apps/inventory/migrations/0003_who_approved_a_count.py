from django.db import migrations, models

from apps.lib.clock import Now


class Migration(migrations.Migration):

    dependencies = [
        ("inventory", "0002_what_a_count_contains"),
    ]

    operations = [
        migrations.AddField(
            model_name="stockcount",
            name="approved_by",
            field=models.CharField(
                blank=True, default="", help_text="Who let a held count through.", max_length=200
            ),
        ),
        migrations.AddField(
            model_name="stockcountpart",
            name="recorded_at",
            field=models.DateTimeField(db_default=Now(), help_text="When its inbox message was received."),
        ),
    ]
