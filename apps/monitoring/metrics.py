"""What /metrics says: gauges of the whole, read from PostgreSQL at each scrape; any web process answers alike."""

from collections.abc import Iterable

from django.db import connection
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from apps.monitoring.loops import ages_s

# Rows that keep growing are not counted here: only what is unfinished, through its partial index.
_UNFINISHED = """
SELECT count(*), coalesce(extract(epoch FROM sync_now() - min(received_at)), 0)
FROM sources_inboxmessage WHERE state = 'pending'
"""
_CAUSES = """
SELECT count(*), coalesce(sum(open_records), 0) FROM exceptions_cause WHERE state NOT IN ('resolved', 'dismissed')
"""
_DUE = """
SELECT y.code, count(*), extract(epoch FROM sync_now() - min(p.desired_at))
FROM channels_publication p JOIN masterdata_system y ON y.id = p.channel_id
WHERE (p.desired_version > p.acked_version OR p.must_verify) AND p.blocked_at IS NULL
GROUP BY y.code
"""


class State(Collector):
    """The unfinished work, by kind."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with connection.cursor() as cursor:
            cursor.execute(_UNFINISHED)
            pending, oldest_s = cursor.fetchone() or (0, 0)
            cursor.execute(_CAUSES)
            causes, records = cursor.fetchone() or (0, 0)
            cursor.execute(_DUE)
            due = cursor.fetchall()
        yield _labelled("inbox_messages", "Messages of the inbox that wait", "state", [("pending", pending)])
        yield GaugeMetricFamily("sync_console_inbox_oldest_seconds", "Age of the oldest one", value=oldest_s)
        yield GaugeMetricFamily("sync_console_open_causes", "Causes in the exception queue", value=causes)
        yield GaugeMetricFamily("sync_console_open_records", "Records they block", value=records)
        yield _labelled("publications_due", "Publications not yet acknowledged", "channel", [row[:2] for row in due])
        yield _labelled(
            "publications_oldest_seconds", "Age of the oldest", "channel", [(row[0], row[2]) for row in due]
        )
        yield _labelled("loop_age_seconds", "Since the loop last began", "loop", sorted(ages_s().items()))


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text; no authentication: put it behind the network, as /readyz."""
    registry = CollectorRegistry()
    registry.register(State())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def _labelled(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"sync_console_{name}", text, labels=[label])
    for of, value in values:
        family.add_metric([of], float(value))
    return family
