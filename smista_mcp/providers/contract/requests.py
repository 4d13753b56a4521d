"""The laws of what a protocol makes: each a function of the terms that raises `Broken`."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from smista_mcp.errors import ProviderError
from smista_mcp.providers.base import CompletionRequest, Message, ToolCall, WireRequest
from smista_mcp.providers.contract.terms import TOOL, Broken, Terms, read_json, strings_of
from smista_mcp.providers.contract.touching import untouched
from smista_mcp.providers.heads import body_fault, head_fault, still_wire
from smista_mcp.providers.installed import Unfit, contracted

_CALL = ToolCall("call00001", TOOL.name, '{"path":"src/one.py"}')
_OTHER = ToolCall("call00002", TOOL.name, '{"path":"src/two.py"}')
_HARD = 'quotes " and \\ and / and \n\t\r lines, \u00e9 \u4e2d \U0001f40d, \u2028, {"not": "json"} data: [DONE] ```'
_TALK = (
    Message("system", "You are terse."),
    Message("user", "first question"),
    Message("assistant", "first answer"),
    Message("user", _HARD),
)
_LOOKED = (
    Message("system", "You may look around."),
    Message("user", "what do these files say?"),
    Message("assistant", "I look first.", calls=(_CALL, _OTHER)),
    Message("tool", "contents of one", answers=_CALL),
    Message("tool", "contents of two", answers=_OTHER),
)


def interface(terms: Terms) -> None:
    """It has every member of `base.OfferedProtocol`, and says for which version of it it was written."""
    try:
        contracted(terms.protocol, "it")
    except Unfit as unfit:
        raise Broken(f"it {unfit.what}") from None


def touches_nothing(terms: Terms) -> None:
    """It opens no file and no socket, starts nothing and prints nothing."""
    bodies = [answer.body for answer in terms.answers]

    def all_of_it() -> None:
        _encoded(terms, terms.request(*_LOOKED, tools=(TOOL,), max_output_tokens=900))
        for body in bodies:
            terms.read((body,))
        terms.protocol.authorization("a made-up one")
        terms.protocol.failure(500, {}, b"", now=0.0)

    all_of_it()  # what is imported late is read from files now
    done = untouched(all_of_it)
    if done:
        raise Broken(f"it does more than making and reading bytes: {done}")


def same_bytes(terms: Terms) -> None:
    """The same request is the same bytes, each time."""
    for request in _requests(terms):
        first, second = _encoded(terms, request), _encoded(terms, request)
        if (first.path, first.body, dict(first.headers)) != (second.path, second.body, dict(second.headers)):
            raise Broken("it made two different requests of the same one")


def head(terms: Terms) -> None:
    """Path and headers depend on the model alone; no credential, no host, nothing that frames a body is in them."""
    heads: list[object] = []
    for request in _requests(terms):
        wire = _encoded(terms, request)
        fault = head_fault(wire)
        if fault:
            raise Broken(f"it made a request that {fault}")
        heads.append((wire.path, dict(wire.headers)))
        if heads[-1] != heads[0]:
            raise Broken("path or headers change with what is asked")


def body(terms: Terms) -> None:
    """The body is one JSON object in UTF-8, also where a text holds half a character."""
    for request in (*_requests(terms), terms.request(Message("user", "half a character: \ud83d"))):
        wire = _encoded(terms, request)
        if body_fault(wire.body, replace(request, max_output_tokens=None, effort_as=None)):
            raise Broken("its body is no JSON object in UTF-8")


def every_message(terms: Terms) -> None:
    """Every message stands in the body, each text in a string of its own, and in order."""
    for messages in (_TALK, _LOOKED):
        found = list(strings_of(_value(terms, terms.request(*messages, tools=(TOOL,)))))
        for message in messages:
            if message.content and message.content not in found:
                raise Broken(f"a message of the {message.role} is not in the body as it is: {message.content!r}")
        places = [found.index(message.content) for message in messages if message.role != "system"]
        if places != sorted(places):
            raise Broken("the messages stand in another order")


def only_known_words(terms: Terms) -> None:
    """What the body says besides the texts of the request stands in `words`: else the gate stops it."""
    for request in _requests(terms):
        known = {*terms.protocol.words, *_texts(request), terms.model}
        for text in strings_of(_value(terms, request)):
            if text not in known:
                raise Broken(f"the body says {text[:80]!r}, which is neither a text of the request nor in `words`")


def no_credential(terms: Terms) -> None:
    """A key goes into the headers that `authorization` makes, as it is, and nowhere else."""
    key = "made-up.key-for_this_law"
    headers = dict(terms.protocol.authorization(key))
    if not headers or any(value.count(key) != 1 for value in headers.values()):
        raise Broken("`authorization` does not carry the key once in each of its headers")
    for request in _requests(terms):
        wire = _encoded(terms, request)
        if key.encode() in wire.body or key in wire.path or key in "".join(wire.headers.values()):
            raise Broken("a request repeats the key of an earlier call")


def limits(terms: Terms) -> None:
    """The most tokens of an answer are told as they are: without that no limit of costs can hold."""
    for most in (1234, 54321):
        fault = body_fault(_encoded(terms, terms.request(max_output_tokens=most)).body, _most(terms, most))
        if fault:
            raise Broken(f"it made a request that {fault}")


def effort(terms: Terms) -> None:
    """An effort that it was given is told as written; one that nobody has stated is not told."""
    bodies = {_encoded(terms, terms.request(max_output_tokens=99_999)).body}
    for told in terms.efforts:
        asked = terms.request(max_output_tokens=99_999, effort_as=told)
        made = _encoded(terms, asked).body
        fault = body_fault(made, asked)
        if fault or made in bodies:
            raise Broken(f"it does not tell the effort {told!r}")
        bodies.add(made)
        loose = [text for text in strings_of(read_json(made)) if text not in terms.protocol.words and text == told]
        if loose:
            raise Broken(f"the effort {told!r} is not among `words`")


def tools(terms: Terms) -> None:
    """Tools are described as they are where there are some, and nothing is said of tools where there are none."""
    described = list(strings_of(_value(terms, terms.request(tools=(TOOL,)))))
    for text in (TOOL.name, TOOL.description, "Where it is."):
        if text not in described:
            raise Broken(f"it does not describe a tool as it is: {text!r} is missing")
    plain = _value(terms, terms.request())
    if TOOL.name in strings_of(plain) or (isinstance(plain, dict) and "tools" in plain):
        raise Broken("it speaks of tools without any")


def calls_go_back(terms: Terms) -> None:
    """Calls and what they gave go back: names, arguments, results, and what is carried with them."""
    _check_round(terms, _LOOKED)
    for answer in terms.answers:
        if not answer.calls:
            continue
        read = terms.read((answer.body,))
        made = [
            replace(call, id=f"call{number:05d}", arguments=call.arguments or "{}")
            for number, call in enumerate(read.calls)
        ]
        results = (Message("tool", f"result {n}", answers=call) for n, call in enumerate(made))
        _check_round(
            terms, (Message("user", "look"), Message("assistant", read.text, calls=tuple(made)), *results), answer.name
        )


REQUEST_LAWS: Mapping[str, Callable[[Terms], None]] = {
    law.__name__: law
    for law in (
        interface,
        touches_nothing,
        same_bytes,
        head,
        body,
        every_message,
        only_known_words,
        no_credential,
        limits,
        effort,
        tools,
        calls_go_back,
    )
}


def _requests(terms: Terms) -> Iterator[CompletionRequest]:
    """One of every kind."""
    yield terms.request()
    yield terms.request(*_TALK, max_output_tokens=700)
    yield terms.request(*_TALK, tools=(TOOL,))
    yield terms.request(*_LOOKED, tools=(TOOL,), max_output_tokens=99_999)
    yield terms.request(*_LOOKED)
    for told in terms.efforts:
        yield terms.request(*_TALK, tools=(TOOL,), max_output_tokens=99_999, effort_as=told)


def _most(terms: Terms, most: int) -> CompletionRequest:
    return terms.request(max_output_tokens=most)


def _encoded(terms: Terms, request: CompletionRequest) -> WireRequest:
    try:
        made: object = terms.protocol.encode(request)
    except BaseException as error:
        raise Broken(f"`encode` raised {type(error).__name__}: {error}"[:500]) from error
    if type(made) is not WireRequest:
        raise Broken(f"`encode` gave {type(made).__name__} in place of a `WireRequest`")
    still = still_wire(made)
    return still if type(still) is WireRequest else made


def _value(terms: Terms, request: CompletionRequest) -> object:
    return read_json(_encoded(terms, request).body)


def _texts(request: CompletionRequest) -> Iterator[str]:
    """Every string that a body may take from a request."""
    yield request.system
    for message in request.messages:
        yield message.content
        for call in (*message.calls, *((message.answers,) if message.answers else ())):
            yield from (call.id, call.name, call.arguments, call.carry)
            yield from strings_of(read_json(call.arguments))
            yield from strings_of(read_json(call.carry))
    for tool in request.tools:
        yield from (tool.name, tool.description)
        yield from strings_of(json.loads(json.dumps(dict(tool.parameters))))


def _check_round(terms: Terms, messages: Sequence[Message], name: str = "a made-up one") -> None:
    try:
        value = _value(terms, terms.request(*messages, tools=(TOOL,)))
    except ProviderError as error:
        raise Broken(f"the calls of `{name}` cannot go back: {error}") from None
    found = list(strings_of(value))
    for message in messages:
        for call in message.calls:
            if call.name not in found:
                raise Broken(f"a call of `{name}` goes back without its name")
            inner = list(strings_of(read_json(call.arguments)))
            if call.arguments not in found and any(text not in found for text in inner):
                raise Broken(f"a call of `{name}` goes back without its arguments")
            carried = list(strings_of(read_json(call.carry))) or [call.carry]
            if call.carry and call.carry not in found and any(text not in found for text in carried):
                raise Broken(f"a call of `{name}` goes back without what is carried with it")
        if message.answers is not None and message.content not in found:
            raise Broken(f"what a call of `{name}` gave does not go back")
