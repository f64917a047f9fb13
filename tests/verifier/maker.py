"""Makes a small election record from SPEC.md, so that the verifier can be tried on records whose every secret is known.

It is the other side of the verifier, for its tests only: it knows no kiosk, it keeps nothing secret, and its keys must never
be used for anything. Every step can be bent by a test before the pieces are hashed and signed.
"""

import hashlib
import json
import os
import random
from types import SimpleNamespace

import p256
from wire import H, S, merkle_root, u16, u32


# postcard

def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def blob(data):
    return varint(len(data)) + data


def text(s):
    return blob(s.encode())


def seq(parts):
    return blob(b"".join(parts))


def texts(*pairs):
    return seq([text(language) + text(s) for language, s in pairs])


def ja(s):
    return texts(("ja", s), ("en", s + " (en)"))


# Keys and signatures

class Key:
    def __init__(self, rng):
        self.d = rng.randrange(1, p256.N)
        self.public = p256.encode(p256.generator().multiply(self.d))


def ecdsa(rng, d, digest):
    while True:
        k = rng.randrange(1, p256.N)
        r = p256.generator().multiply(k)[0] % p256.N
        s = pow(k, -1, p256.N) * (int.from_bytes(digest, "big") + r * d) % p256.N
        if r and s:
            return r.to_bytes(32, "big") + min(s, p256.N - s).to_bytes(32, "big")


def sc(n):
    return (n % p256.N).to_bytes(32, "big")


