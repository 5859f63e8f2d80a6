"""What a callback brings: code or error, state, issuer, what an entry adds, and what a fault spoils."""

import hashlib
import hmac
from urllib.parse import parse_qsl

from refresher.devkit.oauth_server.consent.options import CallbackHmac
from refresher.devkit.oauth_server.consent.request import Pairs
from refresher.devkit.oauth_server.faults import FaultRule
from refresher.devkit.oauth_server.options import Options

OTHER_ISSUER = "https://another.example"


def callback_pairs(
    answer: Pairs, state: str, issuer: str, options: Options, fault: FaultRule | None
) -> Pairs:
    """Returns the parameters of a callback, without a signature."""
    kind = None if fault is None else fault.kind
    pairs = [*answer]
    if state and kind != "state_dropped":
        pairs.append(("state", "another" + state[7:] if kind == "state_changed" else state))
    if kind == "iss_changed":
        pairs.append(("iss", OTHER_ISSUER))
    elif options.tell_issuer and kind != "iss_dropped":
        pairs.append(("iss", issuer))
    if kind in {"code_twice", "state_twice"}:
        name = kind.removesuffix("_twice")
        pairs += [(name, "second") for found, _ in pairs if found == name]
    own = parse_qsl(options.callback_parameters, keep_blank_values=True)
    names = {name for name, _ in own}
    return (*(pair for pair in pairs if pair[0] not in names), *own)


def signed(pairs: Pairs, secret: str, name: str, style: CallbackHmac) -> Pairs:
    """Returns the parameters with an hmac over all of them, sorted, in hex (as Shopify signs)."""
    if style == "none":
        return pairs
    text = "&".join(f"{key}={value}" for key, value in sorted(pairs))
    secret = secret if style == "right" else f"not {secret}"
    return (*pairs, (name, hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()))
