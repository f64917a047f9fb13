#!/usr/bin/env python3
"""The frozen vectors (tests/vectors) follow from SPEC.md: they are computed here once more, without the code that wrote them."""

import hashlib
import hmac
import json
import os
import tempfile
import unittest

import ballots
import ledger as ledgers
import p256
import verify
import wire
from tally import check_decryptions
from wire import H, S

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "draft")


def load(name):
    with open(os.path.join(FOLDER, name + ".json"), encoding="utf-8") as f:
        return json.load(f)


def layout_of(text, style):
    """A layout from a line such as `0 2 1, 4 3 2` (contest index, options, votes), as style number `style`."""
    rows = [[int(n) for n in part.split()] for part in text.split(",")]
    contests = [(1, 1)] * (rows[-1][0] + 1)
    for index, options, votes in rows:
        contests[index] = (options, votes)
    return ballots.Layout(contests, [[]] * style + [[row[0] for row in rows]])


def hash_to_curve(dst, message):
    """RFC 9380, suite P256_XMD:SHA-256_SSWU_RO_: 5.2, 6.6.2, 8.2."""
    p, a, b, z = p256.P, -3, p256.B, -10
    raw = p256.expand_message_xmd(message, dst, 96)
    points = []
    for u in (int.from_bytes(raw[:48], "big") % p, int.from_bytes(raw[48:], "big") % p):
        t = (z * z * pow(u, 4, p) + z * u * u) % p
        x1 = b * pow(z * a, -1, p) % p if t == 0 else -b * pow(a, -1, p) * (1 + pow(t, -1, p)) % p
        x2 = z * u * u * x1 % p
        for x in (x1, x2):
            square = (pow(x, 3, p) + a * x + b) % p
            y = pow(square, (p + 1) // 4, p)
            if y * y % p == square:
                break
        points.append((x, y if y & 1 == u & 1 else p - y))
    return p256.add(*points)


class Vectors(unittest.TestCase):
    def test_hash_to_curve_is_the_one_of_rfc_9380(self):
        # RFC 9380, J.1.1, message "abc".
        found = hash_to_curve(b"QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_", b"abc")
        self.assertEqual("%064x" % found[0], "0bb8b87485551aa43ed54f009230450b492fead5f1cc91658775dac4a3388a0f")
        self.assertEqual("%064x" % found[1], "5c41b3d0731a27a7b14bc0bf0ccded2d8751f83493404c84a88e71ffd424212e")

    def test_group(self):
        v = load("group")
        label, parts = v["hash label"], [bytes.fromhex(x) for x in v["hash parts"].split(",")]
        self.assertEqual(H(label, *parts).hex(), v["hash"])
        self.assertEqual("%064x" % S(label, *parts), v["scalar"])
        point = hash_to_curve(b"ippyo/1/test", b"abc")
        self.assertEqual(p256.encode(point).hex(), v["hash to curve P256_XMD:SHA-256_SSWU_RO_ tag ippyo/1/test message abc"])

    def test_ballot_code_and_openings(self):
        v = load("ballot")
        eh, ballot = bytes.fromhex(v["election hash"]), bytes.fromhex(v["ballot"])
        joint = bytes.fromhex(v["joint key (secret 3)"])
        self.assertEqual(p256.encode(p256.multiply(p256.G, 3)), joint)
        layout = layout_of(v["contests (index m n)"], int(v["style"]))
        checker = ballots.Checker(layout, eh, joint)
        self.assertIsNone(checker.first_false(ballot))
        self.assertIsNone(checker.check([("vector", ballot, False, True)])[1])
        code = ballots.tracking_code(layout, eh, int(v["station"]), ballot)
        self.assertEqual(code.hex(), v["code"])
        self.assertEqual(verify.code_text(code), v["code for people"])
        self.assertEqual(verify.parse_code(v["code for people"]), code[:20])
        self.assertEqual(ballots.ballot_hash(ballot).hex(), v["ballot hash"])
        for name, contest, values in (("first", 0, [0, 1, 0]), ("second", 4, [1, 0, 1, 0, 0])):
            opening = bytes.fromhex(v["opening of the %s contest" % name])
            self.assertEqual(ballots.check_opening(layout, joint, ballot, code, opening), (contest, values))

    def test_ceremony(self):
        v = load("ceremony")
        keys = wire.whole(bytes.fromhex(v["keys"]), wire.Keys)
        verify.check_ceremony(bytes.fromhex(v["transcript"]), keys)
        transcript = wire.whole(bytes.fromhex(v["transcript"]), wire.Transcript)
        self.assertEqual(transcript.ceremony.hex(), v["ceremony"])
        bodies = [m.body for m in transcript.commits] + [m.body for m in transcript.reveals]
        self.assertEqual(H("ippyo/1/ceremony/transcript", *bodies).hex(), v["transcript hash"])
        for number, trustee in enumerate(keys.trustees, 1):
            secret = int(v["share of trustee %d" % number], 16)
            self.assertEqual(p256.encode(p256.multiply(p256.G, secret)), trustee.share)

    def test_tag(self):
        v = load("tag")
        eh, secret = bytes.fromhex(v["election hash"]), bytes.fromhex(v["election secret E"])
        asked = hash_to_curve(b"ippyo/1/pseudonym/piv/P256_XMD:SHA-256_SSWU_RO_", eh)
        self.assertEqual(p256.encode(asked).hex(), v["point asked of a PIV card"])
        answer = p256.encode(p256.multiply(asked, 9))
        self.assertEqual(answer.hex(), v["answer of the card with secret 9"])
        self.assertEqual(H("ippyo/1/secret", eh, secret).hex(), v["commitment of E"])

        def tag(pseudonym):
            return hmac.new(secret, b"ippyo/1/tag" + pseudonym, hashlib.sha256).hexdigest()

        self.assertEqual(tag(H("ippyo/1/pseudonym/piv", answer)), v["tag of that PIV card"])
        self.assertEqual(H("ippyo/1/pseudonym/jpki/message", eh).hex(), v["message a JPKI card signs"])
        jpki = H("ippyo/1/pseudonym/jpki", bytes.fromhex("010203"))
        self.assertEqual(tag(jpki), v["tag of a JPKI card that answers 010203"])

    def test_formats(self):
        v = load("formats")
        raw = {name: bytes.fromhex(value) for name, value in v.items()}
        verify.check_manifest(raw["manifest"])
        keys = wire.whole(raw["keys"], wire.Keys)
        eh = H("ippyo/1/election", raw["manifest"], keys.joint)
        self.assertEqual(eh, raw["election_hash"])
        batch = wire.whole(raw["batch"], wire.Batch)
        self.assertEqual(H("ippyo/1/batch", batch.header.raw), raw["batch_hash"])
        self.assertEqual(batch.header.kiosk, raw["kiosk_id"])
        leaves = [bytes([e.kind]) + e.code + e.leaf for e in batch.entries]
        self.assertEqual(batch.header.root, wire.merkle_root(leaves))
        self.assertEqual(batch.header.closing, raw["closing_hash"])
        self.assertEqual({e.leaf for e in batch.entries}, {raw["cast_leaf"], raw["spoiled_leaf"]})
        size = int.from_bytes(raw["package"][:4], "big")
        self.assertEqual(H("ippyo/1/package", raw["package"][4 : 4 + size]), raw["package_hash"])
        self.assertEqual(raw["staff_close_message"][:64], eh + raw["kiosk_id"])

    def test_ledger(self):
        v = load("ledger")
        raw = {name: bytes.fromhex(value) for name, value in v.items()}
        genesis = wire.whole(raw["genesis"], wire.Genesis)
        replayed = ledgers.replay(genesis, genesis.election, raw["decided"])
        self.assertEqual(replayed.chain, raw["chain_id"])
        self.assertEqual(replayed.validators, raw["validator_set_hash"])
        self.assertEqual(replayed.tip, raw["block_hash"])
        self.assertEqual(set(replayed.kiosks), {raw["kiosk_id_1"], raw["kiosk_id_2"]})
        self.assertEqual(
            [h for kiosk in replayed.kiosks.values() for h in kiosk.batches], [raw["batch_hash_1"], raw["batch_hash_2"]]
        )
        transactions = [raw["transaction_%d" % i] for i in range(6)]
        self.assertEqual(wire.merkle_root(transactions), raw["transactions_root"])
        for i, transaction in enumerate(transactions):
            self.assertEqual(H("ippyo/1/transaction", transaction), raw["transaction_%d_hash" % i])

    def test_tally(self):
        v = load("tally")
        eh = bytes.fromhex(v["election hash"])
        keys = wire.whole(bytes.fromhex(v["keys"]), wire.Keys)
        layout = layout_of(v["contests (index m n)"], 0)
        checker = ballots.Checker(layout, eh, keys.joint)
        cast = [("ballot %d" % i, bytes.fromhex(v["ballot %d" % i]), True, True) for i in range(1, 5)]
        sums, failure = checker.check(cast)
        self.assertIsNone(failure)
        tally = wire.whole(bytes.fromhex(v["tally"]), wire.Tally)
        totals = [int(n) for n in v["totals"].split()]
        self.assertEqual([s.total for s in tally.contests[0].selections], totals)
        for i, s in enumerate(tally.contests[0].selections):
            a, b = sums[(0, i)]
            self.assertEqual((s.a, s.b), (p256.encode(a), p256.encode(b)))
            m = check_decryptions("tally", "selection %d" % i, s, a, eh, 0, i, keys)
            self.assertEqual(p256.add(b, p256.negate(m)), p256.multiply(p256.point(keys.joint), s.total))

    def test_record(self):
        v = load("record")
        with tempfile.TemporaryDirectory(prefix="ippyo-vectors-") as folder:
            for name, value in v.items():
                if name.startswith("file "):
                    with open(os.path.join(folder, name[5:]), "wb") as f:
                        f.write(bytes.fromhex(value))
            found = verify.verify(folder)
        states = {p.code.hex(): p.state for p in found.cast} | {p.code.hex(): "spoiled" for p in found.spoiled}
        wanted = {name[5:]: state.lower() for name, state in v.items() if name.startswith("code ")}
        self.assertEqual(states, wanted)
        self.assertEqual(found.summary["chain_height"], int(v["height"]))
        self.assertEqual(found.summary["entries_without_closing"], int(v["unclosed entries"]))
        totals = wire.whole(found.data["tally.bin"], wire.Tally).contests
        for contest in totals:
            wanted = json.loads(v["contest %d" % contest.contest])
            self.assertEqual([s.total for s in contest.selections], wanted)


if __name__ == "__main__":
    unittest.main()
