#!/usr/bin/env python3
"""Corpora of the fuzz targets: one text file a target, one input a line in hex, ascending.

  corpus.py unpack FOLDER   writes FOLDER/TARGET/HASH, as libFuzzer wants it
  corpus.py pack FOLDER     reads such folders back and writes what is at most 1,024 bytes long

Between the two: `cargo +nightly fuzz run --fuzz-dir tests/fuzz TARGET FOLDER/TARGET`, then `cargo +nightly fuzz cmin`.
"""

import hashlib
import os
import sys

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
LONGEST = 1024


def unpack(folder):
    for name in sorted(os.listdir(HERE)):
        target = os.path.join(folder, name.removesuffix(".hex"))
        os.makedirs(target, exist_ok=True)
        with open(os.path.join(HERE, name), encoding="ascii") as f:
            for line in f:
                data = bytes.fromhex(line)
                with open(os.path.join(target, hashlib.sha1(data).hexdigest()), "wb") as out:
                    out.write(data)


def pack(folder):
    os.makedirs(HERE, exist_ok=True)
    for target in sorted(os.listdir(folder)):
        inputs = set()
        for name in os.listdir(os.path.join(folder, target)):
            with open(os.path.join(folder, target, name), "rb") as f:
                inputs.add(f.read())
        with open(os.path.join(HERE, target + ".hex"), "w", encoding="ascii") as out:
            for data in sorted(inputs, key=lambda d: (len(d), d)):
                if 0 < len(data) <= LONGEST:
                    print(data.hex(), file=out)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("pack", "unpack"):
        sys.exit(__doc__)
    {"pack": pack, "unpack": unpack}[sys.argv[1]](sys.argv[2])
