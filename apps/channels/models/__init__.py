"""Channels, what they should show, and what they were told, one noun a file."""

from apps.channels.models.channels import Channel, ChannelWarehouse, Listing
from apps.channels.models.publications import (
    ListingDirty,
    PlannedInput,
    Publication,
    PublicationAttempt,
)

__all__ = [
    "Channel",
    "ChannelWarehouse",
    "Listing",
    "ListingDirty",
    "PlannedInput",
    "Publication",
    "PublicationAttempt",
]
