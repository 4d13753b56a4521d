"""The decision as pure functions: values in, values out; the standard library and pydantic only."""
