"""What a person sees at the provider: a consent page, and the sentence of a request that is no good.

No script and nothing from elsewhere. The form goes to the URL of the page, whose query is the request.
"""

from collections.abc import Iterable
from html import escape

from starlette.responses import Response

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>{title}</h1>
{body}
</main></body></html>
"""
_FORM = """<form method="post">
<p><label>Account
<input name="account" value="{account}" list="accounts" autocomplete="off"></label></p>
<datalist id="accounts">{known}</datalist>
<fieldset><legend>{client} may</legend>
{scopes}</fieldset>
<p><button name="decision" value="allow">Allow</button>
<button name="decision" value="cancel">Cancel</button></p>
</form>"""
_SCOPE = """<p><label>
<input type="checkbox" name="granted" value="{scope}" checked> {scope}</label></p>
"""


def consent_page(
    client: str, account: str, scopes: Iterable[str], known: Iterable[str]
) -> Response:
    """Returns the page that asks: which account, which scopes, Allow or Cancel."""
    boxes = "".join(_SCOPE.format(scope=escape(scope)) for scope in scopes)
    names = "".join(f'<option value="{escape(name)}">' for name in known)
    body = _FORM.format(account=escape(account), client=escape(client), scopes=boxes, known=names)
    return _page("Allow access?", body, 200)


def sentence_page(sentence: str, status: int) -> Response:
    """Returns a page that says one sentence, and leads nowhere."""
    return _page("Fake provider", f"<p>{escape(sentence)}</p>", status)


def _page(title: str, body: str, status: int) -> Response:
    # Real providers forbid to be framed, and so does this one.
    headers = {"Cache-Control": "no-store", "X-Frame-Options": "DENY"}
    return Response(_PAGE.format(title=title, body=body), status, headers, "text/html")
