"""The Model Context Protocol surface: the only package that knows `mcp`.

`stdio.serve_stdio` and `http.serve_http` are its doors. Importing them is cheap: the protocol library is loaded when
they are called, after the signal handlers stand.
"""
