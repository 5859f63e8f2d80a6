"""Puts notices into words: what the templates of `outbound/` lay out, in plain values.

The facts come from the outbox. Names that came from outside are cut short and made plain here
(`rules.mails.named`), the templates escape them, and the headers refuse what is no header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from refresher.notify.mail_words import WORDS
from refresher.rules import addresses
from refresher.rules.mails import named
from refresher.rules.notices import Kind
from refresher.store.mails import LeasedMail
from refresher.store.outbox import OutboxEntry

MOST_LISTED = 50
"""How many notices of a kind a digest lists; the rest is counted."""
_PROPER = {
    "github": "GitHub", "gitlab": "GitLab", "hubspot": "HubSpot", "linkedin": "LinkedIn",
    "quickbooks": "QuickBooks", "tiktok": "TikTok", "youtube": "YouTube",
}  # fmt: skip
_NO_TITLES: Mapping[str, str] = {}
WayBack = str | Mapping[UUID, str]
"""How a broken connection is mended: at somebody's page (a template), or by a link of its own."""
_DELAYS = {
    "provider_failing": "{provider} does not answer properly at present",
    "provider_paused": "{provider} asked us to wait",
    "app_refused": "{provider} refuses our app at present",
}


_FILLED = ("title", "sentence", "advice", "remark")
_TONES = ("bad", "warn", "good")


def provider_name(provider: str, titles: Mapping[str, str] = _NO_TITLES) -> str:
    """Returns a provider's name as people write it: its title in the catalogue, if it has one."""
    known = titles.get(provider) or _PROPER.get(provider)
    return known or provider.replace("-", " ").replace("_", " ").title()


def reconnect_template(mail: LeasedMail, default_reconnect_url: str | None) -> str | None:
    """Returns the page of the organization, else of the installation; None: nobody named one."""
    template = mail.reconnect_url or default_reconnect_url
    if template and addresses.template_fault(template, addresses.RECONNECT_WORDS):
        return default_reconnect_url  # stored before today's rules
    return template


def values(
    mail: LeasedMail, way_back: WayBack, titles: Mapping[str, str] = _NO_TITLES
) -> dict[str, object]:
    """Returns what a mail's templates are given; `titles` are what the providers are called."""
    known = [entry for entry in mail.entries if entry.kind in set(Kind)]
    told = [(Kind(entry.kind), notice(entry, way_back, titles)) for entry in known]
    name = mail.organization_name and named(mail.organization_name)
    organization = {"id": mail.organization_id, "name": name}
    common: dict[str, object] = {"organization": organization, "why": _why(mail)}
    if mail.form == "plain" and told:
        return {**common, "notice": told[0][1]}
    return {**common, "digest": _digest(told)}


def notice(
    entry: OutboxEntry, way_back: WayBack, titles: Mapping[str, str] = _NO_TITLES
) -> dict[str, object]:
    """Returns one entry in words."""
    kind = Kind(entry.kind)
    words, facts = WORDS[kind], _facts(entry, titles)
    return {
        "kind": kind.value,
        "label": words.label,
        "tone": words.tone,
        **{name: getattr(words, name).format_map(facts) for name in _FILLED},
        "action": words.action,
        "subject": facts["subject"],
        "link": _link(entry, way_back) if words.action else None,
        "facts": _listed(entry, facts),
        "payload": entry.payload,
    }


def _link(entry: OutboxEntry, way_back: WayBack) -> str | None:
    if isinstance(way_back, str):
        return addresses.fill(way_back, entry.payload)
    return way_back.get(entry.connection_id) if entry.connection_id else None


def _facts(entry: OutboxEntry, titles: Mapping[str, str]) -> dict[str, str]:
    payload = entry.payload
    provider_id = str(payload.get("provider", ""))
    provider = provider_name(provider_id, titles)
    account = named(payload.get("name") or payload.get("external_id") or payload.get("url") or "")
    if slot := payload.get("slot"):
        account = f"{account} ({named(slot)} token)"
    app = str(payload.get("app", "")).partition("/")[2]
    delay = _DELAYS.get(str(payload.get("cause")), "")
    return {
        "provider": provider,
        "provider_id": provider_id,
        "account": account,
        "subject": f"{provider} · {account or app}" if provider else account,
        "webhook": str(payload.get("webhook_id") or ""),
        "app": app,
        "app_option": "" if app == "default" else f" --name {app}",
        "cause": str(payload.get("cause") or ""),
        "ends": _day(payload.get("refresh_token_expires_at")),
        "delay": delay.format(provider=provider),
        "answer": str(payload.get("answer_id") or ""),
    }


def _listed(entry: OutboxEntry, facts: Mapping[str, str]) -> list[tuple[str, str]]:
    payload = entry.payload
    rows = [
        ("Provider", facts["provider"]),
        ("App", facts["app"]),
        ("Endpoint" if facts["webhook"] else "Account", facts["account"]),
        ("Account id", named(payload.get("external_id") or "")),
        ("Organization", named(entry.organization_id or "")),
        ("Reason", facts["cause"]),
        ("Noticed", f"{entry.occurred_at:%d %B %Y, %H:%M} UTC"),
    ]
    seen = {value for _, value in rows[:3]}
    return [(n, v) for n, v in rows if v and not (n == "Account id" and v in seen)]


def _digest(told: Sequence[tuple[Kind, dict[str, object]]]) -> dict[str, object]:
    groups = [
        _group(kind, notices)
        for kind in sorted(Kind, key=lambda kind: _TONES.index(WORDS[kind].tone))
        if (notices := [words for told_kind, words in told if told_kind is kind])
    ]
    return {"title": _digest_title(told), "groups": groups, "count": len(told)}


def _group(kind: Kind, notices: Sequence[dict[str, object]]) -> dict[str, object]:
    words = WORDS[kind]
    return {
        "kind": kind.value,
        "tone": words.tone,
        "title": f"{words.group} ({len(notices):,})",
        "sentence": words.group_sentence,
        "notices": notices[:MOST_LISTED],
        "more": max(0, len(notices) - MOST_LISTED),
    }


def _digest_title(told: Sequence[tuple[Kind, dict[str, object]]]) -> str:
    broken = sum(kind is Kind.RECONNECT_REQUIRED for kind, _ in told)
    if broken:
        return f"{_count(broken, 'connection')} must be reconnected"
    return f"{_count(len(told), 'notice')} about your connections"


def _count(number: int, word: str) -> str:
    return f"1 {word}" if number == 1 else f"{number:,} {word}s"


def _why(mail: LeasedMail) -> str:
    if mail.organization_id is None:
        return "you look after refresher"
    name, id_ = mail.organization_name, named(mail.organization_id)
    whose = f"{named(name)} ({id_})" if name and name != id_ else id_  # a name could be anybody's
    return f"you look after the connections of {whose}"


def _day(value: object) -> str:
    return f"{datetime.fromisoformat(str(value)):%d %B %Y}".lstrip("0") if value else ""
