"""Flask: an account is connected without any OAuth code: begun here, finished by who began it.

    flask --app examples/flask_app.py run

`/connect/acme` sends the user to refresher, which sends them to the provider and back to `/connected`.
What is kept on the way is in *this user's* session: so an account that somebody else consented to, by a
link that went astray, is connected to nobody.
"""

from __future__ import annotations

import os
import secrets

from flask import Flask, session

from refresher.client import Refresher
from refresher.contrib.flask import Accounts, Connected, Refused, Whoever


def who() -> Whoever | None:
    """Whoever is signed in, by your own means."""
    return Whoever("org-1", session["user"]) if "user" in session else None


def thanks(connected: Connected) -> dict[str, object]:
    """Most redirect to a page of theirs. The connection's id is all that need be kept."""
    return {"connected": True, "connection_id": str(connected.connection_id)}


def sorry(refused: Refused) -> tuple[dict[str, object], int]:
    """Without this, it is a plain page with a link to begin once more."""
    return {"connected": False, "why": refused.code}, refused.status


accounts = Accounts(
    Refresher(),  # REFRESHER_API_URL and REFRESHER_API_KEY say where
    who=who,
    providers={"acme": {}},
    on_connected=thanks,
    on_refused=sorry,
)
app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_hex()
app.register_blueprint(accounts.blueprint)


@app.get("/sign-in/<user>")
def sign_in(user: str) -> str:
    """Stands for your own way to sign in."""
    session["user"] = user
    return user
