"""Writes docs/policy.md: every key of a policy file, from the models that read it.

python scripts/write_reference.py           # writes the page
python scripts/write_reference.py --check   # status 1 where the page is not what would be written
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from smista_mcp.core.values import Intent
from smista_mcp.loading.policy_schema import Json, Node, policy_schema

PAGE = Path(__file__).parents[1] / "docs" / "policy.md"
HEAD = """\
# Policy reference

<!-- made by scripts/write_reference.py from the models that read a policy file; do not edit -->

Every key that a policy file may hold. The [README](../README.md) shows a policy in ten lines; `smista-mcp policy check`
tells what is wrong in one, `smista-mcp policy show` which value is in force and where it stands, and
`smista-mcp policy schema > policy.schema.json` gives an editor what this page says.

Any other key is an error, but for tables of smista.ai's `config.toml` that mean nothing here: they are skipped with a
warning. `NAME` stands for a name of your own, `a.b` for the key `b` of an inline table `a`. An intent is one of
INTENTS.
"""
_KINDS = {"string": "text", "boolean": "`true` or `false`", "integer": "whole number", "number": "number"}
_INTENTS = [intent.value for intent in Intent]


def page() -> str:
    """The whole page."""
    intents = ", ".join(f"`{name}`" for name in _INTENTS)
    sections = (line for name, node in _properties(policy_schema()) for line in _section(name, node))
    return "\n".join((HEAD.replace("INTENTS", intents), *sections))


def _section(name: str, node: Node) -> Iterator[str]:
    """A key of the first level: what it is for, and a list of keys for each header that stands below it in a file."""
    yield f"## `{name}`\n{_text(node)}\n"
    for header, rows in _tables(name, node):
        if rows:
            yield "\n".join((f"| `{header}` | value | |", "| --- | --- | --- |", *rows, ""))
    if not _is_table(node):
        yield f"Value: {_kind(node)}.\n"


def _tables(path: str, node: Node) -> Iterator[tuple[str, list[str]]]:
    several, named = _items(node), _named(node)
    if several is not None:
        yield f"[[{path}]]", list(_rows(several))
    elif named is not None:
        yield f"[{path}.NAME]", list(_rows(named))
    else:
        own = [(name, child) for name, child in _properties(node) if not _is_table(child)]
        yield f"[{path}]", [_row(name, child) for name, child in own]
        for name, child in _properties(node):
            if _is_table(child):
                yield from _tables(f"{path}.{name}", child)


def _rows(table: Node, prefix: str = "") -> Iterator[str]:
    """The keys of a table with a header, those of inline tables dotted."""
    for name, child in _properties(table):
        if any(_properties(child)):
            yield from _rows(child, f"{prefix}{name}.")
        else:
            yield _row(f"{prefix}{name}", child, _text(table) if prefix else "")


def _row(key: str, node: Node, outer: str = "") -> str:
    return f"| `{key}` | {_kind(node)} | {_text(node) or outer} |"


def _is_table(node: Node) -> bool:
    return any(_properties(node)) or _items(node) is not None or _named(node) is not None


def _properties(node: Node) -> Iterator[tuple[str, Node]]:
    found = node.get("properties")
    if isinstance(found, dict):
        yield from ((name, child) for name, child in found.items() if isinstance(child, dict))


def _items(node: Node) -> "Node | None":
    """What a list of tables holds."""
    items = node.get("items")
    return items if isinstance(items, dict) and any(_properties(items)) else None


def _named(node: Node) -> "Node | None":
    """What each table of any name holds."""
    patterns = node.get("patternProperties")
    tables = [node.get("additionalProperties"), *(patterns.values() if isinstance(patterns, dict) else ())]
    return next((one for one in tables if isinstance(one, dict) and any(_properties(one))), None)


def _kind(node: Node) -> str:
    """What may stand there, in words."""
    several = node.get("anyOf") or node.get("oneOf")
    if isinstance(several, list):
        return " or ".join(dict.fromkeys(_kind(one) for one in several if isinstance(one, dict)))
    values = node.get("enum")
    if isinstance(values, list):
        return "intent" if values == _INTENTS else ", ".join(map(_literal, values))
    kind = node.get("type")
    if kind == "array":
        items = node.get("items")
        return f"list of {_kind(items)}" if isinstance(items, dict) else "list"
    if kind == "object":
        return "table"
    words = _KINDS.get(kind, kind) if isinstance(kind, str) else "anything"
    least, most = node.get("minimum"), node.get("maximum")
    return f"{words}, {least} to {most}" if least is not None and most is not None else words


def _literal(value: Json) -> str:
    return f'`"{value}"`' if isinstance(value, str) else f"`{str(value).lower()}`"


def _text(node: Node) -> str:
    text = node.get("description")
    return text.replace("|", "\\|") if isinstance(text, str) else ""


def main() -> int:
    """Writes or checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where the page is another")
    if parser.parse_args().check:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
