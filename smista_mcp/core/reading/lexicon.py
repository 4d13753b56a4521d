"""What English words mean to the reader, as data: one string of words per class, no code.

Verb classes say what a verb does with its object; `objects` turns class and object into an intent. Verbs stand in their
base form, `vocabulary` derives the other forms; nouns stand in every form. A word may be both ("test"), and then stands
in both tables. Where a word stands twice in one table, the later class holds.
"""

from typing import Final

VERBS: Final[dict[str, str]] = {
    # brings its object about or changes it, so that the object decides what kind of work it is
    "make": (
        "add create write make generate produce provide prepare draft compose author append prepend insert include"
        " introduce extend expand update edit modify change adjust amend revise improve enhance rewrite rework redo"
        " adapt convert translate port replace fill populate record maintain delete remove drop erase strip clear put"
        " tighten increase reduce shorten lengthen enrich augment broaden clone copy duplicate paste reflect"
        " incorporate cover polish tweak jot mention supplement refresh bring localize localise recreate regenerate"
        " rephrase reword reorder mark align realign tick expose define archive open submit output highlight set sync"
        " upgrade customise alter decrease specify refine redesign overhaul overwrite enlarge exclude omit synchronize"
        " transcribe rearrange rebrand quote substitute"
    ),
    # changes the program or the machine
    "build": (
        "implement build rebuild setup develop code program apply install reinstall uninstall configure reconfigure"
        " integrate scaffold bootstrap initialize initialise wire enable disable support revert restore undo rollback"
        " migrate downgrade bump deploy redeploy publish host serve connect hook handle allow prevent block hide"
        " render center centre toggle activate deactivate register mount attach detach inject embed download upload"
        " fetch import export parse encrypt decrypt sanitize escape cache store save persist throw catch return assign"
        " bind redirect reset reload wrap encapsulate customize personalize parametrize parameterize hardcode override"
        " automate print switch swap adopt merge rebase checkout unzip kill enforce secure harden protect mock stub"
        " patch tune display optimize optimise track accelerate shrink grow force prioritize stop reopen boot send"
        " receive post load transform normalise normalize serialize deserialize encode decode calculate compute count"
        " limit ignore skip bypass fallback collapse reproduce draw paint filter paginate sort dockerize containerize"
        " provision seed animate resize scale minify bundle compile transpile debounce throttle retry schedule ship"
        " release vendor pin lock unlock rotate revoke grant scrap wipe nuke reveal link unlink symlink mirror"
        " simulate train accept achieve acquire aggregate allocate announce arrange assemble assert associate"
        " authenticate authorize backfill backport become blur broadcast calibrate cancel choose clamp classify"
        " coalesce concatenate construct consume contain coordinate decompose decorate defer postpone delegate deliver"
        " denormalize deny deprecate derive destroy differentiate discard disconnect dismiss dispatch distinguish"
        " distribute divide drag eliminate emit employ emulate enter establish exchange feed flip flush forward fuse"
        " grab harmonize hoist increment inherit instantiate instrument intercept interpolate invalidate invert"
        " iterate manage maximize memoize mimic minimize multiply mute navigate nest notify obfuscate obtain offload"
        " orchestrate overload pad parallelize partition permit preserve prefetch propagate prototype pull purge"
        " randomize recognize recompute recalculate reconcile reconnect recover redact reindex reject relax remap"
        " repackage replicate represent restrict retain retrieve reverse safeguard scrape select shuffle silence"
        " slugify smooth spawn stabilize standardize standardise strengthen stretch subscribe suppress terminate"
        " tokenize traverse trim truncate unblock unmount unpack unregister unset unsubscribe unwrap visualize"
        " visualise warn tie zoom close crop cut dump fold group join lift log plot pop slice collect speed"
    ),
    "fix": "fix repair resolve solve address hotfix mend rectify correct remedy unbreak",
    "run": "run rerun execute do perform conduct repeat launch invoke trigger restart relaunch call",
    # goes on with something; a verb after it is the real one
    "begin": "begin start continue keep resume proceed finish complete finalize finalise end",
    "show": "show list enumerate",
    "give": "give present share",
    "plan": (
        "plan design brainstorm propose architect outline strategize strategise devise spec scope ideate"
        " conceptualize replan spike roadmap rethink"
    ),
    "analyze": (
        "analyze analyse investigate debug diagnose explore examine research study trace find search locate identify"
        " determine scan compare figure understand pinpoint discover profile dig troubleshoot detect deduce infer grep"
        " monitor observe survey benchmark bisect gather estimate probe guess measure learn"
    ),
    "check": "check inspect verify confirm recheck",
    "review": (
        "review audit critique assess evaluate proofread judge grade rate scrutinize scrutinise vet criticize validate"
        " double-check cross-check re-review spell-check revisit challenge"
    ),
    "read": "read look see view browse skim consult reread",
    "explain": (
        "explain tell describe clarify answer say teach discuss talk advise elaborate remind walk"
        " respond reply guide inform justify illustrate report"
    ),
    "suggest": "suggest recommend",
    "test": "test retest",
    "refactor": (
        "refactor restructure reorganize reorganise deduplicate dedupe dedup consolidate decouple modularize modularise"
        " streamline abstract declutter cleanup rearchitect flatten untangle generalize generalise modernize modernise"
        " simplify"
    ),
    # may be refactoring by itself, and is only a step of other work beside it
    "reshape": (
        "move extract split separate relocate inline unify tidy factor retire prune rewire clean isolate reuse combine"
        " organize organise narrow"
    ),
    "format": ("format reformat lint prettify beautify indent rename autoformat capitalize capitalise restyle"),
    "document": "document annotate comment",
    "summarize": "summarize summarise recap condense",
    "commit": "commit push stage recommit squash",
    "prompt": "prompt",
    "ensure": "ensure guarantee",
    # says how to go on, not what to do
    "aside": (
        "ask wait remember note think be know hope pause hold listen imagine assume suppose feel stay pretend act focus"
        " concentrate expect approve pay bear forget disregard"
    ),
    "use": "use follow respect adhere prefer stick utilize leverage obey",
    # means something only with the word after it, see PHRASES
    "idiom": "take get break come sum work carry point roll flesh catch wrap fill lay spin pick turn map",
    "try": "try attempt consider",
    "go": "go come",
    "help": "help assist",
    "leave": "leave touch",
}
"""Verb class to base forms."""

