"""Correcting and discarding events through the queue, and what the record page shows of them."""

from __future__ import annotations

import json

import pytest

from apps.exceptions import triage
from apps.exceptions.models import BlockedRecord, Cause
from apps.exceptions.preview import preview
from apps.lib.errors import Problem
from apps.sources import processing
from apps.sources.fixes import Discard, Edit
from apps.sources.models import InboxMessage, RawMessage
from apps.sources.panels import panel
from tests.sources.conftest import CATALOG, event, moved, on_hand, send, states
from tests.sources.test_processing import broken, make_due, shipment

pytestmark = pytest.mark.django_db


def replay(cause: Cause) -> None:
    triage.request_replay(cause.pk, by="somebody")
    processing.drain()


def test_an_edit_corrects_every_message_of_the_cause_and_keeps_what_was_received() -> None:
    send(*CATALOG, moved("m1", "recipt", "5"), moved("m2", "recipt", "7"))
    cause = Cause.objects.get()
    before = bytes(RawMessage.objects.get(message__event_id="m1").body)
    assert Edit().apply(cause, {"kind": "receipt"}, "ann").summary == "Corrected kind in 2 messages."
    replay(cause)
    assert (states()["m1"], states()["m2"], on_hand()) == ("processed", "processed", "W1 12")
    raw = RawMessage.objects.get(message__event_id="m1")
    assert bytes(raw.body) == before
    assert json.loads(bytes(raw.corrected or b""))["data"]["kind"] == "receipt"
    assert raw.corrected_by == "ann"
    assert Cause.objects.get().state == "resolved"


def test_an_edit_of_a_line_and_of_an_unknown_field() -> None:
    send(
        *CATALOG,
        moved("m1", "receipt", "20"),
        shipment(
            "s1",
            {"line": "10", "sku": "AB-1", "quantity": "1", "uom": "EA"},
            {"line": "20", "sku": "AB-1", "quantity": "-2", "uom": "EA"},
            {"line": "30", "sku": "AB-1", "quantity": "3", "uom": "EA", "note": "x"},
        ),
    )
    assert on_hand() == "W1 19"
    signs, unknown = (Cause.objects.get(value=value) for value in ("pattern", "unknown field note"))
    Edit().apply(signs, {"quantity": "2"}, "ann")
    Edit().apply(unknown, {"note": None}, "ann")
    replay(signs)
    assert (on_hand(), states()["s1"]) == ("W1 14", "processed")
    assert not BlockedRecord.objects.filter(state__in=["open", "replaying"]).exists()


def test_an_edit_by_pointer_and_one_that_names_no_place() -> None:
    send(*CATALOG, moved("m1", "recipt", "5"))
    cause = Cause.objects.get()
    with pytest.raises(Problem, match="is no place in this message"):
        Edit().apply(cause, {"/lines/7/kind": "receipt"}, "ann")
    with pytest.raises(Problem, match="Name what to correct"):
        Edit().apply(cause, {}, "ann")
    Edit().apply(cause, {"/kind": "receipt"}, "ann")
    replay(cause)
    assert on_hand() == "W1 5"


def test_a_wrong_check_digit_is_corrected_by_its_value() -> None:
    identifiers = [{"scheme": "gtin", "value": "4006381333932", "uom": "EA"}]
    send(*CATALOG[:3])
    data = {"sku": "AB-1", "name": "Bolt", "base_uom": "EA", "identifiers": identifiers}
    send(event("i9", type="item.upserted", data=data))
    cause = Cause.objects.get()
    assert cause.reason == "INVALID_IDENTIFIER"
    Edit().apply(cause, {"value": "4006381333931"}, "ann")
    replay(cause)
    assert states()["i9"] == "processed"


def test_a_preview_of_an_edit_says_what_clears_and_keeps_nothing() -> None:
    send(*CATALOG, moved("m1", "recipt", "5"), moved("m2", "recipt", "0.5"))
    cause = Cause.objects.get()
    seen = preview(cause.pk, "edit", {"kind": "receipt"}, by="ann")
    assert (seen.clears, [(one.reason, one.count) for one in seen.still_blocked]) == (1, [("FRACTION_NOT_ALLOWED", 1)])
    assert (states()["m1"], on_hand()) == ("blocked", "")
    assert RawMessage.objects.get(message__event_id="m1").corrected is None


def test_a_discarded_message_ends_ignored_and_its_bytes_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.sources.handlers import stock

    with monkeypatch.context() as bug:
        bug.setattr(stock, "movements", broken)
        send(moved("bad", "receipt", "4"))
        for _ in range(4):
            make_due()
            processing.drain()
    cause = Cause.objects.get()
    assert cause.reason == "POISON_MESSAGE"
    assert Discard().apply(cause, {}, "ann").outcome == "ignore"
    processing.drain()
    assert (states()["bad"], BlockedRecord.objects.get().state) == ("ignored", "ignored")
    assert RawMessage.objects.count() == 1
    assert on_hand() == ""


def test_the_panel_shows_the_bytes_and_the_canonical_form() -> None:
    send(moved("m1", "receipt", "5", sequence="7", subject="AB-1"))
    message = InboxMessage.objects.get()
    shown = panel(message.pk)
    assert shown["title"] == "stock.moved m1 of erp"
    assert json.loads(shown["raw"])["id"] == "m1"
    assert (shown["canonical"]["sequence"], shown["canonical"]["data"]["quantity"]) == (7, "5")
    assert shown["lineage_url"] == "/api/v1/lineage/erp/m1"
    assert panel(0)["canonical"] is None
