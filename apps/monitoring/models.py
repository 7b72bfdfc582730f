"""What watches the rest: the last run of every loop."""

from django.db import models

from apps.lib.clock import Now


class LoopRun(models.Model):
    """The newest run of each loop, for readiness and the overview."""

    name = models.CharField(max_length=60, primary_key=True)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    runner = models.CharField(max_length=100, blank=True, default="")
    error = models.TextField(blank=True, default="")

    def __str__(self) -> str:
        return self.name


class InvariantCheck(models.Model):
    """One run of the invariants: what it found broken, empty when all held."""

    at = models.DateTimeField(db_default=Now(), db_index=True)
    breaches = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {len(self.breaches)} broken"
