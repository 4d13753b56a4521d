"""OpenTelemetry: what was done as spans, for those who collect them. The only package that knows the library.

`door` makes spans and takes up the trace of whoever calls; `exporting` sends them where the user's environment says. A
span is an export to wherever its collector stands: it holds counts, codes, durations and words of the policy, and
nothing of what a task says, reads or answers. Where nobody collects, nothing of the library is loaded for it.
"""
