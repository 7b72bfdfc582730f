"""Contract §8: causes, records, preview, resolution, replay, and the way of an event to each channel."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.world import Api, Json, World, problem, until


def blocked_movements(world: World, number: int = 3, code: str = "DC-X") -> tuple[str, str, list[Json], Json]:
    """Movements that wait for one unknown warehouse: (sku, our warehouse, events, cause)."""
    sku, warehouse = world.found()
    events = [world.move(sku, world.code(code), "receipt", "5") for _ in range(number)]
    world.send(*events)
    for event in events:
        world.becomes(event, "blocked")
    return sku, warehouse, events, world.cause("UNKNOWN_WAREHOUSE")


def records(world: World, cause: Json) -> list[Json]:
    found: list[Json] = world.api.read("/exceptions/records", cause=cause["id"], limit=1000)["results"]
    return found


def states(world: World, cause: Json) -> set[str]:
    return {row["state"] for row in records(world, cause)}


def resolved(world: World, cause: Json) -> None:
    assert until(lambda: world.cause_state(cause["id"]), lambda state: state == "resolved") == "resolved"


def test_a_cause_has_every_field_of_the_contract(world: World) -> None:
    _, _, _, cause = blocked_movements(world)
    assert set(cause) >= {
        "id",
        "reason",
        "sentence",
        "state",
        "records",
        "affected",
        "money_at_risk",
        "owner",
        "sla",
        "suggestions",
    }
    assert (cause["reason"], cause["state"], cause["records"]) == ("UNKNOWN_WAREHOUSE", "new", 3)
    assert world.code("DC-X") in cause["sentence"]
    assert world.source in cause["sentence"]


def test_search_matches_value_sku_and_source(world: World) -> None:
    sku, _, _, cause = blocked_movements(world)
    for text in (world.code("DC-X"), world.code("DC-X").lower(), sku, world.source):
        found = world.api.read("/exceptions/causes", search=text)["results"]
        assert [row["id"] for row in found] == [cause["id"]], text


def test_causes_are_filtered_by_state_and_reason(world: World) -> None:
    _, _, _, cause = blocked_movements(world)
    for params, wanted in (
        ({"state": "new"}, [cause["id"]]),
        ({"state": "resolved"}, []),
        ({"reason": "UNKNOWN_ITEM"}, []),
        ({"reason": "UNKNOWN_WAREHOUSE"}, [cause["id"]]),
    ):
        found = world.api.read("/exceptions/causes", search=world.mark, **params)["results"]
        assert [row["id"] for row in found] == wanted, params
    assert world.api.get("/exceptions/causes", params={"state": "no-such"}).status_code == 400


def test_records_tell_what_waits(world: World) -> None:
    _, _, events, cause = blocked_movements(world)
    rows = records(world, cause)
    assert [row["state"] for row in rows] == ["open"] * 3
    assert {row["value"] for row in rows} == {world.code("DC-X")}
    assert {row["source"] for row in rows} == {world.source}
    assert len(events) == 3


def test_a_preview_says_what_clears_and_changes_nothing(world: World) -> None:
    sku, warehouse, events, cause = blocked_movements(world)
    other = world.move(world.code("GHOST"), world.code("DC-X"), "receipt", "1")
    world.send(other)
    world.becomes(other, "blocked")
    answer = world.act(cause["id"], "preview", {"fix": "map", "target": warehouse})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) >= {"preview_token", "clears", "still_blocked", "deltas", "approvals"}
    assert body["clears"] == 3
    assert [(row["reason"], row["count"]) for row in body["still_blocked"]] == [("UNKNOWN_ITEM", 1)]
    assert world.position(sku, warehouse) == ("0", "0")
    assert {world.fate(event)["status"] for event in events} == {"blocked"}
    assert world.cause_state(cause["id"]) == "new"


def test_mapping_a_code_once_replays_everything_it_blocked(world: World) -> None:
    sku, warehouse, events, cause = blocked_movements(world)
    token = world.act(cause["id"], "preview", {"fix": "map", "target": warehouse}).json()["preview_token"]
    body = {"fix": "map", "target": warehouse, "reason": "the new code of it", "preview_token": token}
    answer = world.act(cause["id"], "resolve", body)
    assert answer.status_code == 202, answer.text
    for event in events:
        world.becomes(event, "processed")
    world.position_becomes(sku, warehouse, "15", "15")
    resolved(world, cause)
    assert states(world, cause) == {"resolved"}
    world.apply(world.move(sku, world.code("DC-X"), "receipt", "1"))
    world.position_becomes(sku, warehouse, "16", "16")


def test_a_second_resolution_is_409_with_who_and_when(world: World) -> None:
    sku, warehouse, events, cause = blocked_movements(world)
    body = {"fix": "map", "target": warehouse, "reason": "known"}
    assert world.act(cause["id"], "resolve", body).status_code == 202
    for event in events:
        world.becomes(event, "processed")
    resolved(world, cause)
    answer = world.act(cause["id"], "resolve", body)
    assert answer.status_code == 409
    assert "20" in answer.json()["detail"]
    assert world.position(sku, warehouse) == ("15", "15")


def test_two_people_resolving_at_once_have_one_winner(world: World) -> None:
    sku, warehouse, events, cause = blocked_movements(world)
    body = {"fix": "map", "target": warehouse, "reason": "known"}
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: world.act(cause["id"], "resolve", body).status_code, range(2)))
    assert sorted(answers) == [202, 409]
    for event in events:
        world.becomes(event, "processed")
    world.position_becomes(sku, warehouse, "15", "15")


def test_a_preview_of_something_else_is_refused(world: World) -> None:
    sku, warehouse, _, cause = blocked_movements(world)
    other = world.code("WH2")
    world.do("warehouse.upserted", {"code": other, "name": "Other"})
    token = world.act(cause["id"], "preview", {"fix": "map", "target": warehouse}).json()["preview_token"]
    body = {"fix": "map", "target": other, "reason": "known", "preview_token": token}
    answer = world.act(cause["id"], "resolve", body)
    assert answer.status_code in (400, 409), answer.text
    assert world.cause_state(cause["id"]) == "new"
    assert world.position(sku, other) == ("0", "0")
    body = {"fix": "map", "target": warehouse, "reason": "known", "preview_token": "made-up"}
    assert world.act(cause["id"], "resolve", body).status_code in (400, 409)


def test_creating_the_record_replays_it_too(world: World) -> None:
    sku, _, events, cause = blocked_movements(world)
    body = {"fix": "create", "name": "New branch warehouse", "timezone": "UTC", "reason": "opened today"}
    answer = world.act(cause["id"], "resolve", body)
    assert answer.status_code == 202, answer.text
    for event in events:
        world.becomes(event, "processed")
    world.position_becomes(sku, world.code("DC-X"), "15", "15")


def test_creating_an_item_by_its_upsert_data(world: World) -> None:
    _, warehouse = world.found()
    sku = world.code("NEW")
    event = world.move(sku, warehouse, "receipt", "5")
    world.send(event)
    cause_id = world.becomes(event, "blocked")["blocked_by"][0]["cause_id"]
    body = {"fix": "create", "sku": sku, "name": "New thing", "base_uom": world.each, "reason": "new"}
    answer = world.act(cause_id, "resolve", body)
    assert answer.status_code == 202, answer.text
    world.becomes(event, "processed")
    world.position_becomes(sku, warehouse, "5", "5")


def test_creating_a_unit_by_its_upsert_data(world: World) -> None:
    unit = world.code("NEWUNIT")
    event = world.event("item.upserted", {"sku": world.code("SKU"), "name": "Thing", "base_uom": unit})
    world.send(event)
    blocked = world.becomes(event, "blocked")["blocked_by"][0]
    assert blocked["reason"] == "UNKNOWN_UNIT"
    body = {"fix": "create", "code": unit, "name": "New unit", "decimals": 2, "reason": "new"}
    answer = world.act(blocked["cause_id"], "resolve", body)
    assert answer.status_code == 202, answer.text
    world.becomes(event, "processed")


def test_ignoring_a_code_of_a_source_is_kept_with_its_reason(world: World) -> None:
    sku, _, events, cause = blocked_movements(world)
    answer = world.act(cause["id"], "resolve", {"fix": "ignore", "reason": "a test code of theirs"})
    assert answer.status_code == 202, answer.text
    for event in events:
        world.becomes(event, "ignored")
    resolved(world, cause)
    assert states(world, cause) == {"ignored"}
    late = world.move(sku, world.code("DC-X"), "receipt", "1")
    world.send(late)
    world.becomes(late, "ignored")
    foreign = world.move(sku, world.code("DC-X"), "receipt", "1", source=world.code("foreign"))
    world.send(foreign)
    world.becomes(foreign, "blocked")


def test_a_conversion_heals_what_lacked_it(world: World) -> None:
    pack = world.code("PACK")
    world.do("unit.upserted", {"code": pack, "name": "Pack"})
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "receipt", "3", uom=pack)
    world.send(event)
    cause_id = world.becomes(event, "blocked")["blocked_by"][0]["cause_id"]
    body = {"fix": "conversion", "sku": sku, "uom": pack, "numerator": 12, "denominator": 1}
    preview = world.act(cause_id, "preview", body)
    assert preview.status_code == 200, preview.text
    assert preview.json()["clears"] == 1
    assert world.act(cause_id, "resolve", body | {"reason": "as printed"}).status_code == 202
    world.becomes(event, "processed")
    world.position_becomes(sku, warehouse, "36", "36")


def test_a_fix_may_wait_with_its_replay(world: World) -> None:
    sku, warehouse, events, cause = blocked_movements(world)
    body = {"fix": "map", "target": warehouse, "reason": "known", "replay": False}
    assert world.act(cause["id"], "resolve", body).status_code == 202
    assert world.fate(events[0])["status"] == "blocked"
    assert world.position(sku, warehouse) == ("0", "0")
    assert world.act(cause["id"], "replay", {}).status_code == 202
    world.position_becomes(sku, warehouse, "15", "15")


def test_replaying_without_a_fix_blocks_again_and_doubles_nothing(world: World) -> None:
    sku, warehouse, events, cause = blocked_movements(world)
    assert world.act(cause["id"], "replay", {}).status_code == 202
    for event in events:
        world.becomes(event, "blocked")
    assert until(lambda: states(world, cause), lambda seen: seen == {"open"}) == {"open"}
    assert len(records(world, cause)) == 3
    assert world.position(sku, warehouse) == ("0", "0")


@pytest.mark.parametrize("action", ["resolve", "replay"])
def test_the_idempotency_key_is_required(world: World, action: str) -> None:
    _, warehouse, _, cause = blocked_movements(world, 1)
    body = {"fix": "map", "target": warehouse, "reason": "known"} if action == "resolve" else {}
    path = f"/exceptions/causes/{cause['id']}/{action}"
    problem(world.api.post(path, body), 400, "idempotency_key_missing")
    problem(world.api.post(path, body, headers={"Idempotency-Key": "x" * 256}), 400, "invalid")
    assert world.cause_state(cause["id"]) == "new"


def test_the_same_key_answers_the_same_and_another_body_is_422(world: World) -> None:
    sku, warehouse, events, cause = blocked_movements(world)
    key = uuid.uuid4().hex
    body = {"fix": "map", "target": warehouse, "reason": "known"}
    first = world.act(cause["id"], "resolve", body, key)
    again = world.act(cause["id"], "resolve", body, key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    problem(world.act(cause["id"], "resolve", body | {"reason": "other"}, key), 422, "idempotency_key_reused")
    for event in events:
        world.becomes(event, "processed")
    world.position_becomes(sku, warehouse, "15", "15")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fix": "map"},
        {"fix": "no-such"},
        {"fix": "map", "target": "NO-SUCH-CODE"},
        {"fix": "map", "target": 5},
        {"fix": "map", "target": "X", "colour": "red"},
        {"fix": "count", "quantity": "1", "uom": "EA"},
        {"fix": "conversion", "uom": "EA", "numerator": 0, "denominator": 1},
        {"fix": None},
        {"fix": "map", "target": ""},
    ],
    ids=str,
)
def test_a_fix_that_makes_no_sense_is_400_and_changes_nothing(world: World, body: Json) -> None:
    _, _, _, cause = blocked_movements(world, 1)
    for action in ("preview", "resolve"):
        more = {"reason": "why"} if action == "resolve" else {}
        answer = world.act(cause["id"], action, body | more)
        assert answer.status_code == 400, (action, answer.text)
    assert world.cause_state(cause["id"]) == "new"


def test_assign_snooze_and_dismiss(world: World, demo: Json) -> None:
    _, _, _, cause = blocked_movements(world, 1)
    for action in ("assign", "snooze", "dismiss"):
        answer = world.act(cause["id"], action, {"colour": "red"})
        assert answer.status_code == 400, (action, answer.text)
    answer = world.act(cause["id"], "dismiss", {"reason": "nobody needs it"})
    assert answer.status_code == 200, answer.text
    assert world.cause_state(cause["id"]) == "dismissed"


def test_what_comes_back_after_a_resolution_regresses(world: World) -> None:
    _, _, events, cause = blocked_movements(world, 1)
    answer = world.act(cause["id"], "dismiss", {"reason": "nobody needs it"})
    assert answer.status_code == 200
    sku = events[0]["data"]["sku"]
    again = world.move(sku, world.code("DC-X"), "receipt", "5")
    world.send(again)
    assert world.becomes(again, "blocked")["blocked_by"][0]["cause_id"] == cause["id"]
    assert world.cause_state(cause["id"]) in ("dismissed", "regressed")


def test_a_cause_that_is_not_there_is_404(world: World) -> None:
    problem(world.api.get("/exceptions/causes/999999999"), 404, "not_found")
    problem(world.act(999999999, "resolve", {"fix": "ignore", "reason": "x"}), 404, "not_found")
    for broken in ("abc", "-1", "9" * 40):
        assert world.api.get(f"/exceptions/causes/{broken}").status_code in (400, 404)


@pytest.mark.parametrize("params", [{"cause": "abc"}, {"cause": "9" * 40}, {"state": "x"}, {"colour": "x"}], ids=str)
def test_records_refuse_filters_that_make_no_sense(api: Api, params: Json) -> None:
    assert api.get("/exceptions/records", params=params).status_code == 400


def test_editing_a_record_mends_a_schema_violation(world: World) -> None:
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "reciept", "5")
    world.send(event)
    cause_id = world.becomes(event, "blocked")["blocked_by"][0]["cause_id"]
    assert world.api.read(f"/exceptions/causes/{cause_id}")["reason"] == "SCHEMA_VIOLATION"
    assert world.position(sku, warehouse) == ("0", "0")
    answer = world.act(cause_id, "resolve", {"fix": "edit", "kind": "receipt", "reason": "a slip"})
    assert answer.status_code == 202, answer.text
    world.becomes(event, "processed")
    world.position_becomes(sku, warehouse, "5", "5")


def test_lineage_follows_an_event_to_its_movement(world: World) -> None:
    sku, warehouse = world.found()
    trace = uuid.uuid4().hex
    event = world.move(sku, warehouse, "receipt", "20")
    answer = world.api.post("/events", event, headers={"traceparent": f"00-{trace}-{'1' * 16}-01"})
    assert answer.status_code == 202
    world.becomes(event, "processed")
    found = world.api.read(f"/lineage/{world.source}/{event['id']}")
    assert set(found) >= {"event", "movements", "plans"}
    assert (found["event"]["id"], found["event"]["trace_id"]) == (event["id"], trace)
    assert len(found["movements"]) == 1
    assert found["plans"] == []
    problem(world.api.get(f"/lineage/{world.source}/nothing"), 404, "not_found")


def test_search_matches_the_order_of_a_movement(world: World) -> None:
    sku, _ = world.found()
    order = world.code("SO")
    event = world.move(sku, world.code("DC-Y"), "pick", "5", order=order, line="1")
    world.send(event)
    cause_id = world.becomes(event, "blocked")["blocked_by"][0]["cause_id"]
    assert [row["id"] for row in world.api.read("/exceptions/causes", search=order)["results"]] == [cause_id]
