"""How each headless CLI is run: one row of data for each, for the versions that `core.headless` names.

All of it was seen in runs of the real programs against a scripted model on loopback (2026-11-20): the official headless
mode, the prompt on standard input, no tool, no server of the user's, no instructions of a project or of the user's own.
`{private}` stands for the folder that is made for one attempt, `{model}` and `{effort}` for what is asked for.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

_NONE: Mapping[str, str] = MappingProxyType({})


class Place(NamedTuple):
    """A folder of the user's: where a variable says, else below the home folder, and what lies below either."""

    variable: str
    customary: str
    below: str = ""


class Settings(NamedTuple):
    """A file of settings of which a CLI gets a copy with nothing but the keys that it needs to find its models.

    Attributes:
        names: of the file; the first that is there is taken.
        keep: dotted keys.
        to: of the copy, below the private folder.
    """

    place: Place
    names: tuple[str, ...]
    form: Literal["toml", "json"]
    keep: tuple[str, ...]
    to: str


class Login(NamedTuple):
    """Files of a login. The private folder has links to them: a login that is renewed is written to where it was."""

    place: Place
    names: tuple[str, ...]
    to: str


class CliSpec(NamedTuple):
    """One CLI.

    Attributes:
        arguments: in front of those for model and effort, which stand in front of `last`.
        fixed: variables that it gets, with their values.
        places: variables that it gets with the user's own folders as values.
        inherited: names of variables that it gets as we have them, besides those that all get.
        own_home: whether it gets the user's home folder; else an empty one.
        files: that it needs in its private folder, with their text.
        usage: a file in which it says what it used.
        first: whether it says something before its model does.
        talks: whether it says something while its model works, so that silence has a meaning.
    """

    name: str
    arguments: tuple[str, ...]
    model: tuple[str, ...]
    effort: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    fixed: Mapping[str, str] = _NONE
    places: Mapping[str, Place] = MappingProxyType({})
    inherited: tuple[str, ...] = ()
    own_home: bool = False
    files: Mapping[str, str] = _NONE
    login: Login | None = None
    settings: Settings | None = None
    usage: str | None = None
    first: bool = True
    talks: bool = False


_CODEX_OFF = (
    *("shell_tool", "unified_exec", "view_image", "apps", "multi_agent", "plugins", "goals", "hooks", "tool_suggest"),
    *("image_generation", "sleep_tool", "browser_use", "computer_use", "skill_search"),
)
_CODEX = Place("CODEX_HOME", ".codex")
_GEMINI = Place("GEMINI_CLI_HOME", "", ".gemini")
_COPILOT = Place("COPILOT_HOME", ".copilot")
_DENY_ALL = '[[rule]]\ntoolName = "*"\ndecision = "deny"\npriority = 999\n'
_ANSWER_ONLY = {"mode": "primary", "tools": {"*": False}, "permission": {"*": "deny"}, "prompt": "Answer."}

