"""The catalogue of reasons: what each means, whose it is, what the operator does, and which fixes mend it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

ORIGINS: Final[dict[str, str]] = {
    "inbox": "apps.sources.processing.retry",
    "publication": "apps.channels.blocked.retry",
    "position": "apps.inventory.shortfalls.retry",
}
PANELS: Final[dict[str, str]] = {
    "inbox": "apps.sources.panels.panel",
    "publication": "apps.channels.panels.panel",
}
# How long a cause of each severity may stay open.
SLA: Final[dict[str, timedelta]] = {
    "critical": timedelta(hours=1),
    "high": timedelta(hours=4),
    "medium": timedelta(days=1),
    "low": timedelta(days=3),
}
TEAMS: Final = ("erp", "e-commerce", "middleware", "warehouse", "pricing")


@dataclass(frozen=True, slots=True)
class Reason:
    """`sentence` is a template over value, field, entity, from, by, and what a block adds in its context."""

    code: str
    title: str
    team: str
    severity: str
    sentence: str
    what_to_do: str
    fixes: tuple[str, ...] = ()
    impact: str = ""
    # True where an arrival (a warehouse, a rate …) mends it without a person.
    heals: bool = False


_MAP = "apps.masterdata.fixes.Map"
_CREATE = "apps.masterdata.fixes.Create"
_IGNORE = "apps.masterdata.fixes.Ignore"
_CONVERSION = "apps.masterdata.fixes.Conversion"
_EDIT = "apps.sources.fixes.Edit"
_DISCARD = "apps.sources.fixes.Discard"
_RETRY = "apps.channels.fixes.Retry"
_COUNT_STOCK = "apps.inventory.fixes.CountStock"
_ACCEPT_STOCK = "apps.inventory.fixes.AcceptStock"
_APPROVE_COUNT = "apps.inventory.fixes.ApproveCount"
_REJECT_COUNT = "apps.inventory.fixes.RejectCount"

_MAP_IT = "Map the code to one of ours, create what is missing, or ignore this code of this source with a reason."


def _unknown(code: str, title: str, what: str, team: str, severity: str = "high") -> Reason:
    sentence = f"{{by}}{what} code {{value!r}} is not mapped to any of our {_PLURALS[what]}"
    return Reason(code, title, team, severity, sentence, _MAP_IT, (_MAP, _CREATE, _IGNORE), heals=True)


_PLURALS: Final = {
    "item": "items",
    "warehouse": "warehouses",
    "account": "accounts",
    "branch": "branches",
    "price book": "price books",
}

_CATALOGUE: Final = (
    _unknown("UNKNOWN_ITEM", "Unknown item", "item", "erp"),
    _unknown("UNKNOWN_WAREHOUSE", "Unknown warehouse", "warehouse", "warehouse"),
    _unknown("UNKNOWN_ACCOUNT", "Unknown account", "account", "erp"),
    Reason(
        "UNKNOWN_UNIT",
        "Unknown unit",
        "erp",
        "high",
        "{by}unit {value!r} is not one of our units of measure",
        "Map the code to one of our units, create the unit, add the conversion, or ignore the code with a reason.",
        (_MAP, _CREATE, _CONVERSION, _IGNORE),
        heals=True,
    ),
    _unknown("UNKNOWN_BRANCH", "Unknown branch", "branch", "erp", "medium"),
    _unknown("UNKNOWN_PRICE_BOOK", "Unknown price book", "price book", "pricing"),
    Reason(
        "UNKNOWN_TAX_CLASS",
        "Unknown tax class",
        "pricing",
        "medium",
        "{by}tax class {value!r} is not one of ours",
        "Add a cross reference from this code to one of our tax classes.",
        heals=True,
    ),
    Reason(
        "UNKNOWN_LOT",
        "Unknown lot",
        "warehouse",
        "medium",
        "{by}lot {value!r} is not known for its item",
        "Ask the source to send the lot (lot.upserted), or correct the lot number there.",
        heals=True,
    ),
    Reason(
        "UNKNOWN_CHANNEL",
        "Unknown channel",
        "e-commerce",
        "high",
        "{by}channel code {value!r} is not one of our channels",
        "Set the channel up under this code, or correct the code at the source.",
        heals=True,
    ),
    Reason(
        "UNKNOWN_ORDER",
        "Unknown order",
        "erp",
        "medium",
        "{by}order {value!r} has not been received",
        "Wait for the order, or ask the source to send it again.",
        heals=True,
    ),
    Reason(
        "INVALID_CONVERSION",
        "No usable unit conversion",
        "erp",
        "high",
        "{from}items have no exact, single conversion {value}",
        "Give the conversion as a whole numerator and denominator, for one item or for all.",
        (_CONVERSION,),
        heals=True,
    ),
    Reason(
        "FRACTION_NOT_ALLOWED",
        "Fraction of a whole unit",
        "warehouse",
        "medium",
        "{from}a fraction was sent in unit {value!r}, which counts whole pieces only",
        "Correct the quantity or the unit at the source, or allow decimals for the unit, and replay.",
    ),
    Reason(
        "NOT_A_WHOLE_PACK",
        "Not a whole pack",
        "e-commerce",
        "medium",
        "{from}quantity {value} is not a whole number of packs",
        "Order whole packs, or change the item's order multiple.",
    ),
    Reason(
        "INVALID_IDENTIFIER",
        "Wrong check digit",
        "erp",
        "medium",
        "{by}identifier {value!r} fails its check digit",
        "Correct the identifier at the source, or edit it here.",
        (_EDIT,),
    ),
    Reason(
        "DUPLICATE_IDENTIFIER",
        "Identifier of two items",
        "erp",
        "medium",
        "{by}identifier {value!r} already belongs to another item",
        "Decide which item it belongs to, remove it from the other, and replay.",
        heals=True,
    ),
    Reason(
        "SCHEMA_VIOLATION",
        "Message breaks its schema",
        "middleware",
        "high",
        "{from}{entity} messages break a rule at {field}: {value}",
        "Have the sender or its mapping corrected, or edit the waiting messages.",
        (_EDIT, _DISCARD),
    ),
    Reason(
        "SCHEMA_CHANGED",
        "Feed changed its shape",
        "middleware",
        "high",
        "{from}the feed changed at {field}: {value}",
        "Check the source's new format and update its mapping.",
    ),
    Reason(
        "PAYLOAD_CONFLICT",
        "Same event id, other content",
        "middleware",
        "high",
        "{from}event id {value!r} came again with other content; the first one counts",
        "Ask the sender why an id was used twice; a correction needs an id of its own.",
    ),
    Reason(
        "SEQUENCE_GAP",
        "Gap in the sequence",
        "middleware",
        "high",
        "{from}events are missing: {value}",
        "Ask the source to send the missing numbers again.",
        heals=True,
    ),
    Reason(
        "POISON_MESSAGE",
        "Message cannot be processed",
        "middleware",
        "critical",
        "{from}{value} messages failed five times and were set aside",
        "Read the error, have it mended, then replay; or discard the message with a reason.",
        (_DISCARD,),
    ),
    Reason(
        "NOT_AUTHORITATIVE",
        "Not the owner of this field",
        "erp",
        "low",
        "{by}sends {field}, which another source owns",
        "Nothing is wrong with the owner's value. Change the authority, or stop the second sender.",
    ),
    Reason(
        "MOVEMENT_NOT_APPLIED",
        "Movement kept as evidence",
        "warehouse",
        "low",
        "{from}movements of {value} do not count: another source moves this stock",
        "Check which source moves the warehouse's stock.",
    ),
    Reason(
        "EXPIRED_CONTRACT",
        "Contract expired",
        "pricing",
        "high",
        "contract {value!r} has expired and still prices items nobody else prices",
        "Extend or replace the contract, or let its prices fall through.",
        heals=True,
    ),
    Reason(
        "PRICE_AMBIGUOUS",
        "Two prices of the same rank",
        "pricing",
        "high",
        "two prices of the same rank compete for {value}",
        "Choose the book that wins, or end one of the prices.",
        heals=True,
    ),
    Reason(
        "PRICE_CONFLICT",
        "Price would swallow a later one",
        "pricing",
        "medium",
        "{from}a price for {value} would swallow one that starts later",
        "Send the price with an end date, or end the later one first, and replay.",
    ),
    Reason(
        "PRICE_BELOW_FLOOR",
        "Price below floor",
        "pricing",
        "high",
        "the price of {value} is below its floor",
        "Approve or reject the price.",
    ),
    Reason(
        "PRICE_SPIKE",
        "Price changed too much",
        "pricing",
        "high",
        "{from}the price of {value} changed by more than its book allows; the old one stays",
        "Approve or reject the new price.",
    ),
    Reason(
        "MISSING_PRICE",
        "No price",
        "pricing",
        "high",
        "{from}{value} has no price",
        "Add a price, or end the listing.",
        heals=True,
    ),
    Reason(
        "MISSING_RATE",
        "No exchange rate",
        "pricing",
        "high",
        "{from}there is no exchange rate {value}",
        "Send the rate for this date.",
        heals=True,
    ),
    Reason(
        "ORDER_PRICE_MISMATCH",
        "Order price differs",
        "e-commerce",
        "medium",
        "{from}orders carry a price for {value} that we did not quote",
        "Compare the order's price with the quoted one and correct whichever is wrong.",
    ),
    Reason(
        "NEGATIVE_STOCK",
        "Stock below zero",
        "warehouse",
        "high",
        "{from}on hand is below zero at warehouse {value!r}",
        "Count the positions, or find the receipt that has not arrived.",
        (_COUNT_STOCK, _ACCEPT_STOCK),
        heals=True,
    ),
    Reason(
        "OVERCOMMITTED",
        "Promised more than there is",
        "warehouse",
        "critical",
        "{from}warehouse {value!r} has promised more than it can deliver",
        "Move stock, bring supply forward, or release promises.",
        heals=True,
    ),
    Reason(
        "OVERDUE_SUPPLY",
        "Supply is overdue",
        "warehouse",
        "medium",
        "{from}expected receipt {value!r} is past its date and no longer counted",
        "Ask the supplier for a new date, or close the receipt.",
        heals=True,
    ),
    Reason(
        "LATE_PICK",
        "Pick after the promise ended",
        "warehouse",
        "medium",
        "{from}stock for {value} was picked after its reservation had expired",
        "Check whether the order is still wanted.",
    ),
    Reason(
        "POOL_UNDERWATER",
        "Pool larger than the stock",
        "e-commerce",
        "medium",
        "{from}the pools of {value} are larger than the stock behind them",
        "Lower a pool or bring stock in.",
        heals=True,
    ),
    Reason(
        "MASS_CHANGE_HELD",
        "Unusual mass change held",
        "warehouse",
        "critical",
        "{from}a count was held because it would change too much: {value}",
        "Check the feed, then approve or reject it.",
        (_APPROVE_COUNT, _REJECT_COUNT),
    ),
    Reason(
        "STOCK_DRIFT",
        "Count and ledger disagree",
        "warehouse",
        "medium",
        "{from}the count and the ledger disagree at {value}",
        "Count again, or accept the count.",
        heals=True,
    ),
    Reason(
        "STALE_SOURCE",
        "Source is silent",
        "middleware",
        "high",
        "{from}the source has been silent for longer than it may",
        "Check the connection to the source.",
        heals=True,
    ),
    Reason(
        "RESTRICTED",
        "Restricted item",
        "e-commerce",
        "medium",
        "{from}{value} may not be sold here",
        "Remove the listing, or change the restriction.",
        heals=True,
    ),
    Reason(
        "ACCOUNT_ON_HOLD",
        "Account on hold",
        "erp",
        "medium",
        "{by}account {value!r} is on hold",
        "Ask credit control to release the account.",
        heals=True,
    ),
    Reason(
        "MISSING_LISTING",
        "No listing",
        "e-commerce",
        "medium",
        "{from}{value} is not listed on the channel",
        "Create the listing, or ignore the code.",
        heals=True,
    ),
    Reason(
        "CHANNEL_REJECTED",
        "Channel refused the update",
        "e-commerce",
        "high",
        "{from}updates are refused: {value}",
        "Correct the listing or the channel's settings, then retry.",
        (_RETRY,),
        heals=True,
    ),
    Reason(
        "PUSH_NOT_APPLIED",
        "Accepted but not shown",
        "e-commerce",
        "high",
        "{by}accepted values for {value} that it does not show",
        "Look at the channel; send the value again or accept what it shows.",
        (_RETRY,),
        heals=True,
    ),
    Reason(
        "CHANNEL_DRIFT",
        "Channel shows another value",
        "e-commerce",
        "medium",
        "{by}shows other values than we last sent for {value}",
        "Correct the channel, or accept its value.",
        (_RETRY,),
        heals=True,
    ),
    Reason(
        "CREDENTIALS_REJECTED",
        "Credentials refused",
        "e-commerce",
        "critical",
        "{by}refuses our credentials",
        "Enter new credentials for the channel.",
        heals=True,
    ),
)

REASONS: Final[dict[str, Reason]] = {reason.code: reason for reason in _CATALOGUE}


def reason_of(code: str) -> Reason:
    """The catalogue's entry; a code that is not in it is a bug and a KeyError."""
    return REASONS[code]


class _Known(dict[str, str]):
    """A block need not say everything a template might mention."""

    def __missing__(self, key: str) -> str:
        return ""


def sentence_for(
    reason: Reason, *, entity: str, field: str, value: str, source: str, channel: str, context: Mapping[str, str]
) -> str:
    """What a business user reads: who says it, which value, and what is wrong with it."""
    words = _Known(context)
    sender = source or channel
    words.update(
        {
            "entity": entity.replace("_", " "),
            "field": field or "the message itself",
            "value": value,
            "source": source,
            "channel": channel,
            "from": f"{sender}: " if sender else "",
            "by": f"{sender} " if sender else "",
        }
    )
    text = reason.sentence.format_map(words)
    return (text[:1].upper() + text[1:] if not sender else text)[:1000]
