"""Opens a world's meter, and reads scrapes into plain values."""

from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from refresher.runtime.metrics import OfProcess, QueueSeen, sources_from
from tests.world import World

Labels = frozenset[tuple[str, str]]


@dataclass
class Scrape:
    """The samples of a scrape by name and labels, and which type each family has."""

    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)

    def __call__(self, name: str, **labels: str) -> float:
        """Returns one sample, 0 when there is none."""
        return self.samples.get((f"refresher_{name}", frozenset(labels.items())), 0.0)

    def has(self, name: str) -> bool:
        """Whether any sample has this name."""
        return any(found == f"refresher_{name}" for found, _ in self.samples)

    def names(self) -> dict[str, set[str]]:
        """Returns each sample's name with the labels it comes with."""
        found: dict[str, set[str]] = {}
        for name, labels in self.samples:
            found.setdefault(name, set()).update(label for label, _ in labels)
        return found


def read(text: str) -> Scrape:
    """Reads the text form of a scrape, as Prometheus does."""
    scrape = Scrape()
    for family in text_string_to_metric_families(text):
        scrape.types[family.name] = family.type
        for sample in family.samples:
            scrape.samples[sample.name, frozenset(sample.labels.items())] = sample.value
    return scrape


def open_meter(world: World, role: str = "scheduler", cache_seconds: float = 1e-9) -> None:
    """Has a world count, as a process of this role does."""
    services = world.services
    settings = services.settings.model_copy(update={"metrics_cache_seconds": cache_seconds})
    sources = sources_from(
        role,
        settings,
        database=services.database,
        spool=services.spool,
        catalogue=services.catalogue,
        process=OfProcess(lambda: 0.5, lambda: {"mail": 4}, lambda: QueueSeen(3, 1.5)),
    )
    services.meter.open(role, sources)


def scrape(world: World) -> Scrape:
    """Returns what a world's meter tells now."""
    made = world.services.meter.scrape("")
    assert made is not None
    return read(made[0].decode())
