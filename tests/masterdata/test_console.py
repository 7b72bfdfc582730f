"""Master data in the console: who may do what, and imports with a preview through the real pages."""

import re
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.access.models import User
from apps.masterdata.models import (
    Account,
    Authority,
    CrossReference,
    FieldDifference,
    Item,
    ItemDirty,
    ItemUnit,
    ShipTo,
    System,
    Unit,
    UnitConversion,
    Warehouse,
)

pytestmark = pytest.mark.django_db
MODELS = (
    "account",
    "authority",
    "branch",
    "calendar",
    "company",
    "crossreference",
    "fielddifference",
    "identifier",
    "item",
    "itemunit",
    "shipto",
    "system",
    "unit",
    "unitconversion",
    "warehouse",
)
SHEETS = {
    "unit": "code,name,decimals\nBX,Box,0\n",
    "branch": "code,name,company,timezone,currency\nB1,North,ACME,Europe/London,GBP\n",
    "warehouse": "code,name,kind,sellable,timezone,cutoff\nW1,One,own,true,Europe/London,16:30\n",
    "account": "code,name,status,groups,currency\nC1,Customer,active,G1;G2,EUR\n",
    "item": "sku,name,base_uom,family\nNUT,Nut,EA,F1\n",
    "itemunit": "sku,uom,numerator,denominator\nBOLT,CS,24,1\n",
    "identifier": "sku,scheme,value,uom\nBOLT,gtin,4006381333931,CS\n",
    "shipto": "account,code,name,country\nC0,S1,Dock,DE\n",
    "crossreference": "system,kind,code,target\nerp,item,4711,BOLT\n",
}


def signed_in(role: str) -> Client:
    person = User.objects.create(username=role, is_staff=True)
    person.groups.add(Group.objects.get_or_create(name=role)[0])
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def console() -> Client:
    return signed_in("administrator")


@pytest.fixture
def bolt() -> Item:
    each = Unit.objects.create(code="EA", name="Each")
    Unit.objects.create(code="CS", name="Case")
    System.objects.create(code="erp", name="ERP")
    Account.objects.create(code="C0", name="Zero")
    return Item.objects.create(sku="BOLT", name="Bolt", base_unit=each)


def upload(console: Client, model: str, content: str | bytes, name: str = "rows.csv", kind: str = "0") -> Any:
    body = content.encode() if isinstance(content, str) else content
    return console.post(
        f"/console/masterdata/{model}/import/",
        {"import_file": SimpleUploadedFile(name, body), "format": kind, "resource": "0"},
    )


def confirm(console: Client, model: str, preview: Any) -> Any:
    form = preview.context["confirm_form"]
    return console.post(f"/console/masterdata/{model}/process_import/", form.initial, follow=True)


@pytest.mark.parametrize("model", MODELS)
def test_every_list_opens_for_a_viewer_who_may_change_nothing(model: str, bolt: Item) -> None:
    viewer = signed_in("viewer")
    assert viewer.get(f"/console/masterdata/{model}/").status_code == 200
    assert viewer.get(f"/console/masterdata/{model}/?q=x").status_code == 200
    assert viewer.get(f"/console/masterdata/{model}/add/").status_code == 403
    if model in SHEETS:
        assert viewer.get(f"/console/masterdata/{model}/import/").status_code == 403
        assert upload(viewer, model, SHEETS[model]).status_code == 403
        assert viewer.get(f"/console/masterdata/{model}/export/").status_code == 200


@pytest.mark.parametrize("model", sorted(SHEETS))
def test_a_sheet_is_previewed_and_then_imported(model: str, bolt: Item, console: Client) -> None:
    from django.apps import apps

    rows = apps.get_model("masterdata", model).objects
    before = rows.count()
    preview = upload(console, model, SHEETS[model])
    assert preview.status_code == 200
    assert "confirm_form" in preview.context, preview.context["result"].invalid_rows
    assert (
        preview.context["result"].totals["new" if model not in ("itemunit", "identifier", "shipto") else "update"] == 1
    )
    assert rows.count() == before
    assert confirm(console, model, preview).status_code == 200
    assert rows.count() == before + 1
    again = upload(console, model, SHEETS[model])
    assert again.context["result"].totals["skip"] == 1


