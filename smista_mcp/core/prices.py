"""Prices of tokens as values: rates with tiers, and which price is in force on a day. USD, Decimal, never float."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple, cast

_PER_THOUSAND = Decimal("0.001")
_WRITE_FACTOR = Decimal("1.25")
"""What writing to a cache costs, in prices of the input, where no list says it: so much with all who charge for it
(platform.claude.com/docs/en/build-with-claude/prompt-caching for five minutes, which is all that we ask for;
developers.openai.com/api/docs/guides/prompt-caching from GPT-5.6 on; read 2026-11-20)."""


class Rate(NamedTuple):
    """USD a million tokens. A step (start, rate) counts for all tokens of a request with more input than start."""

    base: Decimal
    steps: tuple[tuple[int, Decimal], ...] = ()

    def times(self, factor: Decimal) -> "Rate":
        """So many times this rate."""
        return Rate(self.base * factor, tuple((start, rate * factor) for start, rate in self.steps))

    def at(self, input_tokens: int) -> Decimal:
        """The rate of a request with that much input in all."""
        for start, rate in reversed(self.steps):
            if input_tokens > start:
                return rate
        return self.base


class Price(NamedTuple):
    """What a model costs.

    Attributes:
        cached_input: input read from the provider's cache; None where it costs what other input costs.
        cache_write: input that the provider writes to its cache; None where no list says it.
        reasoning: hidden output; None where it costs what other output costs.
        request: USD for one request, whatever its size.
        writes_unasked: true where the provider writes its cache unasked, so that input may cost `cache_write`.
    """

    input: Rate
    output: Rate
    cached_input: Rate | None = None
    cache_write: Rate | None = None
    reasoning: Rate | None = None
    request: Decimal = Decimal(0)
    writes_unasked: bool = False

    @property
    def writing(self) -> Rate:
        """What input costs that is written to the cache."""
        return self.input.times(_WRITE_FACTOR) if self.cache_write is None else self.cache_write

    def dearest_input(self, input_tokens: int, *, writes: bool | None = None) -> Decimal:
        """The most that a million tokens of input can cost in a request of that size.

        Args:
            input_tokens: of the request.
            writes: whether the provider may write them to its cache; None where nobody tells it.
        """
        rate = self.input.at(input_tokens)
        if writes is None:
            writes = self.writes_unasked and self.cache_write is not None
        found = rate if self.cached_input is None else max(rate, self.cached_input.at(input_tokens))
        return max(found, self.writing.at(input_tokens)) if writes else found

    def dearest_output(self, input_tokens: int) -> Decimal:
        """The most that a million tokens of output, hidden ones included, can cost in a request of that size."""
        rate = self.output.at(input_tokens)
        return rate if self.reasoning is None else max(rate, self.reasoning.at(input_tokens))


def dearer(one: Price, other: Price) -> Price:
    """A price of which no part is lower than in either of two."""

    def part(read: Callable[[Price], Rate | None], default: Callable[[Price], Rate]) -> Rate | None:
        stated = [read(one), read(other)]
        return None if stated == [None, None] else _dearer(stated[0] or default(one), stated[1] or default(other))

    return Price(
        _dearer(one.input, other.input),
        _dearer(one.output, other.output),
        part(lambda price: price.cached_input, lambda price: price.input),
        part(lambda price: price.cache_write, lambda price: price.writing),
        part(lambda price: price.reasoning, lambda price: price.output),
        max(one.request, other.request),
        one.writes_unasked or other.writes_unasked,
    )


def _dearer(one: Rate, other: Rate) -> Rate:
    starts = sorted({start for rate in (one, other) for start, _ in rate.steps})
    steps = tuple((start, max(one.at(start + 1), other.at(start + 1))) for start in starts)
    return Rate(max(one.base, other.base), steps)


def _rate(value: object) -> Rate | None:
    if isinstance(value, str):
        return Rate(Decimal(value))
    if isinstance(value, list):
        base, *steps = cast("list[int | str]", value)
        return Rate(
            Decimal(base),
            tuple((int(start), Decimal(rate)) for start, rate in zip(steps[::2], steps[1::2], strict=True)),
        )
    return None


def _holds(when: str, day: str, time: str | None) -> bool | None:
    """Whether a variant is in force; None where that depends on the hour and no hour is given."""
    if not when:
        return True
    if ":" not in when:
        return day >= when
    if time is None:
        return None
    start, _, end = when.partition("-")
    return (time >= start or time < end) if end < start else start <= time < end


def _price(variant: Sequence[object], *, writes_unasked: bool) -> Price | None:
    rates = [_rate(value) for value in variant[1:]]
    rates += [None] * (6 - len(rates))
    given, output, cached, write, reasoning, request = rates
    if given is None or output is None:
        return None
    per_request = request.base * _PER_THOUSAND if request else Decimal(0)
    return Price(given, output, cached, write, reasoning, per_request, writes_unasked)


def price_on(
    variants: Sequence[Sequence[object]], day: str, time: str | None = None, *, writes_unasked: bool = False
) -> Price | None:
    """The price in force, from the variants of catalog.json.

    Args:
        variants: as scripts/extract_catalog.py describes them.
        day: ISO date, UTC.
        time: "HH:MM:SS", UTC. Without it the dearest price of that day is given where prices change with the hour.
        writes_unasked: as in `Price`.

    Returns:
        None where input or output has no price: what is not priced is unknown, never 0.
    """
    possible: list[Sequence[object]] = []
    for variant in reversed(variants):
        holds = _holds(str(variant[0]), day, time)
        if holds is not False:
            possible.append(variant)
        if holds:
            break
    else:
        possible.extend(variants[:1])
    prices = [_price(variant, writes_unasked=writes_unasked) for variant in possible]
    known = [price for price in prices if price is not None]
    if not known or len(known) < len(prices):
        return None
    return max(known, key=lambda price: (price.output.base, price.input.base))
