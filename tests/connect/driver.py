"""Walks through a consent as a person's browser does, without one: `Browser`.

    with Browser() as ann:
        ann.open(f"{provider.url}/login?account=ann")  # who the person is at the fake provider
        ann.open(start_url)
        page = ann.submit("Connect")  # follows Refresh headers and redirects to the end
        page = ann.submit("Connect", until="/connect/callback")  # or stops there: page.next_url
        ann.go_on()  # or another browser goes on: ben.open(page.next_url)

For SameSite the provider must be another site: `127.0.0.1` for one, `localhost` for the other; or a
name of https with a proxy in front: `Browser({"https://connect.example": "http://127.0.0.1:8000"})`.
"""

from refresher.devkit.browser import Blocked, Browser, Form, Page

__all__ = ["Blocked", "Browser", "Form", "Page"]