def test_the_preview_shows_old_and_new_and_escapes_them(bolt: Item, console: Client) -> None:
    preview = upload(console, "item", "sku,name\nBOLT,<script>alert(1)</script>\n")
    page = preview.content.decode()
    assert re.search(r"<del[^>]*>Bolt</del><ins[^>]*>&lt;script&gt;", page)
    assert "<script>alert(1)</script>" not in page


@pytest.mark.parametrize(
    ("model", "sheet", "column", "said"),
    [
        ("item", "sku,name,base_uom\nX,Ex,NO\n", "base_uom", "NO"),
        ("item", "sku,name\nX,Ex\n", "base_uom", "needs base_uom"),
        ("item", "sku,status\nBOLT,gone\n", "status", "gone"),
        ("item", "sku,base_uom\nBOLT,CS\n", "base_uom", "counted in EA"),
        ("item", "sku,lot_tracked\nBOLT,maybe\n", "lot_tracked", "true or false"),
        ("itemunit", "sku,uom,numerator\nBOLT,CS,0\n", "uom", "positive"),
        ("itemunit", "sku,uom,numerator\nBOLT,CS,1.5\n", "numerator", "whole number"),
        ("itemunit", "sku,uom,numerator\nNOBODY,CS,1\n", "sku", "no item"),
        ("identifier", "sku,scheme,value\nBOLT,gtin,4006381333930\n", "sku", "check digit"),
        ("warehouse", "code,name,timezone\nW,W,Mars/North\n", "timezone", "IANA"),
        ("account", "code,name,parent\nA,A,NOBODY\n", "code", "NOBODY"),
        ("shipto", "account,code\nNOBODY,S\n", "account", "no account"),
        ("crossreference", "system,kind,code,target\nerp,item,1,NOBODY\n", "system", "NOBODY"),
        ("crossreference", "system,kind,code,target\nnowhere,item,1,BOLT\n", "system", "no system"),
        ("unit", "code,name,decimals\nU,U,9\n", "decimals", "0 to 6"),
    ],
)
def test_a_wrong_row_names_row_field_value_and_nothing_is_imported(
    model: str, sheet: str, column: str, said: str, bolt: Item, console: Client
) -> None:
    preview = upload(console, model, sheet)
    assert preview.status_code == 200
    assert "confirm_form" not in preview.context
    (row,) = preview.context["result"].invalid_rows
    assert row.number == 1
    messages = {name: " ".join(texts) for name, texts in row.error_dict.items()}
    assert said in " ".join(messages.values()), messages
    assert Item.objects.count() == 1
    assert not ItemUnit.objects.exists()
    assert not CrossReference.objects.exists()


def test_one_wrong_row_stops_the_whole_file(bolt: Item, console: Client) -> None:
    preview = upload(console, "item", "sku,name,base_uom\nGOOD,Good,EA\nBAD,Bad,NO\n")
    assert "confirm_form" not in preview.context
    assert [row.number for row in preview.context["result"].invalid_rows] == [2]
    assert Item.objects.count() == 1


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ("sku,nmae\nBOLT,x\n", "Did you mean name?"),
        ("name\nBolt\n", "The column sku is missing"),
        ("sku,name\n" + "".join(f"S{n},n\n" for n in range(5001)), "import_feed"),
    ],
)
def test_a_file_that_cannot_be_one_is_refused_as_a_whole(sheet: str, said: str, bolt: Item, console: Client) -> None:
    preview = upload(console, "item", sheet)
    assert said in preview.content.decode()
    assert "confirm_form" not in preview.context
    assert Item.objects.count() == 1


def test_a_workbook_is_imported_too(bolt: Item, console: Client) -> None:
    book = openpyxl.Workbook()
    book.active.append(["sku", "uom", "numerator", "order_minimum"])
    book.active.append(["BOLT", "CS", 24, 2.5])
    file = BytesIO()
    book.save(file)
    preview = upload(console, "itemunit", file.getvalue(), "rows.xlsx", "1")
    assert confirm(console, "itemunit", preview).status_code == 200
    line = ItemUnit.objects.get()
    assert (line.numerator, str(line.order_minimum)) == (24, "2.500000")


