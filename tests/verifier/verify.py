#!/usr/bin/env python3
"""Verifies a published election record, from firmware/election/SPEC.md alone (section 10, "To verify a record").

It shares no line with the programs that made the record: Python 3.11 or later and its standard library, nothing to install.
Exit code 0: the record holds. 1: it does not; the first thing that does not hold is named. 2: it could not be looked at.
"""

import argparse
import datetime
import hashlib
import json
import multiprocessing
import os
import secrets
import stat
import sys
import time
from types import SimpleNamespace

import ballots
import ledger as ledgers
import p256
import wire
from p256 import Malformed
from wire import H, S, signed_by, u16, u32, whole

NAMES = [
    "manifest.bin", "keys.bin", "ceremony.bin", "genesis.bin", "chain.bin", "ballots.bin", "spoiled.bin", "closings.bin",
    "tally.bin", "results.json", "report.html",
]
INDEX, RECEPTION = "index.bin", "reception.json"
CHUNK_SELECTIONS = 2500


class Refused(Exception):
    """The first thing that does not hold: file, item in it, reason."""

    def __init__(self, file, item, reason):
        super().__init__("%s: %s%s" % (file, item + ": " if item else "", reason))
        self.file, self.item, self.reason = file, item, reason


def need(condition, file, item, reason):
    if not condition:
        raise Refused(file, item, reason)


def decode(file, data, read, item=""):
    try:
        return whole(data, read)
    except Malformed as error:
        raise Refused(file, item, str(error)) from None


def decode_items(file, data, read):
    try:
        return wire.items(data, read)
    except Malformed as error:
        raise Refused(file, "", str(error)) from None


# 1. The index

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


# 2. The manifest

