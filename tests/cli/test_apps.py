"""Our OAuth clients at the command line: where each comes from, and how one is forgotten."""

from tests.cli.kit import Cli
from tests.cli.observing.test_inspect import run_sql
from tests.proofs.samples import certificate, ec_key, pem

KEY, CERTIFICATE = pem(ec_key()), certificate(ec_key())


def test_an_app_has_keys_and_a_former_secret(cli: Cli):
    """They come from files and variables; the list names what is there, and shows nothing of it."""
    for name, text in (("key.pem", KEY), ("cert.pem", CERTIFICATE), ("odd.pem", "hush")):
        (cli.folder / name).write_text(text)
    cli.env |= {"NOW": "now-secret", "FORMER": "former-secret"}
    known = ["apps", "set", "google", "--client-id", "g", "--secret-env", "NOW"]
    keys = [f"--private-key-file={cli.folder}/key.pem", "--key-id=k1"]
    keys += [f"--certificate-file={cli.folder}/cert.pem"]
    keys += [f"--certificate-key-file={cli.folder}/key.pem"]

    assert cli(*known, *keys, "--previous-secret-env", "FORMER").code == 0

    assert cli("apps", "list", "--json").json["material"] == [
        *("certificate", "certificate_key", "key_id", "previous_client_secret", "private_key"),
    ]
    listed = cli("apps", "list").stdout
    assert "former-secret" not in listed
    for arguments, sentence in (
        ([f"--private-key-file={cli.folder}/odd.pem"], "private_key is no private key: give PEM"),
        ([f"--private-key-file={cli.folder}/away.pem"], "cannot be read: No such file"),
        (["--previous-secret-env", "UNSET"], "that --previous-secret-env names is empty"),
        (["--placeholder", "tenant"], "--placeholder takes a name, an equals sign and a text"),
        (["--placeholder", "tenant=x"], 'placeholders has "tenant", which provider google does'),
        (["--placeholder-env", "tenant=NOW"], 'placeholders has "tenant", which provider google'),
    ):
        cli(*known, *arguments).refused(sentence)


def test_a_secret_is_changed_without_a_gap(cli: Cli):
    """The one before stays until the rotation is ended; mistakes are told."""
    cli.env |= {"NOW": "now-secret", "NEW": "new-secret"}
    rotate = ["apps", "rotate-secret", "google"]
    cli(*rotate, "--secret-env", "NEW").refused('no app is called "google/default"')
    cli("apps", "set", "google", "--client-id", "g", "--secret-env", "NOW")
    for arguments, told, material in (
        (
            ["--secret-env", "NEW"],
            "has a new secret, and the one before",
            ["previous_client_secret"],
        ),
        (["--secret-env", "NEW"], "has this secret already", ["previous_client_secret"]),
        (["--end"], "has one secret again", []),
        (["--end"], "had one secret already", []),
    ):
        assert told in cli(*rotate, *arguments).stdout
        assert cli("apps", "list", "--json").json["material"] == material
    cli(*rotate, "--end", "--secret-env", "NEW").refused("--end takes no secret")
    cli("apps", "set", "google", "--client-id", "g", "--no-secret")
    cli(*rotate, "--secret-env", "NEW").refused("google/default is a public client")


def test_apps_tell_where_they_come_from_and_are_deleted(cli: Cli):
    """From the providers file or stored by hand; one that is deleted parks what uses it, no more."""
    cli.connect("c1")  # an import stores the file's apps
    cli("apps", "set", "google", "--client-id", "g", "--no-secret")
    origins = {app["provider"]: app["origin"] for app in cli("apps", "list", "--json").lines}
    assert origins == {"acme": "file", "google": "stored"}
    cli("apps", "delete", "gogle", "--yes").refused('did you mean "google/default"?')
    cli.process("apps", "delete", "acme").refused("no terminal to ask on", "--yes")
    run_sql(
        cli,
        "insert into pause (scope, key, sort, provider, app_name, until, reason) values "
        "('app', 'acme/default', 'refused', 'acme', 'default', now() + interval '1 hour', 'x')",
    )
    gone = cli("apps", "delete", "acme", "--yes", "--json")
    assert cli("providers", "pauses", "--json").stdout == ""
    assert gone.json == {"provider": "acme", "name": "default", "deleted": True, "connections": 1}
    assert "the scheduler stores it again" in gone.stderr
    assert [app["provider"] for app in cli("apps", "list", "--json").lines] == ["google"]
    assert "app_deleted" in cli("keys", "audit").stdout
    assert cli.show("c1")["state"] == "idle"
    cli("apps", "delete", "acme", "--yes").refused('no app is called "acme/default"')
