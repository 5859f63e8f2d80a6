"""The page behind a link that a person opens in a browser: one button, which POSTs, without a script.

It is the same for every link, good or not: whoever looks learns nothing, and uses nothing up.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

NOT_FOLLOWED = {"referrer-policy": "no-referrer"}
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
    "content-security-policy": _POLICY,
    **NOT_FOLLOWED,
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 17px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem; }}
h1 {{ font-size: 1.5rem; line-height: 1.3; }}
button {{ font: inherit; font-weight: 600; padding: .7rem 1.4rem; border: 0; border-radius: .5rem;
  color: #fff; background: #1f56d8; cursor: pointer; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{sentence}</p>
{button}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class LinkPage:
    """What a person reads before and after; the button's word."""

    title: str
    sentence: str
    button: str
    done_title: str
    done_sentence: str

    def asking(self) -> bytes:
        """Returns the page with the button. Its form goes to the address at which it is."""
        button = f'<form method="post"><button>{escape(self.button)}</button></form>'
        return _page(self.title, self.sentence, button)

    def done(self) -> bytes:
        """Returns the page that says that it is done."""
        return _page(self.done_title, self.done_sentence)

    def refused(self, title: str, sentence: str) -> bytes:
        """Returns the page that says why it is not."""
        return _page(title, f"{sentence[:1].upper()}{sentence[1:]}.")


def _page(title: str, sentence: str, button: str = "") -> bytes:
    return _PAGE.format(title=escape(title), sentence=escape(sentence), button=button).encode()
