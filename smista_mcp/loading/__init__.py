"""Reads policy files, the catalog and the environment into values of the core."""
