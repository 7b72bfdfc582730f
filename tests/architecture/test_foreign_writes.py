"""Only the owning app writes its tables: found by reading the code, statement by statement."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("access", "exceptions", "masterdata", "inventory", "pricing", "channels", "sources", "monitoring")
WRITES = {
    "create", "bulk_create", "update", "bulk_update", "delete", "get_or_create", "update_or_create",
    "aget_or_create", "abulk_create", "acreate", "aupdate", "adelete",
}  # fmt: skip
SQL_WRITE = re.compile(
    rf"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|COPY)\s+({'|'.join(APPS)})_\w+", re.IGNORECASE
)


def foreign_writes(source: str, app: str) -> Iterator[str]:
    """Each place in `source`, a module of `app`, that writes a table of another app."""
    tree = ast.parse(source)
    foreign = {
        name.asname or name.name: node.module.split(".")[1]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and re.match(r"apps\.\w+\.models", node.module)
        for name in node.names
        if node.module.split(".")[1] != app
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            root = _root(node.func)
            if root in foreign:
                yield f"line {node.lineno}: {root}….{node.func.attr}() writes a table of {foreign[root]}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for match in SQL_WRITE.finditer(node.value):
                if match[1].lower() != app:
                    yield f"line {node.lineno}: {match[0]!r}"


def _root(node: ast.expr) -> str | None:
    while True:
        if isinstance(node, ast.Attribute):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            return node.id if isinstance(node, ast.Name) else None


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / "apps").rglob("*.py")):
        app = path.relative_to(ROOT / "apps").parts[0]
        if "migrations" not in path.parts and app != "lib":
            yield app, path


def test_only_the_owning_app_writes_its_tables() -> None:
    found = [
        f"{path.relative_to(ROOT)} {place}"
        for app, path in modules()
        for place in foreign_writes(path.read_text(), app)
    ]
    assert found == []


def test_a_foreign_write_would_be_found() -> None:
    planted = "from apps.inventory.models import StockPosition\nStockPosition.objects.filter(pk=1).update(on_hand=0)\n"
    assert len(list(foreign_writes(planted, "channels"))) == 1
    assert list(foreign_writes(planted, "inventory")) == []
    assert len(list(foreign_writes('SQL = "UPDATE pricing_priceentry SET amount = 0"', "channels"))) == 1
