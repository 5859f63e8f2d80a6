"""Plans of what pages tell of providers and samples, on a larger table: by indexes, and bounded."""

import pytest

from bench.dashboard.rows import LARGE, SMALL
from refresher.store import (
    connections,
    inspection,
    provider_counts,
    sample_history,
    samples,
    troubles,
)
from refresher.store.gauges import MOST_COUNTED
from refresher.store.session import Database
from tests.store.test_list_plans import judge, large

pytestmark = pytest.mark.slow
__all__ = ["large"]
MOST_BUFFERS = 6 * MOST_COUNTED
"""10,001 connections of which each is looked up, kept for some seconds."""


@pytest.mark.parametrize("organization_id", [None, SMALL, LARGE, "nobody"])
def test_looks_at_providers_read_no_table_whole(
    large: Database, organization_id: str | None
) -> None:
    """Who is in use, how many each has, what is gone, held and lately done."""
    with large.transaction() as db:
        names = inspection.in_use(db, organization_id).providers
    if organization_id is None:
        looks = [
            lambda db: provider_counts.of_everybody(db, names),
            troubles.gone,
            sample_history.lately,
            inspection.providers,
            lambda db: inspection.parked_for(db, "app_not_configured"),
            lambda db: inspection.parked_by_provider(db, "reconnect_required"),
            lambda db: connections.numbers(db, None),
            lambda db: inspection.activity(db, has_lock=True),
            troubles.late,
            lambda db: troubles.behind(db, ["app:google/default"]),
            lambda db: sample_history.read(db, 720, "google"),
        ]
    else:
        looks = [
            lambda db: provider_counts.of_organization(db, organization_id),
            lambda db: troubles.gone_of(db, organization_id),
            lambda db: troubles.work_of(db, organization_id),
            lambda db: connections.numbers(db, organization_id),
        ]
    for look in looks:
        judge(large, organization_id, look, MOST_BUFFERS)


def test_a_sample_reads_no_table_whole(large: Database) -> None:
    """The newest events, their providers by key, and a sample of the schedule."""
    judge(large, "sample", samples.take, MOST_BUFFERS)
