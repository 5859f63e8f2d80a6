"""What notices say, by kind: the only words about them that people read in a mail.

`{account}` and the like are filled in by `mail_text.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refresher.rules.notices import Kind


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


WORDS: Mapping[Kind, NoticeWords] = {
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
    Kind.CONNECTED: NoticeWords(
        label="For your information",
        tone="good",
        title="{provider} is connected: {account}",
        sentence="Somebody signed in at {provider} and agreed.",
        group="Connected",
        group_sentence="Somebody signed in and agreed.",
    ),
    Kind.ACCOUNT_CHANGED: NoticeWords(
        label="For your information",
        tone="warn",
        title="{provider} is connected with another account: {account}",
        sentence="Whoever made the link had allowed that.",
        group="Connected with another account",
        group_sentence="They belong to another account than before.",
    ),
    Kind.CONNECT_ENDED: NoticeWords(
        label="For your information",
        tone="warn",
        title="{provider} was not connected: {account}",
        sentence="A link to connect it ended without a connection: {cause}.",
        group="Not connected",
        group_sentence="Links to connect these ended without a connection.",
        remark="{cause}",
    ),
}
