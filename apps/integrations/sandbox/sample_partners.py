"""Who and where the sample distributor is: units, branches, warehouses, accounts and price books, as events' data."""

from typing import Any, Final

from apps.integrations.sandbox.sample_chance import chance

Data = dict[str, Any]

UNITS: Final[tuple[Data, ...]] = (
    {"code": "EA", "name": "Each", "decimals": 0},
    {"code": "BOX", "name": "Box", "decimals": 0},
    {"code": "CASE", "name": "Case", "decimals": 0},
    {"code": "PALLET", "name": "Pallet", "decimals": 0},
    {"code": "M", "name": "Metre", "decimals": 3},
)
BRANCHES: Final[tuple[Data, ...]] = (
    {"code": "BR-CENTRAL", "name": "Central", "region": "US-MW", "timezone": "America/Chicago", "currency": "USD"},
    {"code": "BR-WEST", "name": "West", "region": "US-W", "timezone": "America/Los_Angeles", "currency": "USD"},
    {"code": "BR-EU", "name": "Europe", "region": "EU", "timezone": "Europe/Amsterdam", "currency": "EUR"},
)
# code, name, weekdays (0 = Monday), holidays
CALENDARS: Final = (
    ("US", "United States, Monday to Friday", (0, 1, 2, 3, 4), ("2026-12-25", "2027-01-01", "2027-07-05")),
    ("US-6", "United States, Monday to Saturday", (0, 1, 2, 3, 4, 5), ("2026-12-25", "2027-01-01")),
    ("NL", "Netherlands, Monday to Friday", (0, 1, 2, 3, 4), ("2026-12-25", "2027-01-01", "2027-04-27")),
)
WAREHOUSES: Final[tuple[Data, ...]] = (
    {"code": "DC-1", "name": "Chicago distribution centre", "branch": "BR-CENTRAL", "country": "US", "region": "IL",
     "timezone": "America/Chicago", "calendar": "US-6", "cutoff": "17:00"},
    {"code": "DC-2", "name": "Reno distribution centre", "branch": "BR-WEST", "country": "US", "region": "NV",
     "timezone": "America/Los_Angeles", "calendar": "US", "cutoff": "15:30"},
    {"code": "DC-3", "name": "Venlo distribution centre", "branch": "BR-EU", "country": "NL", "region": "LI",
     "timezone": "Europe/Amsterdam", "calendar": "NL", "cutoff": "16:00"},
)  # fmt: skip
BOOKS: Final[tuple[Data, ...]] = (
    {"code": "LIST-USD", "name": "List price USD", "level": "list", "currency": "USD", "timezone": "America/Chicago"},
    {"code": "LIST-EUR", "name": "List price EUR", "level": "list", "currency": "EUR", "timezone": "Europe/Amsterdam"},
    {"code": "SHOP-WEB", "name": "Web shop", "level": "channel", "channel": "SHOP", "currency": "USD",
     "timezone": "America/Chicago"},
    {"code": "MARKET-EU", "name": "Marketplace Europe", "level": "channel", "channel": "MARKET", "currency": "EUR",
     "timezone": "Europe/Amsterdam"},
    {"code": "FEED-PARTNER", "name": "Partner feed", "level": "channel", "channel": "FEED", "currency": "USD",
     "timezone": "America/Chicago"},
    {"code": "LIST-WEST", "name": "West branch", "level": "branch", "branch": "BR-WEST", "currency": "USD",
     "timezone": "America/Los_Angeles"},
)  # fmt: skip

ACCOUNTS: Final = 60
_PLACES: Final = (
    ("Lakeshore", "IL", "US"), ("Ironwood", "MI", "US"), ("Prairie", "IA", "US"), ("Riverbend", "OH", "US"),
    ("Cascade", "WA", "US"), ("Sierra", "CA", "US"), ("Desert Sun", "AZ", "US"), ("Harbor", "OR", "US"),
    ("Delta", "ZH", "NL"), ("Noordzee", "NH", "NL"), ("Rheintal", "NW", "DE"), ("Ardennes", "WLX", "BE"),
)  # fmt: skip
_TRADES: Final = ("Machine Works", "Packaging", "Food Processing", "Plant Maintenance", "Foundry", "Fleet Service",
                  "Water Utility", "Building Services", "Aerospace Parts", "Paper Mill")  # fmt: skip
_TYPES: Final = ("OEM", "MRO", "CONTRACTOR", "RESELLER", "PUBLIC")


def accounts() -> list[Data]:
    """Sixty customers with one to three ship-tos; some on hold, some closed."""
    made = []
    for number in range(ACCOUNTS):
        luck = chance(f"account {number}")
        place, region, country = _PLACES[number % len(_PLACES)]
        trade = _TRADES[(number * 7 + number // len(_PLACES)) % len(_TRADES)]
        branch = "BR-EU" if country != "US" else ("BR-WEST" if region in ("WA", "CA", "AZ", "OR") else "BR-CENTRAL")
        kind = luck.choice(_TYPES)
        code = f"C-{10_001 + number}"
        made.append(
            {
                "code": code,
                "name": f"{place} {trade}",
                "status": "on_hold" if number % 19 == 7 else "closed" if number % 29 == 11 else "active",
                "groups": [kind, "KEY"] if number % 6 == 0 else [kind],
                "type": kind,
                "branch": branch,
                "currency": "EUR" if branch == "BR-EU" else "USD",
                "tax_exempt": kind == "PUBLIC",
                "ship_tos": [
                    {"code": f"{code}-{site + 1}", "name": f"{place} {trade}, site {site + 1}", "branch": branch,
                     "country": country, "region": region}
                    for site in range(luck.randint(1, 3))
                ],
            }
        )  # fmt: skip
    return made