NOUNS: Final[dict[str, str]] = {
    "test": (
        "test tests testing testcase testcases unittest unittests coverage e2e pytest jest vitest playwright cypress"
        " mocha junit rspec testsuite suite suites fixture fixtures unit-test unit-tests"
    ),
    "doc": (
        "docs documentation readme readmes comment comments docstring docstrings jsdoc javadoc tutorial tutorials"
        " manual manuals instructions wiki adr adrs faq glossary runbook constitution todo todos quickstart"
        " walkthrough how-to howto guide guides handbook diary licence license paragraph paragraphs markdown verbiage"
        " citation citations footnote footnotes subsection subsections chapter chapters appendix"
    ),
    "roadmap": "roadmap roadmaps",
    "paper": "doc document documents note notes write-up",
    "plan": (
        "plan plans planning spec specs specification specifications proposal proposals milestones backlog strategy prd"
        " prds rfc blueprint tasklist tasks subtasks epics estimate design designs clarification clarifications"
    ),
    "prompt": "prompt prompts skill skills subagent subagents sub-agent sub-agents",
    "commit": "commit commits changelog changelogs release releases pr prs mr mrs push commit-message release-notes",
    "summary": "summary summaries recap tldr tl;dr handover handoff hand-off overview digest synopsis",
    "review": "review reviews audit audits critique feedback assessment evaluation",
    "analysis": "analysis analyses investigation research diagnosis findings comparison",
    "style": (
        "format formatting formatter lint linting linter linters eslint prettier ruff black gofmt rustfmt clang-format"
        " stylelint biome indentation whitespace capitalization casing editorconfig"
    ),
    "app": (
        "app apps application website webapp platform tracker game saas clone marketplace chatbot bot cli shop store"
        " blog portfolio calculator simulator prototype mvp compiler interpreter program tool crawler scraper"
    ),
    "fault": (
        "error errors bug bugs issue issues problem problems crash crashes failure failures exception exceptions"
        " regression regressions warning warnings fault faults leak deadlock glitch mistake traceback stacktrace"
        " vulnerability vulnerabilities bottleneck"
    ),
    "options": "options alternatives approaches ideas suggestions ways",
    "question": "question questions explanation advice opinion answer answers recommendation recommendations",
}
"""Noun class to words."""

