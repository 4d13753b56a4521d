"""What is wrong on a machine: facts that the shell has gathered in, remarks with their remedies out. Pure."""
