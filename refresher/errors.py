"""The exception tree: bugs, misconfiguration and lost infrastructure.

    RefresherError
    ├── SettingsError            a setting is missing, malformed, or contradicts another
    ├── CatalogueError           a providers file or catalogue entry is wrong
    ├── UnknownProvider          a row or a command names a provider the catalogue lacks
    │   └── BrokenProvider       … it has it, and the entry is wrong
    ├── CannotDecrypt            no configured key opens this ciphertext
    ├── DatabaseUnavailable      Postgres cannot be reached, or refuses us
    │   ├── DatabaseRefusesWrites  it answers, and takes no writes: read-only, full, no permission
    │   └── DatabaseOlder        it is older than it was: a restored backup, not confirmed yet
    ├── DatabaseNotMigrated      the schema is absent, older or newer than this program
    │   └── DatabaseNewer        … newer: waiting changes nothing
    ├── EmbeddedPostgresError    the bundled server cannot be started
    ├── RedisUnavailable         Redis (or RabbitMQ) cannot be reached, or refuses us
    ├── InvalidApp               an OAuth client of ours lacks or garbles something
    ├── InvalidConnection        an imported connection lacks or garbles a field
    ├── NoSuchApp                no OAuth client of ours has this name
    ├── NoSuchConnection         no connection has this id
    ├── EgressRefused            a URL leads where no request may go
    ├── InvalidWebhook           a webhook endpoint lacks or garbles a field
    ├── NoSuchWebhook            no webhook endpoint has this id
    ├── NoSuchLink               no resume link of the connection has this id
    ├── Conflict                 what is asked contradicts what is stored
    ├── ConnectRefused           a connect session cannot be begun or completed; `code` tells why
    │   └── DiscoveryRefused     … to a server that nobody wrote an entry for
    ├── NoSuchSession            no connect session has this id
    ├── SourceUnreadable         another system's API or database cannot be read on
    ├── UnverifiedWebhook        what came to a webhook receiver is not verified; `code` tells why
    ├── TokenUnavailable         no valid access token can be had; `code` tells why
    └── ApiError                 the HTTP API refused a request; `status` and `code` tell why
        ├── NotAuthorized        its key is unknown or revoked, or lacks a scope
        └── ApiUnavailable       it cannot be reached, or is in trouble itself

What a provider answers is never an exception: see `rules/outcomes.py`. Every message is one sentence
a person can act on; the ways in (`cli`, `scheduler`, `broker`) print it without a traceback.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, TypeVar


class RefresherError(Exception):
    """Superclass of all. Never raised directly. May be pickled: it loses nothing but `reconnects`."""

    exit_code = 1

    def __reduce__(self) -> tuple[object, ...]:
        more = {name: value for name, value in vars(self).items() if name != "reconnects"}
        return with_sentence, (type(self), str(self)), more


Error = TypeVar("Error", bound=RefresherError)


def with_sentence(kind: type[Error], sentence: str) -> Error:
    """Returns an error that an API, or another process, has put into words already."""
    return kind.__new__(kind, sentence)


class SettingsError(RefresherError):
    """A setting is missing, malformed, or contradicts another."""

    exit_code = 2


class CatalogueError(RefresherError):
    """A providers file or catalogue entry is wrong."""

    exit_code = 2


class UnknownProvider(RefresherError):
    """A row or a command names a provider that the catalogue lacks."""

    exit_code = 2

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f'no provider is called "{name}"{did_you_mean(name, known)}; '
            "`refresher providers list` shows all, REFRESHER_PROVIDERS_FILE adds your own"
        )


class BrokenProvider(UnknownProvider):
    """The entry of a provider is wrong, so nothing is known of it until somebody mends that."""

    def __init__(self, name: str) -> None:
        RefresherError.__init__(
            self,
            f'the entry of provider "{name}" is wrong, so it cannot be used for now; '
            "`refresher providers check` says why",
        )


class CannotDecrypt(RefresherError):
    """No configured key opens this ciphertext."""


class DatabaseUnavailable(RefresherError):
    """Postgres cannot be reached, or refuses us."""

    exit_code = 3


class DatabaseRefusesWrites(DatabaseUnavailable):
    """Postgres answers and takes no writes: it is read-only, its disk is full, a permission is gone."""


class DatabaseOlder(DatabaseUnavailable):
    """The database is older than it was: nothing is claimed from a backup before a person confirms."""


class DatabaseNotMigrated(RefresherError):
    """The schema is absent, older or newer than this program."""

    exit_code = 4


class DatabaseNewer(DatabaseNotMigrated):
    """The schema is newer than this program: waiting changes nothing."""


class EmbeddedPostgresError(RefresherError):
    """The bundled PostgreSQL server cannot be started."""

    exit_code = 3


class RedisUnavailable(RefresherError):
    """Redis, or RabbitMQ in its place, cannot be reached, or refuses us."""

    exit_code = 3


class InvalidApp(RefresherError):
    """An OAuth client of ours lacks or garbles something; `sentences` are one for each fault."""

    exit_code = 2

    def __init__(self, *sentences: str) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = sentences


class InvalidConnection(RefresherError):
    """An imported connection lacks or garbles a field."""

    exit_code = 2


class NoSuchApp(RefresherError):
    """No OAuth client of ours has this name."""

    exit_code = 2

    def __init__(self, provider: str, name: str, known: Iterable[tuple[str, str]]) -> None:
        key = f"{provider}/{name}"
        hint = did_you_mean(key, [f"{p}/{n}" for p, n in known])
        super().__init__(f'no app is called "{key}"{hint}; `refresher apps list` shows all')


class NoSuchConnection(RefresherError):
    """No connection has this id."""

    exit_code = 2


class EgressRefused(RefresherError):
    """A URL leads where no request may go: a private address, or no https."""

    exit_code = 2


class Conflict(RefresherError):
    """What is asked contradicts what is stored, such as to delete a grant that others use."""

    exit_code = 2


class InvalidWebhook(RefresherError):
    """A webhook endpoint lacks or garbles a field."""

    exit_code = 2


class QuotaReached(RefresherError):
    """An organization has as many of something as it may have."""


class TokenUnavailable(RefresherError):
    """No valid access token of a connection can be had now.

    `code` is one of `rules.unavailable.Why` or `rules.connection.ParkReason`, `retry_after_seconds` is
    None when waiting alone does not help.
    """

    reconnects: Callable[..., Any] | None = None
    """How the SDK begins a connect session for the account; another process does not know it."""

    def __init__(
        self, code: str, sentence: str, *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.code, self.retry_after_seconds = code, retry_after_seconds

    def reconnect_url(self, **wishes: Any) -> Any:
        """Does what `reconnect_url` of the SDK that raised this does; awaited if that was asyncio."""
        if self.reconnects is None:
            sentence = "only an error of the SDK knows where to connect the account again"
            raise ConnectRefused("cannot_connect", sentence)
        return self.reconnects(**wishes)


class ConnectRefused(RefresherError):
    """A connect session cannot be begun, or completed, like this; `code` tells why."""

    exit_code = 2

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class DiscoveryRefused(ConnectRefused):
    """A server, or an issuer, that nobody wrote an entry for cannot be connected to; says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__("discovery_refused", sentence)


