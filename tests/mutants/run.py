#!/usr/bin/env python3
"""Shows that the laws of the soak can fail: breaks the ballot box on purpose, in a copy of the sources, and lets the soak find it.

A mutant is a piece of text that must stand exactly once in a file, what comes in its place, and the law that must break within
SEEDS seeds. The sources themselves are never touched. Builds go to cargo's target folder, without the window and with the profile of the
tests, so that what they lean on is built already.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

SEEDS = 5
BOX = "firmware/kiosk/src/ballot_box/"
SYNC = "        medium.sync().await.map_err(Some)?;\n"
SOAK = ["--stations", "2", "--hours", "6", "--voters", "10", "--faults", "power,cut", "--cuts", "20", "--shrink", "0", "--json"]

# name, file, text, replacement, law
MUTANTS = [
    ("no sync", BOX + "pair.rs", SYNC, "", "done_only_after_durable"),
    (
        "done before the second sync",
        BOX + "pair.rs",
        SYNC,
        "        if role == Role::Original {\n    " + SYNC + "        }\n",
        "done_only_after_durable",
    ),
    (
        "duplicate first",
        BOX + "pair.rs",
        "for role in [Role::Original, Role::Duplicate] {",
        "for role in [Role::Duplicate, Role::Original] {",
        "original_then_duplicate",
    ),
    (
        "nothing copied at the start",
        BOX + "mount.rs",
        "        mount.repair_slots(rng).await?;\n",
        "        let _ = rng;\n",
        "admitted_equals_recorded_plus_abandoned_plus_interrupted",
    ),
]


def main() -> int:
    if len(sys.argv) > 1:
        print(__doc__, "\nUsage: tests/mutants/run.py    exit code 0 if every mutant is found, 1 if not")
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    root = pathlib.Path(__file__).resolve().parents[2]
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    # Two runs at once break different copies.
    with tempfile.TemporaryDirectory(prefix="ippyo-mutants.") as scratch:
        copy = pathlib.Path(scratch) / "sources"
        skip = shutil.ignore_patterns("target", ".git", "__pycache__")
        shutil.copytree(root, copy, ignore=skip, symlinks=True)
        if (broken := soak(copy, target, 1)) != set():
            print(f"without a mutation the soak finds {broken}: the laws say nothing")
            return 1
        failed = 0
        for name, file, text, replacement, law in MUTANTS:
            began = time.monotonic()
            path = copy / file
            source = path.read_text()
            if source.count(text) != 1:
                print(f"{name}: {file} holds the text {source.count(text)} times, it has to be once")
                return 1
            path.write_text(source.replace(text, replacement))
            found = None
            for seed in range(1, SEEDS + 1):
                broken = soak(copy, target, seed)
                if law in broken:
                    found = seed
                    break
            path.write_text(source)
            if found is None:
                print(f"{name}: {law} is not broken within {SEEDS} seeds")
                failed += 1
            else:
                print(f"{name}: seed {found} breaks {', '.join(sorted(broken))} ({time.monotonic() - began:.0f} s)", flush=True)
        return min(failed, 1)


def soak(copy: pathlib.Path, target: pathlib.Path, seed: int) -> set[str]:
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target))
    cargo = ["cargo", "run", "--locked", "-q", "-p", "host-sim", "--no-default-features", "--", "soak", "--seed", str(seed), *SOAK]
    done = subprocess.run(cargo, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1) or not done.stdout:
        print(done.stderr, file=sys.stderr)
        raise SystemExit("the mutated sources do not build or run")
    return {violation["law"] for violation in json.loads(done.stdout)["violations"]}


if __name__ == "__main__":
    sys.exit(main())
