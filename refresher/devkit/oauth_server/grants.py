"""Answers every question about tokens: which one is good, and what a refresh gives.

Pure but for its own books: time, options and dice come as arguments, and no HTTP is known here.
The values and the picture of a family's life are in `family.py`.
"""

from collections.abc import Iterator

from refresher.devkit.oauth_server.options import Dice, Options
from refresher.devkit.oauth_server.tokens import (
    AccessClaim,
    Claim,
    Denied,
    Family,
    Issued,
    IssueKind,
    Mint,
    RefreshClaim,
    Reply,
    rotates,
    standing,
)

_CLOSE_SECONDS = 0.01
"""What clocks lose when numbers are added up."""


class GrantBook:
    """Every family ever granted; `accounts` maps an external id to its current one."""

    def __init__(self, mint: Mint) -> None:
        """Starts with no grants; tokens are minted and read by `mint`."""
        self.accounts: dict[str, Family] = {}
        self._families: list[Family] = []
        self._mint = mint

    def __iter__(self) -> Iterator[Family]:
        """Yields the current family of each account, in the order of first consent."""
        return iter(self.accounts.values())

    def claim(self, token: str) -> Claim | None:
        """Returns what one of our tokens says, good or not; None for a stranger's."""
        return self._mint.read(token)

    def owner(self, token: str | None) -> Family | None:
        """Returns the family a token was issued to, dead or alive."""
        claim = self._mint.read(token) if token else None
        return None if claim is None else self._families[claim.family]

    def grant(
        self,
        external_id: str,
        now: float,
        options: Options,
        *,
        lifetime_seconds: float | None = None,
        remaining_seconds: float | None = None,
        has_refresh_token: bool = True,
        ends_older: bool = True,
    ) -> Issued:
        """Starts a family for an account, as a user's consent does; an older one dies, or lives on."""
        if ends_older and external_id in self.accounts:
            self.accounts[external_id].end("granted_again")
        family = Family(len(self._families), external_id, lifetime_seconds, has_refresh_token)
        if has_refresh_token and options.refresh_token_lifetime_seconds is not None:
            family.refresh_expires_at = now + options.refresh_token_lifetime_seconds
        if options.grant_lifetime_seconds is not None:
            family.ends_at = now + options.grant_lifetime_seconds
        self._families.append(family)
        self.accounts[external_id] = family
        return self._issue(family, now, options, remaining_seconds=remaining_seconds)

    def refresh(self, token: str, now: float, options: Options, dice: Dice) -> Reply:
        """Answers grant_type=refresh_token, spending the token where this refresh rotates."""
        claim = self._mint.read(token)
        if not isinstance(claim, RefreshClaim):
            return Denied("invalid_grant", "unknown_token")
        family = self._families[claim.family]
        if (wait := _too_soon(family, now, options)) is not None:
            return wait
        match standing(family, claim.generation, now, options):
            case "newest":
                return self._renew(family, now, options, dice)
            case "in_grace":
                return self._replay(family, now, options, dice)
            case "spent":
                return self._reuse(family, now, options, dice)
            case "ended":
                reason = "refresh_token_expired"
            case "dead":
                reason = family.ended_because
        return Denied("invalid_grant", reason, presented_twice=family.is_spent(claim.generation))

    def exchange_access_token(self, token: str, now: float, options: Options) -> Reply:
        """Answers a long-lived exchange: a live, old enough access token buys a longer one."""
        claim = self._mint.read(token)
        if not isinstance(claim, AccessClaim):
            return Denied("invalid_grant", "unknown_token")
        family = self._families[claim.family]
        if (wait := _too_soon(family, now, options)) is not None:
            return wait
        if not self.is_access_active(token, now, options):
            reason = "access_token_expired" if family.alive else family.ended_because
            return Denied("invalid_grant", reason)
        is_newest = claim.serial == family.serial
        if is_newest and now < family.access_issued_at + options.minimum_token_age_seconds:
            return Denied("invalid_request", "token_too_young")
        return self._issue(family, now, options, tell_refresh_token=False)

    def client_credentials(self, client_id: str, now: float, options: Options) -> Reply:
        """Answers grant_type=client_credentials: an access token alone, for the client itself."""
        external_id = f"client:{client_id}"
        family = self.accounts.get(external_id)
        if family is None or not family.alive:
            first = self.grant(external_id, now, options, has_refresh_token=False)
            first.family.asked_at = now
            return first
        return _too_soon(family, now, options) or self._issue(family, now, options)

    def revoke_token(self, token: str) -> bool:
        """Ends what RFC 7009 says: one access token, or with a refresh token its whole family."""
        claim = self._mint.read(token)
        if claim is None:
            return False
        family = self._families[claim.family]
        if isinstance(claim, RefreshClaim):
            return family.end("token_revoked")
        family.revoked_serials |= {claim.serial}
        return True

    def use_access_token(self, token: str, now: float, options: Options) -> bool:
        """Says whether an access token opens the resource, and notes that it was used."""
        claim = self._mint.read(token)
        is_active = self.is_access_active(token, now, options)
        if is_active and isinstance(claim, AccessClaim):
            family = self._families[claim.family]
            family.used_serial = max(family.used_serial, claim.serial)
        return is_active

    def is_access_active(self, token: str, now: float, options: Options) -> bool:
        """Says whether an access token opens the resource at `now`."""
        claim = self._mint.read(token)
        if not isinstance(claim, AccessClaim):
            return False
        family = self._families[claim.family]
        is_newest = claim.serial == family.serial
        is_revoked = not family.alive or claim.serial in family.revoked_serials
        is_replaced = not (is_newest or options.old_access_token_survives)
        return not (is_revoked or is_replaced) and now < self.end_of_access_token(claim)

    def end_of_access_token(self, claim: AccessClaim) -> float:
        """Returns until when an access token is good; the newest may have been prolonged."""
        family = self._families[claim.family]
        return family.access_expires_at if claim.serial == family.serial else claim.expires_at

    def is_refresh_usable(self, token: str, now: float, options: Options) -> bool:
        """Says whether a refresh with this token would succeed at `now`; changes nothing."""
        claim = self._mint.read(token)
        if not isinstance(claim, RefreshClaim):
            return False
        how = standing(self._families[claim.family], claim.generation, now, options)
        return how in ("newest", "in_grace") or (how == "spent" and options.reuse == "ignore")

    def current_tokens(self, family: Family, options: Options) -> tuple[str, str | None]:
        """Returns the newest pair of a family, as it was told."""
        claim = AccessClaim(family.number, family.serial, family.sealed_until)
        access = self._mint.access_token(claim)
        if options.access_token_style == "jwt":
            access = self._mint.jwt(access, family.sealed_until)
        if not family.has_refresh_token:
            return access, None
        refresh = self._mint.refresh_token(RefreshClaim(family.number, family.generation))
        if options.refresh_token_style == "jwt":
            refresh = self._mint.jwt(refresh, family.end_of_refresh_token)
        return access, refresh

    def _renew(
        self,
        family: Family,
        now: float,
        options: Options,
        dice: Dice,
        kind: IssueKind = "issued",
    ) -> Issued:
        family.refreshes += 1
        if options.prolongs:
            return self._prolong(family, now, options)
        is_rotated = rotates(family, options, dice)
        if is_rotated:
            family.spend(now)
        if options.refresh_token_lifetime_seconds and options.refresh_token_end == "sliding":
            family.refresh_expires_at = now + options.refresh_token_lifetime_seconds
        is_told = is_rotated or not options.omit_refresh_token
        return self._issue(family, now, options, kind=kind, tell_refresh_token=is_told)

    def _prolong(self, family: Family, now: float, options: Options) -> Issued:
        lifetime = family.lifetime_seconds or options.lifetime_seconds
        family.access_issued_at, family.access_expires_at = now, round(now + lifetime, 3)
        return self._told(family, now, options, kind="issued", is_prolonged=True)

    def _replay(self, family: Family, now: float, options: Options, dice: Dice) -> Issued:
        if options.replay_mode == "new":
            return self._renew(family, now, options, dice, "reissued")
        if now < family.access_expires_at:
            return self._told(family, now, options, kind="replayed")
        return self._issue(family, now, options, kind="replayed")

    def _reuse(self, family: Family, now: float, options: Options, dice: Dice) -> Reply:
        if options.reuse == "ignore":
            return self._renew(family, now, options, dice, "reuse_ignored")
        is_revoked = options.reuse == "revoke_family" and family.end("reuse_detected")
        return Denied(
            "invalid_grant", "spent_token", presented_twice=True, family_revoked=is_revoked
        )

    def _issue(
        self,
        family: Family,
        now: float,
        options: Options,
        *,
        kind: IssueKind = "issued",
        remaining_seconds: float | None = None,
        tell_refresh_token: bool = True,
    ) -> Issued:
        lifetime = family.lifetime_seconds or options.lifetime_seconds
        remaining = lifetime if remaining_seconds is None else remaining_seconds
        family.serial += 1
        family.access_issued_at = now + remaining - lifetime
        family.access_expires_at = family.sealed_until = round(now + remaining, 3)
        return self._told(
            family,
            now,
            options,
            kind=kind,
            expires_in_seconds=remaining,
            tell_refresh_token=tell_refresh_token,
        )

    def _told(
        self,
        family: Family,
        now: float,
        options: Options,
        *,
        kind: IssueKind,
        expires_in_seconds: float | None = None,
        tell_refresh_token: bool = True,
        is_prolonged: bool = False,
    ) -> Issued:
        access_token, refresh_token = self.current_tokens(family, options)
        if expires_in_seconds is None:
            expires_in_seconds = family.access_expires_at - now
        end = family.refresh_expires_at
        return Issued(
            family=family,
            kind=kind,
            generation=family.generation,
            serial=family.serial,
            access_token=access_token,
            refresh_token=refresh_token if tell_refresh_token else None,
            expires_in_seconds=expires_in_seconds,
            refresh_token_expires_in_seconds=None if end is None else end - now,
            presented_twice=kind != "issued",
            grant_ends_in_seconds=None if family.ends_at is None else family.ends_at - now,
            is_prolonged=is_prolonged,
        )


def _too_soon(family: Family, now: float, options: Options) -> Denied | None:
    """Returns the refusal of a request that comes too soon after another; else notes that it came."""
    asked_at, interval = family.asked_at, options.refresh_interval_seconds
    wait = 0.0 if asked_at is None else asked_at + interval - now
    if wait > _CLOSE_SECONDS:
        return Denied("too_many_requests", "asked_too_often", retry_after_seconds=wait)
    family.asked_at = now
    return None
