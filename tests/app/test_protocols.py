"""Which wire protocols of installed packages can be spoken, and what is said of those that cannot."""

import contextlib
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from distributions import install
from workbench import Bench

from smista_mcp.app.protocols import Protocols
from smista_mcp.cli import main

SOURCE = (Path(__file__).parents[1] / "plugins/parley.py").read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Bench) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.chdir(bench.workspace)
    return folder


def protocols(bench: Bench) -> Protocols:
    return Protocols(bench.app("").world.settings)


@pytest.mark.parametrize(
    ("source", "offered", "words"),
    [
        (SOURCE, None, "offered by no installed package"),
        (SOURCE, {"other": "{}:PROTOCOL"}, "offered by no installed package"),
        (SOURCE, {"parley": "{}"}, "entry point"),
        (SOURCE, {"parley": "{}:PROTOCOL.inner"}, "entry point"),
        (SOURCE, {"parley": "{}:Nothing"}, "not in the module"),
        (SOURCE, {"parley": "{}_not:PROTOCOL"}, "in no installed package"),
        ("raise SystemExit(3)\n", {"parley": "{}:PROTOCOL"}, "imported (SystemExit)"),
        ("def f(:\n", {"parley": "{}:PROTOCOL"}, "imported (SyntaxError)"),
        ("PROTOCOL = 1\n", {"parley": "{}:PROTOCOL"}, "which interface"),
        (SOURCE.replace("interface = 1", "interface = 7"), {"parley": "{}:PROTOCOL"}, "interface 7"),
        (SOURCE.replace("def failure", "def failed"), {"parley": "{}:PROTOCOL"}, "no `failure`"),
        (SOURCE, {"parley": "smista_mcp.dispatch.connections:PROTOCOLS"}, "smista itself"),
    ],
)
def test_what_is_wrong_with_one_is_said(
    source: str, offered: Mapping[str, str] | None, words: str, bench: Bench, site: Path, tmp_path: Path
) -> None:
    module = f"parley_{tmp_path.name}"  # Python loads no module twice
    named = None if offered is None else {name: value.format(module) for name, value in offered.items()}
    install(site, {f"{module}.py": source}, name="parley", version="1.2", protocols=named)
    assert words in protocols(bench).unfit("parley")


def test_one_that_is_mended_is_taken_and_what_was_loaded_stays(bench: Bench, site: Path) -> None:
    known = protocols(bench)
    assert known.unfit("parley")
    install(site, {"parley_mended.py": SOURCE}, name="parley", protocols={"parley": "parley_mended:PROTOCOL"})
    assert known.unfit("parley") == ""
    install(site, {"parley_mended.py": "raise SystemExit"}, name="parley", protocols={})
    assert known.spoken("parley").words


def test_two_packages_that_offer_the_same_name_are_both_left_alone(bench: Bench, site: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    marked = f"from pathlib import Path\nPath(r'{ran}').touch()\n{SOURCE}"
    for name in ("parley", "imposter"):
        install(site, {f"{name}_two.py": marked}, name=name, protocols={"parley": f"{name}_two:PROTOCOL"})
    assert "`imposter` and `parley`" in protocols(bench).unfit("parley")
    assert not ran.exists()


def test_of_two_states_of_one_package_the_first_counts(
    bench: Bench, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = tmp_path / "later"
    later.mkdir()
    install(site, {"parley_first.py": SOURCE}, name="parley", protocols={"parley": "parley_first:PROTOCOL"})
    install(later, {"parley_later.py": "1 / 0"}, name="Parley", protocols={"parley": "parley_later:PROTOCOL"})
    monkeypatch.setattr(sys, "path", [*sys.path, str(later)])
    assert protocols(bench).unfit("parley") == ""


def found(text: str, file: Path) -> set[tuple[str, str]]:
    """Code and place of everything that is wrong in a user's policy."""
    file.write_text(f'[routing.default]\nmodel = "host/current"\n{text}', encoding="utf-8")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(["policy", "check", "--json", "--user", str(file)])
    return {(one["code"], one["at"]) for one in json.loads(out.getvalue())["findings"]}


MINE = '[providers."protocol:mine"]\nbase_url = "https://models.example"\n'
PLACE = 'providers."protocol:mine"'


@pytest.mark.parametrize(
    ("text", "faulty"),
    [
        (f'{MINE}type = "parley"\n', set[tuple[str, str]]()),
        (f'{MINE}type = "anthropic"\n', {("invalid_enum", f"{PLACE}.type")}),
        (f'{MINE}type = "cli"\n', {("invalid_enum", f"{PLACE}.type")}),
        (f'{MINE}type = "Not A Name"\n', {("invalid_enum", f"{PLACE}.type")}),
        (MINE, {("invalid_type", PLACE)}),
        ('[providers."protocol:mine"]\ntype = "parley"\n', {("invalid_type", PLACE)}),
        (f'{MINE}type = "parley"\ncommand = "/bin/true"\n', {("unknown_key", f"{PLACE}.command")}),
        ('[providers."protocol:"]\ntype = "parley"\n', {("unknown_provider", 'providers."protocol:"')}),
        ('[providers.openai]\ntype = "parley"\n', {("unknown_key", "providers.openai.type")}),
        (MINE.replace("https", "http") + 'type = "parley"\n', {("insecure_base_url", f"{PLACE}.base_url")}),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_an_error(
    text: str, faulty: set[tuple[str, str]], tmp_path: Path
) -> None:
    assert found(text, tmp_path / "p.toml") == faulty


@pytest.mark.parametrize(
    ("model", "told", "wrong"),
    [
        ("protocol:mine/m", '"anything"', False),
        ("protocol:mine/m", "4096", False),
        ("openai-compat:a/m", '"max"', False),
        ("openai-compat:a/m", '"anything"', True),
        ("openai-compat:a/m", "4096", True),
        ("anthropic/m", "4096", False),
        ("anthropic/m", '"max"', True),
        ("gemini/m", "4096", False),
        ("ollama/m", '"high"', False),
        ("ollama/m", "4096", True),
        ("llamacpp/m", '"high"', True),
        ("cli:codex/m", '"high"', True),
    ],
)
def test_an_effort_that_could_not_be_told_is_an_error(model: str, told: str, wrong: bool, tmp_path: Path) -> None:
    place = ("invalid_enum", f'catalog."{model}".effort.high')
    text = f'[catalog."{model}"]\neffort = {{ high = {told} }}\n'
    assert found(text, tmp_path / "p.toml") == ({place} if wrong else set())
