"""Development script: writes the catalog of models and prices that the package ships.

    python scripts/extract_catalog.py            writes smista_mcp/data/catalog.json and the notice beside it
    python scripts/extract_catalog.py --check    exits with 1 when the file is not what the installed package gives

It reads the data of the installed `genai-prices` (a development dependency: importing it costs 0.3 s, which no run-time
command should pay) and keeps what a text request needs: names, windows, and the prices of tokens and requests with
their tiers, start dates and hours. Prices for audio, images, searches and service tiers are left out.

The file is one JSON object: `package`, `version`, `sha256` (of everything under `providers`), `days` (those on
which a price changes) and `providers`, by id:

    {"fallback": [provider ids], "models": [[id, window, deprecated, clauses, variants], ...]}

Models stand in the package's order, because the first whose clauses match a name is the one meant.
A clause is a string, the first character of which says how the rest is compared with the name in lower case
(`=` equal, `^` starts, `$` ends, `*` contains, `~` regular expression), or a list `["&", clause, ...]` or
`["|", clause, ...]`.
A variant is `[when, input, output, cached input, cache write, reasoning, request]`: `when` is "" (always), a date
"YYYY-MM-DD" (from that day, UTC) or hours "HH:MM:SS-HH:MM:SS" (UTC); the last variant that holds is in force, or else
the first. A rate is a decimal string or `[base, start, rate, start, rate ...]`, where the last start that the input
exceeds counts for all tokens; null is "no price of its own". Token rates are USD a million, the request rate is USD a
thousand. Nulls at the end are cut.
"""

import argparse
import hashlib
import json
import re
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import TypeAlias

from genai_prices import types
from genai_prices.data import providers

PACKAGE = "genai-prices"
DATA = Path(__file__).resolve().parent.parent / "smista_mcp" / "data"
RATES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "output_reasoning_mtok", "requests_kcount")
PLAIN_CLAUSES = (
    (types.ClauseEquals, "equals", "="),
    (types.ClauseStartsWith, "starts_with", "^"),
    (types.ClauseEndsWith, "ends_with", "$"),
    (types.ClauseContains, "contains", "*"),
)

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rate(value: object) -> Json:
    if value is None:
        return None
    if isinstance(value, Decimal):
        return _plain(value)
    if isinstance(value, types.TieredPrices):
        steps: list[Json] = [_plain(value.base)]
        for tier in value.tiers:
            steps += [tier.start, _plain(tier.price)]
        return steps
    raise TypeError(f"a price of an unknown shape: {value!r}")


def _utc(moment: time) -> str:
    if moment.tzinfo is not None:
        moment = datetime.combine(date(1970, 1, 1), moment).astimezone(UTC).timetz()
    return moment.strftime("%H:%M:%S")


def _when(constraint: types.StartDateConstraint | types.TimeOfDateConstraint | None) -> str:
    if constraint is None:
        return ""
    if isinstance(constraint, types.StartDateConstraint):
        return constraint.start_date.isoformat()
    return f"{_utc(constraint.start_time)}-{_utc(constraint.end_time)}"


def _variant(when: str, price: types.ModelPrice) -> list[Json]:
    rates: list[Json] = [_rate(price.__dict__.get(key)) for key in RATES]
    while rates and rates[-1] is None:
        rates.pop()
    return [when, *rates]


def _variants(model: types.ModelInfo) -> list[Json]:
    if isinstance(model.prices, types.ModelPrice):
        return [_variant("", model.prices)]
    return [_variant(_when(entry.constraint), entry.prices) for entry in model.prices]


def _regex(pattern: str) -> Json:
    """The literal beginning goes first, so that most names are turned away without compiling the expression."""
    start = re.match(r"\^((?:[A-Za-z0-9@_-]|\\[.\-])+)", pattern)
    literal = start.group(1).replace("\\", "") if start and "|" not in pattern else ""
    if start and pattern[start.end() : start.end() + 1] in {"?", "*", "{"}:
        literal = literal[:-1]
    return ["&", f"^{literal.lower()}", f"~{pattern}"] if literal else f"~{pattern}"


def _clause(logic: object) -> Json:
    if isinstance(logic, types.ClauseRegex):
        return _regex(logic.regex)
    if isinstance(logic, types.ClauseOr):
        return ["|", *(_clause(part) for part in logic.or_)]
    if isinstance(logic, types.ClauseAnd):
        return ["&", *(_clause(part) for part in logic.and_)]
    for kind, field, mark in PLAIN_CLAUSES:
        if isinstance(logic, kind):
            return mark + str(getattr(logic, field)).lower()
    raise TypeError(f"a clause of an unknown shape: {logic!r}")


def _clauses(model: types.ModelInfo) -> list[Json]:
    clause = _clause(model.match)
    clauses: list[Json] = clause[1:] if isinstance(clause, list) and clause[0] == "|" else [clause]
    return [part for part in clauses if part != "=" + model.id]  # its own name is compared before any clause


def _model(model: types.ModelInfo) -> list[Json]:
    return [model.id, model.context_window, int(bool(model.deprecated)), _clauses(model), _variants(model)]


def _compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def extract() -> str:
    """The text of catalog.json: one provider a line, sorted by id, the same for the same package on every machine."""
    lines = {
        provider.id: _compact(
            {
                **({"fallback": list(provider.fallback_model_providers)} if provider.fallback_model_providers else {}),
                "models": [_model(model) for model in provider.models],
            }
        )
        for provider in providers
    }
    body = "{\n" + ",\n".join(f"{_compact(name)}:{lines[name]}" for name in sorted(lines)) + "\n}"
    head: dict[str, Json] = {
        "package": PACKAGE,
        "version": metadata.version(PACKAGE),
        "sha256": hashlib.sha256(body.encode()).hexdigest(),
        "days": sorted(set(re.findall(r'"(\d{4}-\d\d-\d\d)"', body))),
    }
    return _compact(head)[:-1] + ',"providers":' + body + "}\n"


def notice() -> str:
    """The licence of the package, which goes along with its data."""
    files = metadata.files(PACKAGE) or []
    licence = next(Path(str(file.locate())) for file in files if file.name == "LICENSE")
    what = f"catalog.json holds model names, context windows and prices from {PACKAGE} {metadata.version(PACKAGE)}"
    return f"{what}, under this licence:\n\n" + licence.read_text(encoding="utf-8")


def stale(folder: Path) -> list[str]:
    """The names of the files in `folder` that are missing or differ from what the installed package gives."""
    wanted = {"catalog.json": extract(), "NOTICE-genai-prices.txt": notice()}
    return [
        name
        for name, text in wanted.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Runs the command; the result is its exit status."""
    parser = argparse.ArgumentParser(description="Writes the catalog of models and prices.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file is stale")
    parser.add_argument("--folder", type=Path, default=DATA, help="where the files are (default: smista_mcp/data)")
    options = parser.parse_args(arguments)
    names = stale(options.folder)
    if not options.check:
        (options.folder / "catalog.json").write_text(extract(), encoding="utf-8")
        (options.folder / "NOTICE-genai-prices.txt").write_text(notice(), encoding="utf-8")
    for name in names:
        print(f"{name}: {'stale; run python scripts/extract_catalog.py' if options.check else 'written'}")
    return 1 if options.check and names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
