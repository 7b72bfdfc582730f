"""How everything here is measured: base and candidate alternate, and only the ratio of a round means anything."""

import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))

# Does one step and says how many units of work it was. A wrong answer raises and so fails the round.
Step = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Rates:
    """Units per second of wall time and per second of this process's CPU, in one half of a round."""

    wall: float
    cpu: float


@contextmanager
def scratch_database() -> Iterator[None]:
    """A migrated database of the benchmark's own, dropped afterwards."""
    from django.db import connection

    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.close()
        connection.creation.destroy_test_db(name, verbosity=0)


def compare(
    name: str, base: Step, candidate: Step, *, goal: float | None = None, rounds: int = ROUNDS, seconds: float = SECONDS
) -> float:
    """Alternate the two, print `name ratio goal` and write the JSON; returns the median ratio of the rates."""
    gc.collect()
    gc.freeze()  # what was made beforehand is nobody's work: the collector need not walk it in either half
    pairs = []
    for turn in range(rounds):
        first, second = (base, candidate) if turn % 2 == 0 else (candidate, base)
        one, other = _rates(first, seconds), _rates(second, seconds)
        pairs.append((one, other) if turn % 2 == 0 else (other, one))
    ratio = statistics.median(after.wall / before.wall for before, after in pairs)
    cpu_ratio = statistics.median(after.cpu / before.cpu for before, after in pairs)
    print(f"{name} {ratio:.2f} {'-' if goal is None else f'{goal:.2f}'}", flush=True)
    _write(
        name,
        {
            "name": name,
            "ratio": round(ratio, 3),
            "process_cpu_ratio": round(cpu_ratio, 3),
            "goal": goal,
            "rounds": rounds,
            "seconds": seconds,
            "base_per_s": round(statistics.median(before.wall for before, _ in pairs)),
            "candidate_per_s": round(statistics.median(after.wall for _, after in pairs)),
        },
    )
    return ratio


def _rates(step: Step, seconds: float) -> Rates:
    units, began, cpu = 0, time.perf_counter(), time.process_time()
    while (spent := time.perf_counter() - began) < seconds:
        units += step()
    spent = time.perf_counter() - began
    return Rates(units / spent, units / max(time.process_time() - cpu, 1e-9))


def _write(name: str, result: dict[str, object]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name.replace(' ', '_')}.json").write_text(json.dumps(result, indent=2) + "\n")
