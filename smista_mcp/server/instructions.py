"""What hosts tell their model about this server: when to delegate and when not."""

INSTRUCTIONS = """\
Delegate with `dispatch` what stands on its own: a review, plan, explanation, summary, commit message, or an edit of \
named files; always where files must stay on this machine. Policy picks the model.
Ask `route` first where cost, privacy or the model matters: it is free and sends nothing. On `handoff` do the phase \
yourself; on `running` call `dispatch` with the job_id; on `approval_required` ask your user.
Do not delegate one-line answers, work that lives on this conversation, or commands to run. Never rephrase a refused \
task: `explain` says what would have to change."""

INSTRUCTIONS_WITHOUT_FILES = """\
Delegate with `dispatch` what stands on its own: a review, plan, explanation, summary, commit message, or an edit. \
Policy picks the model. This server reads no files: `paths` are labels; send what a model must see as `diff` or in \
`attachments`. `local` means on its machine, not yours.
Ask `route` first where cost, privacy or the model matters: it is free. On `handoff` do the phase yourself; on \
`running` call `dispatch` with the job_id; on `approval_required` ask who runs the server.
Never rephrase a refused task: `explain` says what would have to change."""
"""The same over HTTP without a workspace, where neither the files nor the machine are the host's."""
