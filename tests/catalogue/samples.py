"""Sample credentials and replies for any provider, so that one test covers every row."""

import json

from refresher.catalogue import load
from refresher.rules.connection import Secret
from refresher.rules.outcomes import Outcome, Reply, classify
from refresher.rules.providers import Path, Provider
from refresher.rules.recording import placed
from refresher.rules.requests import ClientCredentials, TokenRequest, build_request

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


def request_for(provider: Provider, host: str | None = None) -> TokenRequest:
    """Returns the request that `provider` gets for the sample credentials."""
    return build_request(
        provider,
        client=CLIENT,
        access_token=ACCESS_TOKEN,
        refresh_token=REFRESH_TOKEN,
        scopes=("read", "write"),
        host=host or HOSTS.get(provider.name),
    )


def nested(path: Path, value: object) -> dict[str, object]:
    """Returns `value` at the end of `path`: `{"data": {"error": value}}`."""
    made = placed(path, value)
    assert isinstance(made, dict)
    return made


def meaning(provider: Provider, status: int, answer: object) -> Outcome:
    """Returns what `provider` means by `answer`."""
    return classify(provider, Reply(status, {}, json.dumps(answer).encode()), NOW)
