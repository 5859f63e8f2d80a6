"""What `refresher up` stands on: a database, a key, a transport, a providers file.

What the environment gives is used as it is; what it does not give is made in the data directory.
Nothing runs here but the embedded database. The development key lies beside the database that it
protects, which is no protection worth the name in production: there REFRESHER_ENCRYPTION_KEYS is given
from outside.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from refresher.devkit.handed_on import beside, read_environment, write_environment, write_private
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.errors import SettingsError
from refresher.runtime.cipher import cipher_from, new_key, parse_key
from refresher.runtime.serving.sockets import HERE, LOOPBACK
from refresher.settings import PREFIX, Settings, Transport, variable
from refresher.settings.names import OF_THE_SDK, known_variables

KEY_FILE = "development.key"


def own_directory(directory: Path) -> None:
    """Makes `directory` where it is absent: for its owner alone, and unseen by git.

    A folder that is there already is left as it is: it may be somebody's repository.
    """
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True)
        (directory / ".gitignore").write_text("*\n", encoding="utf-8")


def development_key(directory: Path) -> str:
    """Returns the key in `directory`, made at the first call and readable by its owner alone.

    Two processes that make it at once get the same one. Raises `SettingsError` when others may read
    the file, or when it holds no key.
    """
    path = directory / KEY_FILE
    try:
        own_directory(directory)
        if not path.exists():
            _create(path, new_key() + "\n")
        return _read(path)
    except OSError as error:
        raise SettingsError(
            f"the development key {path} cannot be used: {error.strerror}; "
            "choose another folder with REFRESHER_DATA_DIRECTORY"
        ) from None


def _create(path: Path, text: str) -> None:
    """Makes `path` whole or not at all; whoever was first wins."""
    made = beside(path, text)
    try:
        os.link(made, path)
    except FileExistsError:
        return
    finally:
        made.unlink()


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(
                f"the development key {path} is open to other users of this machine "
                f"(mode {mode:03o}): run `chmod 600 {shlex.quote(str(path))}`"
            )
        key = file.read(1000).strip()
    try:
        parse_key(key)
    except SettingsError:
        raise SettingsError(
            f"{path} holds no key: put the right one back, or delete {path.parent} to begin anew "
            "(tokens stored with the old key cannot be opened without it)"
        ) from None
    return key


OF_THIS_PROCESS = frozenset(
    {"PORT", *(PREFIX + name for name in ("PORT", "HOST", "STATUS_PORT", "STATUS_TOKEN"))}
    | {PREFIX + name for name in ("SENTRY_DSN", "LOG_LEVEL", "LOG_FORMAT", "HEALTH_HOST")}
)
"""Variables that say nothing to another terminal, or are a secret that it does not need."""
PROVIDERS_TEMPLATE = """\
# Your apps, and providers that refresher does not know (`refresher providers list` shows those it
# knows). `refresher up` reads this file again whenever it changes.

# [apps.google]
# client_id = "123.apps.googleusercontent.com"
# client_secret_env = "GOOGLE_CLIENT_SECRET"   # or client_secret_file = "google.secret"

# [providers.acme]
# token_url = "https://auth.acme.example/oauth/token"

