"""The OpenAPI document: valid without a warning, and honest about who may call and how calls are refused."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    file: Path = tmp_path_factory.mktemp("openapi") / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file), stderr=StringIO())
    loaded: Document = yaml.safe_load(file.read_text())
    return loaded


def operations(document: Document) -> dict[str, Document]:
    return {each["operationId"]: each for path in document["paths"].values() for each in path.values()}


def test_callers_are_keys_or_the_consoles_session(document: Document) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer", "bearerFormat": "prefix.secret"}
    assert schemes["session"] == {"type": "apiKey", "in": "cookie", "name": "sessionid"}
    assert all({"bearer": []} in each["security"] for each in operations(document).values())


def test_every_operation_says_how_it_is_refused(document: Document) -> None:
    for name, operation in operations(document).items():
        answers = operation["responses"]
        assert {"400", "401", "403", "429", "default"} <= set(answers), name
        refused = [answer for status, answer in answers.items() if not status.startswith(("2", "3"))]
        content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        assert all(answer["content"] == content for answer in refused), name
        assert any(status.startswith("2") for status in answers), name
    assert {"409", "413", "415", "422", "404"} <= set(operations(document)["exceptions_resolve"]["responses"])


def test_codes_and_decimals_are_strings_with_their_rules(document: Document) -> None:
    line = document["components"]["schemas"]["LineRequestRequest"]["properties"]
    assert (line["sku"]["type"], line["sku"]["maxLength"]) == ("string", 100)
    text, number = line["quantity"]["oneOf"]
    assert text["pattern"] == r"^-?[0-9]{1,14}(\.[0-9]{1,6})?$"
    assert number == {"type": "integer"}


def test_a_sku_is_asked_for_by_path_or_by_query(document: Document) -> None:
    asked = {
        name: {(p["in"], p["name"]) for p in each.get("parameters", ())} for name, each in operations(document).items()
    }
    for by_path, by_query in (("availability", "availability_by_query"), ("price", "price_by_query")):
        assert ("path", "sku") in asked[by_path]
        assert ("query", "sku") not in asked[by_path]
        assert ("query", "sku") in asked[by_query]
