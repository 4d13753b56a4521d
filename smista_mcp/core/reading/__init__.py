"""The built-in reader of prompts: text to tokens, tokens to clauses, clauses to what they ask for, that to phases."""