class Election:
    """An election with everything known; `policy` 0 first, 1 last."""

    def __init__(self, seed=1, policy=0, epochs=1, k=2, n=3, stations=(1, 2), styles=((0, 1), (0,)), contests=None):
        self.rng = random.Random(seed)
        self.policy, self.k, self.n = policy, k, n
        self.contests = contests or [("c-park", 1, ["o-for", "o-against"]), ("c-dish", 2, ["o-1", "o-2", "o-3"])]
        self.styles = styles
        self.manifest = b"".join([
            varint(1), text("test-election"), bytes([0, policy]), varint(20261122), varint(20261123), varint(8), varint(10),
            seq([text("ja"), text("en")]), ja("試験"), seq([ja("期日 %d" % i) for i in range(epochs)]),
            seq([text("u-1") + ja("市")]),
            seq([
                text(i) + bytes([1 if votes == 1 else 0, votes]) + ja(i) + texts() + seq([text(o) + ja(o) + texts() for o in options])
                for i, votes, options in self.contests
            ]),
            seq([
                text("s-%d" % i) + seq([text("u-1")]) + seq([varint(c) + blob(b"") for c in contests])
                for i, contests in enumerate(styles)
            ]),
        ])
        self.ceremony()
        self.eh = H("ippyo/1/election", self.manifest, self.joint_raw)
        self.k_table = p256.Table(self.joint)
        self.staff = sorted([Key(self.rng) for _ in range(4)], key=lambda key: key.public)
        roles = (3, 3, 2, 1)
        self.validators = [Key(self.rng) for _ in range(4)]
        self.authority = Key(self.rng)
        self.genesis = varint(1) + self.eh + seq([s.public + bytes([r]) + text("staff") for s, r in zip(self.staff, roles)]) + seq(
            [v.public for v in self.validators]
        )
        self.chain_id = H("ippyo/1/genesis", self.genesis)
        self.chain, self.height, self.tip = [], 0, self.chain_id
        self.cast, self.spoiled, self.closings, self.kiosks = [], [], [], []
        self.signers = (0, 1, 3)  # validators that sign a block
        self.pending, self.changes = None, 0  # a change of the validators that waits for its height
        self.bend_ballot = lambda ballot: ballot  # what an evil kiosk does to a ballot before it takes code and leaf
        self.bend_selection = lambda i: i  # the selection a decryption proof is made for
        self.bend_values = lambda contest, values: values

    def sign(self, key, label, message):
        return ecdsa(self.rng, key.d, H(label, key.public, message))

    def secret(self):
        return self.rng.randrange(1, p256.N)

    # 3

    def ceremony(self):
        g, signing = p256.generator(), [Key(self.rng) for _ in range(self.n)]
        ceremony = varint(1) + self.rng.randbytes(32) + bytes([self.k]) + seq(
            [text("trustee %d" % i) + s.public + Key(self.rng).public for i, s in enumerate(signing, 1)]
        )
        ident = H("ippyo/1/ceremony", ceremony)

        def signed(kind, i, body):
            return blob(body) + self.sign(signing[i - 1], "ippyo/1/sign/ceremony", bytes([kind]) + body)

        polynomials = [[self.secret() for _ in range(self.k)] for _ in range(self.n)]
        reveals = []
        for i, row in enumerate(polynomials, 1):
            parts = []
            for j, a in enumerate(row):
                u, c_raw = self.secret(), p256.encode(g.multiply(a))
                c = S("ippyo/1/ceremony/knowledge", ident, bytes([i]), bytes([j]), c_raw, p256.encode(g.multiply(u)))
                parts.append(c_raw + sc(c) + sc(u - c * a))
            reveals.append(ident + bytes([i]) + seq(parts))
        commits = [ident + bytes([i]) + H("ippyo/1/ceremony/reveal", r) for i, r in enumerate(reveals, 1)]
        self.shares = [sum(a * l**j for row in polynomials for j, a in enumerate(row)) % p256.N for l in range(1, self.n + 1)]
        self.joint = g.multiply(sum(row[0] for row in polynomials))
        self.joint_raw = p256.encode(self.joint)
        self.share_points = [p256.encode(g.multiply(s)) for s in self.shares]
        transcript = H("ippyo/1/ceremony/transcript", *commits, *reveals)
        accepts = [ident + bytes([i]) + transcript + self.joint_raw for i in range(1, self.n + 1)]
        self.transcript = blob(ceremony) + b"".join(
            seq([signed(kind, i, body) for i, body in enumerate(bodies, 1)])
            for kind, bodies in ((1, commits), (2, reveals), (4, accepts))
        )
        self.keys = bytes([self.k]) + self.joint_raw + seq(
            [text("trustee %d" % i) + s for i, s in enumerate(self.share_points, 1)]
        )

    # 4

    def encrypt(self, style, votes, station):
        """votes: for each contest of the style the chosen option indices. Gives ballot bytes, code and nonces."""
        g, k, n = p256.generator(), self.k_table, p256.N
        ident, out, openings = self.rng.randbytes(32), [], []
        for contest, chosen in zip(self.styles[style], votes):
            _, limit, options = self.contests[contest]
            values = [1 if i in chosen else 0 for i in range(len(options))]
            values += [1 if i < limit - len(chosen) else 0 for i in range(limit)]
            values = self.bend_values(contest, values)
            a_sum, b_sum, r_sum, nonces = p256.Sum(), p256.Sum(), 0, []
            for i, m in enumerate(values):
                r, u, w, x = [self.secret() for _ in range(4)]
                alpha, beta = g.multiply(r), k.multiply(m + r)
                other = 0 if m == 1 else 1
                real = (p256.encode(g.multiply(u)), p256.encode(k.multiply(u)))
                fake = (p256.encode(g.multiply(w)), p256.encode(k.multiply(x)))
                branches = real + fake if m == 0 else fake + real
                raw = [p256.encode(alpha), p256.encode(beta), *branches]
                c = S(
                    "ippyo/1/ballot/selection", self.eh, ident, u16(style), u16(contest), bytes([i]), *raw
                )
                c_fake = (x - w) * pow(m - other, -1, n) % n
                v_fake = w - c_fake * r
                c_real = c - c_fake
                v_real = u - c_real * r
                c0, v0, v1 = (c_real, v_real, v_fake) if m == 0 else (c_fake, v_fake, v_real)
                out.append(b"".join(raw) + sc(c0) + sc(v0) + sc(v1))
                a_sum.add(alpha)
                b_sum.add(beta)
                r_sum += r
                nonces.append((m, r))
            u = self.secret()
            sums = [p256.encode(p) for p in (a_sum.value(), b_sum.value(), g.multiply(u), k.multiply(u))]
            c = S("ippyo/1/ballot/sum", self.eh, ident, u16(style), u16(contest), bytes([limit]), *sums)
            out.append(sums[2] + sums[3] + sc(u - c * r_sum))
            openings.append(nonces)
        ballot = self.bend_ballot(b"\1" + u16(style) + ident + b"".join(out))
        return ballot, self.code(ballot, style, station), openings

    def code(self, ballot, style, station):
        pairs, at = [], 35
        for contest in self.styles[style]:
            for _ in range(len(self.contests[contest][2]) + self.contests[contest][1]):
                pairs.append(ballot[at : at + 66])
                at += 294
            at += 98
        return H("ippyo/1/code", self.eh, u16(station), u16(style), ballot[3:35], b"".join(pairs))

    # 8, 9

    def staff_pair(self, label, message, cards=(0, 1)):
        return seq([self.staff[i].public + self.sign(self.staff[i], label, message) for i in cards])

    def block(self, *transactions):
        self.height += 1
        if self.pending and self.height >= self.pending[0]:
            self.validators, self.pending = self.pending[1], None
        header = (
            varint(1) + self.chain_id + varint(self.height) + self.tip + merkle_root(transactions)
            + H("ippyo/1/validators", b"".join(v.public for v in self.validators))
        )
        block_hash = H("ippyo/1/block", header)
        message = b"ippyo/v1" + self.chain_id + b"\2" + self.height.to_bytes(8, "big") + u32(0) + b"\1" + block_hash
        digest = hashlib.sha256(message).digest()
        certificate = varint(self.height) + varint(0) + block_hash + seq(
            [bytes([i]) + ecdsa(self.rng, self.validators[i].d, digest) for i in self.signers]
        )
        self.chain.append(blob(header + seq([blob(t) for t in transactions])) + certificate)
        self.tip = block_hash

    def change(self, new, ahead=2, who=(0, 1, 3), number=None, previous=None, chain=None, old=None):
        """A change of the validators to `new`, which decide from `ahead` blocks behind the last one on."""
        old = old or self.validators
        self.changes += 1
        begins = self.height + ahead
        body = (
            (chain or self.chain_id) + varint(self.changes if number is None else number) + varint(begins)
            + (previous or H("ippyo/1/validators", b"".join(v.public for v in self.validators))) + seq([v.public for v in new])
        )
        message = H("ippyo/1/validators/change", body)
        signatures = seq([bytes([i]) + self.sign(old[i], "ippyo/1/sign/validators", message) for i in who])
        self.block(varint(4) + body + signatures)
        self.pending = (begins, new)

    def register(self, station):
        key = Key(self.rng)
        body = self.eh + key.public + Key(self.rng).public + varint(station) + self.rng.randbytes(32)
        self.block(varint(0) + body + self.staff_pair("ippyo/1/sign/staff/register", body))
        kiosk = SimpleNamespace(
            key=key, id=H("ippyo/1/kiosk", key.public), station=station, number=0, previous=bytes(32), waiting=[],
            cast=[], spoiled=[], package=self.rng.randbytes(32),
        )
        self.kiosks.append(kiosk)
        return kiosk

    def revoke(self, kiosk):
        body = self.eh + kiosk.id + text("lost")
        self.block(varint(1) + body + self.staff_pair("ippyo/1/sign/staff/revoke", body))

    def takeover(self, old, new, epoch=0, predecessor=None):
        predecessor = old.previous if predecessor is None else predecessor
        body = self.eh + bytes([epoch]) + old.id + new.id + predecessor + varint(len(old.cast))
        self.block(varint(2) + body + self.staff_pair("ippyo/1/sign/staff/takeover", body))
        new.previous, new.cast, new.spoiled, new.waiting = predecessor, old.cast, old.spoiled, old.waiting

    def vote(self, kiosk, voter, style, votes, epoch=0, kind=1):
        ballot, code, openings = self.encrypt(style, votes, kiosk.station)
        tag = hashlib.sha256(b"tag %d" % voter).digest() if kind == 1 else bytes(32)
        leaf = H("ippyo/1/leaf", bytes([kind]), bytes([epoch]), code, H("ippyo/1/ballot", ballot), tag)
        v = SimpleNamespace(ballot=ballot, code=code, tag=tag, leaf=leaf, kind=kind, epoch=epoch, openings=openings)
        (kiosk.cast if kind == 1 else kiosk.spoiled).append(v)
        kiosk.waiting.append(v)
        return v

    def batch(self, kiosk, epoch=0, closing=None):
        entries = sorted(bytes([v.kind]) + v.code + v.leaf for v in kiosk.waiting)
        entries.sort(key=lambda e: e[1:33])
        kiosk.waiting = []
        header = (
            self.eh + bytes([epoch]) + kiosk.id + varint(kiosk.number) + kiosk.previous + merkle_root(entries)
            + varint(len(entries)) + bytes(32) + (b"\1" + closing if closing else b"\0")
        )
        batch_hash = H("ippyo/1/batch", header)
        kiosk.previous, kiosk.number = batch_hash, kiosk.number + 1
        return varint(3) + header + seq(entries) + self.sign(kiosk.key, "ippyo/1/sign/batch", batch_hash)

    def close(self, kiosk, epoch=0, counters=None, cards=(0, 1)):
        leaves = b"".join(sorted(v.leaf for v in kiosk.cast))
        codes = b"".join(sorted(v.code for v in kiosk.spoiled))
        six = counters or (len(kiosk.cast) + 1, len(kiosk.cast), 1, 0, len(kiosk.spoiled), 0)
        audit = self.rng.randbytes(32)
        closing = H(
            "ippyo/1/closing", self.eh, kiosk.package, kiosk.id, bytes([epoch]), leaves, codes, b"".join(u32(x) for x in six), audit
        )
        raw = (
            self.eh + kiosk.package + kiosk.key.public + varint(kiosk.station) + bytes([epoch])
            + b"".join(varint(x) for x in six) + audit + closing
            + self.staff_pair("ippyo/1/sign/staff/close", self.eh + kiosk.id + bytes([epoch]), cards)
            + self.sign(kiosk.key, "ippyo/1/sign/closing", closing)
        )
        self.closings.append((kiosk.key.public, epoch, raw))
        self.cast += [(kiosk, v) for v in kiosk.cast]
        self.spoiled += [(kiosk, v) for v in kiosk.spoiled]
        self.block(self.batch(kiosk, epoch, closing))

    # 10

    def tally(self, counted, using=(1, 3)):
        """Adds the ballots `counted` up and decrypts with the trustees `using`."""
        out, totals = [], {}
        for contest, (name, votes, options) in enumerate(self.contests):
            having = [v for v in counted if contest in self.styles[int.from_bytes(v.ballot[1:3], "big")]]
            selections, totals[name] = [], []
            for i in range(len(options) + votes if having else 0):
                a, b = p256.Sum(), p256.Sum()
                for v in having:
                    at = 35
                    for c in self.styles[int.from_bytes(v.ballot[1:3], "big")]:
                        if c == contest:
                            break
                        at += 294 * (len(self.contests[c][2]) + self.contests[c][1]) + 98
                    at += 294 * i
                    a.add(p256.point(v.ballot[at : at + 33]))
                    b.add(p256.point(v.ballot[at + 33 : at + 66]))
                a, b = a.value(), b.value()
                a_raw, b_raw, parts, m = p256.encode(a), p256.encode(b), [], []
                for l in using:
                    s, u = self.shares[l - 1], self.secret()
                    part = p256.multiply(a, s)
                    c = S(
                        "ippyo/1/decryption", self.eh, bytes([l]), u16(contest), bytes([self.bend_selection(i)]), self.share_points[l - 1], a_raw, b_raw,
                        p256.encode(part), p256.encode(p256.generator().multiply(u)), p256.encode(p256.multiply(a, u)),
                    )
                    parts.append(bytes([l]) + p256.encode(part) + sc(c) + sc(u - c * s))
                    factor = 1
                    for o in using:
                        if o != l:
                            factor = factor * o * pow(o - l, -1, p256.N) % p256.N
                    m.append(p256.multiply(part, factor))
                rest = p256.add(b, p256.negate(p256.add(*m)))
                total = next((t for t in range(len(having) + 1) if self.k_table.multiply(t) == rest), 0)
                totals[name].append(total)
                selections.append(a_raw + b_raw + varint(total) + seq(parts))
            totals[name] = totals[name] or [0] * (len(options) + votes)
            out.append(varint(contest) + varint(len(having)) + seq(selections))
        return self.eh + varint(len(counted)) + seq(out), totals

    def results(self, totals):
        contests = [
            {
                "@id": name,
                "ContestSelection": [
                    {"@id": o, "VoteCounts": [{"Type": "total", "Count": totals[name][i]}]} for i, o in enumerate(options)
                ],
                "OtherCounts": [{"Undervotes": sum(totals[name][len(options) :])}],
            }
            for name, _, options in self.contests
        ]
        return json.dumps({"Election": [{"Contest": contests}]}).encode()

    def reception(self, *counts):
        out = []
        for station, epoch, admissions in counts:
            message = self.eh + u16(station) + bytes([epoch]) + u32(admissions)
            signature = self.sign(self.staff[0], "ippyo/1/sign/reception", message)
            out.append({
                "station": station, "epoch": epoch, "admissions": admissions, "key": self.staff[0].public.hex(),
                "signature": signature.hex(),
            })
        return json.dumps({"counts": out}).encode()

    def files(self, counted, reception=None):
        """Every file of the record but the index."""
        tally, totals = self.tally(counted)
        cast = sorted(self.cast, key=lambda pair: pair[1].code)
        spoiled = sorted(self.spoiled, key=lambda pair: pair[1].code)
        out = {
            "manifest.bin": self.manifest,
            "keys.bin": self.keys,
            "ceremony.bin": self.transcript,
            "genesis.bin": self.genesis,
            "chain.bin": b"".join(self.chain),
            "ballots.bin": b"".join(k.id + bytes([v.epoch]) + v.tag + blob(v.ballot) for k, v in cast),
            "spoiled.bin": b"".join(k.id + bytes([v.epoch]) + blob(v.ballot) for k, v in spoiled),
            "closings.bin": b"".join(raw for _, _, raw in sorted(self.closings)),
            "tally.bin": tally,
            "results.json": self.results(totals),
            "report.html": b"<!doctype html>",
        }
        if reception:
            out["reception.json"] = reception
        return out

    def index(self, files):
        body = varint(1) + self.eh + self.authority.public + seq(
            [
                text(name) + varint(len(files[name])) + hashlib.sha256(files[name]).digest()
                for name in sorted(files, key=lambda s: s.encode())
            ]
        )
        return blob(body) + self.sign(self.authority, "ippyo/1/sign/index", body)

    def write(self, folder, files):
        """Writes the files and an index that fits them."""
        os.makedirs(folder, exist_ok=True)
        for name, data in (files | {"index.bin": self.index(files)}).items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)


def opening(vote, position):
    """The opening of one contest of a spoiled ballot."""
    nonces = vote.openings[position]
    return b"IPO1" + vote.code + bytes([position, len(nonces)]) + b"".join(bytes([m]) + sc(r) for m, r in nonces)
