"""`refresher migrate --partitions`: told before, done once, refused in a sentence."""

import psycopg

from tests.cli.kit import Cli
from tests.services import plain


def test_partitions_are_told_made_and_unmade(bare: Cli, bare_database_url: str) -> None:
    """A dry run changes nothing; the same number again is nothing to do; 1 is the way back."""
    bare.env["DATABASE_URL"] = bare_database_url
    bare("migrate")
    told = bare("migrate", "--partitions", "4", "--dry-run", "--json").json
    assert (told["now"], told["wanted"], told["in_the_way"]) == (1, 4, None)
    assert told["tables"]["connection"]["rows"] == 0
    assert "one table" in bare("migrate", "--partitions", "4", "--dry-run").stdout
    bare("migrate", "--partitions", "4").refused("give --yes")
    changed = {"before": 1, "after": 4, "changed": True}
    assert bare("migrate", "--partitions", "4", "--yes", "--json").json == changed
    assert "nothing to do" in bare("migrate", "--partitions", "4").stdout
    assert "4 partitions, and are in one table" in bare("migrate", "--partitions", "1", "-y").stdout


def test_what_cannot_be_is_refused_in_a_sentence(bare: Cli, bare_database_url: str) -> None:
    """An absurd number, a dry run of nothing, and what is in the way."""
    bare.env["DATABASE_URL"] = bare_database_url
    bare("migrate")
    assert bare("migrate", "--partitions", "257").code == 2
    bare("migrate", "--dry-run").refused("--dry-run is for --partitions")
    with psycopg.connect(plain(bare_database_url), autocommit=True) as db:
        db.execute("create view mine as select id from connection")
    bare("migrate", "--partitions", "4", "--yes").refused("the view mine reads connection", code=1)
    ran = bare("migrate", "--partitions", "4", "--dry-run")
    assert ran.code == 1
    assert "the view mine" in ran.stdout
