#!/usr/bin/env python3
"""Verifies a published election record, from firmware/election/SPEC.md alone (section 10, "To verify a record").

It shares no line with the programs that made the record: Python 3.11 or later and its standard library, nothing to install.
Exit code 0: the record holds. 1: it does not; the first thing that does not hold is named. 2: it could not be looked at.
"""

import argparse
import json
import os
import sys
import time
from types import SimpleNamespace

import ballots
import p256
import wire
from ceremony import check_ceremony
from closings import read_closings, check_closings
from codes import code_text, parse_code, look_up
from index import INDEX, RECEPTION, read_record
from manifest import check_manifest
from p256 import Malformed
from published import check_chain, published, check_presence
from refused import Refused, need, decode
from results import check_results, check_reception
from tally import decide, check_proofs, check_tally
from wire import H
from words import closing_words


def verify(folder, authority=None, reception=None, sample=None, jobs=1, say=lambda text: None, progress=None):
    """Verifies the record in `folder`; gives what it found, or raises Refused."""
    progress = progress or (lambda what, done, of: None)
    say("1 index")
    data, index = read_record(folder)
    need(authority is None or index.authority == authority, INDEX, "authority", "it is %s" % index.authority.hex())
    say("2 manifest")
    manifest = check_manifest(data["manifest.bin"])
    keys = decode("keys.bin", data["keys.bin"], wire.Keys)
    eh = H("ippyo/1/election", data["manifest.bin"], keys.joint)
    need(index.election == eh, INDEX, "election", "it is not that of manifest and joint key")
    say("3 key ceremony")
    check_ceremony(data["ceremony.bin"], keys)
    say("4 chain")
    genesis, ledger = check_chain(data, eh, lambda done: progress("chain", done, len(data["chain.bin"])))
    say("5, 6 ballots against the chain")
    layout = ballots.Layout.of(manifest)
    cast = published("ballots.bin", data["ballots.bin"], wire.PublishedBallot, 1, layout, eh, ledger)
    spoiled = published("spoiled.bin", data["spoiled.bin"], wire.PublishedSpoiled, 2, layout, eh, ledger)
    closings = read_closings(data["closings.bin"], eh, manifest, genesis, ledger)
    unclosed = check_presence(cast, spoiled, closings, ledger)
    say("7 closings")
    check_closings(closings, cast, spoiled, eh, ledger)
    say("5, 6 proofs of %d ballots" % (len(cast) + len(spoiled)))
    decide(cast, manifest.policy)
    total = len(cast) + len(spoiled)
    sums, checked = check_proofs(
        cast, spoiled, layout, eh, keys.joint, sample, jobs, lambda done: progress("ballots", done, total)
    )
    say("8 tally")
    tally, totals = check_tally(data["tally.bin"], eh, manifest, keys, layout, cast, sums)
    say("9 results.json")
    check_results(data["results.json"], manifest, totals)
    if RECEPTION in data or reception is not None:
        say("10 reception")
    if RECEPTION in data:
        check_reception(RECEPTION, data[RECEPTION], eh, genesis, cast)
    if reception is not None:
        check_reception("reception counts", reception, eh, genesis, cast)
    states = [p.state for p in cast]
    return SimpleNamespace(
        data=data, manifest=manifest, keys=keys, layout=layout, cast=cast, spoiled=spoiled,
        words=[(c.station, ident.hex(), c.epoch, closing_words(c.hash)) for (ident, _), c in closings.items()],
        summary={
            "election": manifest.id,
            "election_hash": eh.hex(),
            "authority": index.authority.hex(),
            "authority_compared": authority is not None,
            "ballots": len(cast),
            "counted": states.count("counted"),
            "duplicates": states.count("duplicate"),
            "overwritten": states.count("overwritten"),
            "spoiled": len(spoiled),
            "proofs_checked": checked,
            "complete": checked == total,
            "closings": len(closings),
            "batches": ledger.batches,
            "chain_height": ledger.height,
            "validators": len(genesis.validators),
            "entries_without_closing": unclosed,
            "reception": RECEPTION in data or reception is not None,
            "totals": {
                c.id: {o.id: n for o, n in zip(c.options, totals[i])} for i, c in enumerate(manifest.contests)
            },
            "no_votes": {c.id: sum(totals[i][len(c.options) :]) for i, c in enumerate(manifest.contests)},
        },
    )


def read_opening(path, found):
    """Checks an opening (bytes, or hexadecimal digits) against the spoiled ballots of a verified record."""
    with open(path, "rb") as f:
        raw = f.read()
    if not raw.startswith(b"IPO1"):
        try:
            raw = bytes.fromhex(raw.decode("ascii"))
        except ValueError:
            raise Refused(path, "opening", "neither an opening nor one in hexadecimal digits") from None
    ballot = next((p for p in found.spoiled if p.code == raw[4:36]), None)
    need(ballot is not None, path, "opening", "no spoiled ballot has its code")
    try:
        contest, values = ballots.check_opening(found.layout, found.keys.joint, ballot.ballot, ballot.code, raw)
    except Malformed as error:
        raise Refused(path, "opening", str(error)) from None
    c = found.manifest.contests[contest]
    return {
        "code": code_text(ballot.code),
        "contest": c.id,
        "chosen": [o.id for o, m in zip(c.options, values) if m],
        "no_votes": sum(values[len(c.options) :]),
    }


