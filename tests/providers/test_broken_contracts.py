"""Every law of the contract catches a protocol that breaks it; and no break gets past the guard at run time."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from contracts import PARLEY, PARLEYS_REFUSALS
from plugins.parley import Listener, Parley

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import (
    CompletionRequest,
    Event,
    Finished,
    TextDelta,
    Usage,
    WireRequest,
)
from smista_mcp.providers.contract import LAWS, Broken, Contract


def answering(work: Callable[[Any], object]) -> Callable[..., object]:
    """A method that answers so."""

    def method(self: object, given: Any) -> object:
        del self
        return work(given)

    return method


def asked(work: Callable[[CompletionRequest], object]) -> Callable[[CompletionRequest], object]:
    """What depends on the request."""
    return work


def making(change: Callable[[dict[str, Any], CompletionRequest], object]) -> Callable[[], Parley]:
    """A protocol whose bodies are changed before they become bytes."""

    class Changed(Parley):
        def encode(self, request: CompletionRequest) -> WireRequest:
            wire = super().encode(request)
            body = json.loads(wire.body)
            change(body, request)
            return dataclasses.replace(wire, body=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))

    return Changed


def wire(**members: Any) -> Callable[[], Parley]:
    """A protocol whose requests have other members; a function is given the request."""

    class Changed(Parley):
        def encode(self, request: CompletionRequest) -> WireRequest:
            told = {name: one(request) if callable(one) else one for name, one in members.items()}
            return dataclasses.replace(super().encode(request), **told)

    return Changed


def hearing(listener: type[Any]) -> Callable[[], Parley]:
    """A protocol with another decoder."""

    class Changed(Parley):
        def decoder(self, request: CompletionRequest) -> Any:
            del request
            return listener()

    return Changed


def having(**members: Any) -> Callable[[], Parley]:
    return type("Changed", (Parley,), members)


class Reading(Listener):
    """Opens a file for every line."""

    def feed(self, line: bytes) -> tuple[Event, ...]:
        Path(__file__).open("rb").close()
        return super().feed(line)


class Printing(Listener):
    def feed(self, line: bytes) -> tuple[Event, ...]:
        print("hello")
        return super().feed(line)


class Deaf(Listener):
    """Hears half of what is said."""

    def feed(self, line: bytes) -> tuple[Event, ...]:
        return tuple(e for e in super().feed(line) if not (isinstance(e, TextDelta) and e.text == "llo"))


class Fickle(Listener):
    """Every third answer ends otherwise."""

    answers = 0

    def __init__(self) -> None:
        super().__init__()
        Fickle.answers += 1
        self._odd = Fickle.answers % 3 == 0

    def feed(self, line: bytes) -> tuple[Event, ...]:
        events = super().feed(line)
        return (TextDelta("!"), *events) if self._odd and b"bye" in line else events


class Twice(Listener):
    def feed(self, line: bytes) -> tuple[Event, ...]:
        return tuple(e for event in super().feed(line) for e in ([event] * (2 if isinstance(event, Finished) else 1)))


class Trusting(Listener):
    """Takes any end for the end."""

    def end(self) -> tuple[Event, ...]:
        if not self._begun:
            return super().end()
        return (Finished("stop", Usage()),)


class Generous(Listener):
    def end(self) -> tuple[Event, ...]:
        if self._begun:
            return super().end()
        return (Finished("stop", Usage()),)


class Careless(Listener):
    """Believes that every line has what it should."""

    def feed(self, line: bytes) -> tuple[Event, ...]:
        said = json.loads(line) if line.strip() else {"say": ""}
        return (TextDelta(said["say"]),) if "say" in said else super().feed(line)


class Untrue(Listener):
    def feed(self, line: bytes) -> tuple[Event, ...]:
        counts = Usage(1, 2, 3, 4)
        return tuple(dataclasses.replace(e, usage=counts) if isinstance(e, Finished) else e for e in super().feed(line))


class Overflowing(Listener):
    """Has more tokens from a cache and for one than the prompt has."""

    def feed(self, line: bytes) -> tuple[Event, ...]:
        counts = Usage(10, 6, 3, 1, 6)
        return tuple(dataclasses.replace(e, usage=counts) if isinstance(e, Finished) else e for e in super().feed(line))


class Unwriting(Listener):
    def feed(self, line: bytes) -> tuple[Event, ...]:
        counts = Usage(cache_write_tokens=-1)
        return tuple(dataclasses.replace(e, usage=counts) if isinstance(e, Finished) else e for e in super().feed(line))


class Negative(Listener):
    def feed(self, line: bytes) -> tuple[Event, ...]:
        counts = Usage(-1)
        return tuple(dataclasses.replace(e, usage=counts) if isinstance(e, Finished) else e for e in super().feed(line))


class Sharing(Listener):
    """Has one memory for all answers."""

    heard: list[str] = []

    def feed(self, line: bytes) -> tuple[Event, ...]:
        found: list[Event] = []
        for event in super().feed(line):
            if isinstance(event, TextDelta):
                Sharing.heard.append(event.text)
                continue
            found += [TextDelta("".join(Sharing.heard))] if isinstance(event, Finished) and Sharing.heard else []
            Sharing.heard.clear()
            found.append(event)
        return tuple(found)


class Listing(Listener):
    def feed(self, line: bytes) -> Any:
        return list(super().feed(line))


class Remembering(Parley):
    """Puts the key into the body."""

    key = ""

    def authorization(self, key: str) -> Mapping[str, str]:
        Remembering.key = key
        return super().authorization(key)

    def encode(self, request: CompletionRequest) -> WireRequest:
        made = super().encode(request)
        return dataclasses.replace(made, body=made.body.replace(b'"to"', f'"{self.key}": 1, "to"'.encode(), 1))


class Counting(Parley):
    """Numbers its requests."""

    made = 0

    def encode(self, request: CompletionRequest) -> WireRequest:
        Counting.made += 1
        made = super().encode(request)
        return dataclasses.replace(made, body=made.body.replace(b"{", f'{{"most": {self.made}, '.encode(), 1))


class Strict(Parley):
    def encode(self, request: CompletionRequest) -> WireRequest:
        for message in request.messages:
            message.content.encode()  # raises for half a character
        return super().encode(request)


def failing(change: Callable[[int, bytes], ProviderError]) -> Callable[[], Parley]:
    def failure(self: object, status: int, headers: object, body: bytes, *, now: float) -> ProviderError:
        del self, headers, now
        return change(status, body)

    return having(failure=failure)


def _without_results(body: dict[str, Any], request: CompletionRequest) -> None:
    del request
    body["talk"] = [one for one in body["talk"] if one["who"] != "tool"]


def _without_arguments(body: dict[str, Any], request: CompletionRequest) -> None:
    del request
    for one in body["talk"]:
        for want in one.get("wants", ()):
            want["with"] = {}


def _as_one(body: dict[str, Any], request: CompletionRequest) -> None:
    del request
    body["talk"] = [{"who": "user", "says": "\n".join(one["says"] for one in body["talk"])}]


BROKEN: dict[str, tuple[Callable[[], Parley], ...]] = {
    "interface": (
        having(interface=2),
        having(interface="1"),
        having(encode=None),
        having(words=frozenset({"two words"})),
        having(words=["to"]),
        having(authorization=answering(lambda key: {})),
        having(authorization=answering(lambda key: {"host": key})),
        having(authorization=answering(lambda key: {"x-pass": key.upper()})),
    ),
    "touches_nothing": (hearing(Reading), hearing(Printing)),
    "same_bytes": (Counting,),
    "head": (
        wire(path=asked(lambda request: f"/ask/{len(request.messages)}")),
        wire(path="//elsewhere.example/ask"),
        wire(path="https://elsewhere.example/ask"),
        wire(path="/v1/../../admin"),
        wire(path="/v1/%2e%2e/admin"),
        wire(path="/ask here"),
        wire(path="/ask\r\nx: y"),
        wire(headers={"host": "elsewhere.example"}),
        wire(headers={"transfer-encoding": "chunked"}),
        wire(headers={"content-length": "3"}),
        wire(headers={"authorization": "Bearer x"}),
        wire(headers={"x-api-key": "x"}),
        wire(headers={"x-forwarded-for": "127.0.0.1"}),
        wire(headers={"x-more": "a\r\nhost: b"}),
        wire(headers={"X-Parley": "2"}),
        wire(headers=asked(lambda request: {"x-about": str(len(request.messages))})),
        wire(method="GET"),
    ),
    "body": (wire(body=b"to=model"), wire(body=b"[]"), Strict),
    "every_message": (
        making(lambda body, request: body["talk"].pop(0)),
        making(lambda body, request: body["talk"].reverse()),
        making(_as_one),
    ),
    "only_known_words": (making(lambda body, request: body.update(hidden=1)),),
    "no_credential": (Remembering,),
    "limits": (making(lambda body, request: body.pop("most", None)),),
    "effort": (
        making(lambda body, request: body.pop("care", None)),
        making(lambda body, request: body.update(care="calm")),
    ),
    "tools": (
        making(lambda body, request: body.setdefault("can", [{"do": "read_file"}])),
        making(lambda body, request: body.pop("can", None)),
    ),
    "calls_go_back": (making(_without_results), making(_without_arguments)),
    "read_right": (hearing(Deaf),),
    "wherever_it_is_cut": (hearing(Fickle), hearing(Listing)),
    "one_end": (hearing(Twice),),
    "never_whole_when_cut": (hearing(Trusting),),
    "nothing_is_no_answer": (hearing(Generous),),
    "whatever_comes": (hearing(Careless), hearing(Negative), hearing(Unwriting)),
    "counts": (hearing(Untrue), hearing(Overflowing)),
    "apart": (hearing(Sharing),),
    "failures": (
        failing(lambda status, body: ProviderError("no", code=Code.PROVIDER_UNAVAILABLE)),
        failing(lambda status, body: ProviderError(json.loads(body), code=Code.PROVIDER_AUTH, status=status)),
        failing(lambda status, body: ProviderError("no", code=Code.RESTRICTED_CONTENT, status=status)),
    ),
}
CASES = [(law, n) for law in BROKEN for n in range(len(BROKEN[law]))]


def test_every_law_can_be_broken() -> None:
    assert set(BROKEN) == set(LAWS)


@pytest.mark.parametrize(("law", "number"), CASES)
def test_a_law_catches_who_breaks_it(law: str, number: int) -> None:
    broken: Any = BROKEN[law][number]()
    with pytest.raises(Broken, match=f"^{law}: "):
        Contract(broken, PARLEY, PARLEYS_REFUSALS, ("calm", "keen")).check(law)


def test_without_a_whole_answer_nothing_is_proved() -> None:
    only_an_error = [answer for answer in PARLEY if answer.code]
    with pytest.raises(Broken):
        Contract(Parley(), only_an_error).check("never_whole_when_cut")


def test_an_effort_that_no_model_is_told_must_be_stated() -> None:
    with pytest.raises(Broken):
        Contract(Parley(), PARLEY, efforts=("wild",)).check("effort")