NOUN_PAIRS: Final[dict[str, str]] = {
    "commit": "release notes, pull request, pull requests, merge request, merge requests",
    "analysis": "root cause, trade offs",
    "plan": "user stories, task list, action items, next steps, test plan",
    "summary": "status report, status update, meeting notes",
    "review": "second opinion",
    "doc": "code comments, style guide, getting started, decision log, decision record, decision records",
    "prompt": "agent instructions, system instructions, custom instructions",
    "remarks": "review comments, review feedback, review findings, pr comments",
    # named by a noun that would mislead: none of the above
    "other": (
        "design system, design systems, design tokens, audit log, audit logs, audit trail, audit entries, audit entry,"
        " test data, test user, test users, test environment, shell prompt, command prompt, login prompt,"
        " password prompt, terminal prompt, confirmation prompt"
    ),
    "waste": (
        "dead code, unused code, unused imports, unused variables, unused files, unused functions, duplicate code,"
        " duplicated code"
    ),
}
"""Noun class to pairs of words that are one thing."""
BEARERS: Final = (
    "file files folder folders section sections case cases code message messages directory entry entries"
    " text description descriptions set content contents line lines result results rule rules"
)
"""Nouns that carry the class of the noun before them ("test file", "commit message")."""

ROLES: Final[dict[str, str]] = {
    "opener": (
        "ok okay k great nice good thanks thank thx cool perfect awesome hi hello hey yes yeah yep yup sure well so"
        " also now just actually alright right btw basically simply quickly carefully again still maybe perhaps hmm"
        " hm oh ah wow excellent amazing fantastic lovely too instead immediately already currently only really very"
        " even directly properly thoroughly correctly fully deeply briefly safely manually automatically completely"
        " here alternatively additionally furthermore moreover however therefore hence overall anyway sorry job fine"
        " brilliant super definitely probably somehow unfortunately asap together etc today tomorrow exactly everywhere"
        " anywhere somewhere independently possibly obviously absolutely apparently clearly i.e e.g ie eg"
    ),
    "please": "please pls plz kindly pleas plase plese",
    "order": "first firstly second secondly third thirdly finally lastly next last afterwards afterward later",
    "det": (
        "the teh a an my our your its their his her all each every any some both more new another other few several"
        " many following existing current entire whole missing most simple basic proper full short detailed"
        " comprehensive unit integration end-to-end api system initial quick little bit small brief better final latest"
        " above below own old big tiny additional extra relevant corresponding necessary up-to-date updated concise"
        " high-level technical functional failing broken staged unstaged uncommitted recent single"
        " dedicated different specific appropriate useful thorough rough step-by-step"
    ),
    "deixis": "this thsi that taht these those it them everything something anything nothing stuff",
    "i": "i i'm i've i'll i'd im ive id ill me",
    "you": "you u yuo ya you're you've you'd youre",
    "we": "we we're we've we'll we'd us",
    "subject": "he she they there he's she's they're it's its' that's thats there's theres it'll",
    "modal": "can cna could coud would will should shoudl shoud shuold shall may might must ought",
    "aux": "is are was were am be do does did has have had been being",
    "auxneg": (
        "isn't aren't wasn't weren't doesn't didn't hasn't haven't hadn't can't cannot couldn't won't wouldn't"
        " shouldn't isnt arent wasnt werent doesnt didnt hasnt havent hadnt cant couldnt wont wouldnt shouldnt"
    ),
    "neg": "not no don't dont never without avoid neither nor",
    "wh": "what how why which where who whose whom what's whats how's hows where's wheres who's why's",
    "when": "when while",
    "cond": (
        "if once after before unless until since because as though although whenever given based considering assuming"
        " whether till according despite regardless"
    ),
    "want": "want need wants needs wish wanna gotta like love",
    "let": "let's lets let",
    "to": "to",
    "of": "of",
    "with": "with including plus w/",
    "into": "in into inside on onto under within from at",
    "prep": (
        "for by about than per via between across through over against regarding around concerning upon towards toward"
        " using during among beside behind near off out up down"
    ),
    "except": "except excluding ignoring skipping omitting leaving minus sans",
    "and": "and adn & + or",
    "but": "but yet",
    "then": "then",
}
"""Role to the small words that decide how a clause is meant."""

