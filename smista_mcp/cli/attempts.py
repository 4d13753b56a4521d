"""Attempts and their receipts, for people: what was asked, what it cost, what left the machine."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from smista_mcp.app import App
from smista_mcp.core.explained import ApprovalReport, AttemptReport, UsageReport
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.values import Locality
from smista_mcp.errors import Code, SmistaError

_SHORT = 16
"""Characters of a hash or an id that are shown; the rest is in the JSON form."""
_CHILDREN = {"llamacpp": "a child process of smista-mcp"}
_FOLLOWED = {
    "again": "so it was asked again",
    "repair": "so it was asked once more and shown the lines as they are",
    "fallback": "so the next model was asked",
    "escalated": "so a stronger model was asked",
    "yes_awaited": "a person has to say yes before a stronger model is asked",
}
_CAUSES = {
    "refused": "nothing listens at the address",
    "dns": "the name of its server is not known",
    "tls": "its server could not be trusted",
    "not_connected": "nobody took the connection in time",
    "broken": "the connection broke before the request was sent",
    "silent": "no answer began in time",
    "deadline": "our deadline passed",
    "cut": "the answer broke off",
    "malformed": "what came is no answer of its protocol",
    "empty": "it said nothing",
    "only_thought": "it thought, and said nothing",
    "length": "its answer was cut at its length limit",
    "refusal": "the model declined",
    "prompt_cut": "its server took less than was sent",
    "patch": "its change does not apply",
    "unusable": "its address, key or program cannot be used here",
    "ours": "we refused it ourselves",
}
"""What went wrong, where the word of the record does not say it to everyone."""
_PAYS = {"list": " at the list price", "plan": ", a plan pays", "local": "", "unknown": ""}
_STOPPED = (Code.RESTRICTED_CONTENT, Code.SECRET_DETECTED)
"""What the last check before the socket says of an attempt."""


def destinations(app: App) -> dict[str, str]:
    """Provider -> address, as the policy has it now; empty where there is no policy to tell."""
    try:
        providers = app.world.book().policy.providers
    except SmistaError:
        return {}
    return {name: spec.base_url or _CHILDREN.get(spec.kind, spec.name) for name, spec in providers.items()}


def attempts_lines(
    attempts: Iterable[AttemptReport], where: Mapping[str, str], *, indent: str = "", numbered: bool = False
) -> Iterator[str]:
    """Attempts in order. What a model that looks around is sent again and again is listed once."""
    last: AttemptReport | None = None
    for number, attempt in enumerate(attempts, 1):
        follows = last is not None and (last.trace_id, last.resolved_model) == (
            attempt.trace_id,
            attempt.resolved_model,
        )
        before = last.receipt if last is not None and follows else None
        known = last is not None and last.trace_id == attempt.trace_id
        lines = attempt_lines(attempt, where, indent=indent, before=before, in_trace=known)
        yield f"{indent}{number}. {next(lines).removeprefix(indent)}" if numbered else next(lines)
        yield from lines
        last = attempt


def attempt_lines(
    attempt: AttemptReport,
    where: Mapping[str, str],
    *,
    indent: str = "",
    before: Receipt | None = None,
    in_trace: bool = False,
) -> Iterator[str]:
    """One attempt with its receipt. The values must be fit to be shown.

    Args:
        attempt: the attempt.
        where: provider -> address.
        indent: before each line.
        before: the receipt of the request that this one goes on from; what stands there is not listed again.
        in_trace: whether the trace was named before.
    """
    resolved = f" = {attempt.resolved_model}" if attempt.resolved_model != attempt.model else ""
    trace = "" if in_trace else f", trace {attempt.trace_id[:_SHORT]}"
    yield f"{indent}{attempt.model}{resolved}: {_ended(attempt)}{trace}"
    yield f"{indent}  time:  {time_line(attempt.started_at, attempt.ended_at)}"
    if why := _why(attempt):
        yield f"{indent}  why:   {why}"
    yield f"{indent}  usage: {usage_line(attempt.usage)}; {_money(attempt)}"
    known = where.get(attempt.resolved_model.partition("/")[0], "an address that the policy no longer has")
    address = (attempt.receipt.address if attempt.receipt else "") or known
    yield f"{indent}  to:    {address} [{attempt.locality}]{_stayed(attempt)}"
    if attempt.receipt is not None:
        stopped = attempt.code in _STOPPED or not attempt.receipt.departed
        yield from _receipt_lines(attempt.receipt, f"{indent}  ", before, stopped=stopped)


def _ended(attempt: AttemptReport) -> str:
    """How it ended; an answer of no use is told from one that serves."""
    code = f" ({attempt.code})" if attempt.code else ""
    useless = ", but of no use" if attempt.status == "completed" and attempt.cause else ""
    return f"{attempt.status}{code}{useless}"


def time_line(start: str, end: str | None) -> str:
    """When it began, and how long it took."""
    began = clock(start, "%Y-%m-%d %H:%M:%S.%f")
    if end is None:
        return f"{began} to now"
    took = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return f"{began}, {took:.2f} s" if took < 60 else f"{began}, {took / 60:.1f} min"


def clock(at: str, form: str) -> str:
    """A time of the record as people read it; fractions of a second to the millisecond."""
    time = datetime.fromisoformat(at).strftime(form)
    return f"{time[:-3] if form.endswith('%f') else time} UTC"


def _why(attempt: AttemptReport) -> str:
    """Why an attempt was no good and what was done about it; empty where it was good."""
    told = [
        _CAUSES.get(attempt.cause, attempt.cause.replace("_", " ")) if attempt.cause else "",
        f"http {attempt.http_status}" if attempt.http_status else "",
    ]
    reason, done = ", ".join(filter(None, told)), _FOLLOWED[attempt.followup] if attempt.followup else ""
    done += f" after {attempt.wait_s:.1f} s" if attempt.wait_s is not None else ""
    return "; ".join(filter(None, (reason, done)))


def _money(attempt: AttemptReport) -> str:
    """What it cost and who pays; what was set aside for it, where somebody did pay or may have to."""
    if attempt.locality == Locality.LOCAL and attempt.cost == "0":
        return "cost 0 USD, it runs here"
    held = attempt.reserved if attempt.reserved not in (None, "0") else None
    aside = f" ({held} was set aside)" if held else ""
    paid = attempt.cost is not None and (attempt.cost != "0" or attempt.cost_kind == "plan")
    pays = _PAYS[attempt.cost_kind] if paid else ""
    open_ended = attempt.status in ("running", "uncertain") or (attempt.status == "cancelled" and held)
    if attempt.cost is None and open_ended:
        return f"cost unknown, it may have been charged{aside}"
    return f"cost {cost_text(attempt.cost)}{pays}{aside}"


def approval_line(used: ApprovalReport) -> str:
    """A person's yes on one line. The values must be fit to be shown."""
    what = "for the session" if used.session else "of a text" if used.kind == "release" else "once"
    whom = f" for {', '.join(used.destinations)}" if used.destinations else ""
    text = f", text {used.text_hash[: _SHORT + 7]}" if used.text_hash else ""
    return (
        f"  approved {what}{whom}: {used.granted_at[:19]}Z through {used.via}, used {used.used_at[:19]}Z,"
        f" approval {used.approval_id[:_SHORT]}{text}"
    )


