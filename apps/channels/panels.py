"""What the record page shows about a blocked publication."""

from typing import Any

import orjson

from apps.channels.models import Publication, PublicationAttempt


def panel(origin_id: int) -> dict[str, Any]:
    """The publication as it stands, and what the channel last said to it."""
    publication = Publication.objects.select_related("listing__item", "channel__system").filter(pk=origin_id).first()
    if publication is None:
        return {"title": "A publication that is no more", "raw": "", "canonical": None, "lineage_url": ""}
    attempt = PublicationAttempt.objects.filter(publication=publication).order_by("-fence").first()
    listing = publication.listing
    code = publication.channel.system.code
    named = listing.external_id if listing else publication.subject
    return {
        "title": f"{publication.get_kind_display()} of {named} on {code}",
        "raw": _said(attempt),
        "canonical": {
            "channel": code,
            "listing": listing.external_id if listing else "",
            "sku": listing.item.sku if listing else "",
            "kind": publication.kind,
            "desired": publication.desired,
            "desired_version": publication.desired_version,
            "acknowledged": publication.acked,
            "acknowledged_version": publication.acked_version,
            "observed": publication.observed,
            "last_error": publication.last_error,
            "trace": publication.trace,
        },
        "lineage_url": f"/console/channels/{code}/publications/{publication.pk}/",
    }


def _said(attempt: PublicationAttempt | None) -> str:
    if attempt is None:
        return "Nothing was sent yet."
    sent = orjson.dumps(attempt.value).decode()
    status = attempt.http_status or "-"
    return f"Sent {sent} (version {attempt.version}): {attempt.outcome}, HTTP {status}\n{attempt.detail}"
