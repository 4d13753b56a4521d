"""`token`: makes, lists and revokes what opens the HTTP door."""

from datetime import datetime

from smista_mcp.app.world import utc_now
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import note, put, put_json
from smista_mcp.ledger.access import DAYS, AccessToken, TokenBook


def create(options: Options) -> int:
    """Makes a token and prints it, alone on standard output and this once."""
    days = None if options.no_expiry else DAYS if options.days is None else options.days
    secret, made = _book(options).create(options.name, options.scope, utc_now(), days)
    if options.json:
        put_json({"token": secret} | _told(made, utc_now()))
        return DONE
    put(secret)
    until = "without end" if made.expires_at is None else f"until {made.expires_at[:10]}"
    note(f"for {made.name}: {_OPENS[made.scope]}, {until}; it is kept nowhere and cannot be shown again")
    note("a server that runs without tokens asks for them once it is started anew")
    return DONE


def listing(options: Options) -> int:
    """Lists all tokens that were ever made; what they are is kept nowhere."""
    now = utc_now()
    tokens = _book(options).all()
    if options.json:
        put_json([_told(one, now) for one in tokens])
        return DONE
    put(*(_line(one, now) for one in tokens))
    if not tokens:
        note("there is no token; `smista-mcp token create NAME` makes one")
    return DONE


def revoke(options: Options) -> int:
    """Ends a token for good; what it has open or running is ended within two seconds."""
    ended = _book(options).revoke(options.name, utc_now())
    if options.json:
        put_json({"revoked": options.name, "tokens": ended})
    else:
        put(f"revoked: {options.name}")
    return DONE


_OPENS = {"route": "classify, route and explain", "dispatch": "all four tools"}


def _book(options: Options) -> TokenBook:
    return TokenBook(opened(options).world.own_state())


def _told(one: AccessToken, now: datetime) -> dict[str, object]:
    return {
        "name": one.name,
        "id": one.token_id,
        "scope": one.scope,
        "state": one.state(now),
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
    }


def _line(one: AccessToken, now: datetime) -> str:
    ends = "no end" if one.expires_at is None else one.expires_at[:10]
    return f"{one.name:<24} {one.scope:<9} {one.state(now):<8} made {one.created_at[:10]}  ends {ends}"
