"""The pages of docs/providers/: one for each built-in entry, an index, and one to search in a browser.

Made of what the catalogue says, and of nothing else; `make pages` writes them.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Template

from refresher import catalogue
from refresher.catalogue import telling
from refresher.cli.output import plain, seconds_of
from refresher.rules.kinds import CERTIFIED
from refresher.rules.placeholders import example
from refresher.rules.providers import ClientAuth, Provider, Rotation, Strategy
from refresher.rules.words import span

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "providers"
INDEX = """# Built-in providers

%d providers, each with a page of its own: what its tokens do, how to connect it, all its facts with
their sources. [search.html](search.html) is the same list with a box to search in, `refresher providers
search TEXT` finds one from a terminal, and [providers.md](../providers.md) tells how an entry of your
own is written, or one of these changed.

A star says that its documentation does not confirm it. *Rotation* tells whether a refresh spends the
refresh token, *connects* whether `refresher connect` can ask people for their consent. An empty cell is
not known, or there is no such thing.

"""
HEAD = "| provider | connects | access token | rotation | refresh token ends | each needs |\n"
SEARCH = Path(__file__).with_name("provider_search.html")


@cache
def providers() -> tuple[Provider, ...]:
    """Returns the built-in entries."""
    return catalogue.load().providers


@cache
def pages() -> dict[Path, str]:
    """Returns every page by its file."""
    made = {FOLDER / f"{provider.name}.md": page(provider) for provider in providers()}
    return {**made, FOLDER / "README.md": index(), FOLDER / "search.html": searchable()}


def write() -> None:
    """Writes every page, and drops those whose entry is gone."""
    FOLDER.mkdir(exist_ok=True)
    for there in {*FOLDER.iterdir()} - pages().keys():
        there.unlink()
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")


def page(provider: Provider) -> str:
    """Returns the page of one entry."""
    about = provider.category or "other"
    checked = f", checked on {provider.checked_on}" if provider.checked_on else ""
    parts = [
        f"# {provider.title or provider.name}\n",
        f"`{provider.name}`, {about}{checked}. [All providers](README.md)\n",
        *_section("What its tokens do", [" ".join(telling.in_words(provider)), *_notes(provider)]),
        *_section("Connect it", list(_connecting(provider))),
        *_section("What comes beside the token", list(_kept(provider))),
        *_section(
            "Changes", [f"* **{c.on}**: {c.what} ([source]({c.url}))" for c in provider.changes]
        ),
        *_section("All facts", list(_facts(provider))),
        *_section("Sources", ["\n".join(f"* <{source}>" for source in telling.sources(provider))]),
    ]
    return "\n".join(parts)


def _section(title: str, paragraphs: list[str]) -> Iterator[str]:
    if any(paragraphs):
        yield f"## {title}\n"
        yield from (f"{paragraph}\n" for paragraph in paragraphs if paragraph)


def _notes(provider: Provider) -> list[str]:
    return [" ".join(provider.notes.split())] if provider.notes else []


def _connecting(provider: Provider) -> Iterator[str]:
    yield from _app(provider)
    yield " ".join(telling.connecting(provider))
    if provider.connect is not None:
        yield "Or ask by yourself, and hand over what comes. " + " ".join(_consent(provider))
    else:
        yield from _consent(provider)
    if provider.host_pattern or provider.placeholders:
        named = ", ".join(_needs(provider))
        alike = ", or its app does (`apps set --placeholder`)" if provider.placeholders else ""
        yield f"Each connection names {named}{alike}."
    if provider.slots:
        yield "Hand in the whole answer as `answer`: it may bring several tokens."
    what = (
        "name what is to have a token"
        if provider.is_minted
        else "hand over what the consent brought"
    )
    line = json.dumps(_line(provider), ensure_ascii=False)
    yield f"Then {what}:\n\n```json\n{line}\n```"
    yield (
        "as a line of `refresher connections import -`, or as the body of `PUT /v1/connections` "
        "([api.md](../api.md))."
    )


def _app(provider: Provider) -> Iterator[str]:
    if not provider.needs_app:
        yield "Its requests name no app."
        return
    where = f"at <{provider.app_url}>" if provider.app_url else f"for {provider.title}"
    yield (
        f"Register an app {where}, and store it:\n\n"
        f"```console\n$ refresher apps set {provider.name} --client-id ID{_proof(provider)}\n```"
    )


def _proof(provider: Provider) -> str:
    """Returns the options of `apps set` by which this provider's apps prove themselves."""
    auth, options = provider.client_auth, ""
    if provider.signs and auth is not ClientAuth.CLIENT_SECRET_JWT:
        options += " --private-key-file key.pem" + (" --key-id KEY" * provider.needs_key_id)
    if auth in CERTIFIED:
        options += " --certificate-file client.pem --certificate-key-file client.key"
    has_secret = auth in {ClientAuth.BASIC, ClientAuth.BASIC_RAW, ClientAuth.POST}
    return options + ("" if has_secret or auth is ClientAuth.CLIENT_SECRET_JWT else " --no-secret")


def _consent(provider: Provider) -> Iterator[str]:
    if not provider.authorize_url:
        return
    asked = [f"Ask for consent at `{provider.authorize_url}`"]
    if provider.default_scopes:
        scopes = ", ".join(f"`{scope}`" for scope in provider.default_scopes)
        asked.append(f"with the scope {scopes}, without which no refresh token comes")
    if provider.authorize_parameters:
        pairs = " and ".join(f"`{k}={v}`" for k, v in provider.authorize_parameters.items())
        asked.append(f"with {pairs}")
    match provider.pkce:
        case "required":
            asked.append("with a code challenge (PKCE), which it demands")
        case "supported":
            asked.append("with a code challenge (PKCE)")
        case _:
            pass
    yield ", ".join(asked) + "."