def check_manifest(raw):
    file = "manifest.bin"
    need(len(raw) <= 1 << 20, file, "", "it is longer than 1 MiB")
    m = decode(file, raw, wire.Manifest)

    def texts(item, name, *others):
        for i, group in enumerate((name,) + others):
            seen = [t.language for t in group]
            need(len(set(seen)) == len(seen), file, item, "a language twice")
            need(all(language in m.languages for language in seen), file, item, "a text in a language that is not listed")
            need(all(len(t.text.encode()) <= 4096 for t in group), file, item, "a text longer than 4,096 bytes")
            if i == 0:
                first = [t.text for t in group if t.language == m.languages[0]]
                need(first and first[0], file, item, "no name in the first language")

    def ids(item, values):
        need(all(0 < len(v.encode()) <= 64 for v in values), file, item, "an id that is empty or longer than 64 bytes")
        need(len(set(values)) == len(values), file, item, "an id twice")

    need(m.version == 1, file, "version", "unknown")
    need(m.mode in (0, 1) and m.policy in (0, 1), file, "mode, policy", "unknown")
    for day in (m.first_day, m.last_day):
        try:
            datetime.date(day // 10000, day // 100 % 100, day % 100)
        except ValueError:
            raise Refused(file, "days", "%d is no day" % day) from None
    need(m.first_day <= m.last_day, file, "days", "the last one is before the first one")
    need(1 <= m.batch <= 256, file, "batch", "not in 1..256")
    need(1 <= len(m.epochs) <= 16 and (m.policy == 1 or len(m.epochs) == 1), file, "epochs", "a wrong number of them")
    need(1 <= len(m.languages) <= 8, file, "languages", "a wrong number of them")
    need(1 <= len(m.contests) <= 256, file, "contests", "a wrong number of them")
    need(1 <= len(m.styles) <= 1024 and 1 <= len(m.units) <= 4096, file, "styles, units", "a wrong number of them")
    ids("id", [m.id])
    ids("languages", m.languages)
    ids("units", [u.id for u in m.units])
    ids("contests", [c.id for c in m.contests])
    ids("styles", [s.id for s in m.styles])
    texts("name", m.name)
    for i, epoch in enumerate(m.epochs):
        texts("epoch %d" % i, epoch.name)
    for unit in m.units:
        texts("unit " + unit.id, unit.name)
    for c in m.contests:
        item = "contest " + c.id
        need(c.kind in (0, 1), file, item, "an unknown kind")
        need(1 <= c.votes <= min(15, len(c.options)) and len(c.options) <= 60, file, item, "votes or options out of bounds")
        texts(item, c.name, c.text)
        ids(item, [o.id for o in c.options])
        for o in c.options:
            texts("%s, option %s" % (item, o.id), o.name, o.party)
    units = {u.id: i for i, u in enumerate(m.units)}
    for s in m.styles:
        item = "style " + s.id
        need(all(u in units for u in s.units), file, item, "a unit that is not in the manifest")
        places = [units[u] for u in s.units]
        need(places == sorted(set(places)), file, item, "its units are not in the order of the manifest")
        listed = [c.contest for c in s.contests]
        need(1 <= len(listed) <= 64 and listed == sorted(set(listed)), file, item, "its contests are not ascending, or too many")
        need(listed[-1] < len(m.contests), file, item, "a contest that is not in the manifest")
        total = 0
        for c in s.contests:
            options = len(m.contests[c.contest].options)
            total += options + m.contests[c.contest].votes
            need(
                c.order == b"" or sorted(c.order) == list(range(options)), file, item, "an order that is not a permutation"
            )
        need(total <= 512, file, item, "more than 512 selections")
    return m


# 3. The joint key

def check_ceremony(raw, keys):
    """The transcript gives threshold, joint key and the trustees' shares; all signatures and proofs hold."""
    file = "ceremony.bin"
    t = decode(file, raw, wire.Transcript)
    ceremony = decode(file, t.ceremony, wire.Ceremony, "ceremony")
    n, k = len(ceremony.trustees), ceremony.threshold
    need(ceremony.version == 1 and 1 <= k <= n <= 9, file, "ceremony", "an unknown version or threshold")
    for i, trustee in enumerate(ceremony.trustees):
        for other in ceremony.trustees[:i]:
            need(trustee.name != other.name, file, "ceremony", "two trustees with one name")
            shared = {trustee.signing, trustee.sealing} & {other.signing, other.sealing}
            need(not shared, file, "ceremony", "two trustees with one key")
        need(1 <= len(trustee.name.encode()) <= 64, file, "ceremony", "a trustee's name that is empty or longer than 64 bytes")
    ident = H("ippyo/1/ceremony", t.ceremony)

    def opened(kind, name, messages, read):
        need(len(messages) == n, file, name, "%d of them for %d trustees" % (len(messages), n))
        out = []
        for i, (message, trustee) in enumerate(zip(messages, ceremony.trustees), 1):
            item = "%s of trustee %d (%s)" % (name, i, trustee.name)
            need(
                signed_by(trustee.signing, "ippyo/1/sign/ceremony", bytes([kind]) + message.body, message.signature),
                file, item, "its signature does not hold",
            )
            body = decode(file, message.body, read, item)
            need(body.ceremony == ident and body.trustee == i, file, item, "it is of another ceremony or trustee")
            out.append((item, body))
        return out

    commits = opened(1, "commit", t.commits, wire.Commit)
    reveals = opened(2, "reveal", t.reveals, wire.Reveal)
    coefficients = []
    for i, ((_, commit), (item, reveal), message) in enumerate(zip(commits, reveals, t.reveals), 1):
        need(commit.reveal == H("ippyo/1/ceremony/reveal", message.body), file, item, "it does not match its commit")
        need(len(reveal.coefficients) == k, file, item, "%d coefficients, not %d" % (len(reveal.coefficients), k))
        row = []
        for j, c in enumerate(reveal.coefficients):
            a = p256.point(c.point)
            try:
                challenge, response = p256.scalar(c.challenge), p256.scalar(c.response)
                u = p256.encode(p256.combine([(p256.generator(), response), (a, challenge)]))
            except Malformed as error:
                raise Refused(file, item, "coefficient %d: %s" % (j, error)) from None
            expected = S("ippyo/1/ceremony/knowledge", ident, bytes([i]), bytes([j]), c.point, u)
            need(challenge == expected, file, item, "the proof of knowledge of coefficient %d does not hold" % j)
            row.append(a)
        coefficients.append(row)
    need(
        keys.joint == encoded(file, "joint key", p256.add(*[row[0] for row in coefficients])),
        file, "joint key", "the key in keys.bin is not what the ceremony gave",
    )
    need(p256.point(keys.joint)[0] != p256.G[0], file, "joint key", "it is the generator or its negative")
    need(keys.threshold == k, file, "threshold", "the one in keys.bin is not that of the ceremony")
    need(len(keys.trustees) == n, file, "trustees", "those in keys.bin are not those of the ceremony")
    for l, (key, trustee) in enumerate(zip(keys.trustees, ceremony.trustees), 1):
        share = p256.combine([(a, l**j) for row in coefficients for j, a in enumerate(row)])
        need(
            key.name == trustee.name and key.share == encoded(file, "share", share),
            file, "trustee %d" % l, "keys.bin has not what the ceremony gave",
        )
    transcript = H("ippyo/1/ceremony/transcript", *[m.body for m in t.commits], *[m.body for m in t.reveals])
    for item, accept in opened(4, "accept", t.accepts, wire.Accept):
        need(accept.transcript == transcript and accept.joint == keys.joint, file, item, "it accepts something else")


def encoded(file, item, a):
    need(a is not None, file, item, "it is the identity")
    return p256.encode(a)


# 4. Genesis and chain

def check_chain(data, eh, progress):
    file = "genesis.bin"
    genesis = decode(file, data[file], wire.Genesis)
    need(genesis.version == 1 and genesis.election == eh, file, "", "an unknown version or another election")
    staff = [card.key for card in genesis.staff]
    need(len(set(staff)) == len(staff) <= 256, file, "staff", "a card twice, or more than 256")
    for card in genesis.staff:
        item = "card " + card.key.hex()
        need(card.roles < 4, file, item, "an unknown role")
        need(1 <= len(card.name.encode()) <= 64, file, item, "a name that is empty or longer than 64 bytes")
    provisioning = sum(1 for card in genesis.staff if card.roles & ledgers.PROVISIONS)
    need(provisioning >= 2, file, "staff", "fewer than two cards may provision")
    need(1 <= len(genesis.validators) <= 64, file, "validators", "none, or more than 64")
    need(len(set(genesis.validators)) == len(genesis.validators), file, "validators", "a key twice")
    try:
        return genesis, ledgers.replay(genesis, eh, data["chain.bin"], progress)
    except ledgers.Broken as broken:
        raise Refused("chain.bin", broken.item, broken.reason) from None


# 5, 6. What is published, against the chain; the proofs come later, together

def published(file, data, read, kind, layout, eh, ledger):
    """The items of ballots.bin or spoiled.bin with code, leaf, station and place; strictly ascending by code."""
    out, before = [], None
    for i, p in enumerate(decode_items(file, data, read)):
        item = "ballot %d" % i
        need(p.kiosk in ledger.kiosks, file, item, "its kiosk is not registered")
        kiosk = ledger.kiosks[p.kiosk]
        try:
            p.code = ballots.tracking_code(layout, eh, kiosk.station, p.ballot)
        except Malformed as error:
            raise Refused(file, item, str(error)) from None
        p.item = item = "ballot %d (code %s)" % (i, code_text(p.code))
        need(before is None or before < p.code, file, item, "the ballots are not strictly ascending by tracking code")
        before = p.code
        tag = p.tag if kind == 1 else bytes(32)
        p.leaf = H("ippyo/1/leaf", bytes([kind]), bytes([p.epoch]), p.code, ballots.ballot_hash(p.ballot), tag)
        places = ledger.cast_place if kind == 1 else ledger.spoiled_place
        p.place = places.get((p.code, p.leaf))
        need(p.place is not None, file, item, "its leaf is not on the ledger")
        p.station, p.kind = kiosk.station, kind
        out.append(p)
    return out


def check_presence(cast, spoiled, closings, ledger):
    """Ballots and entries of closed kiosks are the same set."""
    lines = {kiosk: ledger.lineage(kiosk) for kiosk in ledger.kiosks}
    entered = {(kiosk, epoch, kind, code, leaf) for kiosk, epoch, kind, code, leaf in ledger.entries}
    codes = set()
    for p in cast + spoiled:
        file = "ballots.bin" if p.kind == 1 else "spoiled.bin"
        need(p.code not in codes, file, p.item, "its code is not unique")
        codes.add(p.code)
        need(
            any((kiosk, p.epoch, p.kind, p.code, p.leaf) in entered for kiosk in lines[p.kiosk]),
            file, p.item, "its leaf is not in a batch of its kiosk and epoch",
        )
        need((p.kiosk, p.epoch) in closings, file, p.item, "its kiosk has no closing for this epoch")
    closed = {kiosk for ident in lines if ledger.kiosks[ident].closing for kiosk in lines[ident]}
    there = {(p.kind, p.code, p.leaf) for p in cast + spoiled}
    unclosed = 0
    for kiosk, _, kind, code, leaf in ledger.entries:
        if kiosk in closed:
            need(
                (kind, code, leaf) in there, "ballots.bin" if kind == 1 else "spoiled.bin", "code " + code_text(code),
                "it is on the ledger for a closed kiosk, but it is not published",
            )
        else:
            unclosed += 1
    return unclosed


# 7. Closings

def read_closings(data, eh, manifest, genesis, ledger):
    file, out, before = "closings.bin", {}, None
    for i, c in enumerate(decode_items(file, data, wire.Closing)):
        ident = ledgers.kiosk_id(c.kiosk)
        c.item = item = "closing %d (kiosk %s, epoch %d)" % (i, ident.hex()[:16], c.epoch)
        need(before is None or before < (c.kiosk, c.epoch), file, item, "the closings are not strictly ascending")
        before = (c.kiosk, c.epoch)
        need(c.election == eh, file, item, "it is of another election")
        need(c.epoch < len(manifest.epochs), file, item, "an epoch that the manifest does not have")
        kiosk = ledger.kiosks.get(ident)
        need(kiosk is not None, file, item, "its kiosk is not registered")
        need(kiosk.station == c.station, file, item, "its station is not that of the kiosk")
        need(kiosk.closing == (c.epoch, c.hash), file, item, "it is not the one in the kiosk's last batch")
        need(signed_by(c.kiosk, "ippyo/1/sign/closing", c.hash, c.signature), file, item, "the kiosk's signature does not hold")
        wrong = ledgers.two_staff_cards(
            genesis, ledgers.OPENS_AND_CLOSES, "ippyo/1/sign/staff/close", eh + ident + bytes([c.epoch]), c.staff
        )
        need(wrong is None, file, item, wrong)
        out[(ident, c.epoch)] = c
    return out


def check_closings(closings, cast, spoiled, eh, ledger):
    file = "closings.bin"
    for ident, kiosk in ledger.kiosks.items():
        if kiosk.closing:
            need(
                (ident, kiosk.closing[0]) in closings, file, "kiosk " + ident.hex()[:16],
                "it closed on the ledger, but its closing is missing",
            )
    leaves, codes = {}, {}
    for p in cast:
        leaves.setdefault((p.kiosk, p.epoch), []).append(p.leaf)
    for p in spoiled:
        codes.setdefault((p.kiosk, p.epoch), []).append(p.code)
    for key, c in closings.items():
        own_leaves, own_codes = sorted(leaves.get(key, [])), sorted(codes.get(key, []))
        n = c.counters
        six = b"".join(u32(x) for x in (n.admitted, n.recorded, n.abandoned, n.interrupted, n.spoiled, n.void))
        expected = H(
            "ippyo/1/closing", eh, c.package, key[0], bytes([c.epoch]), b"".join(own_leaves), b"".join(own_codes), six, c.audit
        )
        need(c.hash == expected, file, c.item, "its hash does not follow from what is published")
        need(n.recorded == len(own_leaves), file, c.item, "%d recorded, %d published" % (n.recorded, len(own_leaves)))
        need(n.spoiled == len(own_codes), file, c.item, "%d spoiled, %d published" % (n.spoiled, len(own_codes)))
        need(
            n.admitted == n.recorded + n.abandoned + n.interrupted, file, c.item,
            "admitted %d is not recorded %d + abandoned %d + interrupted %d"
            % (n.admitted, n.recorded, n.abandoned, n.interrupted),
        )


# 8. Which ballots count, and the tally

def decide(cast, policy):
    """Gives every cast ballot a `state`: counted, duplicate or overwritten."""
    best = {}
    for p in cast:
        rank = (-p.epoch if policy == 1 else 0, p.place)
        if p.tag not in best or rank < best[p.tag][0]:
            best[p.tag] = (rank, p)
    for p in cast:
        winner = best[p.tag][1]
        if p is winner:
            p.state = "counted"
        elif policy == 1 and p.epoch < winner.epoch:
            p.state = "overwritten"
        else:
            p.state = "duplicate"


_checker = None


def _start(layout, eh, joint):
    global _checker
    _checker = ballots.Checker(layout, eh, joint)


def _check(chunk):
    sums, failure = _checker.check(chunk)
    return len(chunk), sums, failure


def check_proofs(cast, spoiled, layout, eh, joint, sample, jobs, progress):
    """All proofs of all ballots (or of `sample` of them); gives the sums of the counted ones."""
    work = [("ballots.bin", p.item, p.ballot, p.state == "counted") for p in cast]
    work += [("spoiled.bin", p.item, p.ballot, False) for p in spoiled]
    chosen = set(range(len(work)))
    if sample is not None and sample < len(work):
        chosen = set(secrets.SystemRandom().sample(range(len(work)), sample))
    chunks, chunk, load = [], [], 0
    per_job = sum(len(w[2]) for w in work) // ballots.SELECTION // max(jobs, 1) + 1
    for i, (file, item, ballot, counted) in enumerate(work):
        chunk.append(((file, item), ballot, counted, i in chosen))
        load += len(ballot) // ballots.SELECTION
        if load >= min(CHUNK_SELECTIONS, per_job):
            chunks.append(chunk)
            chunk, load = [], 0
    if chunk:
        chunks.append(chunk)
    sums, done = {}, 0

    def take(result):
        nonlocal done
        count, found, failure = result
        if failure:
            (file, item), reason = failure if isinstance(failure[0], tuple) else (("ballots.bin", failure[0]), failure[1])
            raise Refused(file, item, reason)
        for key, (a, b) in found.items():
            pair = sums.setdefault(key, (p256.Sum(), p256.Sum()))
            pair[0].add(a)
            pair[1].add(b)
        done += count
        progress(done)

    if jobs > 1 and len(chunks) > 1:
        with multiprocessing.get_context("fork").Pool(jobs, _start, (layout, eh, joint)) as pool:
            for result in pool.imap(_check, chunks):
                take(result)
    else:
        _start(layout, eh, joint)
        for chunk in chunks:
            take(_check(chunk))
    return {key: (a.value(), b.value()) for key, (a, b) in sums.items()}, len(chosen)


def check_tally(data, eh, manifest, keys, layout, cast, sums):
    """The counted set, A, B, the trustees' proofs and the totals; gives {contest: [total a selection]}."""
    file = "tally.bin"
    tally = decode(file, data, wire.Tally)
    need(tally.election == eh, file, "", "it is of another election")
    counted = [p for p in cast if p.state == "counted"]
    need(tally.ballots == len(counted), file, "", "it says %d ballots, %d count" % (tally.ballots, len(counted)))
    need(
        [c.contest for c in tally.contests] == list(range(len(manifest.contests))), file, "", "it does not hold every contest once"
    )
    by_style = [0] * len(manifest.styles)
    for p in counted:
        by_style[ballots.style_of(layout, p.ballot)] += 1
    joint_table = p256.Table(p256.point(keys.joint))
    totals = {}
    for c in tally.contests:
        item = "contest " + manifest.contests[c.contest].id
        expected = sum(n for n, style in zip(by_style, layout.styles) if c.contest in style)
        need(c.ballots == expected, file, item, "it says %d ballots, %d count" % (c.ballots, expected))
        slots = layout.slots(c.contest)
        need(len(c.selections) == (slots if expected else 0), file, item, "a wrong number of selections")
        for i, s in enumerate(c.selections):
            where = "%s, selection %d" % (item, i)
            a, b = sums[(c.contest, i)]
            need(
                s.a == encoded(file, where, a) and s.b == encoded(file, where, b), file, where,
                "its sums are not those of the counted ballots",
            )
            m = check_decryptions(file, where, s, a, eh, c.contest, i, keys)
            found = p256.add(b, p256.negate(m))
            need(s.total <= expected, file, where, "a total of %d from %d ballots" % (s.total, expected))
            need(found == joint_table.multiply(s.total), file, where, "the decryption does not give the total %d" % s.total)
        totals[c.contest] = [s.total for s in c.selections] or [0] * slots
    return tally, totals


def check_decryptions(file, where, s, a, eh, contest, selection, keys):
    """Every trustee's part has its proof; gives M."""
    who = [d.trustee for d in s.decryptions]
    need(len(who) == keys.threshold, file, where, "%d decryptions, not %d" % (len(who), keys.threshold))
    need(
        who == sorted(set(who)) and all(1 <= l <= len(keys.trustees) for l in who), file, where, "its trustees are not ascending"
    )
    parts = []
    for d in s.decryptions:
        share_raw = keys.trustees[d.trustee - 1].share
        share, part = p256.point(share_raw), p256.point(d.point)
        try:
            c, v = p256.scalar(d.challenge), p256.scalar(d.response)
            u_g = p256.encode(p256.combine([(p256.generator(), v), (share, c)]))
            u_a = p256.encode(p256.combine([(a, v), (part, c)]))
        except Malformed as error:
            raise Refused(file, where, "trustee %d: %s" % (d.trustee, error)) from None
        expected = S(
            "ippyo/1/decryption", eh, bytes([d.trustee]), u16(contest), bytes([selection]), share_raw, s.a, s.b, d.point, u_g, u_a
        )
        need(c == expected, file, where, "the proof of trustee %d does not hold" % d.trustee)
        lagrange = 1
        for other in who:
            if other != d.trustee:
                lagrange = lagrange * other * pow(other - d.trustee, -1, p256.N) % p256.N
        parts.append((part, lagrange))
    return p256.combine(parts)


# 9. results.json

def parse_json(file, data):
    def once(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a name twice in one object")
        return dict(pairs)

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Refused(file, "", "not JSON: %s" % error) from None


def check_results(data, manifest, totals):
    file = "results.json"
    report = parse_json(file, data)

    def named(item, objects, expected):
        need(isinstance(objects, list) and all(isinstance(o, dict) for o in objects), file, item, "not a list of objects")
        found = {str(o.get("@id")): o for o in objects}
        need(len(found) == len(objects) and set(found) == set(expected), file, item, "not exactly those of the manifest")
        return found

    def number(item, value, expected):
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        need(plain and value == expected, file, item, "it says %r, the tally %d" % (value, expected))

    elections = report.get("Election") if isinstance(report, dict) else None
    need(isinstance(elections, list) and len(elections) == 1, file, "Election", "there has to be exactly one")
    need(isinstance(elections[0], dict), file, "Election", "not an object")
    contests = named("Contest", elections[0].get("Contest"), [c.id for c in manifest.contests])
    for i, c in enumerate(manifest.contests):
        item = "contest " + c.id
        selections = named(item, contests[c.id].get("ContestSelection"), [o.id for o in c.options])
        for j, option in enumerate(c.options):
            counts = selections[option.id].get("VoteCounts")
            need(isinstance(counts, list), file, item, "an option without counts")
            total = [x for x in counts if isinstance(x, dict) and x.get("Type") == "total"]
            need(len(total) == 1, file, "%s, option %s" % (item, option.id), "not exactly one total")
            number("%s, option %s" % (item, option.id), total[0].get("Count"), totals[i][j])
        others = contests[c.id].get("OtherCounts")
        need(isinstance(others, list) and len(others) == 1 and isinstance(others[0], dict), file, item, "not one OtherCounts")
        number(item + ", no-votes", others[0].get("Undervotes"), sum(totals[i][len(c.options) :]))


# 10. Reception

def check_reception(file, data, eh, genesis, cast):
    """Signed counts of admissions: no station and epoch has more different tags."""
    given = parse_json(file, data)
    counts = given.get("counts") if isinstance(given, dict) else None
    need(isinstance(counts, list), file, "counts", "there are none")
    roster = {card.key for card in genesis.staff}
    admissions = {}
    for i, c in enumerate(counts):
        item = "count %d" % i
        need(isinstance(c, dict), file, item, "not an object")
        for name, limit in (("station", 1 << 16), ("epoch", 1 << 8), ("admissions", 1 << 32)):
            value = c.get(name)
            need(type(value) is int and 0 <= value < limit, file, item, "%s is not a whole number in its bounds" % name)
        try:
            key, signature = bytes.fromhex(c["key"]), bytes.fromhex(c["signature"])
        except (KeyError, TypeError, ValueError):
            raise Refused(file, item, "key and signature have to be hexadecimal") from None
        need(key in roster, file, item, "its key is not a staff card of the roster")
        message = eh + u16(c["station"]) + bytes([c["epoch"]]) + u32(c["admissions"])
        need(signed_by(key, "ippyo/1/sign/reception", message, signature), file, item, "its signature does not hold")
        place = (c["station"], c["epoch"])
        need(place not in admissions, file, item, "station and epoch for the second time")
        admissions[place] = c["admissions"]
    tags = {}
    for p in cast:
        tags.setdefault((p.station, p.epoch), set()).add(p.tag)
    for place, found in sorted(tags.items()):
        need(
            len(found) <= admissions.get(place, 0), file, "station %d, epoch %d" % place,
            "%d different tags, but reception admitted %d" % (len(found), admissions.get(place, 0)),
        )


# Codes

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32


def code_text(code):
    """The first 20 bytes as eight groups of four."""
    value = int.from_bytes(code[:20], "big")
    text = "".join(ALPHABET[value >> shift & 31] for shift in range(155, -1, -5))
    return "-".join(text[i : i + 4] for i in range(0, 32, 4))


def parse_code(text):
    """The first 20 bytes of a code that a person typed: groups or not, small letters, O for 0, I and L for 1; or 64 hex."""
    bare = "".join(c for c in text.upper() if not c.isspace() and c != "-")
    if len(bare) == 64 and all(c in "0123456789ABCDEF" for c in bare):
        return bytes.fromhex(bare)[:20]
    bare = bare.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(bare) != 32 or any(c not in ALPHABET for c in bare):
        raise ValueError("a code is eight groups of four letters and digits")
    value = 0
    for c in bare:
        value = value << 5 | ALPHABET.index(c)
    return value.to_bytes(20, "big")


def look_up(prefix, cast, spoiled):
    states = {p.code[:20]: p.state for p in cast}
    states.update({p.code[:20]: "spoiled" for p in spoiled})
    return states.get(prefix, "unknown")


# The whole

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
        result = {"holds": True} | found.summary | {"codes": looked_up, "openings": openings}
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
    for text, state in looked_up.items():
        print("code %s: %s" % (text, state))
    for o in openings:
        print("opening of %s, %s: %s, no vote %d" % (o["code"], o["contest"], " ".join(o["chosen"]) or "-", o["no_votes"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
