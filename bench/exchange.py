"""How many requests a second `Exchange.stream` carries, per sender, against our instant provider.

One run, one machine, both senders side by side, next to pyreqwest alone: read the ratios.

    python bench/exchange.py --requests 20000 --batch 200 --callers 1 --latency-seconds 0
"""

from __future__ import annotations

import argparse
import sys
import threading
import time

from bench.servers import provider
from refresher.outbound.egress import Egress
from refresher.outbound.exchange import Exchange, Outgoing
from refresher.outbound.sender import SenderName, SendLimits
from refresher.rules.providers import BodyForm
from refresher.rules.requests import TokenRequest

FORM = {
    "grant_type": "refresh_token",
    "refresh_token": "r" * 64,
    "client_id": "client",
    "client_secret": "secret",
}
HTTPX_SHARE = 10
"""httpx gets a tenth of the requests, or one waits for it."""


def main() -> None:
    """Prints one line a sender."""
    given = _options().parse_args()
    with provider(given.latency_seconds) as url:
        names: tuple[SenderName, ...] = ("pyreqwest", "httpx")
        rates = {}
        for name in names:
            requests = given.requests // (HTTPX_SHARE if name == "httpx" else 1)
            limits = SendLimits(max_in_flight=given.in_flight)
            rates[name] = _measure(name, limits, url, requests, given)
        print(f"pyreqwest / httpx: {rates['pyreqwest'] / rates['httpx']:.1f}")


def _measure(
    name: SenderName, limits: SendLimits, url: str, requests: int, given: argparse.Namespace
) -> float:
    exchange = Exchange(limits, name=name, egress=Egress(loopback=True))
    request = TokenRequest("POST", url, {"Accept": "application/json"}, BodyForm.FORM, FORM)
    _stream(exchange, request, given.batch, 1)  # connections are made, modules loaded
    batches = max(1, requests // given.batch // given.callers)
    callers = [
        threading.Thread(target=_stream, args=(exchange, request, given.batch, batches))
        for _ in range(given.callers)
    ]
    started, used = time.perf_counter(), time.process_time()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    seconds, used = time.perf_counter() - started, time.process_time() - used
    exchange.close()
    sent = batches * given.batch * given.callers
    print(f"{name:10} {sent / seconds:8.0f} requests/s {used / sent * 1e6:6.0f} µs CPU each")
    return float(sent / seconds)


def _stream(exchange: Exchange, request: TokenRequest, batch: int, batches: int) -> None:
    for _ in range(batches):
        outgoing = [Outgoing(number, request, 20.0) for number in range(batch)]
        for replies in exchange.stream(outgoing):
            wrong = [reply for _, reply in replies if reply.status != 200]
            if wrong:
                sys.exit(f"no answer: {wrong[0]}")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Requests a second, sender by sender.")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--callers", type=int, default=1, help="threads that stream at once")
    parser.add_argument("--in-flight", type=int, default=200)
    parser.add_argument("--latency-seconds", type=float, default=0.0)
    return parser


if __name__ == "__main__":
    main()
