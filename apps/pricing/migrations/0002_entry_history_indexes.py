from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("pricing", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="priceentry",
            index=models.Index(
                fields=["item", "book"], name="entry_past_item", condition=Q(superseded_at__isnull=False)
            ),
        ),
        migrations.AddIndex(
            model_name="priceentry",
            index=models.Index(
                fields=["book", "family", "category"], name="entry_wide", condition=Q(item__isnull=True)
            ),
        ),
    ]
