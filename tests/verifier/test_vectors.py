#!/usr/bin/env python3
"""The frozen vectors (tests/vectors) follow from SPEC.md: they are computed here once more, without the code that wrote them."""

import hashlib
import hmac
import json
import os
import random
import tempfile
import unittest

import ballots
import ledger as ledgers
import maker
import p256
import clips
import package as packages
import pictures
import seal
import verify
import wire
from tally import check_decryptions
from refused import Refused
from wire import H, S
from words import closing_words, read_words

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

    def test_closing_words(self):
        v = load("formats")
        closing, words = bytes.fromhex(v["closing_hash"]), bytes.fromhex(v["closing_words"]).decode()
        self.assertEqual(closing_words(closing), words)
        self.assertEqual(read_words("  " + words.upper().replace(" ", "、") + "\n"), closing[:16])
        # BIP 39's own vectors.
        self.assertEqual(closing_words(bytes(16)), "abandon " * 11 + "about")
        self.assertEqual(closing_words(b"\xff" * 16), "zoo " * 11 + "wrong")
        swapped = " ".join([words.split()[1], words.split()[0]] + words.split()[2:])
        for bad in (words.rsplit(" ", 1)[0], words + " zoo", words.replace(" ", " x", 1), swapped):
            with self.assertRaises(p256.Malformed):
                read_words(bad)

    def test_roll_entries(self):
        v = load("formats")
        keys = wire.whole(bytes.fromhex(v["keys"]), wire.Keys)
        self.assertEqual(packages.piv_entry(keys.joint).hex(), v["roll_entry_piv"])
        self.assertEqual(packages.jpki_entry(b"an RSA key").hex(), v["roll_entry_jpki"])

    def test_speech(self):
        """Two clips, read back; whatever is cut, moved or out of order is refused. Rust reads the same bytes (election::clips)."""
        rows = [(b"\1" * 8, b"abc"), (b"\2" * 8, b"d")]
        good = b"IPA1" + (2).to_bytes(4, "big")
        good += b"".join(key + at.to_bytes(4, "big") + len(clip).to_bytes(4, "big") for (key, clip), at in zip(rows, (0, 3)))
        good += b"abcd"
        self.assertEqual(clips.check_clips(good), dict(rows))
        self.assertEqual(clips.check_clips(b"IPA1" + bytes(4)), {})
        for at in range(len(good)):
            with self.assertRaises(Exception):
                clips.check_clips(good[:at])
        for changed in (good + b"x", good.replace(b"\2" * 8, b"\0" * 8), b"IPA2" + good[4:], good[:19] + b"\1" + good[20:]):
            with self.assertRaises(Exception):
                clips.check_clips(changed)

    def test_package(self):
        v = load("formats")
        raw = bytes.fromhex(v["package"])
        package = packages.check_package(raw, station=3)
        self.assertEqual(package.hash.hex(), v["package_hash"])
        self.assertEqual(package.header.election.hex(), v["election_hash"])
        self.assertEqual(package.roll, {bytes.fromhex(v["roll_entry_piv"]): 1})
        with self.assertRaises(Refused):
            packages.check_package(raw, authority=package.keys.joint)
        with self.assertRaises(Refused):
            packages.check_package(raw, station=4)
        for at in range(0, len(raw), 3):
            with self.assertRaises(Refused, msg="byte %d" % at):
                packages.check_package(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        for changed in (raw[:-1], raw + b"\0", raw[:40], b""):
            with self.assertRaises(Refused):
                packages.check_package(changed)
        for rows in ([(b"\1" * 32, 1), (b"\1" * 32, 0)], [(b"\2" * 32, 1), (b"\1" * 32, 0)], [(b"\1" * 32, 2)]):
            with self.assertRaises(Refused):
                packages.check_roll("roll", b"".join(entry + style.to_bytes(2, "big") for entry, style in rows), 2)

    def test_package_with_pictures(self):
        """A section of pictures (kind 8) is bound by its hash, and whole to its last pixel."""
        v = load("formats")
        raw, content, rng = bytes.fromhex(v["package"]), bytes.fromhex(v["pictures"]), random.Random(8)
        size = int.from_bytes(raw[:4], "big")
        old = packages.PackageHeader(wire.Reader(raw[4 : 4 + size]))
        key = maker.Key(rng)

        def package(kinds, content):
            own = [(s.kind, s.length, s.hash) for s in old.sections]
            own += [(kind, len(content), hashlib.sha256(content).digest()) for kind in kinds]
            listed = b"".join(bytes([kind]) + maker.varint(long) + digest for kind, long, digest in own)
            header = maker.varint(1) + maker.varint(old.serial) + old.election + key.public + maker.varint(old.station)
            header += maker.varint(len(listed)) + listed
            digest = H("ippyo/1/sign/package", key.public, H("ippyo/1/package", header))
            signature = maker.ecdsa(rng, key.d, digest)
            return len(header).to_bytes(4, "big") + header + signature + raw[68 + size :] + content * len(kinds)

        good = package([8], content)
        self.assertEqual(packages.check_package(good, authority=key.public, station=3).header.serial, old.serial)
        for bad in (good[:-1] + b"!", good[:-1], package([8, 8], content), package([8], content[:-1]), package([8], b"")):
            with self.assertRaises(Refused):
                packages.check_package(bad)
        frozen = packages.check_package(bytes.fromhex(v["package_with_pictures"]), station=3)
        self.assertEqual(list(frozen.pictures), ["\u8fbb\U000e0100", "\U00020bb7"])
        self.assertEqual(frozen.pictures["\u8fbb\U000e0100"], (14, 25, 2, 2, [15, 0, 15, 0]))
        x, y, width, height, shades = frozen.pictures["\U00020bb7"]
        self.assertEqual((x, y, width, height), (14, 25, 40, 30))
        row = [0] * 4 + [15] * 4 + [x % 16 for x in range(8, 30)] + [15] * 3 + [0] * 7
        self.assertEqual(shades[15 * 40 : 16 * 40], row)
        self.assertEqual(shades[: 3 * 40] + shades[27 * 40 :], [0] * (6 * 40))

    def test_pictures_refused(self):
        def section(*rows, fonts=1, version=1):
            body = b""
            for cluster, font, x, y, width, height, packed in rows:
                name = cluster.encode()
                body += maker.varint(len(name)) + name + bytes([font, x, y, width, height]) + maker.varint(len(packed)) + packed
            listed = bytes(32 * fonts)
            return bytes([version]) + maker.varint(len(listed)) + listed + maker.varint(len(body)) + body

        def row(cluster="a", font=0, x=12, y=10, width=2, height=2, packed=b"\xf0\x02"):
            return cluster, font, x, y, width, height, packed

        self.assertEqual(len(pictures.check_pictures(section(row(), row("b")))), 2)
        self.assertEqual(pictures.check_pictures(section()), {})
        bad = [section(row(), row()), section(row("b"), row("a")), section(row("")), section(row("a" * 33))]
        bad += [section(row(), fonts=0), section(row(), fonts=9), section(row(), version=2), section(row(font=1))]
        bad += [section(row(width=0)), section(row(height=0)), section(row(x=239)), section(row(y=133))]
        # One pixel short, one too many, a run cut in two, a long run without its length.
        bad += [section(row(packed=packed)) for packed in (b"\xf0\x01", b"\xf0\x03", b"\xf0\0\x01", b"\xf0\x0f", b"")]
        bad += [section(row())[:-1], section(row()) + b"\0"]
        for raw in bad:
            with self.assertRaises(Refused, msg=raw.hex()):
                pictures.check_pictures(raw)

    def test_delta(self):
        v = load("formats")
        raw = bytes.fromhex(v["delta"])
        package = packages.check_package(bytes.fromhex(v["package"]))
        package.roll[b"\2" * 32] = 1
        self.assertEqual(packages.check_delta(raw, package), {bytes.fromhex(v["roll_entry_piv"]): 1, b"\1" * 32: 0})
        with self.assertRaises(Refused):
            packages.check_delta(raw, package, held=3)
        for at in range(len(raw)):
            with self.assertRaises(Refused, msg="byte %d" % at):
                packages.check_delta(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], package)

    def test_sealed_secret(self):
        v = load("tag")
        eh, kiosk = bytes.fromhex(v["election hash"]), bytes.fromhex(v["kiosk id"])
        sealed, commitment = bytes.fromhex(v["E sealed to the key 5"]), bytes.fromhex(v["commitment of E"])
        self.assertEqual(packages.open_secret(5, eh, kiosk, sealed, commitment).hex(), v["election secret E"])
        refused = [(6, eh, kiosk, sealed, commitment), (5, bytes(32), kiosk, sealed, commitment)]
        refused += [(5, eh, bytes(32), sealed, commitment), (5, eh, kiosk, sealed, bytes(32))]
        refused += [(5, eh, kiosk, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], commitment) for at in (0, 9, 70, 112)]
        for arguments in refused:
            with self.assertRaises(p256.Malformed):
                packages.open_secret(*arguments)

    def test_chacha20_poly1305_is_that_of_rfc_8439(self):
        # 2.8.2
        key, nonce = bytes(range(0x80, 0xA0)), bytes.fromhex("070000004041424344454647")
        sealed = bytes.fromhex(
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b6"
            "7ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116"
            "1ae10b594f09e26a7e902ecbd0600691"
        )
        text = seal.aead_open(key, nonce, sealed, bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))
        self.assertTrue(text.startswith(b"Ladies and Gentlemen of the class of '99"))
        with self.assertRaises(p256.Malformed):
            seal.aead_open(key, nonce, sealed)

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
        closings = wire.items(found.data["closings.bin"], wire.Closing)
        self.assertEqual([read_words(words) for *_, words in found.words], [c.hash[:16] for c in closings])
        totals = wire.whole(found.data["tally.bin"], wire.Tally).contests
        for contest in totals:
            wanted = json.loads(v["contest %d" % contest.contest])
            self.assertEqual([s.total for s in contest.selections], wanted)


if __name__ == "__main__":
    unittest.main()
