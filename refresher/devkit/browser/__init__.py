"""A browser without a window, for walking through consents: cookies, redirects, forms.

It keeps to what browsers do with a top-level navigation, and to nothing else: no script, no images, no
frames drawn. Reading order: `sites.py` (what is whose), `cookies.py`, `page.py`, `browser.py`.
"""

from refresher.devkit.browser.browser import Blocked, Browser, Unreachable
from refresher.devkit.browser.page import Form, Page

__all__ = ["Blocked", "Browser", "Form", "Page", "Unreachable"]
