"""A script again, in a network namespace of its own: nothing there but loopback."""

import subprocess
import sys


def alone(script: str) -> int:
    """Runs a script there with this one's arguments and `--inside`; 2 where no namespace can be made.

    Args:
        script: its file.
    """
    for flag in ("-n", "-rn"):
        if subprocess.run(["unshare", flag, "true"], capture_output=True, check=False).returncode == 0:
            command = ["unshare", flag, sys.executable, script, "--inside", *sys.argv[1:]]
            return subprocess.run(command, check=False).returncode
    print("no network namespace can be made here", file=sys.stderr)
    return 2
