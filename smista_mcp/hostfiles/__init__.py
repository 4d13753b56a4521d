"""The configuration files of hosts: where they are, what is written there, and how, without losing anything.

`places` is the table of hosts and their files, `entries` what smista's entry says in each, `jsontext`, `tomltext` and
`yamltext` change a text in place, `notes` keeps marked lines in a file of instructions, `files` reads and writes.
"""
