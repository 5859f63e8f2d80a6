"""What is done to a webhook endpoint: each deed, and the question before it where there is one."""

from __future__ import annotations

from dataclasses import dataclass

from refresher.notify import endpoints
from refresher.rules.access import Scope
from refresher.rules.words import counted, many, span
from refresher.store.webhooks import EndpointView
from refresher.web.dashboard.asking import fitting, mistakes_on, unchanged
from refresher.web.dashboard.pages.endpoint import etag_of, find
from refresher.web.dashboard.pages.webhooks import KINDS, EndpointForm, SecretView, typed
from refresher.web.dashboard.routing import Goto, Page, Route, Tone
from refresher.web.dashboard.visit import Visit
from refresher.web.shapes import WebhookChange


@dataclass(frozen=True, slots=True)
class Question:
    """A question on a page of its own: what is asked, what follows, and the button."""

    endpoint: EndpointView
    etag: str
    title: str
    sentence: str
    words: str
    button: str
    path: str
    asks_overlap: bool = False


def test(visit: Visit) -> Goto:
    """Sends a signed `webhook.test` now, also to a disabled one; nothing is stored or counted."""
    services, endpoint = visit.services, find(visit)
    tested = endpoints.send_test(
        services.database, services.cipher, services.webhook_sender, endpoint.id
    )
    took = span(tested.answer.elapsed_seconds)
    if tested.is_delivered:
        return _back(endpoint, f"A test message arrived: {tested.told}, in {took}.")
    return _back(endpoint, f"A test message did not arrive: {tested.told} ({took}).", "bad")


def enable(visit: Visit) -> Goto:
    """Enables an endpoint; what was held for it goes out."""
    endpoint = find(visit)
    released = endpoints.enable(visit.database, endpoint.id, visit.actor)
    return _back(endpoint, f"It is enabled; {many(released, 'held message')} can go out now.")


def ask_disable(visit: Visit) -> Page:
    """Asks before an endpoint is disabled."""
    endpoint = find(visit)
    waiting = counted(endpoint.waiting, "message")
    return _question(
        endpoint,
        "disable",
        title="Disable this endpoint?",
        sentence=f"It is sent nothing any more. {waiting} that wait are held for it.",
        words="What happens meanwhile is held as well, and goes out when it is enabled again.",
        button="Disable this endpoint",
    )


def disable(visit: Visit) -> Goto:
    """Sends it no more until somebody enables it."""
    endpoint = find(visit)
    unchanged(visit, etag_of(endpoint), lambda: ask_disable(visit))
    endpoints.disable(visit.database, endpoint.id, visit.actor)
    return _back(endpoint, "It is disabled: what happens meanwhile is held for it.", "still")


def ask_remove(visit: Visit) -> Page:
    """Asks before an endpoint is removed."""
    endpoint = find(visit)
    unsent = counted(endpoint.waiting + endpoint.held, "message")
    return _question(
        endpoint,
        "remove",
        title="Remove this endpoint?",
        sentence=f"It is deleted, and {unsent} for it with it: they are never sent.",
        words="This cannot be taken back: whoever adds it again gets another secret.",
        button="Remove this endpoint",
    )


def remove(visit: Visit) -> Goto:
    """Deletes an endpoint with its messages."""
    endpoint = find(visit)
    unchanged(visit, etag_of(endpoint), lambda: ask_remove(visit))
    endpoints.remove(visit.database, endpoint.id, visit.actor)
    return Goto("/ui/webhooks", "The endpoint is removed, with its messages.")


def ask_rotate(visit: Visit) -> Page:
    """Asks before a new secret signs, and for how long the old one does as well."""
    endpoint = find(visit)
    until = endpoint.previous_secret_until
    third = ""
    if until is not None and until > visit.now:
        left = span((until - visit.now).total_seconds())
        third = f" One before it signs as well for another {left}: it ends now."
    usual = span(visit.services.settings.webhook_secret_overlap_seconds)
    return _question(
        endpoint,
        "rotate-secret",
        title="Make a new signing secret?",
        sentence="From now on messages are signed with a new secret, which is shown once.",
        words=f"The old one signs as well, for {usual} unless you say otherwise: give the new one "
        f"to the receiver within that time.{third}",
        button="Make a new secret",
        asks_overlap=True,
    )