class NoSuchSession(RefresherError):
    """No connect session has this id."""

    exit_code = 2


class UnverifiedWebhook(RefresherError):
    """What came to a webhook receiver is not ours; `code` tells why, as `verify_webhook` explains."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class SourceUnreadable(RefresherError):
    """Another system's API or database cannot be read, or not to its end."""


class ApiError(RefresherError):
    """The HTTP API refused a request (RFC 9457): its sentence, HTTP status and code.

    `status` is None when there was no answer, `retry_after_seconds` when none was asked for.
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.code, self.retry_after_seconds = status, code, retry_after_seconds


class NotAuthorized(ApiError):
    """The API key is unknown or revoked, or lacks the scope that this needs."""


class ApiUnavailable(ApiError):
    """The HTTP API cannot be reached, or is in trouble itself: asking again later may help."""


class NoSuchWebhook(RefresherError):
    """No webhook endpoint has this id, or none of this organization."""

    exit_code = 2

    def __init__(self, given: object, organization_id: str | None = None) -> None:
        whose = "" if organization_id is None else f" of organization {organization_id}"
        super().__init__(
            f"no webhook endpoint{whose} is called {given}; `refresher webhooks list` shows all"
        )


class NoSuchLink(RefresherError):
    """No resume link of the connection has this id."""

    exit_code = 2


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Returns ` (did you mean "…"?)` for the closest known word; what all begin with does not count."""
    rests = sorted({name.removeprefix(prefix) for name in known})
    close = get_close_matches(word.removeprefix(prefix), rests, n=1, cutoff=0.6)
    return f' (did you mean "{prefix}{close[0]}"?)' if close else ""
