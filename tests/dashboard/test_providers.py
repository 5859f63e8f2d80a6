"""Providers: who is in trouble, is it them or us, what is known, and what can be done."""

from dataclasses import replace
from datetime import date, timedelta

from refresher.catalogue.entries import Broken
from refresher.rules.access import Scope
from refresher.rules.facts import Change
from refresher.rules.outcomes import Reply
from refresher.store import samples
from refresher.store.samples import Sample
from tests.dashboard.kit import HERE, Person
from tests.refresh.pausing import hold

MINUTE = 60.0


def left_alone(world, scope="provider", key="acme", sort="silent", **given):
    """Has a provider, or an app at it, left alone."""
    with world.services.database.transaction() as db:
        hold(db, scope, key, **{"sort": sort, "reason": "HTTP 503", "seconds": MINUTE, **given})


def waiting(world, name="provider:acme", external_id="c1"):
    """A connection that waits for the end of a pause."""
    connection_id = world.connect(external_id)
    world.run(
        "update refresh_schedule set waits_for = :name, postponed_by = :name, "
        "due_at = refresher_now() + interval '10 minutes' where connection_id = :id",
        name=name,
        id=connection_id,
    )
    return connection_id


def sampled(world, **providers):
    """What the last slots came to."""
    at = world.clock.now - timedelta(seconds=30)
    with world.services.database.transaction() as db:
        one = Sample(at, 1.0, 0.0, None, None, 0, 0, due=None, providers=providers)
        samples._put(db, one)


def described(world, **facts):
    """Has the running process know other facts of acme."""
    known = world.services.catalogue._providers
    known["acme"] = replace(known["acme"], **facts)


def unread(world):
    """A connection whose last answer nobody could read."""
    connection_id = world.connect("unread")
    world.script.answer = lambda _: Reply(200, {}, b'{"accessToken": "secret-in-it", "life": 1}')
    world.pass_time(3_000)
    world.tick()
    return connection_id


def test_a_provider_that_does_well_is_said_to(site, person):
    """Nothing in trouble; the provider in use stands in the table, the others behind a link."""
    site.world.connect()
    sampled(site.world, acme=[30, 0, 0.2, 0.9])
    page = person.page("/ui/providers")
    assert "No provider is in trouble." in page.words
    assert "3 in the catalogue, 1 in use" in page.words
    assert "Show the 2 that nobody uses" in page.words
    assert "acmeanswers102.00.0 %" in page.words
    assert "/ui/providers/acme" in page.text


def test_without_a_connection_the_page_says_how_to_begin(person):
    """Empty: connect an account, or look for its provider."""
    page = person.page("/ui/providers")
    assert "No provider is in use yet." in page.words
    assert "Connect an account" in page.words


def test_trouble_comes_first_with_who_waits(site, person):
    """A pause says why, since when, who waits and when it goes on; a refused app needs a person."""
    waiting(site.world)
    left_alone(site.world)
    words = person.page("/ui/providers").words
    assert "1 provider is held up. It goes on by itself." in words
    assert "acme is left alone: HTTP 503" in words
    assert "1 connection waits. One of them tries in 60 s." in words
    left_alone(site.world, "app", "acme/default", "refused", reason="invalid_client")
    words = person.page("/ui/providers").words
    assert "1 provider needs a person. acme." in words
    assert "acme refuses our app acme/default: invalid_client" in words


def test_a_provider_s_page_tells_whether_it_is_them_or_us(site, person):
    """The sentence, figures of ten minutes, charts with words, apps and facts."""
    waiting(site.world, "app:acme/default")
    left_alone(site.world, "app", "acme/default", "refused", reason="invalid_client")
    sampled(site.world, acme=[8, 2, 0.31, 0.9])
    page = person.page("/ui/providers/acme")
    assert "It refuses our app acme/default: invalid_client." in page.words
    assert "As soon as a right secret is stored, all go on" in page.words
    assert f"{HERE}/ui/apps/acme/default" in page.links.values()
    assert "Failed, 10 min20.0 %2 of 10" in page.words
    assert "Time to answer0.31 s p500.90 s p99, 10 min" in page.words
    assert 'aria-label="Answers a minute over the last 6 h: all always' in page.text
    assert "Token URLacme.example/token" in page.words
    assert "defaultrefusedapp-idstored, sealed" in page.words