def _needs(provider: Provider) -> Iterator[str]:
    if provider.host_pattern:
        such = provider.default_host or provider.host_example
        usual = "as a rule" if provider.default_host else "such as"
        yield f"a `host` of the pattern `{provider.host_pattern}`" + (
            f" ({usual} `{such}`)" if such else ""
        )
    for name, pattern in provider.placeholders.items():
        yield f"`{name}`, of the pattern `{pattern}`"


def _line(provider: Provider) -> dict[str, object]:
    line: dict[str, object] = {"provider": provider.name, "external_id": "1042"}
    if provider.host_pattern and not provider.default_host:
        line["host"] = provider.host_example or "…"
    if provider.placeholders:
        line["placeholders"] = {n: example(p) for n, p in provider.placeholders.items()}
    if not provider.is_minted:
        line["access_token"] = "ACCESS_TOKEN"
        if provider.strategy is Strategy.REFRESH_TOKEN:
            line["refresh_token"] = "REFRESH_TOKEN"
        line["expires_in"] = int(provider.access_token_lifetime_seconds or 3_600)
    return line


def _kept(provider: Provider) -> Iterator[str]:
    if provider.keep_fields:
        yield ", ".join(f"`{name}`" for name in provider.keep_fields) + (
            ": stored with the token, read anew at each refresh, and served with it."
        )


def _facts(provider: Provider) -> Iterator[str]:
    rows = ["| field | value |", "| --- | --- |"]
    for subject, known in telling.facts_by_subject(provider).items():
        rows.append(f"| *{subject}* | |")
        rows += [_fact(*name.partition(" *"), value) for name, value in known.items()]
    yield "\n".join(rows)
    unknown = [name for name in provider.unsure if not getattr(provider, name)]
    if unknown:
        yield "Not known: " + ", ".join(f"`{name}`" for name in unknown) + "."


def _fact(name: str, star: str, _: str, value: object) -> str:
    return f"| `{name}`{star.replace('*', chr(92) + '*')} | {_cell(name, value)} |"


def _cell(name: str, value: object) -> str:
    text = plain(seconds_of(name, value)).replace("|", "\\|").replace("\n", " ")
    return f"`{text}`" if not isinstance(value, bool) else text


def index() -> str:
    """Returns the list of all, by category."""
    by_category: dict[str, list[Provider]] = {}
    for provider in providers():
        by_category.setdefault(provider.category or "other", []).append(provider)
    links = " · ".join(f"[{name}](#{name})" for name in sorted(by_category))
    parts = [INDEX % len(providers()) + links + "\n"]
    for name in sorted(by_category):
        rows = "".join(_row(p) for p in sorted(by_category[name], key=_title))
        parts.append(f"## {name}\n\n{HEAD}| --- | --- | --- | --- | --- | --- |\n{rows}")
    return "\n".join(parts)


def _title(provider: Provider) -> str:
    return (provider.title or provider.name).casefold()


def _row(provider: Provider) -> str:
    link = f"[{provider.title or provider.name}]({provider.name}.md)"
    shown = [link, "yes" if provider.connect else "", *_cells(provider)]
    needs = ["host"] if provider.host_pattern and not provider.default_host else []
    shown.append(", ".join(f"`{name}`" for name in (*needs, *provider.placeholders)))
    return "".join(f"| {cell} " if cell else "| " for cell in shown) + "|\n"


def _cells(provider: Provider) -> list[str]:
    """Returns how long its tokens live and whether they rotate; nothing for what is not known."""
    life, end = provider.access_token_lifetime_seconds, provider.refresh_token_lifetime_seconds
    consent = " from consent" if provider.refresh_token_clock == "fixed" else ""
    unknown = provider.rotation is Rotation.SOMETIMES and "rotation" in provider.unsure
    none = provider.strategy is not Strategy.REFRESH_TOKEN
    return [
        _starred(provider, "access_token_lifetime_seconds", span(life) if life else ""),
        "" if unknown or none else _starred(provider, "rotation", provider.rotation.value),
        _starred(provider, "refresh_token_lifetime_seconds", span(end) + consent if end else ""),
    ]


def _starred(provider: Provider, name: str, text: str) -> str:
    return f"{text} \\*" if text and name in provider.unsure else text


def searchable() -> str:
    """Returns the page with a box to search in: it needs no server and fetches nothing."""
    rows = "\n".join(_searchable(p) for p in sorted(providers(), key=_title))
    text = SEARCH.read_text(encoding="utf-8")
    return Template(text).substitute(count=len(providers()), rows=rows)


def _searchable(provider: Provider) -> str:
    words = f"{provider.name} {provider.title} {provider.category} {provider.token_url}".casefold()
    cells = [cell.replace("\\*", "*") for cell in _cells(provider)]
    told = "".join(f"<td>{html.escape(cell)}</td>" for cell in (provider.category or "", *cells))
    link = f'<a href="{provider.name}.md">{html.escape(provider.title or provider.name)}</a>'
    return f'<tr data-words="{html.escape(words)}"><td>{link}</td>{told}</tr>'
