"""What each key of a policy file is for, in words for an editor: by the name of the model, then of the key."""

from collections.abc import Mapping

_ORDER = "Lower is tried first; 1000 if left out."
_MODEL = "`provider/model`, `class:NAME`, or `host/MODEL` to let the host do it."
_USD_MILLION = "USD for a million tokens, as a decimal string."
_OWN = "Only in your own policy file."
_ORGANISATION = "Only in an organisation's policy file."

KEY_TEXTS: Mapping[str, Mapping[str, str]] = {
    "PolicyDocument": {
        "preset": "A policy that ships, below your own: `embedded`, `local-first`, `balanced`, `quality`, `team`.",
        "locked": f"Dotted keys that no other layer may set; `*` stands for one part of a key. {_ORGANISATION}",
        "classification": "How a task is read, before the built-in reader.",
        "routing": "Which model does what.",
        "classes": "Named lists of models; `class:NAME` stands for one of them wherever a model is named.",
        "models": "Which models may be used at all.",
        "privacy": "What stays on this machine.",
        "tools": "What a delegate may do.",
        "budgets": "What may be spent in a time.",
        "dispatch": "Deadlines and repetitions of a request.",
        "providers": (
            f"Where models are: built-in providers, `openai-compat:ANYTHING`, `protocol:ANYTHING`, or `cli:` and the"
            f" name of a CLI. {_OWN}"
        ),
        "hosts": f"The products that call: how long they wait, whether their model runs here. `local`: {_OWN.lower()}",
        "catalog": f"Facts of models, in place of the built-in ones. {_OWN}",
        "secrets": f"What the scan for secrets shall pass over. {_OWN}",
        "plugins": f"Functions of installed packages that a decision asks. {_OWN}",
        "ledger": f"How long the record of what was done is kept. {_OWN}",
        "test": "Tasks with what must come out, for `smista-mcp policy test`.",
    },
    "ClassificationSection": {"rules": "Tried in order of priority; the first that matches says the intent."},
    "ClassificationRule": {
        "intent": "The intent that a matching task has.",
        "priority": _ORDER,
        "keywords": "Whole words and phrases, in any inflection; one of them has to occur.",
        "requires_any_context": "One of these has to come with the task.",
    },
    "RoutingSection": {
        "rules": "Tried by priority, then by how specific they are; the first whose conditions all hold wins.",
        "default": "Where a task goes that no rule matches.",
        "overrides": "Whether a call may name a model itself; `allow` where no layer says otherwise.",
        "handoff": "Whether a phase without any candidate goes back to the host; `never` if left out.",
        "adaptive": "Whether evidence may put a weak model of a route behind a better one of the same route.",
    },
    "AdaptiveSection": {
        "enabled": "Off if left out. A remote model never comes before a local one because of it.",
        "min_attempts": "So many judged attempts speak against a model, and so many good ones for another; 20 if left"
        " out.",
        "window_days": "How many days before today count; 30 if left out.",
    },
    "DefaultRoute": {
        "model": _MODEL,
        "fallbacks": "Tried in order where the model cannot serve.",
        "effort": "How hard the model shall think.",
    },
    "Rule": {
        "name": "Unique; decisions name it.",
        "priority": _ORDER,
        "intent": "Condition: the kind of work. A family matches its refinements (`edit` matches `refactor`).",
        "skill": "Condition: the named workflow.",
        "paths": "Condition: gitignore patterns from the workspace's root, one of which matches a path of the phase.",
        "languages": "Condition: the language of a path, by its extension.",
        "min_paths": "Condition: at least so many paths.",
        "min_context_tokens": "Condition: at least so many tokens of words and required context.",
        "local_only": "What the conditions match never goes to a remote model, whether or not this rule wins.",
        "only_models": "What the conditions match goes to no other model, whether or not this rule wins.",
        "model": _MODEL,
        "fallbacks": "Tried in order where the model cannot serve.",
        "effort": "How hard the model shall think.",
        "requires_capabilities": "What the model has to be able to do; `vision = false` lets images pass unseen.",
        "required_permissions": "Permissions for these phases; they only narrow.",
        "cost_limit": 'USD that a phase may cost at most, as a decimal string: `"0.50"`.',
        "deadline_s": "Seconds that a phase may take, all attempts together.",
        "escalate": "Who is asked once a model has provably failed.",
        "overridable": f"Whether a model that a call names may win over this rule. {_ORGANISATION}",
    },
    "Escalation": {
        "on": "What proves it: nothing was answered, the change does not apply, it was cut at its length, it declined.",
        "to": "`provider/model`, `class:NAME` or `host/MODEL`, under the same floor, limits and approvals.",
    },
    "ClassDefinition": {
        "models": "The models of the class, in order; no classes.",
        "order": "Whether they are tried as listed, or the cheapest first.",
    },
    "ModelsSection": {
        "allowed": "Patterns on names; every other model is refused. `*` crosses `/`, case does not count.",
        "denied": "Patterns on names that are refused, whatever is allowed.",
    },
    "PrivacySection": {
        "restricted_paths": "gitignore patterns of what stays here; `.env`, keys and `secrets/**` if left out.",
        "free_paths": f"Patterns to lift from the restricted ones, written exactly as there. {_OWN}",
        "host_answers": "What becomes of an answer made from restricted content; `file` if left out. `ask` asks you in"
        " a form of the host, where it has forms.",
        "remote": "What may go to another machine.",
    },
    "RemoteSection": {
        "mode": "Whether anything may; `ask` if left out.",
        "blocked_paths": "gitignore patterns of what never goes there, approved or not.",
    },
    "ToolsSection": {"permissions": "One grant for each kind of tool."},
    "Permissions": {
        "file_read": "Whether a delegate may look at files of the workspace with its tools; `ask` gives it none.",
        "git": "Whether a delegate may see the git diff of the workspace; it needs `file_read` too.",
        "file_write": "A patch in the answer, for the host to apply.",
        "shell": "Denied whatever stands here.",
        "network": "Denied whatever stands here.",
    },
    "Budget": {
        "scope": "What counts: `all`, `project`, `intent:NAME`, `model:GLOB` or `token:NAME`.",
        "period": "The time that the limit is for; days and months begin in UTC.",
        "limit": 'USD, as a decimal string: `"10.00"`.',
    },
    "DispatchSection": {
        "deadline_s": "Seconds for a phase, all attempts together; 600 if left out.",
        "first_byte_s": "Seconds until an answer begins; 60 if left out.",
        "idle_s": "Seconds without a further piece of it; 60 if left out.",
        "max_retries": "How often one model is asked again; 1 if left out.",
        "on_uncertain": "Whether to go on where a failed attempt may have cost money; `continue` if left out.",
    },
    "ProviderDocument": {
        "base_url": "`https://...`, or `http://` on this machine; no user, password or query.",
        "locality": "`local` where its models run under your control; else it counts as remote.",
        "api_key": "The variable that holds the key, as `${secret:NAME}`; never the key itself.",
        "allow_plain_lan": "Whether a local provider on another machine may be reached without https.",
        "models_dir": "For `llamacpp`: the folder of its GGUF files.",
        "type": "`cli`: a headless CLI that is installed here, which counts as remote. For `protocol:ANYTHING`: the"
        " name under which an installed package offers its wire protocol.",
        "command": "For a CLI: the file to run, an absolute path; else the one on the search path.",
        "variables": "For a CLI: names of environment variables that it gets besides the few that it needs.",
        "unmediated": "For a CLI: whether it may be asked although nothing keeps its own tools from reading files.",
        "prompt_caching": "Whether it may be asked to keep prompts in its cache where that pays; `true` if left out.",
    },
    "HostDocument": {
        "locality": "`local` where the host's own model runs here.",
        "call_limit_s": "Seconds that it waits for the answer of a tool; a dispatch that takes longer answers `running`"
        " before that.",
        "model": "The model that the host itself runs on, `provider/model`; `usage` counts savings against it.",
    },
    "CatalogEntry": {
        "same_as": "The model of the catalog that this is another name for.",
        "context_window": "Tokens that it takes.",
        "max_output_tokens": "Tokens that it answers with at most.",
        "input_price": _USD_MILLION,
        "cached_input_price": _USD_MILLION,
        "cache_write_price": _USD_MILLION,
        "output_price": _USD_MILLION,
        "price_kind": "`plan` where a subscription pays.",
        "capabilities": "What it can do.",
        "effort": "How it is told an effort: a word of its protocol or, where that takes them, tokens to think.",
    },
    "SecretsSection": {
        "allow": "Fingerprints of false alarms, as the refusal shows them: `kind-` and 16 hexadecimal digits.",
    },
    "PluginsSection": {
        "select": "`package.module:function`, which may reorder or drop accepted candidates.",
    },
    "LedgerSection": {
        "keep_days": "UTC days for which decisions, attempts and jobs are kept (400); totals by day stay for good.",
        "mask": "What `ledger export` does not say: `drop` or `hash` and a field, for example `hash **.path`.",
    },
    "PolicyTest": {
        "name": "Told when it fails.",
        "task": "What is asked. Paths are labels; nothing on disk is read.",
        "expect": "What must come out; what is left out may be anything.",
    },
    "TestTask": {
        "text": "The task's words.",
        "intent": "As a call may state it.",
        "skill": "As a call may state it.",
        "paths": "As a call may name them.",
        "model": "As a call may name it.",
        "effort": "As a call may state it.",
        "context": "Kinds of context that come along.",
        "context_tokens": "Tokens of further context that has to go along.",
    },
    "Expectation": {
        "phase": "Which phase is meant, from 0.",
        "intent": "How it is read.",
        "rule": "The name of the rule that wins, or `default`.",
        "model": "As the policy writes it.",
        "resolved_model": "The model that the name stands for.",
        "locality": "Where that runs.",
        "effort": "How hard it thinks.",
        "status": "What becomes of the phase.",
        "code": "Why, where it is not routed.",
        "max_cost": 'USD that the phase may cost at most by the estimate, as a decimal string: `"0.50"`.',
        "excluded": "Paths that stay, in any order.",
    },
}
