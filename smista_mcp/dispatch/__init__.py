"""Enforcement: walks the accepted candidates of each phase, one attempt at a time, and records what happened."""