CLI_SPECS: Final[Mapping[str, CliSpec]] = MappingProxyType(
    {
        row.name: row
        for row in (
            CliSpec(
                name="claude",
                arguments=(
                    *("-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"),
                    *("--tools", "", "--permission-mode", "dontAsk", "--strict-mcp-config", "--setting-sources", ""),
                    *("--safe-mode", "--disable-slash-commands", "--no-chrome", "--no-session-persistence"),
                ),
                model=("--model", "{model}"),
                effort=("--effort", "{effort}"),
                # A prompt's `@path` is read by the program itself, tools or not, unless attachments are off.
                fixed=MappingProxyType(
                    {
                        **dict.fromkeys(("CLAUDE_CODE_DISABLE_ATTACHMENTS", "CLAUDE_CODE_DISABLE_FILE_MENTIONS"), "1"),
                        **dict.fromkeys(("CLAUDE_CODE_DISABLE_CLAUDE_MDS", "CLAUDE_CODE_DISABLE_AUTO_MEMORY"), "1"),
                        **dict.fromkeys(("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER"), "1"),
                        "CLAUDE_CODE_MAX_RETRIES": "1",
                    }
                ),
                inherited=("CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN"),
                own_home=True,
                talks=True,
            ),
            CliSpec(
                name="codex",
                arguments=(
                    *("exec", "--json", "-s", "read-only", "--skip-git-repo-check", "--ephemeral", "--ignore-rules"),
                    *(word for feature in _CODEX_OFF for word in ("--disable", feature)),
                    *("-c", 'web_search="disabled"', "-c", "project_doc_max_bytes=0"),
                    *("-c", "skills.bundled.enabled=false", "-c", "analytics.enabled=false"),
                    *("-c", "check_for_update_on_startup=false"),
                ),
                model=("-m", "{model}"),
                effort=("-c", 'model_reasoning_effort="{effort}"'),
                last=("-",),
                fixed=MappingProxyType({"CODEX_HOME": "{private}/home/.codex"}),
                login=Login(_CODEX, ("auth.json",), "home/.codex"),
                settings=Settings(
                    _CODEX,
                    ("config.toml",),
                    "toml",
                    (
                        *("model", "model_provider", "model_providers", "chatgpt_base_url", "openai_base_url"),
                        *("cli_auth_credentials_store", "forced_login_method", "forced_chatgpt_workspace_id"),
                    ),
                    "home/.codex/config.toml",
                ),
            ),
            CliSpec(
                name="gemini",
                arguments=(
                    *("-o", "stream-json", "--approval-mode", "default", "--skip-trust", "-e", "none"),
                    *("--allowed-mcp-server-names", "none", "--admin-policy", "{private}/deny.toml"),
                ),
                model=("-m", "{model}"),
                fixed=MappingProxyType({"GEMINI_CLI_HOME": "{private}/home", "GEMINI_TELEMETRY_ENABLED": "false"}),
                files=MappingProxyType({"deny.toml": _DENY_ALL}),
                login=Login(
                    _GEMINI, ("oauth_creds.json", "google_accounts.json", "gemini-credentials.json"), "home/.gemini"
                ),
                settings=Settings(
                    _GEMINI, ("settings.json",), "json", ("security.auth", "model.name"), "home/.gemini/settings.json"
                ),
                talks=True,
            ),
            CliSpec(
                name="opencode",
                arguments=("run", "--format", "json", "--title", "smista", "--pure", "--agent", "smista"),
                model=("-m", "{model}"),
                fixed=MappingProxyType(
                    {
                        "XDG_CONFIG_HOME": "{private}/home/.config",
                        "XDG_STATE_HOME": "{private}/state",
                        "OPENCODE_PERMISSION": json.dumps({"*": "deny"}),
                        "OPENCODE_CONFIG_CONTENT": json.dumps(
                            {"share": "disabled", "tools": {"*": False}, "agent": {"smista": _ANSWER_ONLY}}
                        ),
                        **dict.fromkeys(("OPENCODE_DISABLE_PROJECT_CONFIG", "OPENCODE_DISABLE_CLAUDE_CODE"), "1"),
                        **dict.fromkeys(("OPENCODE_DISABLE_EXTERNAL_SKILLS", "OPENCODE_DISABLE_AUTOUPDATE"), "1"),
                        **dict.fromkeys(("OPENCODE_DISABLE_SHARE", "OPENCODE_DISABLE_LSP_DOWNLOAD"), "1"),
                    }
                ),
                places=MappingProxyType(
                    {
                        "XDG_DATA_HOME": Place("XDG_DATA_HOME", ".local/share"),
                        "XDG_CACHE_HOME": Place("XDG_CACHE_HOME", ".cache"),
                    }
                ),
                settings=Settings(
                    Place("XDG_CONFIG_HOME", ".config", "opencode"),
                    ("opencode.json", "opencode.jsonc", "config.json"),
                    "json",
                    ("provider", "model", "small_model", "enabled_providers", "disabled_providers"),
                    "home/.config/opencode/opencode.json",
                ),
                first=False,
            ),
            CliSpec(
                name="copilot",
                arguments=(
                    *("--output-format", "json", "--stream", "on", "--available-tools=none", "--deny-tool=write"),
                    *("--deny-tool=shell", "--disallow-temp-dir", "--disable-builtin-mcps", "--no-custom-instructions"),
                    *("--no-ask-user", "--no-auto-update", "--no-color", "--no-remote", "--no-experimental"),
                    *("--usage-output-file", "{private}/usage.json"),
                ),
                model=("--model", "{model}"),
                effort=("--reasoning-effort", "{effort}"),
                fixed=MappingProxyType({"COPILOT_HOME": "{private}/home/.copilot", "COPILOT_AUTO_UPDATE": "false"}),
                places=MappingProxyType({"COPILOT_CACHE_HOME": Place("COPILOT_CACHE_HOME", ".cache/copilot")}),
                inherited=("COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "GH_HOST"),
                login=Login(_COPILOT, ("config.json",), "home/.copilot"),
                usage="usage.json",
                talks=True,
            ),
        )
    }
)
INHERITED: Final = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("NODE_EXTRA_CA_CERTS", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
"""What every CLI gets of our environment: what it needs to run, to reach the network, and to find a keychain."""
