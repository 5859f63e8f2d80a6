"""In which order the tests run, so that the longest do not come one after the other.

pytest-xdist's `worksteal` gives each of its workers an equal, contiguous part, and lets who has
finished take from the others' ends. So each part begins with some of the long tests, and ends with
short ones.
"""

import pytest

# The longest first: minutes in real time, then what starts many processes.
LONG = ("acceptance/test_main_job.py", "chaos/", "devkit/", "bench/", "acceptance/")


def arrange(items: list[pytest.Item], workers: int) -> None:
    """Orders the items for so many parallel workers; the same on each of them."""
    long: dict[str, list[pytest.Item]] = {name: [] for name in LONG}
    short: list[pytest.Item] = []
    for item in items:
        name = next((name for name in LONG if item.nodeid.startswith(f"tests/{name}")), None)
        (short if name is None else long[name]).append(item)
    heads: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for n, group in enumerate(long.values()):
        heads[n % workers].extend(group)
    total = len(items)
    items.clear()
    for n, head in enumerate(heads):
        size = max(len(head), (total - len(items)) // (workers - n))
        room = size - len(head)
        items += [*head, *short[:room]]
        del short[:room]
    items += short
