from bench.speed.table import table_of

STEADY = {
    "contestant": "ours",
    "followers": 10,
    "orders": 2,
    "pace": 0.1,
    "last_ms": {"p50": 1.2, "p99": 3.4, "max": 5.6},
    "first_ms": {"p50": 0.2, "p99": 0.4},
    "spread_ms": {"p50": 1.0},
    "cpu_ms_per_copy": 0.5,
    "memory_mb": 60,
    "ready_s": 1.1,
    "missed": 0,
}
RUN = {"date": "2026-11-26", "machine": "a machine", "steady": [STEADY]}


def test_each_steady_trial_has_a_row() -> None:
    text = table_of(RUN)
    assert "| ours | 10 | 2 | 0.1 s | 1.2 / 3.4 / 5.6 | 0.2 / 0.4 | 1.0 | 0.50 ms | 60 MB | 1.1 s | 0 |" in text
    assert "other trials" not in text


def test_the_other_trials_have_a_row_a_figure_and_no_single_measurements() -> None:
    burst = {"followers": 10, "last_ms": {"p50": 1.0, "max": 2.0}, "course": [(1, 0.5, 0.7)]}
    sustained = STEADY | {"memory_course": [60, 70], "course": [(n / 10, float(n)) for n in range(20)]}
    text = table_of(RUN | {"burst": burst, "sustained": sustained})
    assert "| burst | last_ms | p50 1.0 / max 2.0 |" in text
    assert "| burst | course" not in text
    assert "| sustained | p50 of each tenth of the orders, ms | 0.5, 2.5, 4.5," in text