def rotate(visit: Visit) -> Page:
    """Makes a new secret, and shows it, once."""
    endpoint, services = find(visit), visit.services
    unchanged(visit, etag_of(endpoint), lambda: ask_rotate(visit))
    seconds = services.settings.webhook_secret_overlap_seconds
    if "now" in visit.form:
        seconds = 0.0
    secret, until = endpoints.rotate_secret(
        services.database, services.cipher, endpoint.id, visit.actor, overlap_seconds=seconds
    )
    sentence = "A new secret signs. This is the only time that it is shown."
    old = f"signs as well for {span(seconds)}" if until > visit.now else "ended now"
    words = f"Give it to the receiver: the old one {old}."
    view = SecretView(endpoint.id, endpoint.url, sentence, words, secret.reveal())
    return Page("secret.html", view, "A new signing secret", has_live_parts=False)


def ask_edit(visit: Visit) -> Page:
    """Shows what may be changed."""
    endpoint = find(visit)
    given = bool(visit.form)
    form = EndpointForm(
        id=endpoint.id,
        kinds=list(dict.fromkeys((*KINDS, *endpoint.events))),
        asks_whose=False,
        url=visit.form.get("url", endpoint.url),
        description=visit.form.get("description", endpoint.description or ""),
        events=visit.forms("event") if given else endpoint.events,
        etag=etag_of(endpoint),
    )
    return Page("endpoint_form.html", form, "Change an endpoint", has_live_parts=False)


def edit(visit: Visit) -> Goto:
    """Changes url, events or description; what waits goes to the new url."""
    endpoint = find(visit)
    unchanged(visit, etag_of(endpoint), lambda: ask_edit(visit))
    with mistakes_on(lambda: ask_edit(visit)):
        body = fitting(WebhookChange, typed(visit))
        known = {"url": endpoint.url, "events": endpoint.events}
        given = {
            name: value for name, value in body.model_dump().items() if known.get(name) != value
        }
        endpoints.change(visit.database, visit.shared.egress, endpoint.id, given, visit.actor)
    return _back(endpoint, "It is changed.")


def _back(endpoint: EndpointView, said: str, tone: Tone = "good") -> Goto:
    return Goto(f"/ui/webhooks/{endpoint.id}", said, tone)


def _question(
    endpoint: EndpointView,
    deed: str,
    *,
    title: str,
    sentence: str,
    words: str,
    button: str,
    asks_overlap: bool = False,
) -> Page:
    path = f"/ui/webhooks/{endpoint.id}/{deed}"
    etag = etag_of(endpoint)
    view = Question(endpoint, etag, title, sentence, words, button, path, asks_overlap)
    return Page("endpoint_question.html", view, title, has_live_parts=False)


ROUTES = (
    Route("POST", "/ui/webhooks/{id}/test", test, Scope.WRITE, section="webhooks", outside=True),
    Route("POST", "/ui/webhooks/{id}/enable", enable, Scope.WRITE, section="webhooks"),
    Route("GET", "/ui/webhooks/{id}/disable", ask_disable, Scope.WRITE, section="webhooks"),
    Route("POST", "/ui/webhooks/{id}/disable", disable, Scope.WRITE, section="webhooks"),
    Route("GET", "/ui/webhooks/{id}/remove", ask_remove, Scope.WRITE, section="webhooks"),
    Route("POST", "/ui/webhooks/{id}/remove", remove, Scope.WRITE, section="webhooks"),
    Route("GET", "/ui/webhooks/{id}/rotate-secret", ask_rotate, Scope.WRITE, section="webhooks"),
    Route("POST", "/ui/webhooks/{id}/rotate-secret", rotate, Scope.WRITE, section="webhooks"),
    Route("GET", "/ui/webhooks/{id}/edit", ask_edit, Scope.WRITE, section="webhooks"),
    Route("POST", "/ui/webhooks/{id}/edit", edit, Scope.WRITE, section="webhooks", outside=True),
)
