"""Setting a channel up: checked whole, stored as a draft that is planned but never sent, then taken live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from apps.access.audit import record as audit
from apps.channels import listings
from apps.channels.connectors import Access, InvalidSettings, connector_of, open_connector
from apps.channels.credentials import seal
from apps.channels.models import Channel, ChannelWarehouse
from apps.lib.clock import Now
from apps.lib.errors import FieldError, Problem
from apps.lib.money import is_currency
from apps.lib.nudges import nudge
from apps.masterdata.models import Warehouse
from apps.masterdata.systems import ensure_system


@dataclass(frozen=True, slots=True)
class Draft:
    """A channel as it is asked for; `warehouses` are (our code, the channel's location or "")."""

    code: str
    name: str
    connector: str
    grade: str
    settings: Mapping[str, object]
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    currency: str = ""
    publishes_prices: bool = True
    warehouses: Sequence[tuple[str, str]] = ()
    policy: Mapping[str, Decimal | None] = field(default_factory=dict)
    limits: Mapping[str, int | Decimal] = field(default_factory=dict)


def create_draft(draft: Draft, *, by: str) -> Channel:
    """Store the draft, or refuse with every field that is wrong (Problem 400), or 409 where the code is taken."""
    errors = _errors(draft)
    known = dict(Warehouse.objects.filter(code__in=[code for code, _ in draft.warehouses]).values_list("code", "pk"))
    errors += [
        FieldError("invalid", f"No warehouse has the code {code!r}.", f"/warehouses/{index}/warehouse")
        for index, (code, _) in enumerate(draft.warehouses)
        if code not in known
    ]
    if errors:
        raise Problem(400, "invalid", errors[0].detail, errors)
    with transaction.atomic():
        system_id = ensure_system(draft.code, draft.name)
        if Channel.objects.filter(pk=system_id).exists():
            raise Problem(409, "invalid", f"A channel {draft.code!r} exists; choose another code or change that one.")
        channel = Channel.objects.create(
            system_id=system_id,
            connector=draft.connector,
            grade=draft.grade,
            settings=dict(draft.settings),
            credentials=seal(draft.credentials),
            currency=draft.currency,
            publishes_prices=draft.publishes_prices,
            **draft.policy,
            **draft.limits,
        )
        ChannelWarehouse.objects.bulk_create(
            [
                ChannelWarehouse(channel=channel, warehouse_id=known[code], location=location)
                for code, location in dict(draft.warehouses).items()
            ]
        )
        audit(by, "channels.created", f"channel:{draft.code}")
    return channel


def go_live(channel_id: int, *, by: str) -> None:
    """Begin to send what is planned; Problem where the channel is no draft, or its settings or credentials fail."""
    channel = Channel.objects.select_related("system").get(pk=channel_id)
    code = channel.system.code
    try:
        check = connector_of(channel).check()
    except InvalidSettings as error:
        raise Problem(400, "invalid", f"{code} cannot go live: {error}") from error
    if not check.ok:
        raise Problem(409, "invalid", f"{code} cannot go live: {check.detail}")
    with transaction.atomic():
        changed = Channel.objects.filter(pk=channel_id, state=Channel.State.DRAFT).update(
            state=Channel.State.LIVE, updated_at=Now()
        )
        if not changed:
            raise Problem(409, "expired", f"{code} is no draft any more; reload the page to see how it stands.")
        listings.mark_channel(channel_id)
        audit(by, "channels.live", f"channel:{code}", before="draft")
        nudge("publish")


def _errors(draft: Draft) -> list[FieldError]:
    errors = []
    if draft.currency and not is_currency(draft.currency):
        errors.append(FieldError("invalid", f"{draft.currency!r} is no ISO 4217 currency.", "/currency"))
    if draft.publishes_prices and not draft.currency:
        errors.append(FieldError("invalid", "A channel that shows prices needs a currency.", "/currency"))
    access = Access(draft.code, draft.settings, draft.credentials, tuple(settings.ALLOW_PRIVATE_NETWORKS))
    try:
        open_connector(access, draft.connector)
    except InvalidSettings as error:
        errors += [FieldError("invalid", what, _pointer(where)) for where, what in error.errors]
    return errors


def _pointer(where: str) -> str:
    return "/connector" if where == "connector" else f"/settings{where}"
