"""Flask: an account is connected without any OAuth code: begun here, finished by who began it.

    flask --app examples/flask_app.py run

`/connect` sends the user to refresher, which sends them to the provider and back to `/connected`. What
is kept on the way is in *this user's* session: so an account that somebody else consented to, by a
link that went astray, is connected to nobody.
"""

from __future__ import annotations

import os
import secrets
from functools import cache

from flask import Flask, abort, redirect, request, session, url_for
from werkzeug.wrappers import Response

from refresher.client import ConnectRefused, Refresher

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_hex()


@cache
def refresher() -> Refresher:
    """Opened by the first request of each process; REFRESHER_API_URL and _KEY say where."""
    return Refresher()


@app.get("/connect")
def connect() -> Response:
    """Sends the user away to consent; the same again is a reconnect."""
    start = refresher().connect_url(
        organization_id="org-1",
        provider="acme",
        external_id=request.args.get("account", "me"),  # whoever is logged in here
        return_url=url_for("connected", _external=True),  # in REFRESHER_CONNECT_RETURN_URLS
    )
    session["connecting"] = [str(start.session_id), start.verifier]
    return redirect(start.url, 303)


@app.get("/connected")
def connected() -> dict[str, object]:
    """Confirms that this user is who consented. The connection's id is all that is kept."""
    session_id, verifier = session.pop("connecting", None) or abort(400, "begin at /connect")
    if request.args.get("connect_status") != "confirm":
        return {"connected": False, "why": request.args.get("connect_status")}
    try:
        done = refresher().connect_complete(
            session_id, code=request.args.get("connect_code", ""), verifier=verifier
        )
    except ConnectRefused as error:
        abort(409, str(error))
    return {"connected": done.is_connected, "connection_id": str(done.connection_id)}