FAULTY: Final = (
    "fail fails failed failing nan nans hang broken broke breaks crash crashed crashes crashing stuck wrong missing"
    " duplicated duplicating undefined null invisible freezes frozen forgot forgotten missed lost loses gone ignored"
    " unreadable outdated leaks hangs hanging empty off odd strange incorrect incorrectly invalid corrupt corrupted"
    " slow slower laggy ugly weird blank disappeared disappears overlapping misaligned flaky unexpected unexpectedly"
    " persists wrongly denied refused unresponsive unable worse error errors bug bugs issue issues exception happening"
    " happens causing instead nothing problem problems 404 500 403 401"
)
"""Words by which a statement or a question tells of something that does not work."""

JUDGING: Final = (
    "correct correctly right properly proper consistent conform conforms quality valid accurate secure safe compliant"
    " improvements sound aligned adequate follow follows adhere adheres meets satisfies respects conventions guidelines"
    " standards"
)
"""Words that turn a check into a judgement."""

CAUSING: Final = "cause causes caused causing"
WORKING: Final = "works working pass passes passing green compiles succeed succeeds work returns responds"
"""Words that turn a check into a test."""

CODE: Final = (
    "file files folder folders directory commit commits function functions class classes method methods line lines test"
    " tests module modules component components package packages endpoint endpoints variable variables table tables"
    " branch branches script scripts code logic constants constant types type helper helpers hook hooks handler"
    " handlers service services definition definitions usage usages"
)
"""Words for parts of a program."""
SURFACES: Final = (
    "page screen dashboard sidebar header footer navbar menu modal dialog popup toolbar drawer panel pane homepage card"
    " tooltip banner topbar overlay window mobile tab"
)
"""Places of an interface: what is shown there is a thing of the program."""
CONTROLS: Final = (
    "tab field table widget page form button modal dialog panel list column view screen card endpoint route component"
    " model feature menu dropdown link icon badge counter grid selector picker popup tabs fields tables widgets pages"
    " forms buttons columns views screens cards endpoints routes"
)
"""Parts of a program that the noun before them describes, be it a plural ("the reviews table")."""
PEOPLE: Final = (
    "user users customer customers admin admins visitor visitors client clients member members player players student"
    " students teacher teachers author authors guest guests buyer buyers seller sellers employee employees people"
)
"""Who uses a program: what they do with a plan or a review is what the program is to do."""
PHRASES: Final[dict[str, str]] = {
    "make": "get rid, fill out, fill in, flesh out, write down, note down, check off",
    "build": (
        "set up, comment out, work on, start over, go with, go for, go back, roll back, hook up, turn off, turn on,"
        " spin up, try again, do again, wrap up"
    ),
    "run": "carry out",
    "begin": "go ahead, move on, move onto, move to",
    "plan": "break down, come up, think about, think through, think of, lay out",
    "analyze": "look into, look for, look up, figure out, find out, track down, dig into, work out, deep dive",
    "read": "take a, have a, go through, check out, read through, catch up, get familiar",
    "review": "go over, look over, double check, cross check, sanity check, spell check",
    "explain": "walk through, point out, tell me",
    "summarize": "sum up",
    "write": "write up",
    "refactor": "break out, break up, split up, pull out, factor out",
    "reshape": "clean up, tidy up",
    "test": "test out, try out",
    "ensure": "make sure",
    "commit": "git commit, git push, git add",
    "aside": "let me, get back, come back, keep in, follow up, stop here, take into",
}
"""Verb class to pairs of words that mean something else than the first alone."""
