"""Puts notices into words: what the templates of `outbound/` lay out, in plain values.

The facts come from the outbox. Names that came from outside are cut short and made plain here
(`rules.mails.named`), the templates escape them, and the headers refuse what is no header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

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
_DELAYS = {
    "provider_failing": "{provider} does not answer properly at present",
    "provider_paused": "{provider} asked us to wait",
    "app_refused": "{provider} refuses our app at present",
}


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """How notices of one kind are told. `remark` is what tells one from another in a digest.

    `action` is what its link says that leads to where a person connects again.
    """

    label: str
    tone: str
    title: str
    sentence: str
    group: str
    group_sentence: str
    advice: str = ""
    action: str = ""
    remark: str = ""


_WORDS: Mapping[Kind, NoticeWords] = {
    Kind.RECONNECT_REQUIRED: NoticeWords(
        label="Action needed",
        tone="bad",
        title="Reconnect {provider}: {account}",
        sentence="{provider} no longer accepts the access it once gave us to this account. Until "
        "somebody reconnects it, whatever depends on it stands still.",
        advice="It takes a minute: sign in at {provider} and agree again.",
        action="Reconnect",
        group="To be reconnected",
        group_sentence="What depends on these connections stands still until somebody does.",
    ),
    Kind.RECOVERED: NoticeWords(
        label="All is well",
        tone="good",
        title="{provider} works again: {account}",
        sentence="The connection has a fresh access token. Nothing is left to do.",
        group="Working again",
        group_sentence="Nothing is left to do.",
    ),
    Kind.EXPIRING: NoticeWords(
        label="Soon",
        tone="warn",
        title="Reconnect {provider} by {ends}: {account}",
        sentence="The access that {provider} gave ends on that day, and only a person can renew it.",
        advice="Reconnect it before, and nothing stops.",
        action="Reconnect",
        group="Ending soon",
        group_sentence="Reconnect them before that day, and nothing stops.",
        remark="ends {ends}",
    ),
    Kind.REFRESH_DELAYED: NoticeWords(
        label="For your information",
        tone="warn",
        title="{provider} is late: {account}",
        sentence="The access token has expired, and there is no fresh one yet: {delay}.",
        advice="We keep trying, and tell you when it works again. There is nothing for you to do.",
        group="Waiting for the provider",
        group_sentence="We keep trying. There is nothing for you to do.",
        remark="{delay}",
    ),
    Kind.ANSWER_UNREAD: NoticeWords(
        label="Action needed",
        tone="bad",
        title="{provider} answered, and we could not read it: {account}",
        sentence="Its answer looks like a new grant and is kept, sealed. Until it is read, the token "
        "that was sent may be spent, so it is not sent again.",
        advice="Whoever runs refresher can read it: `refresher answers show {answer}` tells why it was "
        "not, `refresher answers reread {answer}` reads it again once the provider's entry is right.",
        group="Answers that could not be read",
        group_sentence="They are kept, sealed: `refresher answers list` shows them.",
        remark="answer {answer}",
    ),
    Kind.ANSWER_LOST: NoticeWords(
        label="Action needed",
        tone="bad",
        title="No answer of {provider} came: {account}",
        sentence="The request for a fresh token may have arrived, and its answer is lost. {provider} "
        "takes no token twice, so it is not sent again.",
        advice="Reconnect it. Whoever runs refresher can resume the connection instead: that sends the "
        "token once more, and fails if it is spent.",
        action="Reconnect",
        group="Lost answers",
        group_sentence="Their tokens are not sent again: reconnect them.",
        remark="no answer came",
    ),
    Kind.APP_MISCONFIGURED: NoticeWords(
        label="Action needed",
        tone="bad",
        title="{provider} refuses our client (app “{app}”)",
        sentence="{provider} answers “{cause}” to our client id or secret. Every connection of this "
        "app waits, and none is lost.",
        advice="Put the secret right with `refresher apps set {provider_id}{app_option} --client-id "
        "YOUR_CLIENT_ID`; the connections go on by themselves.",
        group="Refused apps",
        group_sentence="Every connection of these apps waits.",
        remark="{cause}",
    ),
    Kind.APP_RECOVERED: NoticeWords(
        label="All is well",
        tone="good",
        title="{provider} accepts our client again (app “{app}”)",
        sentence="Its connections are being refreshed.",
        group="Accepted again",
        group_sentence="Their connections are being refreshed.",
    ),
    Kind.WEBHOOK_DISABLED: NoticeWords(
        label="Action needed",
        tone="bad",
        title="A webhook endpoint is disabled: {account}",
        sentence="It is sent nothing any more: {cause}. Its messages are kept, and none is lost.",
        advice="See to it, then `refresher webhooks enable {webhook}`; they go out in their order.",
        group="Disabled webhook endpoints",
        group_sentence="Their messages are kept until somebody enables them.",
        remark="{cause}",
    ),
}
_FILLED = ("title", "sentence", "advice", "remark")
_TONES = ("bad", "warn", "good")


def provider_name(provider: str, titles: Mapping[str, str] = _NO_TITLES) -> str:
    """Returns a provider's name as people write it: its title in the catalogue, if it has one."""
    known = titles.get(provider) or _PROPER.get(provider)
    return known or provider.replace("-", " ").replace("_", " ").title()


def values(
    mail: LeasedMail,
    *,
    default_reconnect_url: str | None,
    titles: Mapping[str, str] = _NO_TITLES,
) -> dict[str, object]:
    """Returns what a mail's templates are given; `titles` are what the providers are called."""
    template = mail.reconnect_url or default_reconnect_url
    if template and addresses.template_fault(template, addresses.RECONNECT_WORDS):
        template = default_reconnect_url  # stored before today's rules
    known = [entry for entry in mail.entries if entry.kind in set(Kind)]
    told = [(Kind(entry.kind), notice(entry, template, titles)) for entry in known]
    name = mail.organization_name and named(mail.organization_name)
    organization = {"id": mail.organization_id, "name": name}
    common: dict[str, object] = {"organization": organization, "why": _why(mail)}
    if mail.form == "plain" and told:
        return {**common, "notice": told[0][1]}
    return {**common, "digest": _digest(told)}


def notice(
    entry: OutboxEntry, reconnect_template: str | None, titles: Mapping[str, str] = _NO_TITLES
) -> dict[str, object]:
    """Returns one entry in words."""
    kind = Kind(entry.kind)
    words, facts = _WORDS[kind], _facts(entry, titles)
    template = reconnect_template if words.action else None
    return {
        "kind": kind.value,
        "label": words.label,
        "tone": words.tone,
        **{name: getattr(words, name).format_map(facts) for name in _FILLED},
        "action": words.action,
        "subject": facts["subject"],
        "link": addresses.fill(template, entry.payload) if template else None,
        "facts": _listed(entry, facts),
        "payload": entry.payload,
    }


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
        for kind in sorted(Kind, key=lambda kind: _TONES.index(_WORDS[kind].tone))
        if (notices := [words for told_kind, words in told if told_kind is kind])
    ]
    return {"title": _digest_title(told), "groups": groups, "count": len(told)}


def _group(kind: Kind, notices: Sequence[dict[str, object]]) -> dict[str, object]:
    words = _WORDS[kind]
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
