"""Collects the context of a phase from the workspace, labelled by what policy says about it."""
