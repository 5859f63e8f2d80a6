"""A real SMTP server with a script, and short words for what tests of mail do."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from refresher.notify import delivery
from refresher.notify.mail_channel import MAIL
from refresher.rules.outcomes import Reply
from refresher.store import recipients
from refresher.store.leases import Lease
from tests.ports import LOOPBACK, free_port
from tests.world import World, refused


@dataclass
class Inbox:
    """What arrived, and what the server answers; a handler of aiosmtpd."""

    mails: list[EmailMessage] = field(default_factory=list)
    peers: list[Any] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    recipient: Callable[[str], str] = lambda _address: "250 ok"
    data: Callable[[EmailMessage], str] = lambda _mail: "250 taken"
    port: int = 0

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Answers RCPT TO by the script."""
        answer = self.recipient(address)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Answers DATA by the script, and keeps what is taken."""
        mail = message_from_bytes(cast("bytes", envelope.content), policy=default)
        answer = self.data(mail)
        if answer.startswith("2"):
            self.mails.append(mail)
            self.peers.append(session.peer)
            self.secured.append(session.ssl is not None)
        return answer

    @property
    def subjects(self) -> list[str]:
        """The subjects, in the order of arrival."""
        return [str(mail["Subject"]) for mail in self.mails]

    @property
    def ids(self) -> list[str]:
        """The Message-IDs, in the order of arrival."""
        return [str(mail["Message-ID"]) for mail in self.mails]


class _Plain(Controller):
    """A controller that needs no probe of its own connection to be up."""

    def factory(self) -> SMTP:
        """Returns a server with the given options."""
        return SMTP(self.handler, **self.SMTP_kwargs)


@contextmanager
def smtp_server(inbox: Inbox, *, port: int | None = None, **options: Any) -> Iterator[Inbox]:
    """Runs a server for as long as the block lasts."""
    inbox.port = port or free_port()
    controller = _Plain(inbox, hostname=LOOPBACK, port=inbox.port, **options)
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop()


def authenticator(user: str, password: str) -> Callable[..., AuthResult]:
    """Returns what lets in this user only."""

    def check(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: Any) -> Any:
        good = isinstance(given, LoginPassword) and (given.login, given.password) == (
            user.encode(), password.encode(),
        )  # fmt: skip
        return AuthResult(success=good, handled=False)

    return check


def add(world: World, address: str, organization: str | None = "org", **choices: str) -> None:
    """Stores a recipient; `reconnect_required="none"` chooses for `connection.reconnect_required`."""
    chosen = {
        f"{'app' if kind.startswith('app_') else 'connection'}.{kind.removeprefix('app_')}": how
        for kind, how in choices.items()
    }
    with world.services.database.transaction() as db:
        recipients.add(db, organization, address, chosen)


def break_connections(
    world: World, *names: str, code: str = "invalid_grant", **fields: Any
) -> None:
    """Connects these and has their provider end their grants."""
    for name in names:
        world.connect(name, expires_in=0, **fields)
    world.script.answer = lambda _request: refused(code)
    world.tick()


def heal(world: World) -> None:
    """Has the provider answer well from now on."""
    world.script.answer = world.script.rotate


def outage(world: World) -> None:
    """Has the provider fail from now on."""
    world.script.answer = lambda _request: Reply(503, {}, b"")


def plan(world: World) -> int:
    """Makes mails of what is new."""
    return delivery.plan(world.services, MAIL)


def dispatch(world: World) -> tuple[list[Lease], float]:
    """Claims the mail that may leave now, if one may; returns it, and how soon to look again."""
    batches: list[Sequence[Lease]] = []
    again = delivery.dispatch(world.services, MAIL, batches.extend)
    return [lease for batch in batches for lease in batch], again


def claim(world: World) -> list[Lease]:
    """Claims the mail that may leave now, if one may, and hands it to nobody."""
    return dispatch(world)[0]


def deliver(world: World, lease: Lease) -> str:
    """Sends what was claimed; returns what came of it."""
    (word,) = delivery.deliver(world.services, MAIL, [lease]).elements()
    return word


def post(world: World, *, most: int = 10_000) -> list[str]:
    """Plans and sends whatever may leave now, as scheduler and worker do; returns what came of it."""
    plan(world)
    delivery.sweep(world.services, MAIL)
    done: list[str] = []
    while len(done) < most and (given := claim(world)):
        done += [deliver(world, lease) for lease in given]
    return done


def digest(world: World) -> int:
    """Gathers digests; returns how many were made."""
    plan(world)
    return delivery.gather(world.services, MAIL)
