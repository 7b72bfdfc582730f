"""The console's sidebar: what a person's role may open, and how many causes wait."""

import logging
from dataclasses import dataclass
from typing import Any, Final

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from apps.access.people import person_may
from apps.exceptions.models import Cause

BADGE_KEPT_S: Final = 15
BADGE_KEY: Final = "console:open-causes"


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    icon: str
    url_name: str
    capability: str
    badge: str = ""


GROUPS: Final[tuple[tuple[str, tuple[Entry, ...]], ...]] = (
    (
        "Operate",
        (
            Entry("Overview", "dashboard", "index", "kpis:read"),
            Entry("Triage", "inbox", "triage", "exceptions:read", badge="sync_console.navigation.open_causes"),
            Entry("Lineage", "conversion_path", "lineage", "lineage:read"),
            Entry("Channels", "storefront", "channels", "channels:read"),
        ),
    ),
    (
        "Catalog",
        (
            Entry("Items", "category", "masterdata_item_changelist", "masterdata:read"),
            Entry("Units", "straighten", "masterdata_unit_changelist", "masterdata:read"),
            Entry("Warehouses", "warehouse", "masterdata_warehouse_changelist", "masterdata:read"),
            Entry("Accounts", "groups", "masterdata_account_changelist", "masterdata:read"),
            Entry("Branches", "account_tree", "masterdata_branch_changelist", "masterdata:read"),
            Entry("Cross references", "swap_horiz", "masterdata_crossreference_changelist", "masterdata:read"),
            Entry("Differences", "difference", "masterdata_fielddifference_changelist", "masterdata:read"),
        ),
    ),
    (
        "Prices",
        (
            Entry("Price books", "menu_book", "pricing_pricebook_changelist", "prices:read"),
            Entry("Prices", "sell", "pricing_priceentry_changelist", "prices:read"),
        ),
    ),
    (
        "Stock",
        (
            Entry("Positions", "inventory_2", "inventory_stockposition_changelist", "availability:read"),
            Entry("Movements", "receipt_long", "inventory_stockmovement_changelist", "availability:read"),
            Entry("Counts", "fact_check", "inventory_stockcount_changelist", "availability:read"),
            Entry("Stocking rules", "rule", "inventory_stockingrule_changelist", "availability:read"),
        ),
    ),
    (
        "Configure",
        (
            Entry("Sources", "input", "sources_source_changelist", "events:read"),
            Entry("Mappings", "schema", "sources_mapping_changelist", "events:read"),
            Entry("Inbox", "mail", "sources_inboxmessage_changelist", "events:read"),
            Entry("Refused messages", "block", "sources_rejectedmessage_changelist", "events:read"),
            Entry("Channel settings", "tune", "channels_channel_changelist", "channels:write"),
            Entry("Listings", "list_alt", "channels_listing_changelist", "channels:read"),
            Entry("Users", "person", "access_user_changelist", "access:write"),
            Entry("API clients", "key", "access_apiclient_changelist", "access:write"),
            Entry("Audit trail", "history", "access_auditevent_changelist", "access:write"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups as the shell wants them; an entry without a page, or beyond the person's role, is left out."""
    groups: list[dict[str, Any]] = []
    for title, entries in GROUPS:
        items = [item for entry in entries if (item := _item(request, entry)) is not None]
        if items:
            groups.append({"title": title, "separator": bool(groups), "items": items})
    return groups


def open_causes(request: HttpRequest) -> str:
    """How many causes wait, for the badge; a few seconds old, and absent rather than an error without a cache."""
    try:
        number = cache.get(BADGE_KEY)
        if number is None:
            number = _count()
            cache.set(BADGE_KEY, number, BADGE_KEPT_S)
    except OSError:
        number = _count()
    except Exception:  # the cache's client has errors of its own, and a badge is worth none of them
        logging.getLogger(__name__).warning("badge_without_cache", exc_info=True)
        number = _count()
    return f"{number:,}"


def _count() -> int:
    return Cause.objects.filter(state__in=Cause.LIVE).exclude(state=Cause.State.SNOOZED).count()


def _item(request: HttpRequest, entry: Entry) -> dict[str, Any] | None:
    if not person_may(request.user, entry.capability):
        return None
    try:
        link = reverse(f"admin:{entry.url_name}")
    except NoReverseMatch:
        return None
    item: dict[str, Any] = {"title": entry.title, "icon": entry.icon, "link": link}
    if entry.badge:
        item |= {"badge": entry.badge, "badge_variant": "danger"}
    if entry.url_name == "triage":
        item["active"] = request.path.startswith((link, "/console/causes/", "/console/records/"))
    if entry.url_name == "channels":
        item["active"] = request.path == link or "/publications/" in request.path
    return item
