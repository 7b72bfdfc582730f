"""Mappings that ship with the product: one JSON file a source, installed once and then the user's to change."""

from pathlib import Path
from typing import Any, Final

import orjson

FOLDER: Final = Path(__file__).parent


def presets() -> dict[str, dict[str, Any]]:
    """Source code → {source, mappings}, as shipped."""
    return {path.stem: orjson.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}


def install(system_model: Any, source_model: Any, mapping_model: Any) -> None:
    """Create each shipped source and mapping that does not exist yet; what people changed stays as it is.

    Takes the models, so that a migration can pass its historical ones.
    """
    for preset in presets().values():
        named = preset["source"]
        system, _ = system_model.objects.get_or_create(code=named["code"], defaults={"name": named["name"]})
        source, _ = source_model.objects.get_or_create(system=system, defaults={"kind": named["kind"]})
        for mapping in preset["mappings"]:
            mapping_model.objects.get_or_create(
                source=source,
                name=mapping["name"],
                is_current=True,
                defaults={**mapping, "created_by": "shipped with the product"},
            )
