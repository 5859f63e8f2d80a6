"""Sample credentials and replies for any provider, so that one test covers every row."""

import functools
import inspect
import json
from collections.abc import Callable
from dataclasses import replace

from refresher.catalogue import load
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.fillings import Stamp
from refresher.rules.outcomes import Outcome, Reply, classify
from refresher.rules.paths import placed, ways
from refresher.rules.placeholders import example
from refresher.rules.providers import Paths, Provider
from refresher.rules.requests import TokenRequest, build_request
from refresher.testing.proof.apps import apps_of

CATALOGUE = load()
HOSTS = {
    "exact-online": "start.exactonline.be",
    "salesforce": "acme.my.salesforce.com",
    "shopify": "acme.myshopify.com",
    "zoho": "accounts.zoho.eu",
}
CLIENT = ClientCredentials("an-id", Secret("app-secret"))
ACCESS_TOKEN, REFRESH_TOKEN = Secret("old-access"), Secret("old-refresh")
SECRETS = ("app-secret", "old-access", "old-refresh", "YW4taWQ6YXBwLXNlY3JldA")
NOW = 1_795_000_000.0


def every_provider(promise: Callable[..., None]) -> Callable[..., None]:
    """Makes one test of a promise that each provider keeps: one a row would cost many seconds."""
    signature = inspect.signature(promise)

    def kept_by_all(**given: object) -> None:
        broken = {}
        for provider in CATALOGUE.providers:
            try:
                promise(provider=provider, **given)
            except (AssertionError, ValueError) as error:
                broken[provider.name] = str(error)
        assert broken == {}, broken

    others = [p for name, p in signature.parameters.items() if name != "provider"]
    kept_by_all.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
    return functools.wraps(promise, assigned=("__name__", "__doc__", "__module__"))(kept_by_all)


def client_of(provider: Provider) -> ClientCredentials:
    """Returns the app, with a key where requests to this provider are signed."""
    key = apps_of(provider).known.private_key if provider.signs else None
    return replace(CLIENT, private_key=key, key_id="key-1") if key else CLIENT


def request_for(provider: Provider, host: str | None = None) -> TokenRequest:
    """Returns the request that `provider` gets for the sample credentials."""
    return build_request(
        provider,
        client=client_of(provider),
        access_token=ACCESS_TOKEN,
        refresh_token=REFRESH_TOKEN,
        scopes=("read", "write"),
        host=host or HOSTS.get(provider.name) or provider.host_example,
        placeholders={name: example(shape) for name, shape in provider.placeholders.items()},
        draw=lambda: Stamp(NOW, "8eaef023"),
    )


def nested(paths: Paths, value: object) -> dict[str, object]:
    """Returns `value` at the end of `path`: `{"data": {"error": value}}`."""
    made = placed(ways(paths)[0], value)
    assert isinstance(made, dict)
    return made


def granted(provider: Provider, **more: object) -> dict[str, object]:
    """Returns an answer with new tokens that live 1234 seconds, in this provider's own words.

    A field that is given as an ellipsis is left out.
    """
    life = provider.access_token_lifetime_fields[0]
    words = {"access_token": "new", "refresh_token": "next", life: 1234, **more}
    answer: dict[str, object] = {"ok": True}
    for name, value in words.items():
        if value is ...:
            continue
        step, *rest = provider.answer_names.get(name, (name,))
        answer |= nested((step, *rest), value)
    return nested(provider.response_path, answer)


def meaning(provider: Provider, status: int, answer: object) -> Outcome:
    """Returns what `provider` means by `answer`."""
    return classify(provider, Reply(status, {}, json.dumps(answer).encode()), NOW)