def test_one_tries_now_and_the_others_wait_on(site, person):
    """The first that waits is due at once; a success ends the pause for all; it is in the audit."""
    world = site.world
    first, second = waiting(world), waiting(world, external_id="c2")
    world.run(
        "update refresh_schedule set due_at = due_at + interval '1 minute' "
        "where connection_id = :id",
        id=second,
    )
    left_alone(world)
    answer = person.submit("/ui/providers/acme", "/ui/providers/acme/try")
    assert "One connection tries now." in person.followed(answer).words
    due = {row.connection_id: row.due_at for row in world.rows("select * from refresh_schedule")}
    assert due[first] <= world.clock.now < due[second]
    world.tick()
    assert world.row(first).credential_version == 2
    assert world.one("select count(*) as n from pause where refusals > 0").n == 0
    assert world.one("select count(*) as n from audit where action = 'probed'").n == 1
    again = person.post("/ui/providers/acme/try")
    assert "Nothing of it is left alone any more." in person.followed(again).words


def test_kept_answers_are_listed_and_read_again(site, person):
    """One that still cannot be read says why; once the file tells its names its tokens are stored."""
    world = site.world
    connection_id = unread(world)
    page = person.page("/ui/providers/acme")
    assert "1 of its answers could not be read." in page.words
    assert "secret-in-it" not in page.text
    action = next(form.action for form in page.forms if form.action.startswith("/ui/answers/"))
    still = person.submit("/ui/providers/acme", action)
    assert "It still cannot be read" in person.followed(still).words
    described(world, answer_names={"access_token": ("accessToken",)})
    answer = person.submit("/ui/providers/acme", "/ui/providers/acme/reread")
    said = person.followed(answer).words
    assert "1 answer could be read." in said
    assert world.row(connection_id).credential_version == 2
    nothing = person.post("/ui/answers/0199a2b4-0000-7000-8000-000000000001/reread")
    assert nothing.status_code == 404


def test_what_deserves_a_look_stands_on_the_page(site, person):
    """Announced changes and remarks on the entry; unsure facts have their mark."""
    world = site.world
    world.connect()
    changes = (Change(date(2030, 2, 1), "its v1 ends", "javascript:alert(1)"),)
    described(world, changes=changes, unsure=("rotation",), sources=("javascript:alert(2)",))
    page = person.page("/ui/providers/acme")
    assert "From 1 Feb 2030 on: its v1 ends" in page.words
    assert "Rotatessometimes unsure" in page.words
    assert not [to for to in page.links.values() if to.startswith("javascript")]


def test_an_entry_of_a_stranger_s_file_stays_text(site, person):
    """Marks and controls in names, notes and remarks of a providers file are shown, and do nothing."""
    site.world.connect()
    hostile = '<script>alert(1)</script>"onload=x\u202e' + "w" * 3_000
    described(site.world, title=hostile, notes=hostile, category=hostile)
    for path in ("/ui/providers", "/ui/providers/acme", "/ui/providers?letter=a", "/ui/apps"):
        page = person.page(path)
        assert "<script>alert" not in page.text
        assert "\u202e" not in page.text
        assert "w" * 2_500 not in page.text


def test_an_entry_that_is_broken_says_why(site, person):
    """A provider without a usable entry has a page while connections name it; others are 404."""
    world = site.world
    world.connect()
    known = world.services.catalogue
    known._providers.pop("acme")
    known._broken = (Broken("providers.acme", "acme.toml: token_url: <b>no</b>", "acme"),)
    page = person.page("/ui/providers/acme")
    assert "It has no entry in the catalogue that can be used." in page.words
    assert "<b>no</b>" not in page.text
    assert "1 provider needs a person." in person.page("/ui/providers").words
    person.page("/ui/providers/nobody", 404)


def test_a_bound_key_sees_its_own(site):
    """No rates, no apps, no deed on a pause of everybody; its connections, and what holds them."""
    world = site.world
    world.connect()
    left_alone(world)
    left_alone(world, key="acme#other", seconds=600, reason="of another")
    own = Person.signed_in(site, {Scope.READ, Scope.WRITE}, "org")
    words = own.page("/ui/providers").words
    assert "acme is left alone: HTTP 503" in words
    assert "of another" not in words
    assert "Under way" not in words
    words = own.page("/ui/providers/acme").words
    assert "Answers a minute" not in words
    assert "Our apps there" not in words
    assert "Try one now" not in words
    assert own.post("/ui/providers/acme/try").status_code == 404
    other = Person.signed_in(site, {Scope.READ}, "nobody-s")
    assert "No provider is in use yet." in other.page("/ui/providers").words


def test_the_catalogue_is_searched_and_paged_by_letter(person):
    """What is in no use is found by name; nothing found says what to do; 10,000 letters are cut."""
    page = person.page("/ui/providers?letter=p")
    assert "paced" in page.words
    assert "meta" in person.page("/ui/providers?search=meta").words
    words = person.page("/ui/providers?search=" + "z" * 5_000).words
    assert "No provider is called anything like" in words
    assert "providers file adds a provider" in words
