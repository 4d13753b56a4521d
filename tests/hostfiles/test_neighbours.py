"""What other servers were given is not shown, whatever its shape; what is ours is."""

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.hostfiles import jsontext
from smista_mcp.hostfiles.neighbours import without_values

TOML = """\
model = "shown" # "hunter2" in a comment stays
[mcp_servers.a]
command = "shown"
env = { PW = "hunter2", B = "hunter2" }
args = ["shown"]
http_headers.Auth = "hunter2"
[mcp_servers.a2.env]
PW = 'hunter2'
LONG = \"\"\"
hunter2
= hunter2
\"\"\" # c
LIST = [
  "hunter2",
  { a = "hunter2" },
]
N = 1234321
[mcp_servers.c]
b = { command = "c", "env" = { PW = "hunter2" } }
[mcp_servers.smista]
env = { PYTHONPATH = "shown" }
env_vars = ["shown"]
[[x.env]]
PW = "hunter2"
[tui]
a = "shown"
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_values_of_other_servers_in_toml(end: str) -> None:
    text = TOML.replace("\n", end)
    masked = without_values(text, "toml")
    assert masked.count("hunter2") == 1
    assert "1234321" not in masked
    assert masked.count("shown") == text.count("shown")
    assert [line.count("\r") for line in masked.split("\n")] == [line.count("\r") for line in text.split("\n")]
    assert tomllib.loads(TOML)


SERVERS = {
    "mcpServers": {
        "a": {"command": "shown", "env": {"PW": "hunter2", "N": 1234321, "L": ["hunter2"], "D": {"e": "hunter2"}}},
        "b": {"url": "shown", "headers": {"Authorization": "hunter2"}},
        "smista": {"command": "shown", "env": {"PYTHONPATH": "shown"}},
    },
    "projects": {"/p": {"mcpServers": {"c": {"environment": {"PW": "hunter2"}}}}},
}


@pytest.mark.parametrize("indent", [None, 2])
def test_values_of_other_servers_in_json(indent: int | None) -> None:
    text = json.dumps(SERVERS, indent=indent)
    masked = without_values(text, "json")
    assert "hunter2" not in masked
    assert "1234321" not in masked
    assert masked.count("shown") == text.count("shown")
    assert json.loads(masked)["mcpServers"]["smista"] == SERVERS["mcpServers"]["smista"]


def test_keys_of_aider() -> None:
    keys = "openai-api-key: hunter2\napi-key:\n  - a=hunter2\n\n- b=hunter2\nset-env: [hunter2]\n"
    text = f"model: shown\n{keys}dark: shown\n"
    masked = without_values(text, "yaml")
    assert "hunter2" not in masked
    assert masked.count("shown") == 2
    assert len(masked.splitlines()) == len(text.splitlines())


plain = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


@given(st.dictionaries(plain, plain, min_size=1), st.sampled_from([None, 1, "\t"]))
def test_no_value_is_left(variables: dict[str, str], indent: int | str | None) -> None:
    text = json.dumps({"servers": {"a": {"env": variables}}}, indent=indent, ensure_ascii=False)
    found = jsontext.read(without_values(text, "json"), comments=False)
    assert found == {
        "servers": {
            "a": {
                "env": dict.fromkeys(variables, "[secret]")
                | {key: value for key, value in variables.items() if key == "smista"}
            }
        }
    }
