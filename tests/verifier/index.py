"""Step 1: the index is canonical and signed, and the folder holds what it lists and nothing else."""

import hashlib
import os
import stat

import wire
from refused import need, decode
from wire import signed_by


NAMES = [
    "manifest.bin", "keys.bin", "ceremony.bin", "genesis.bin", "chain.bin", "ballots.bin", "spoiled.bin", "closings.bin",
    "tally.bin", "results.json", "report.html",
]
INDEX, RECEPTION = "index.bin", "reception.json"


def read_record(folder):
    """Every file of the record, after the index: canonical, signed, all files there with length and hash, no other."""
    present = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        plain = stat.S_ISREG(os.lstat(path).st_mode)
        need(plain and name in NAMES + [INDEX, RECEPTION], name, "", "it does not belong into a record")
        present[name] = path
    for name in [INDEX] + NAMES:
        need(name in present, name, "", "the file is missing")
    data = {}
    for name, path in present.items():
        with open(path, "rb") as f:
            data[name] = f.read()
    signed = decode(INDEX, data[INDEX], wire.Signed)
    index = decode(INDEX, signed.body, wire.Index, "body")
    need(index.version == 1, INDEX, "", "an unknown version")
    need(
        signed_by(index.authority, "ippyo/1/sign/index", signed.body, signed.signature),
        INDEX, "signature", "it is not one of the authority named in it",
    )
    listed = [f.name for f in index.files]
    need(listed == sorted(set(listed), key=lambda s: s.encode()), INDEX, "files", "they are not in ascending order")
    for f in index.files:
        need(f.name != INDEX and f.name in data, f.name, "", "the index lists it, but it is not there")
        need(f.length == len(data[f.name]), f.name, "", "it has %d bytes, the index says %d" % (len(data[f.name]), f.length))
        need(f.hash == hashlib.sha256(data[f.name]).digest(), f.name, "", "its hash is not the one in the index")
    for name in data:
        need(name == INDEX or name in listed, name, "", "the index does not list it")
    return data, index