def usage_line(usage: UsageReport) -> str:
    """Tokens as they were reported."""
    counts = (
        (usage.input_tokens, "in"),
        (usage.cached_input_tokens, "of them cached"),
        (usage.cache_write_tokens, "of them written to the cache"),
        (usage.output_tokens, "out"),
        (usage.reasoning_tokens, "of them reasoning"),
    )
    told = [f"{count} {word}" for count, word in counts if count is not None]
    return f"{', '.join(told)} tokens" if told else "tokens not reported"


def cost_text(cost: str | None) -> str:
    """USD as a decimal string, or that nobody knows."""
    return "unknown" if cost is None else f"{cost} USD"


def _stayed(attempt: AttemptReport) -> str:
    if attempt.code in _STOPPED:
        return ", stopped before it left this machine"
    if attempt.receipt is not None and not attempt.receipt.departed:
        return ", no connection came about"
    return ", nothing left this machine" if attempt.locality == Locality.LOCAL else ""


def _receipt_lines(receipt: Receipt, indent: str, before: Receipt | None, *, stopped: bool) -> Iterator[str]:
    if receipt.protocol and before is None:
        yield f"{indent}made by: {receipt.protocol}"
    if receipt.effort_ignored and before is None:
        told = f"the model was told {receipt.effort}" if receipt.effort else "this model cannot be told one"
        yield f"{indent}effort: {receipt.effort_ignored} was asked for, {told} (effort_ignored)"
    if receipt.cache:
        what = "its beginning" if receipt.cache == "asked" else "nothing"
        known = f", by the key {receipt.cache_key}" if receipt.cache_key else ""
        yield f"{indent}cache: the provider was asked to keep {what}{known}"
    head = f"{receipt.method} {receipt.path}, " if receipt.path else ""
    did = "not sent:" if stopped else "sent: "
    yield f"{indent}{did} {head}{receipt.body_bytes} bytes, sha256 {receipt.body_sha256[:_SHORT]}"
    earlier = (*before.sent, *before.written) if before is not None else ()
    repeated = [item for item in (*receipt.sent, *receipt.written) if item in earlier]
    for item in (*receipt.sent, *receipt.written):
        if item not in repeated:
            yield f"{indent}  {item.path}: {item.tokens} tokens, sha256 {item.sha256[:_SHORT]}, {item.reason}"
    if repeated:
        items = "1 item" if len(repeated) == 1 else f"{len(repeated)} items"
        yield f"{indent}  as before: {items}, {sum(item.tokens for item in repeated)} tokens"
    if before is not None and receipt.withheld == before.withheld:
        yield f"{indent}withheld: {'nothing' if not receipt.withheld else 'as before'}"
        return
    yield f"{indent}withheld: {'nothing' if not receipt.withheld else len(receipt.withheld)}"
    for item in receipt.withheld:
        yield f"{indent}  {item.path}: {item.reason}"
