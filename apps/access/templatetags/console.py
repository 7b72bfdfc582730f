"""How the console words instants, values and addresses: short on the page, exact on hover."""

import json
from datetime import UTC, datetime
from typing import Any

from django import template
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.access.people import person_may

register = template.Library()

_SPANS = ((86_400 * 365, "y"), (86_400 * 30, "mo"), (86_400, "d"), (3_600, "h"), (60, "min"))


def span(seconds: float) -> str:
    """One rough number: 45 s, 6 min, 4 h, 3 d."""
    whole = int(abs(seconds))
    for size, word in _SPANS:
        if whole >= size:
            return f"{whole // size} {word}"
    return f"{whole} s"


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """6 min ago, with the exact instant in the person's zone on hover; in 6 min for what is to come."""
    if at is None:
        return "never"
    seconds = (datetime.now(UTC) - at).total_seconds()
    return _time(at, f"{span(seconds)} ago" if seconds >= 0 else f"in {span(seconds)}")


@register.filter
def age(at: datetime | None) -> SafeString | str:
    """6 min: for a column whose head already says that it looks back."""
    return "–" if at is None else _time(at, span((datetime.now(UTC) - at).total_seconds()))


@register.filter
def sla(due_at: datetime | None) -> SafeString | str:
    """4 h left, or 2 h late."""
    if due_at is None:
        return "–"
    left = (due_at - datetime.now(UTC)).total_seconds()
    return _time(due_at, f"{span(left)} left" if left >= 0 else f"{span(left)} late")


@register.filter
def is_past(at: datetime | None) -> bool:
    return at is not None and at < datetime.now(UTC)


@register.filter
def exact(at: datetime | None) -> SafeString | str:
    """The instant in full, for a page that is about it."""
    return "–" if at is None else _time(at, f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}")


@register.filter
def lookup(mapping: dict[Any, Any], key: Any) -> Any:
    return mapping.get(key)


@register.filter
def shown(value: Any) -> str:
    """A published value as people say it: 36, 12.37 USD."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)  # jsonb comes as text from a query of our own
    if not isinstance(value, dict):
        return "–" if value is None else str(value)
    if "quantity" in value:
        return str(value["quantity"])
    if "amount" in value:
        return f"{value['amount']} {value.get('currency', '')}".strip()
    return ", ".join(f"{key} {part}" for key, part in value.items())


@register.filter
def took(attempt: Any) -> str:
    """How long something with a start and an end took: 84 ms, 2.1 s."""
    milliseconds = round((attempt.finished_at - attempt.started_at).total_seconds() * 1000)
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds // 100 / 10} s"


@register.filter
def percent(score: float) -> str:
    """0.94 → 94 %."""
    return f"{round(score * 100)} %"


@register.simple_tag(takes_context=True)
def may(context: template.RequestContext, capability: str) -> bool:
    """Whether the signed-in person holds a capability; what is hidden here is refused by the view as well."""
    request: HttpRequest = context["request"]
    return person_may(request.user, capability)


@register.simple_tag(takes_context=True)
def query(context: template.RequestContext, **changes: Any) -> str:
    """This page's query with some parameters changed; an empty value takes a parameter out."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            parameters.pop(name, None)
        else:
            parameters[name] = str(value)
    return f"?{parameters.urlencode()}"


def _time(at: datetime, text: str) -> SafeString:
    title = f"{timezone.localtime(at):%a %-d %b %Y, %H:%M:%S %Z}"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), title, text)
