"""What the build says, and how it runs the tools it needs."""

import subprocess
import sys
import time

BEGUN = time.monotonic()


class Refused(Exception):
    """The build ends with this message and exit code."""

    def __init__(self, why, code=3):
        super().__init__(why)
        self.code = code


def say(text):
    print(f"[{time.monotonic() - BEGUN:6.1f} s] {text}", file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a tool; its output is shown only when it fails. Gives its standard output as text."""
    command = [str(part) for part in command]
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode:
        raise Refused(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}", 1)
    return done.stdout


def lines(path):
    """Lines of a list without comments and blanks."""
    return [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