@pytest.mark.parametrize("kind", ["0", "1"])
def test_an_export_holds_no_formula(kind: str, bolt: Item, console: Client) -> None:
    Item.objects.filter(sku="BOLT").update(name='=HYPERLINK("http://x","y")', brand="@x")
    fields = {f"itemresource_{name}": "on" for name in ("sku", "name", "brand")}
    answer = console.post("/console/masterdata/item/export/", {"format": kind, "resource": "0", **fields})
    assert answer.status_code == 200
    if kind == "0":
        cells = answer.content.decode()
        assert "'=HYPERLINK" in cells
    else:
        sheet = openpyxl.load_workbook(BytesIO(answer.content)).active
        cells = " ".join(str(cell.value) for row in sheet.iter_rows() for cell in row)
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert "'@x" in cells


def test_an_items_page_shows_what_others_say_and_locks_what_a_system_owns(bolt: Item, console: Client) -> None:
    erp = System.objects.get(code="erp")
    Authority.objects.create(entity="item", group="content", system=erp)
    FieldDifference.objects.create(entity="item", code="BOLT", field="brand", system=erp, theirs="Acme", ours="")
    page = console.get(f"/console/masterdata/item/{bolt.pk}/change/")
    assert page.status_code == 200
    assert "erp says brand is" in page.content.decode()
    readonly = page.context["adminform"].readonly_fields
    assert {"brand", "base_unit", "sku"} <= set(readonly)
    assert "name" not in readonly


def test_nothing_with_history_is_deleted(bolt: Item, console: Client) -> None:
    assert console.post(f"/console/masterdata/item/{bolt.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Item.objects.filter(pk=bolt.pk).exists()


def test_a_cross_reference_typed_by_hand_needs_a_target_that_exists(bolt: Item, console: Client) -> None:
    erp = System.objects.get(code="erp")
    fields = {"system": erp.pk, "kind": "item", "code": "4711", "target": "NOBODY", "reason": ""}
    answer = console.post("/console/masterdata/crossreference/add/", fields)
    assert answer.status_code == 200
    assert not CrossReference.objects.exists()
    assert console.post("/console/masterdata/crossreference/add/", {**fields, "target": "BOLT"}).status_code == 302
    row = CrossReference.objects.get()
    assert (row.target, row.origin, row.created_by) == ("BOLT", "person", "administrator")


def test_rows_are_searched_by_what_people_type(bolt: Item, console: Client) -> None:
    Warehouse.objects.create(code="DC-9", name="Nine")
    ShipTo.objects.create(account=Account.objects.get(), code="DOCK")
    for model, term, found in (("item", "bol", "BOLT"), ("warehouse", "nine", "DC-9"), ("account", "DOCK", "C0")):
        page = console.get(f"/console/masterdata/{model}/?q={term}")
        assert [str(row) for row in page.context["cl"].result_list] == [found]


def test_an_edited_item_or_conversion_is_marked_to_be_planned_again(console: Client) -> None:
    each, box = Unit.objects.create(code="EA", name="Each"), Unit.objects.create(code="BX", name="Box")
    bolt = Item.objects.create(sku="BOLT", name="Bolt", base_unit=each)
    form = {"name": "Bolts", "kind": "stock", "status": "active", "attributes": "{}", "hazard_class": ""}
    for lines in ("units", "identifiers", "components"):
        form |= {f"{lines}-TOTAL_FORMS": "0", f"{lines}-INITIAL_FORMS": "0"}
    page = f"/console/masterdata/item/{bolt.pk}/change/"
    assert console.post(page, form).status_code == 302
    assert not ItemDirty.objects.exists()
    assert console.post(page, {**form, "status": "retired"}).status_code == 302
    assert ItemDirty.objects.get().generation == 1
    conversion = {"unit": box.pk, "to_unit": each.pk, "numerator": 6, "denominator": 1}
    assert console.post("/console/masterdata/unitconversion/add/", conversion).status_code == 302
    assert ItemDirty.objects.get().generation == 2
    gone = f"/console/masterdata/unitconversion/{UnitConversion.objects.get().pk}/delete/"
    assert console.post(gone, {"post": "yes"}).status_code == 302
    assert ItemDirty.objects.get().generation == 3
