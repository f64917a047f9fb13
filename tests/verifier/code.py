#!/usr/bin/env python3
"""Verifies what a validator's public interface answers for a tracking code (`/v1/codes/CODE`), from firmware/election/SPEC.md alone.

It believes nothing in the answer but what more than two thirds of the validators signed, those of the genesis and whom they put in their place: the transaction is decoded, its code
looked for, its kiosk's batch compared, the commit proof checked. The genesis must come from elsewhere (the published record, the package).
Exit code 0: the code is on the chain. 1: it is not proven; the reason is said. 2: it could not be looked at.
"""

import argparse
import hashlib
import json
import sys

import ledger
import p256
import wire
from p256 import Malformed
from wire import H, BlockHeader, CommitSignature, Genesis, Reader, Transaction, merkle_root, whole

KINDS = {1: "cast", 2: "spoiled"}


class Unproven(Exception):
    """The first thing that does not hold."""


def need(condition, reason):
    if not condition:
        raise Unproven(reason)


CommitProof = wire._struct(
    header=BlockHeader, round=Reader.u32, signatures=wire._seq(CommitSignature), index=Reader.u32, count=Reader.u32,
    path=wire._seq(Reader.digest),
)


def root_from_path(leaf, index, count, path):
    """RFC 9162, 2.1.3.2, from the hash of the leaf."""
    need(index < count, "the proof names transaction %d of %d" % (index, count))
    fn, sn, r = index, count - 1, leaf
    for p in path:
        need(sn != 0, "the Merkle path is too long")
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\1" + p + r).digest()
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\1" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "the Merkle path is too short")
    return r


def follow(genesis, answer):
    """The sets of validators, each with the height from which it decides: the genesis' and every change that the answer proves."""
    sets = [(1, genesis.validators)]
    for change in answer.get("changes", []):
        raw = bytes.fromhex(change["transaction"])
        height = check_proof(genesis, sets, raw, whole(bytes.fromhex(change["proof"]), CommitProof))
        transaction = whole(raw, Transaction)
        need(transaction.kind == 4, "what should change the validators does not")
        need(height >= sets[-1][0], "a change of validators stands before the one before it")
        chain = H("ippyo/1/genesis", genesis.raw)
        ledger.check_change(chain, len(sets), sets[-1][1], height, transaction.body, transaction.signatures)
        sets.append((getattr(transaction.body, "from"), transaction.body.validators))
    return sets


def check_proof(genesis, sets, transaction, proof):
    """That the validators of its height decided this transaction; gives the height."""
    header = proof.header
    validators = [keys for begins, keys in sets if begins <= max(header.height, 1)][-1]
    chain = H("ippyo/1/genesis", genesis.raw)
    need(header.version == 1, "a header of an unknown version")
    need(header.chain == chain, "the proof is of another chain")
    need(header.height > 0, "the proof names no block")
    need(header.validators == H("ippyo/1/validators", b"".join(validators)), "the proof names other validators than those who decide its height")
    leaf = hashlib.sha256(b"\0" + transaction).digest()
    root = root_from_path(leaf, proof.index, proof.count, proof.path)
    need(root == header.transactions, "the Merkle path does not lead from the transaction to the block")
    message = hashlib.sha256(
        b"ippyo/v1" + chain + b"\2" + header.height.to_bytes(8, "big") + proof.round.to_bytes(4, "big") + b"\1"
        + H("ippyo/1/block", header.raw)
    ).digest()
    last = -1
    for s in proof.signatures:
        need(last < s.validator < len(validators), "the signatures do not stand in ascending order")
        last = s.validator
        good = p256.verify_prehashed(p256.point(validators[s.validator]), message, s.signature)
        need(good, "the signature of validator %d does not hold" % s.validator)
    signed = len(proof.signatures)
    need(3 * signed > 2 * len(validators), "only %d of %d validators signed" % (signed, len(validators)))
    return header.height


def check(genesis, answer, code):
    """Every place of the code, proven."""
    places, sets = answer["places"], follow(genesis, answer)
    need(isinstance(places, list) and places, "the answer names no place")
    lines = []
    for place in places:
        raw = bytes.fromhex(place["transaction"])
        transaction = whole(raw, Transaction)
        need(transaction.kind == 3, "the transaction is no batch")
        batch = transaction.body
        need(batch.header.election == genesis.election, "the batch is of another election than the genesis")
        found = [entry for entry in batch.entries if entry.code == code]
        need(len(found) == 1, "the code is not in the batch")
        entries = [bytes([e.kind]) + e.code + e.leaf for e in batch.entries]
        need(batch.header.count == len(entries), "the batch says another number of entries")
        need(batch.header.root == merkle_root(entries), "the root of the batch is not that of its entries")
        height = check_proof(genesis, sets, raw, whole(bytes.fromhex(place["proof"]), CommitProof))
        lines.append((height, batch, found[0]))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--genesis", required=True, help="genesis.bin of the election")
    parser.add_argument("answer", help="what the validator answered, as a file")
    parser.add_argument("code", help="the tracking code, 64 hex digits")
    arguments = parser.parse_args()
    try:
        code = bytes.fromhex(arguments.code)
        with open(arguments.genesis, "rb") as file:
            genesis = whole(file.read(), Genesis)
        with open(arguments.answer, "rb") as file:
            answer = json.load(file)
    except (OSError, ValueError, Malformed) as error:
        print("cannot look at it: %s" % error, file=sys.stderr)
        return 2
    try:
        lines = check(genesis, answer, code)
    except (Unproven, Malformed, KeyError, TypeError, ValueError) as error:
        print("not proven: %s" % (error or "the answer is not of this form"), file=sys.stderr)
        return 1
    for height, batch, entry in lines:
        kind = KINDS.get(entry.kind, "of an unknown kind")
        print("%s: %s, block %d, batch %d of kiosk %s" % (
            arguments.code, kind, height, batch.header.number, batch.header.kiosk.hex()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
