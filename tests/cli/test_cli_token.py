"""`token`: shown once, listed by name, revoked for good."""

import json

from command_line import Here

PREFIX = "smista" + "_tk_"


def test_a_token_stands_alone_on_standard_output_and_is_listed_by_name(here: Here) -> None:
    made = here("token", "create", "alice", "--scope", "route", "--days", "30")
    assert (made.status, made.out.startswith(PREFIX), made.out.count("\n")) == (0, True, 1)
    assert "alice" in made.err
    listed = here("token", "list")
    assert (listed.status, "alice" in listed.out, made.out.strip() in listed.out) == (0, True, False)


def test_programs_get_json(here: Here) -> None:
    made = json.loads(here("token", "create", "ci", "--no-expiry", "--json").out)
    assert (made["token"].startswith(PREFIX), made["scope"], made["expires_at"]) == (True, "dispatch", None)
    (listed,) = json.loads(here("token", "list", "--json").out)
    assert listed == {key: value for key, value in made.items() if key != "token"}
    assert json.loads(here("token", "revoke", "ci", "--json").out) == {"revoked": "ci", "tokens": 1}
    assert json.loads(here("token", "list", "--json").out)[0]["state"] == "revoked"


def test_what_cannot_be_is_refused_with_the_next_step(here: Here) -> None:
    assert here("token", "list").status == 0
    assert here("token", "create", "alice").status == 0
    for arguments, status in (
        (("token", "create", "alice"), 2),
        (("token", "create", "a b"), 2),
        (("token", "create", "bob", "--days", "0"), 2),
        (("token", "create", "bob", "--scope", "all"), 2),
        (("token", "revoke", "bob"), 1),
        (("token",), 2),
    ):
        told = here(*arguments)
        assert (told.status, told.out, told.err.startswith("smista-mcp: ")) == (status, "", True)
