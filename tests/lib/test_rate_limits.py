"""Token buckets: the shared one against a real Valkey, the local one against a clock of its own."""

import socket
import threading
import uuid

import pytest
import redis

from apps.lib.rate_limits import LocalBucket, TokenBucket, store, store_errors


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def key() -> str:
    return f"bucket:{uuid.uuid4()}"


def test_the_local_bucket_grants_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    bucket = LocalBucket(rate_per_s=2, burst=3, clock=clock)
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now += 0.5
    assert [bucket.take(), bucket.take()] == [0, 0.5]
    clock.now += 1000
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_refusal_takes_nothing() -> None:
    clock = Clock()
    bucket = LocalBucket(rate_per_s=1, burst=2, clock=clock)
    assert bucket.take(1) == 0
    assert [bucket.take(2), bucket.take(2), bucket.take(1)] == [1, 1, 0]


def test_a_cost_above_the_burst_waits_for_a_full_bucket_and_leaves_a_debt() -> None:
    clock = Clock()
    bucket = LocalBucket(rate_per_s=1, burst=2, clock=clock)
    assert bucket.take(5) == 0
    assert bucket.take(1) == 4


def test_a_penalty_stops_the_local_bucket_and_is_not_shortened() -> None:
    clock = Clock()
    bucket = LocalBucket(rate_per_s=1, burst=2, clock=clock)
    bucket.penalise(10)
    bucket.penalise(3)
    assert bucket.take() == 11
    clock.now += 10
    assert bucket.take() == 1
    clock.now += 1
    assert bucket.take() == 0


def test_a_bucket_that_grants_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="grants nothing"):
        LocalBucket(0, 1)
    with pytest.raises(ValueError, match="grants nothing"):
        LocalBucket(1, 0)


def test_the_shared_bucket_grants_its_burst(valkey: redis.Redis, key: str) -> None:
    bucket = TokenBucket(valkey, key, rate_per_s=0.001, burst=3)
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert 990 < bucket.take() <= 1000
    assert 1990 < bucket.take(2) <= 2000


def test_two_holders_of_a_key_share_one_bucket(valkey: redis.Redis, key: str) -> None:
    one, other = (TokenBucket(valkey, key, rate_per_s=0.001, burst=2) for _ in range(2))
    assert [one.take(), other.take()] == [0, 0]
    assert one.take() > 0
    assert other.take() > 0
    assert TokenBucket(valkey, key + "x", rate_per_s=0.001, burst=2).take() == 0


def test_threads_are_never_granted_more_than_the_burst(valkey: redis.Redis, key: str) -> None:
    bucket = TokenBucket(valkey, key, rate_per_s=0.001, burst=20)
    granted: list[float] = []
    threads = [
        threading.Thread(
            target=lambda: granted.extend(wait for wait in (bucket.take() for _ in range(10)) if wait == 0)
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(granted) == 20


def test_the_shared_bucket_refills(valkey: redis.Redis, key: str) -> None:
    bucket = TokenBucket(valkey, key, rate_per_s=1_000_000, burst=1)
    assert all(bucket.take() <= 0.000001 for _ in range(20))


def test_a_cost_above_the_burst_is_granted_once(valkey: redis.Redis, key: str) -> None:
    bucket = TokenBucket(valkey, key, rate_per_s=0.001, burst=2)
    assert bucket.take(5) == 0
    assert 3990 < bucket.take(1) <= 4000


def test_a_penalty_holds_for_every_holder_and_is_not_shortened(valkey: redis.Redis, key: str) -> None:
    one, other = (TokenBucket(valkey, key, rate_per_s=1, burst=5) for _ in range(2))
    one.penalise(500)
    one.penalise(5)
    assert 495 < other.take() <= 501


def test_an_absurd_penalty_ends_within_a_day(valkey: redis.Redis, key: str) -> None:
    bucket = TokenBucket(valkey, key, rate_per_s=1, burst=1)
    bucket.penalise(1e12)
    assert bucket.take() <= 24 * 3600 + 1


def test_a_flush_only_refills_the_bucket(valkey: redis.Redis, key: str) -> None:
    bucket = TokenBucket(valkey, key, rate_per_s=0.001, burst=1)
    assert bucket.take() == 0
    valkey.flushdb()
    valkey.script_flush()
    assert bucket.take() == 0
    assert bucket.take() > 0


def test_buckets_leave_valkey_by_themselves(valkey: redis.Redis, key: str) -> None:
    TokenBucket(valkey, key, rate_per_s=1, burst=5).take()
    assert 0 < valkey.pttl(key) <= 61_000


def _errors() -> float:
    return store_errors._value.get()


def test_without_valkey_the_process_goes_on_by_itself_and_counts_it(key: str) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    bucket = TokenBucket(store(f"redis://127.0.0.1:{port}/0"), key, rate_per_s=0.001, burst=4)
    before = _errors()
    assert [bucket.take() for _ in range(2)] == [0, 0]
    assert bucket.take() > 0  # half of the burst is its share
    assert _errors() == before + 1  # and Valkey is left alone for a while


def test_a_hung_valkey_costs_one_timeout_and_a_penalty_still_holds(key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = store(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        bucket = TokenBucket(client, key, rate_per_s=1, burst=4)
        before = _errors()
        bucket.penalise(50)
        assert 45 < bucket.take() <= 52
        assert _errors() == before + 1
