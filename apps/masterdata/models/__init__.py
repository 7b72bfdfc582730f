"""The canonical catalog and other slow master data, one noun a file."""

from apps.masterdata.models.accounts import Account, AccountIdentifier, AccountLicence, ShipTo
from apps.masterdata.models.items import Identifier, Item, ItemComponent, ItemDirty, ItemUnit
from apps.masterdata.models.references import Authority, CrossReference, FieldDifference, System
from apps.masterdata.models.units import Unit, UnitConversion
from apps.masterdata.models.warehouses import Branch, Calendar, Company, Warehouse

__all__ = [
    "Account",
    "AccountIdentifier",
    "AccountLicence",
    "Authority",
    "Branch",
    "Calendar",
    "Company",
    "CrossReference",
    "FieldDifference",
    "Identifier",
    "Item",
    "ItemComponent",
    "ItemDirty",
    "ItemUnit",
    "ShipTo",
    "System",
    "Unit",
    "UnitConversion",
    "Warehouse",
]
