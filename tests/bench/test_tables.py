"""What `python -m bench` and `make bench` make of figures: pure, without a measurement."""

from importlib.util import find_spec

from bench import page
from bench.all import STEPS

RUN = {"seconds": 1.0, "connections": 10, "refreshed": 10, "load_before": 0.25}
ABOUT = {"cpus": 2, "python": "3.11.7", "system": "Linux", "latency_seconds": 0.0, "runs": 3}


def figures(*rates: float, **more: object) -> dict[str, object]:
    """Returns a contestant's figures, as of so many turns."""
    return {**RUN, "refreshes_per_second": sorted(rates)[1], "all_rates": list(rates), **more}


def test_a_ratio_is_the_median_of_its_turns():
    """A slow minute meets both, so each turn is compared with itself; units and the load are told."""
    # Given a bare loop that is slow in one turn, as everybody is
    ours = figures(500, 250, 450, units=16.5, cpu_microseconds_per_refresh={"total": 200.4})
    contestants = {
        "roofline": figures(1000, 500, 1000),
        "refresher, redis": ours,
        "pgqueuer": figures(100, 50, 150),
        "celery": {"missing": ["celery"]},
    }
    # When
    told = page.side_by_side({"about": ABOUT, "contestants": contestants})
    # Then
    assert "| **refresher**, Redis | 50% | 450 | 16.5 | 200 µs |  | 0.2 |" in told
    assert "| pgqueuer | 10% | 100 |  |  | 5.0 x | 0.2 |" in told
    assert told.endswith("Not installed: celery.")


def test_every_step_of_make_bench_is_there():
    """Each is a module that can be run alone, in full and in small sizes."""
    assert [step.module for step in STEPS if find_spec(step.module) is None] == []
    assert all(step.command(quick=True) for step in STEPS)


def test_every_table_has_its_place_on_the_page():
    """What a benchmark puts between markers is not lost."""
    text = page.PAGE.read_text()
    for name in ("bench", "claim", "idle", "start", "importing", "watching", "dashboards"):
        assert text.count(f"<!-- {name}:begin -->") == text.count(f"<!-- {name}:end -->") == 1
