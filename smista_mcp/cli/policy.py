"""`policy check` and `policy show`."""

import json
from itertools import groupby

from smista_mcp.app.inventory import binding_rules, entries, ordered_rules, preset_names, rule_value, shown
from smista_mcp.app.world import World
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.findings import has_errors, put_findings
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import one_line, put, put_json, put_notices, put_table, shown_path
from smista_mcp.core.effective import Origin, PlacedRule
from smista_mcp.core.findings import Finding, FindingCode
from smista_mcp.core.values import Layer
from smista_mcp.errors import InvalidTask
from smista_mcp.loading.layers import LayerFile, Reading, examine, read_files, read_layers, with_presets_named
from smista_mcp.loading.testfiles import files_beside, read_tests


def check(options: Options) -> int:
    """Prints every finding in the files that apply here, or in those that are named; 1 where one is an error.

    Of test files beside the policy it says what keeps them from being run; to run them is for `policy test`.
    """
    if options.json and options.format is not None:
        raise InvalidTask("--json and --format ask for two things", fix="leave one of them out")
    named = _named_files(options)
    findings = _of_own_files(options) if named is None else examine(named)
    put_findings(findings, form="json" if options.json else options.format or "text")
    return NO if has_errors(findings) else DONE


def _named_files(options: Options) -> Reading | None:
    """The files that the command line names as layers; None where it names none."""
    if options.untrusted and options.workspace_policy is None:
        raise InvalidTask("--untrusted needs the file that it is about", fix="name it with --workspace-policy")
    files: list[LayerFile] = []
    if options.org is not None:
        files.append(LayerFile(Layer.ORGANISATION, options.org, required=True))
    if options.user is not None:
        files.append(LayerFile(Layer.USER, options.user, required=True))
    if options.workspace_policy is not None:
        trusted = not options.untrusted
        files.append(LayerFile(Layer.WORKSPACE, options.workspace_policy, trusted=trusted, required=True))
    if files and (options.preset is not None or options.policy is not None):
        raise InvalidTask(
            "named layer files are checked by themselves", fix="leave --preset and --policy out, or the layer files"
        )
    return with_presets_named(read_files(files)) if files else None


def _of_own_files(options: Options) -> tuple[Finding, ...]:
    """What is wrong in the files that apply here, and in the test files beside them."""
    world = opened(options).world
    findings = examine(read_layers(world.settings))
    beside = read_tests(files_beside(world.settings)).findings
    if options.json:  # there a finding has its layer, and no file
        beside = tuple(f.model_copy(update={"message": f"{f.file}: {f.message}"}) for f in beside)
    unusable = () if has_errors(findings) else _unusable(world)
    return (*findings, *unusable, *beside)


def _unusable(world: World) -> tuple[Finding, ...]:
    """Plugins of the policy in force that cannot be asked; they are loaded for that, as they are for a decision."""
    policy = world.book().policy
    plugin = world.plugin(policy)
    protocols = tuple(world.protocols.faults(policy))
    if plugin is None or not plugin.failure:
        return protocols
    origin = policy.provenance["plugins.select"]
    return (
        Finding(
            code=FindingCode.PLUGIN_UNUSABLE,
            at=origin.key,
            layer=origin.layer,
            file=origin.file,
            line=origin.line,
            message=f"the plugin `{plugin.name}` {plugin.failure}, and every task is refused",
            fix="install or mend it, or take `[plugins] select` out",
        ),
        *protocols,
    )


def show(options: Options) -> int:
    """Prints every value in force with its layer and line, and the rules in the order in which they are tried."""
    book = opened(options).world.book()
    if options.json:
        put_json(shown(book))
        return DONE
    policy = book.policy
    put(f"preset: {', '.join(map(one_line, preset_names(policy))) or 'none'}", f"revision: {policy.revision[:16]}")
    for table, members in groupby(entries(policy), key=lambda entry: entry.key.partition(".")[0].partition("[")[0]):
        put("", f"[{table}]")
        put_table([(entry.key, _text(entry.value), _place(entry.origin)) for entry in members], indent="  ")
    put("", "rules, in the order in which they are tried")
    put_table([(f"{n}", *_rule(rule)) for n, rule in enumerate(ordered_rules(book), 1)] or [("none",)], indent="  ")
    binding = binding_rules(policy)
    if binding:
        put("", "rules of files that may only narrow, which only bind")
        put_table([_rule(rule) for rule in binding], indent="  ")
    put_notices(policy.notices)
    return DONE


def _text(value: object) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _place(origin: Origin) -> str:
    line = f":{origin.line}" if origin.line else ""
    return f"[{origin.layer}{f' {shown_path(origin.file)}{line}' if origin.file else ''}]"


def _rule(placed: PlacedRule) -> tuple[str, ...]:
    said = rule_value(placed)
    name, priority, model = said.pop("name"), said.pop("priority"), said.pop("model")
    rest = ", ".join(f"{key} {_text(value)}" for key, value in said.items())
    return f"{name}", f"priority {priority}", f"-> {model}", rest or "whatever comes", _place(placed.origin)
