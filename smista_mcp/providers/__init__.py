"""Adapters of wire protocols, the one sender, the embedded server and the look at local servers."""
