"""Flask: the OAuth dance of your application, whose end is handed to refresher.

    flask --app examples/flask_app.py run

From `/callback` on nobody stores or refreshes a token here: the connection's id is all that is kept.
Doing the dance again for the same account is a reconnect, which resumes what was parked.
"""

from __future__ import annotations

import os
import secrets
from functools import cache
from urllib.parse import urlencode

import httpx
from flask import Flask, abort, redirect, request, session, url_for
from werkzeug.wrappers import Response

from refresher.client import InvalidConnection, Refresher

AUTHORIZE_URL, TOKEN_URL = os.environ["AUTHORIZE_URL"], os.environ["TOKEN_URL"]
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_hex()


@cache
def refresher() -> Refresher:
    """Opened by the first request of each process; REFRESHER_API_URL and _KEY say where."""
    return Refresher()


@app.get("/connect")
def connect() -> Response:
    """Sends the user to the provider, to consent."""
    session["state"] = secrets.token_urlsafe()
    asked = {"response_type": "code", "client_id": CLIENT_ID, "state": session["state"]}
    asked["redirect_uri"] = url_for("callback", _external=True)
    return redirect(f"{AUTHORIZE_URL}?{urlencode(asked)}")


@app.get("/callback")
def callback() -> dict[str, str]:
    """Exchanges the code, and registers what the provider answered, as it came."""
    if request.args.get("state") != session.pop("state", secrets.token_urlsafe()):
        abort(400, "this did not begin at /connect")
    form = {"grant_type": "authorization_code", "code": request.args.get("code", "")}
    form["redirect_uri"] = url_for("callback", _external=True)
    answer = httpx.post(TOKEN_URL, data=form, auth=(CLIENT_ID, CLIENT_SECRET)).json()
    account = request.args.get("account", "me")  # whoever is logged in here
    try:
        made = refresher().register(
            answer, organization_id="org-1", provider="acme", external_id=account
        )
    except InvalidConnection as error:
        abort(400, str(error))  # in the provider's words, such as access_denied
    return {"connection_id": str(made.id), "status": made.status}