def arguments():
    p = argparse.ArgumentParser(
        prog="verify.py",
        description="Verify a published election record from firmware/election/SPEC.md alone.",
        epilog="Exit code 0: the record holds. 1: it does not, and the first thing that does not hold is named. "
        "2: it could not be looked at.",
    )
    p.add_argument("record", help="the folder of the published record")
    p.add_argument("--authority", metavar="HEX", help="the election authority's public key (33 bytes), as you know it")
    p.add_argument("--reception", metavar="FILE", help="reception's signed counts of admissions")
    p.add_argument("--code", metavar="CODE", action="append", default=[], help="look a tracking code up (may be repeated)")
    p.add_argument("--opening", metavar="FILE", action="append", default=[], help="check the opening of a challenged ballot")
    p.add_argument(
        "--sample", metavar="N", type=int,
        help="check the proofs of N ballots drawn at random only; the result says so and is not a full verification",
    )
    p.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    p.add_argument("--json", action="store_true", help="the result as one JSON object on standard output")
    return p


def main(argv=None):
    parser = arguments()
    options = parser.parse_args(argv)
    started = time.monotonic()
    live = sys.stderr.isatty()

    def say(text):
        print("%6.1f s  %s" % (time.monotonic() - started, text), file=sys.stderr)

    def progress(what, done, of):
        if live:
            print("\r          %s %3d %%" % (what, 100 * done // max(of, 1)), end="\n" if done >= of else "", file=sys.stderr)

    try:
        authority = bytes.fromhex(options.authority) if options.authority else None
        if authority is not None:
            p256.point(authority)
        codes = [(text, parse_code(text)) for text in options.code]
        if options.sample is not None and options.sample < 1:
            raise ValueError("--sample needs at least 1")
        if options.jobs < 1:
            raise ValueError("--jobs needs at least 1")
        reception = None
        if options.reception:
            with open(options.reception, "rb") as f:
                reception = f.read()
        for path in options.opening:
            open(path, "rb").close()
        if not os.path.isdir(options.record):
            raise ValueError("%s is not a folder" % options.record)
    except (ValueError, OSError) as error:
        parser.print_usage(sys.stderr)
        print("verify.py: %s" % error, file=sys.stderr)
        return 2
    try:
        found = verify(options.record, authority, reception, options.sample, options.jobs, say, progress)
        openings = [read_opening(path, found) for path in options.opening]
    except Refused as refused:
        if options.json:
            result = {"holds": False, "file": refused.file, "item": refused.item, "reason": refused.reason}
            print(json.dumps(result, ensure_ascii=False))
        print("The record does not hold: %s" % refused, file=sys.stderr)
        return 1
    except OSError as error:
        print("verify.py: %s" % error, file=sys.stderr)
        return 2
    looked_up = {text: look_up(prefix, found.cast, found.spoiled) for text, prefix in codes}
    if options.json:
        words = [dict(zip(("station", "kiosk", "epoch", "words"), row)) for row in found.words]
        result = {"holds": True} | found.summary | {"closing_words": words, "codes": looked_up, "openings": openings}
        print(json.dumps(result | {"seconds": round(time.monotonic() - started, 1)}, ensure_ascii=False))
        return 0
    s = found.summary
    print("The record of %s holds." % s["election"])
    if not s["complete"]:
        print("ONLY A SAMPLE: the proofs of %d ballots were looked at, not all." % s["proofs_checked"])
    if not s["authority_compared"]:
        print("It is signed by %s: compare this with the key the authority made public." % s["authority"])
    print(
        "%d ballots: %d counted, %d duplicates, %d overwritten; %d spoiled; %d blocks of %d validators."
        % tuple(s[k] for k in ("ballots", "counted", "duplicates", "overwritten", "spoiled", "chain_height", "validators"))
    )
    if s["entries_without_closing"]:
        print("%d entries on the ledger belong to kiosks that never closed; they are not counted." % s["entries_without_closing"])
    for contest, options_of in s["totals"].items():
        print("  %s: %s, no vote %d" % (contest, ", ".join("%s %d" % o for o in options_of.items()), s["no_votes"][contest]))
    print("Closing words, to compare with what witnesses wrote down:")
    for station, kiosk, epoch, words in found.words:
        print("  station %d, kiosk %s, period %d: %s" % (station, kiosk[:12], epoch, words))
    for text, state in looked_up.items():
        print("code %s: %s" % (text, state))
    for o in openings:
        print("opening of %s, %s: %s, no vote %d" % (o["code"], o["contest"], " ".join(o["chosen"]) or "-", o["no_votes"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
