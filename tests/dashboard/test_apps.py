"""Apps: which there are, whether they are taken, and a form into which secrets only go."""

from refresher.rules.access import Scope
from refresher.rules.providers import ClientAuth
from refresher.runtime import clients
from refresher.store import oauth_apps
from tests.dashboard.kit import Person, read
from tests.dashboard.test_providers import described, left_alone, waiting

SECRET, NEXT = "canary-secret-one", "canary-secret-two"
PAGE = "/ui/apps/acme/default"


def opened(world, provider="acme", name="default"):
    """The client that is stored, in the clear."""
    with world.services.database.transaction() as db:
        stored = oauth_apps.find(db, provider, name)
    assert stored is not None
    return clients.opened(world.services.cipher, stored)


def test_a_new_secret_lets_all_go_on_and_is_in_no_answer(site, person):
    """A refused app: the page says so, a right secret ends the pause, and no response has it."""
    world = site.world
    connection_id = waiting(world, "app:acme/default")
    left_alone(world, "app", "acme/default", "refused", reason="invalid_client")
    page = person.page("/ui/apps")
    assert "1 of 2 apps is refused. 1 connection waits for them." in page.words
    page = person.page(PAGE)
    assert "acme refuses it: invalid_client. 1 connection waits." in page.words
    fields = {"client_id": "our-id", "client_secret": SECRET, "old_secret": "forget"}
    answer = person.submit(PAGE, PAGE, **fields)
    after = person.followed(answer)
    assert "acme/default is stored. Connections that waited for it go on" in after.words
    assert "Nothing is known against it." in after.words
    stored = opened(world)
    assert (stored.client_id, stored.client_secret.reveal()) == ("our-id", SECRET)
    assert stored.previous_client_secret is None
    world.pass_time(10)
    world.tick()
    assert world.row(connection_id).credential_version == 2
    told = [answer.text, str(answer.headers), after.text]
    told += [person.page(path).text for path in ("/ui/apps", PAGE, "/ui/providers/acme")]
    assert not [text for text in told if SECRET in text]
    assert world.one("select count(*) as n from audit where action = 'app_stored'").n == 1


def test_the_old_secret_stays_until_it_is_forgotten(site, person):
    """Kept beside the new one it is tried; a button forgets it, once."""
    for secret in (SECRET, NEXT):
        person.submit(PAGE, PAGE, client_secret=secret, old_secret="keep")
    stored = opened(site.world)
    assert stored.client_id == "app-id"
    assert stored.previous_client_secret.reveal() == SECRET
    page = person.page(PAGE)
    assert "It has two secrets." in page.words
    ended = person.submit(PAGE, f"{PAGE}/end-rotation")
    assert "It has one secret." in person.followed(ended).words
    assert opened(site.world).previous_client_secret is None


def test_what_is_wrong_is_said_and_no_secret_is_repeated(site, person):
    """Each mistake keeps the id that was typed, names the field, and stores nothing."""
    before = opened(site.world)
    form = person.form(PAGE, PAGE)
    for fields, sentence in (
        ({"client_id": ""}, "The client id is missing."),
        ({"client_id": "new-id", "client_secret": ""}, "The client secret is missing."),
        ({"client_id": "new-id", "client_secret": SECRET}, "Say what happens to the old secret."),
        (
            {"client_id": "new-id", "client_secret": SECRET, "no_secret": "on"},
            "Either it has a secret, or it is a public client: not both.",
        ),
        ({"client_id": "new-id", "client_secret": SECRET + "é"}, "copy it anew"),
        ({"client_id": "x" * 5_000}, "longer than 4,096 characters"),
    ):
        answer = person.send("POST", PAGE, form.filled(None, fields))
        page = read(answer)
        assert answer.status_code == 422, sentence
        assert sentence in page.words
        assert SECRET not in answer.text
        if fields["client_id"] == "new-id":
            assert 'value="new-id"' in answer.text
    assert opened(site.world) == before


def test_an_app_that_changed_meanwhile_is_asked_about_again(site, person):
    """A form of before is shown anew with 409, and nothing is stored."""
    form = person.form(PAGE, PAGE)
    site.world.pass_time(1)
    person.submit(PAGE, PAGE, client_secret=SECRET, old_secret="forget")
    late = person.send(
        "POST", PAGE, form.filled(None, {"client_secret": NEXT, "old_secret": "forget"})
    )
    assert late.status_code == 409
    assert "It changed meanwhile" in read(late).words
    assert opened(site.world).client_secret.reveal() == SECRET


def test_apps_are_stored_by_admins_of_all_organizations(site):
    """Who may read for all sees them, without a form; a bound key learns of none."""
    bound = Person.signed_in(site, set(Scope), "org")
    reader = Person.signed_in(site, {Scope.READ, Scope.WRITE})
    for path in ("/ui/apps", PAGE):
        assert bound.get(path).status_code == 404
        assert [form.method for form in reader.page(path).forms] == ["get"]  # the search
    assert bound.post(PAGE, client_id="x").status_code == 404
    assert reader.post(PAGE, client_id="x").status_code == 403
    looks = Person.signed_in(site, read_only=True)
    assert looks.post(PAGE, client_id="x").status_code == 403


def test_an_app_that_is_lacking_is_stored(site, person):
    """Connections wait for it, the list leads to its form, and they go on, here without a secret."""
    world = site.world
    with world.services.database.transaction() as db:
        oauth_apps.delete(db, "acme", "default")
    connection_id = world.connect(expires_in=0)
    world.tick()
    assert world.row(connection_id).parked_reason == "app_not_configured"
    page = person.page("/ui/apps")
    assert "1 app is not stored. 1 connection waits for them." in page.words
    assert "No app acme/default is stored." in person.page(PAGE).words
    described(world, client_auth=ClientAuth.NONE)
    answer = person.submit(PAGE, PAGE, client_id="public", no_secret="on")
    assert answer.status_code == 303, read(answer).words
    assert opened(world).client_secret is None
    world.tick()
    assert world.row(connection_id).credential_version == 2


def test_a_new_app_begins_with_its_provider(person):
    """A name that no provider has is asked for again, with what was typed."""
    assert (
        person.get("/ui/apps/new?provider=acme&name=eu").headers["location"] == "/ui/apps/acme/eu"
    )
    wrong = person.get("/ui/apps/new?provider=acmee")
    assert wrong.status_code == 422
    assert "no provider “acmee”" in read(wrong).words
    assert person.get("/ui/apps/new?provider=acme&name=E%20U").status_code == 422
    assert person.get("/ui/apps/acmee/default").status_code == 404


def test_keys_and_certificates_come_by_the_command_line(site, person):
    """Where a file is needed the page says the command, and a form is refused."""
    described(site.world, client_auth=ClientAuth.PRIVATE_KEY_JWT)
    page = person.page("/ui/apps/acme/eu")
    assert "refresher apps set acme --name eu --client-id YOUR_CLIENT_ID" in page.words
    assert person.post("/ui/apps/acme/eu", client_id="x", if_match="none").status_code == 422
    described(site.world, client_auth=ClientAuth.TLS_CLIENT_AUTH)
    assert "--certificate-file app.pem" in person.page("/ui/apps/acme/eu").words