# [apps.acme]
# client_id = "abc"
# client_secret_file = "acme.secret"
"""


@dataclass(frozen=True, slots=True)
class Foundation:
    """What was found or made; `variables` are the settings that follow from it, key included."""

    directory: Path
    postgres: EmbeddedPostgres | None
    transport: Transport
    providers_file: Path
    has_development_key: bool
    variables: dict[str, str]


def prepare(settings: Settings, stack: ExitStack) -> Foundation:
    """Makes what is missing, and starts the embedded database on `stack` where none is given."""
    directory = settings.data_directory.expanduser().resolve()
    own_directory(directory)
    is_ours = _database_is_ours(settings, directory)
    key = _key(settings, directory, is_ours=is_ours)
    postgres = stack.enter_context(EmbeddedPostgres(directory / "postgres")) if is_ours else None
    transport = _transport(settings)
    providers_file = _providers_file(settings, directory)
    variables = {
        **_at_home(settings),
        variable("data_directory"): str(directory),
        variable("providers_file"): str(providers_file),
        variable("integration_refresh.transport"): transport,
    }
    if postgres is not None:
        variables[variable("database_url")] = postgres.plain_url
    if key is not None:
        variables[variable("encryption_keys")] = key
    return Foundation(directory, postgres, transport, providers_file, key is not None, variables)


def public_at(foundation: Foundation, settings: Settings, port: int) -> dict[str, str]:
    """Returns, and notes, where browsers on this machine reach what listens on `port`.

    Nothing where an address is set, or others than this machine are served. What an earlier `up` wrote
    for another port counts as not set.
    """
    name = variable("public_url")
    written = read_environment(foundation.directory).get(name, "")
    is_ours = settings.public_url is None or (
        settings.public_url == written and written.startswith(f"http://{LOOPBACK}:")
    )
    if not is_ours or not port or settings.host not in {HERE, LOOPBACK}:
        return {}
    foundation.variables[name] = f"http://{LOOPBACK}:{port}"
    return {name: foundation.variables[name]}


def hand_out(foundation: Foundation) -> Path:
    """Writes the variables to a file that a shell reads, so that other commands find all this.

    What the environment of this process sets is written as well: without it another terminal would
    look at other settings, or have another key.
    """
    outside = {name: v for name, v in os.environ.items() if name not in foundation.variables}
    return write_environment(foundation.directory, {**given(outside), **foundation.variables})


def given(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the settings that an environment sets, but those of one process alone.

    A database that somebody else looks after goes by its longer name: under the shorter one the file
    holds ours, by which the next start knows it.
    """
    known = known_variables(Settings.model_fields) - OF_THIS_PROCESS - OF_THE_SDK
    found = {name.upper(): value for name, value in environment.items() if value}
    named = {name: value for name, value in sorted(found.items()) if name in known}
    url = named.pop(variable("database_url"), None)
    return {f"{PREFIX}DATABASE_URL": url, **named} if url else named


def _database_is_ours(settings: Settings, directory: Path) -> bool:
    """Whether no database is given, or the one that an earlier `up` wrote into its file."""
    if settings.database_url is None:
        return True
    written = read_environment(directory).get(variable("database_url"))
    return settings.database_url.get_secret_value() == written


def _key(settings: Settings, directory: Path, *, is_ours: bool) -> str | None:
    """Returns the development key for a database of ours without one; None when a key is given.

    A database that somebody else looks after deserves a key that somebody looks after.
    """
    given = settings.encryption_keys or settings.encryption_keys_file
    if given or not is_ours:
        cipher_from(settings)
        return None
    path = directory / KEY_FILE
    if (directory / "postgres" / "data").exists() and not path.exists():
        raise SettingsError(
            f"{path} is gone, and the database beside it may hold tokens sealed with it: put it "
            f"back, set REFRESHER_ENCRYPTION_KEYS, or delete {directory} to begin anew"
        )
    return development_key(directory)


def _transport(settings: Settings) -> Transport:
    """Returns the transport that is set; else of the server that is given, Redis before RabbitMQ."""
    flow = settings.integration_refresh
    if "transport" in flow.model_fields_set:
        return flow.transport
    if settings.redis_url is not None:
        return "redis"
    return "in_process" if settings.rabbitmq_url is None else "rabbitmq"


def _at_home(settings: Settings) -> dict[str, str]:
    """Returns what suits one's own machine, where it is not set: unseen by others, free to reach it.

    Providers and receivers that one tries out are here; in production both would be dangerous.
    """
    suits = {"host": HERE, "allow_insecure_hosts": "loopback"}
    return {
        variable(name): value
        for name, value in suits.items()
        if name not in settings.model_fields_set
    }


def _providers_file(settings: Settings, directory: Path) -> Path:
    if settings.providers_file is not None:
        return settings.providers_file.expanduser().resolve()
    path = directory / "providers.toml"
    if not path.exists():
        write_private(path, PROVIDERS_TEMPLATE)
    return path
