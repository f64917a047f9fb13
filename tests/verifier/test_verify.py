#!/usr/bin/env python3
"""Tests of the verifier: known answers from the standards, records that hold, and records that lie.

A lie is told by everybody who could tell it: the maker signs whatever it made, index included, so that only the check the
test is named after can find it. Run with `python3 -m unittest` in this folder.
"""

import contextlib
import io
import json
import os
import random
import shutil
import tempfile
import unittest
from types import SimpleNamespace

import ballots
import maker
import p256
import verify
import wire
from verify import Refused

# If set, every record the tests make is kept in this folder with what has to be found in it: another verifier is tried on them.
KEEP = os.environ.get("IPPYO_KEEP_RECORDS")
SEED = int(os.environ.get("IPPYO_TEST_SEED", "20261122"))


def h(text):
    return bytes.fromhex(text)


class Standards(unittest.TestCase):
    """Answers that others published."""

    def test_rfc9380_expand_message_xmd(self):
        dst = b"QUUX-V01-CS02-with-expander-SHA256-128"
        known = {
            (b"", 32): "68a985b87eb6b46952128911f2a4412bbc302a9d759667f87f7a21d803f07235",
            (b"abc", 32): "d8ccab23b5985ccea865c6c97b6e5b8350e794e603b4b97902f53a8a0d605615",
            (b"", 128): "af84c27ccfd45d41914fdff5df25293e221afc53d8ad2ac06d5e3e29485dadbee0d121587713a3e0dd4d5e69e93eb7cd4f5df4"
            "cd103e188cf60cb02edc3edf18eda8576c412b18ffb658e3dd6ec849469b979d444cf7b26911a08e63cf31f9dcc541708d3491184472c2c2"
            "9bb749d4286b004ceb5ee6b9a7fa5b646c993f0ced",
        }
        for (message, length), answer in known.items():
            self.assertEqual(p256.expand_message_xmd(message, dst, length).hex(), answer)

    def test_rfc6962_roots(self):
        leaves = [h(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]
        self.assertEqual(wire.merkle_root([]).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        known = {
            3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        }
        for count, root in known.items():
            self.assertEqual(wire.merkle_root(leaves[:count]).hex(), root)

    def test_rfc6962_split_at_the_largest_power_of_two(self):
        def plainly(data):
            if len(data) == 1:
                return wire.hashlib.sha256(b"\0" + data[0]).digest()
            k = 1 << ((len(data) - 1).bit_length() - 1)
            return wire.hashlib.sha256(b"\1" + plainly(data[:k]) + plainly(data[k:])).digest()

        for count in range(1, 70):
            data = [bytes([i]) * 3 for i in range(count)]
            self.assertEqual(wire.merkle_root(data), plainly(data))

    def test_rfc6979_sample_and_high_s(self):
        key = (
            0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6,
            0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299,
        )
        digest = wire.hashlib.sha256(b"sample").digest()
        r = h("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716")
        s = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
        low = r + (p256.N - s).to_bytes(32, "big")
        self.assertTrue(p256.verify_prehashed(key, digest, low))
        self.assertFalse(p256.verify_prehashed(key, digest, r + s.to_bytes(32, "big")), "the other form has to be refused")
        self.assertFalse(p256.verify_prehashed(key, wire.hashlib.sha256(b"other").digest(), low))
        for broken in (b"", low[:63], bytes(64), r + bytes(32), p256.N.to_bytes(32, "big") + low[32:]):
            self.assertFalse(p256.verify_prehashed(key, digest, broken))

    def test_multiples_of_g(self):
        known = {
            2: "7CF27B188D034F7E8A52380304B51AC3C08969E277F21B35A60B48FC47669978",
            3: "5ECBE4D1A6330A44C8F7EF951D4BF165E6C6B721EFADA985FB41661BC6E7FD6C",
            112233445566778899: "339150844EC15234807FE862A86BE77977DBFB3AE3D96F4C22795513AEAAB82F",
        }
        for k, x in known.items():
            for found in (p256.multiply(p256.G, k), p256.generator().multiply(k)):
                self.assertEqual(found[0], int(x, 16))


class Group(unittest.TestCase):
    def test_multi_agrees_with_one_by_one_also_on_equal_and_opposite_points(self):
        rng = random.Random(SEED)
        base = [p256.generator().multiply(rng.randrange(1, p256.N)) for _ in range(60)]
        for count in (1, 7, 8, 9, 40, 300):
            points = [rng.choice(base) for _ in range(count)]
            points = [p256.negate(a) if rng.random() < 0.3 else a for a in points]
            scalars = [rng.choice((0, 1, 2, p256.N - 1, rng.getrandbits(128), rng.randrange(p256.N))) for _ in points]
            self.assertEqual(p256.multi(points, scalars), p256.add(*[p256.multiply(a, k) for a, k in zip(points, scalars)]))
        self.assertIsNone(p256.multi([base[0], p256.negate(base[0])] * 8, [5] * 16))
        self.assertEqual(p256.multi([base[0]] * 16, [1] * 16), p256.multiply(base[0], 16))

    def test_p07_points_that_are_none_are_refused(self):
        good = p256.encode(p256.G)
        self.assertEqual(p256.point(good), p256.G)
        off = next(x for x in range(5, 99) if pow(x**3 - 3 * x + p256.B, (p256.P - 1) // 2, p256.P) != 1)
        for bad in (
            b"\0", b"\0" + good[1:], b"\4" + good[1:], b"\6" + good[1:], good[:-1], good + b"\0", b"",
            b"\2" + p256.P.to_bytes(32, "big"), b"\2" + b"\xff" * 32, b"\2" + off.to_bytes(32, "big"),
        ):
            with self.assertRaises(p256.Malformed):
                p256.point(bad)

    def test_p08_scalars_that_are_none_are_refused(self):
        self.assertEqual(p256.scalar((p256.N - 1).to_bytes(32, "big")), p256.N - 1)
        for bad in (p256.N.to_bytes(32, "big"), b"\xff" * 32, bytes(31), bytes(33)):
            with self.assertRaises(p256.Malformed):
                p256.scalar(bad)


class Wire(unittest.TestCase):
    def test_only_the_shortest_form_of_a_number(self):
        for raw, value in ((b"\x00", 0), (b"\x7f", 127), (b"\x80\x01", 128), (b"\xff\xff\x03", 65535)):
            self.assertEqual(wire.whole(raw, wire.Reader.u16), value)
        for raw in (b"", b"\x80", b"\x80\x00", b"\x81\x80\x00", b"\xff\xff\x04", b"\xff\xff\xff\x01", b"\x00\x00"):
            with self.assertRaises(p256.Malformed, msg=raw.hex()):
                wire.whole(raw, wire.Reader.u16)
        self.assertEqual(wire.whole(b"\xff" * 9 + b"\x01", wire.Reader.u64), 2**64 - 1)
        with self.assertRaises(p256.Malformed):
            wire.whole(b"\xff" * 9 + b"\x02", wire.Reader.u64)

    def test_options_and_texts(self):
        read = lambda r: r.option(r.u8)
        self.assertIsNone(wire.whole(b"\0", read))
        self.assertEqual(wire.whole(b"\1\5", read), 5)
        for raw in (b"\2\5", b"\1", b"\0\0"):
            with self.assertRaises(p256.Malformed):
                wire.whole(raw, read)
        for raw in (b"\1\xff", b"\3\xed\xa0\x80", b"\2\xc0\x80", b"\5abc"):
            with self.assertRaises(p256.Malformed):
                wire.whole(raw, wire.Reader.str)


class Record(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ippyo-verifier-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "record")

    def check(self, e, files, wrong=None, **options):
        """Writes and verifies a record; `wrong` is the file that does not hold ("any" if one of them does not)."""
        shutil.rmtree(self.path, ignore_errors=True)
        e.write(self.path, files)
        if KEEP:
            self.keep(wrong, options)
        return verify.verify(self.path, **options)

    def keep(self, wrong, options):
        place = os.path.join(KEEP, "%04d" % len(os.listdir(KEEP)))
        shutil.copytree(self.path, os.path.join(place, "record"))
        authority, reception = options.get("authority"), options.get("reception")
        if reception is not None:
            with open(os.path.join(place, "reception.json"), "wb") as f:
                f.write(reception)
        with open(os.path.join(place, "expected.json"), "w") as f:
            json.dump({"test": self.id(), "wrong": wrong, "authority": authority.hex() if authority else None}, f)

    def refused(self, e, files, file, reason, **options):
        with self.assertRaises(Refused) as caught:
            self.check(e, files, wrong=file, **options)
        self.assertEqual(caught.exception.file, file, str(caught.exception))
        self.assertIn(reason, str(caught.exception))

    def small(self, **options):
        """Two kiosks at two stations, four ballots (one a duplicate), one spoiled."""
        e = maker.Election(**options)
        a, b = e.register(1), e.register(2)
        counted = [e.vote(a, 1, 0, [[0], [0, 2]]), e.vote(a, 2, 0, [[1], [1]]), e.vote(b, 3, 1, [[0]])]
        e.block(e.batch(a))
        spoiled = e.vote(a, 0, 0, [[1], []], kind=2)
        duplicate = e.vote(b, 1, 1, [[1]])
        e.close(a)
        e.close(b)
        return e, counted, duplicate, spoiled

    def evil(self, bend=None, values=None, vote=((0,), (0, 2))):
        """A record whose only ballot was bent by its kiosk, which signs for it."""
        e = maker.Election()
        a = e.register(1)
        if bend:
            e.bend_ballot = lambda ballot: bytes(bend(bytearray(ballot)))
        if values:
            e.bend_values = values
        e.vote(a, 1, 0, vote)
        e.close(a)
        return e, self.without_tally(e)

    def without_tally(self, e):
        """Files of a record whose tally cannot be computed because a ballot is bent: the check comes first."""
        tally = e.tally([])
        e.tally = lambda *_: tally
        return e.files([])


class Holds(Record):
    def test_a_record_holds_and_its_codes_are_found(self):
        e, counted, duplicate, spoiled = self.small()
        found = self.check(e, e.files(counted, e.reception((1, 0, 2), (2, 0, 2))))
        s = found.summary
        self.assertEqual((s["ballots"], s["counted"], s["duplicates"], s["spoiled"]), (4, 3, 1, 1))
        self.assertEqual(s["totals"], {"c-park": {"o-for": 2, "o-against": 1}, "c-dish": {"o-1": 1, "o-2": 1, "o-3": 1}})
        self.assertEqual(s["no_votes"], {"c-park": 0, "c-dish": 1})
        for vote, state in [(v, "counted") for v in counted] + [(duplicate, "duplicate"), (spoiled, "spoiled")]:
            text = verify.code_text(vote.code)
            for typed in (text, text.lower().replace("-", " "), text.replace("0", "o").replace("1", "l"), vote.code.hex()):
                self.assertEqual(verify.look_up(verify.parse_code(typed), found.cast, found.spoiled), state)
        self.assertEqual(verify.look_up(bytes(20), found.cast, found.spoiled), "unknown")

    def test_several_processes_see_the_same(self):
        e, counted, _, _ = self.small()
        one, two = (self.check(e, e.files(counted), jobs=n).summary for n in (1, 2))
        self.assertEqual(one, two)

    def test_an_empty_election_holds(self):
        e = maker.Election()
        e.close(e.register(1))
        s = self.check(e, e.files([])).summary
        self.assertEqual((s["counted"], s["totals"]["c-park"]), (0, {"o-for": 0, "o-against": 0}))

    def test_the_last_epoch_counts(self):
        e = maker.Election(policy=1, epochs=2)
        early, day, other = e.register(1), e.register(1), e.register(2)
        old, kept = e.vote(early, 1, 0, [[0], []]), e.vote(early, 2, 0, [[0], []])
        e.close(early)
        new = e.vote(day, 1, 0, [[1], [1]], epoch=1)
        e.block(e.batch(day, epoch=1))
        again = e.vote(other, 1, 0, [[0], [0]], epoch=1)
        e.close(other, epoch=1)
        e.close(day, epoch=1)
        found = self.check(e, e.files([kept, new]))
        states = {p.code: p.state for p in found.cast}
        self.assertEqual(
            [states[v.code] for v in (old, kept, new, again)], ["overwritten", "counted", "counted", "duplicate"]
        )
        self.refused(e, e.files([kept, again]), "tally.bin", "sums are not those")

    def test_a_spare_takes_over_and_identical_leaves_count_once(self):
        e = maker.Election()
        old, new = e.register(1), e.register(1)
        votes = [e.vote(old, i, 0, [[i % 2], []]) for i in range(3)]
        e.block(e.batch(old))
        votes.append(e.vote(old, 8, 0, [[0], [0]]))
        e.takeover(old, new)
        votes.append(e.vote(new, 9, 0, [[1], [0]]))
        new.waiting = list(votes)
        e.close(new)
        s = self.check(e, e.files(votes)).summary
        self.assertEqual((s["counted"], s["duplicates"]), (5, 0))

    def test_an_opening_shows_what_was_encrypted(self):
        e, counted, _, spoiled = self.small()
        found = self.check(e, e.files(counted))
        path = os.path.join(self.folder, "opening")
        for position, chosen, no_votes in ((0, ["o-against"], 0), (1, [], 2)):
            raw = maker.opening(spoiled, position)
            for data in (raw, raw.hex().encode() + b"\n"):
                with open(path, "wb") as f:
                    f.write(data)
                self.assertEqual((verify.read_opening(path, found)["chosen"], verify.read_opening(path, found)["no_votes"]), (chosen, no_votes))
        good = maker.opening(spoiled, 0)
        lies = {
            "a value": good[:38] + bytes([1 - good[38]]) + good[39:],
            "a nonce": good[:-1] + bytes([good[-1] ^ 1]),
            "a code": good[:4] + bytes(32) + good[36:],
            "a position": good[:36] + b"\1" + good[37:],
            "no contest": good[:36] + b"\7" + good[37:],
            "too short": good[:-1],
            "too long": good + b"\0",
            "a two": good[:38] + b"\2" + good[39:],
            "no opening": b"nonsense",
        }
        for name, data in lies.items():
            with open(path, "wb") as f:
                f.write(data)
            with self.assertRaises(Refused, msg=name):
                verify.read_opening(path, found)

    def test_a_sample_says_that_it_is_one(self):
        e, counted, _, _ = self.small()
        self.assertTrue(self.check(e, e.files(counted)).summary["complete"])
        s = self.check(e, e.files(counted), sample=2).summary
        self.assertEqual((s["complete"], s["proofs_checked"]), (False, 2))


class Flips(Record):
    """A flipped byte is found, also by those who would sign for it."""

    def setUp(self):
        super().setUp()
        self.rng = random.Random(SEED)
        self.e, counted, _, _ = self.small()
        self.files = self.e.files(counted, self.e.reception((1, 0, 2), (2, 0, 2)))
        self.check(self.e, self.files)

    def bent(self, data):
        at = self.rng.randrange(len(data))
        return at, data[:at] + bytes([data[at] ^ (1 << self.rng.randrange(8))]) + data[at + 1 :]

    def test_every_file_is_under_the_index(self):
        for name in list(self.files) + ["index.bin"]:
            path = os.path.join(self.path, name)
            with open(path, "rb") as f:
                good = f.read()
            lies = [self.bent(good)[1] for _ in range(8)] + [good[:-1], good[: len(good) // 2], b"", good + b"\0"]
            for lie in lies:
                with open(path, "wb") as f:
                    f.write(lie)
                with self.assertRaises(Refused) as caught:
                    verify.verify(self.path)
                if name != "index.bin":
                    self.assertEqual(caught.exception.file, name)
            with open(path, "wb") as f:
                f.write(good)
        verify.verify(self.path)

    def test_a_new_signature_of_the_index_hides_nothing(self):
        bound = [name for name in self.files if name.endswith(".bin")]
        self.assertEqual(len(bound), 9)
        for name in bound:
            for _ in range(12):
                at, lie = self.bent(self.files[name])
                with self.assertRaises(Refused, msg="%s, byte %d" % (name, at)):
                    self.check(self.e, self.files | {name: lie}, wrong="any")
            for lie in (self.files[name][:-1], self.files[name] + b"\0", b""):
                with self.assertRaises(Refused, msg=name):
                    self.check(self.e, self.files | {name: lie}, wrong="any")

    def test_files_that_are_missing_or_too_many(self):
        self.e.write(self.path, self.files)
        extra = os.path.join(self.path, "notes.txt")
        open(extra, "w").close()
        with self.assertRaisesRegex(Refused, "notes.txt: it does not belong"):
            verify.verify(self.path)
        os.remove(extra)
        os.mkdir(os.path.join(self.path, "more"))
        with self.assertRaisesRegex(Refused, "more: it does not belong"):
            verify.verify(self.path)
        os.rmdir(os.path.join(self.path, "more"))
        os.rename(os.path.join(self.path, "tally.bin"), os.path.join(self.folder, "tally.bin"))
        with self.assertRaisesRegex(Refused, "tally.bin: the file is missing"):
            verify.verify(self.path)
        os.symlink(os.path.join(self.folder, "tally.bin"), os.path.join(self.path, "tally.bin"))
        with self.assertRaisesRegex(Refused, "tally.bin: it does not belong"):
            verify.verify(self.path)

    def test_another_authority_is_seen(self):
        self.check(self.e, self.files, authority=self.e.authority.public)
        self.refused(self.e, self.files, "index.bin", "authority", authority=self.e.staff[0].public)


def _selection(ballot, i):
    return slice(35 + 294 * i, 35 + 294 * (i + 1))


class Ballots(Record):
    """What a compromised kiosk may write into a ballot; it signs for it itself."""

    def test_the_bent_record_is_fine_unbent(self):
        e, files = self.evil()
        self.refused(e, files, "tally.bin", "0 ballots, 1 count")

    def test_p01_to_p09_proofs_bent_by_the_kiosk(self):
        n, n_raw = p256.N, lambda k: k.to_bytes(32, "big")

        def swap(b):
            b[_selection(b, 0)], b[_selection(b, 1)] = b[_selection(b, 1)], b[_selection(b, 0)]
            return b

        def branches(b):
            s = bytes(b[_selection(b, 0)])
            b[_selection(b, 0)] = s[:66] + s[132:198] + s[66:132] + s[198:230] + s[262:294] + s[230:262]
            return b

        def put(at, raw):
            def bend(b):
                b[at : at + len(raw)] = raw
                return b
            return bend

        def negated(at):
            def bend(b):
                b[at] ^= 1
                return b
            return bend

        def shifted(at):
            def bend(b):
                b[at : at + 32] = n_raw((int.from_bytes(b[at : at + 32], "big") + 1) % n)
                return b
            return bend

        lies = {
            "proof moved to another option": (swap, "selection 0: the proof"),
            "branches permuted": (branches, "selection 0: the proof"),
            "another id": (put(3, b"\7" * 32), "selection 0: the proof"),
            "alpha negated": (negated(35), "selection 0: the proof"),
            "beta negated": (negated(35 + 33), "selection 0: the proof"),
            "commitment negated": (negated(35 + 66), "selection 0: the proof"),
            "c0 shifted": (shifted(35 + 198), "selection 0: the proof"),
            "v0 shifted": (shifted(35 + 230), "selection 0: the proof"),
            "v1 shifted": (shifted(35 + 262), "selection 0: the proof"),
            "sum commitment negated": (negated(35 + 294 * 3), "the proof that its sum is 1"),
            "sum response shifted": (shifted(35 + 294 * 3 + 66), "the proof that its sum is 1"),
            "scalar not below n": (put(35 + 230, b"\xff" * 32), "a scalar is not below"),
            "identity": (put(35, bytes(33)), "a point begins with"),
            "x not below p": (put(36, b"\xff" * 32), "not below p"),
        }
        for name, (bend, reason) in lies.items():
            with self.subTest(name):
                e, files = self.evil(bend)
                self.refused(e, files, "ballots.bin", reason)

    def test_p04_another_length_version_or_style_is_refused(self):
        for bend, reason in (
            (lambda b: b + bytes(294), "where its style has"),
            (lambda b: b[:-1], "where its style has"),
            (lambda b: b[:30], "a ballot of 30 bytes"),
            (lambda b: b"\2" + b[1:], "unknown version"),
            (lambda b: b[:1] + b"\0\7" + b[3:], "style 7"),
        ):
            e, files = self.evil(bend)
            self.refused(e, files, "ballots.bin", reason)

    def test_a_value_of_two_and_too_many_votes_are_refused(self):
        e, files = self.evil(values=lambda contest, values: [2] + values[1:] if contest == 0 else values, vote=([], []))
        self.refused(e, files, "ballots.bin", "contest 0, selection 0: the proof")
        e, files = self.evil(values=lambda contest, values: [1, 1, 0] if contest == 0 else values)
        self.refused(e, files, "ballots.bin", "contest 0: the proof that its sum is 1")
        e, files = self.evil(values=lambda contest, values: [0, 0, 0] if contest == 0 else values)
        self.refused(e, files, "ballots.bin", "contest 0: the proof that its sum is 1")

    def test_the_one_by_one_check_agrees_with_the_many_at_once(self):
        e = maker.Election()
        a = e.register(1)
        good = e.vote(a, 1, 0, [[0], [1]]).ballot
        layout = ballots.Layout.of(verify.check_manifest(e.manifest))
        checker = ballots.Checker(layout, e.eh, e.joint_raw)
        self.assertIsNone(checker.first_false(good))
        self.assertIsNone(checker.check([("x", good, True, True)])[1])
        rng = random.Random(SEED)
        for _ in range(10):
            at = rng.randrange(35, len(good))
            bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
            self.assertIsNotNone(checker.check([("x", good, True, True), ("y", bad, True, True)])[1])
        other = ballots.Checker(layout, bytes(32), e.joint_raw)
        self.assertIsNotNone(other.first_false(good), "a proof of another election")


class Books(Record):
    """Ballots, chain, closings and tally that do not fit each other."""

    def test_p05_a_ballot_twice(self):
        e = maker.Election()
        a = e.register(1)
        v = e.vote(a, 1, 0, [[0], []])
        e.close(a)
        e.cast.append(e.cast[0])
        self.refused(e, e.files([v]), "ballots.bin", "not strictly ascending")

    def test_a_dropped_ballot_is_missed(self):
        e = maker.Election()
        a = e.register(1)
        kept, dropped = e.vote(a, 1, 0, [[0], []]), e.vote(a, 2, 0, [[1], []])
        e.block(e.batch(a))
        a.cast = [kept]
        e.close(a)
        self.refused(e, e.files([kept]), "ballots.bin", "it is not published")

    def test_a_dropped_spoiled_ballot_is_missed(self):
        e = maker.Election()
        a = e.register(1)
        e.vote(a, 0, 0, [[0], []], kind=2)
        e.block(e.batch(a))
        a.spoiled = []
        e.close(a)
        self.refused(e, e.files([]), "spoiled.bin", "it is not published")

    def test_an_added_ballot_is_not_on_the_ledger(self):
        e = maker.Election()
        a = e.register(1)
        v = e.vote(a, 1, 0, [[0], []])
        a.waiting = []
        e.close(a)
        self.refused(e, e.files([v]), "ballots.bin", "not on the ledger")

    def test_another_tag_or_epoch_is_another_leaf(self):
        e, counted, _, _ = self.small()
        e.cast[0][1].tag = bytes(32)
        self.refused(e, e.files(counted), "ballots.bin", "not on the ledger")
        e, counted, _, _ = self.small()
        e.cast[0][1].epoch = 1
        self.refused(e, e.files(counted), "ballots.bin", "not on the ledger")

    def test_a_ballot_of_another_kiosk_or_without_closing(self):
        e, counted, _, _ = self.small()
        a, b = e.kiosks
        e.cast = [(next(k for k in e.kiosks if k is not kiosk), v) for kiosk, v in e.cast]
        self.refused(e, e.files(counted), "ballots.bin", "not on the ledger")
        e = maker.Election()
        a = e.register(1)
        v = e.vote(a, 1, 0, [[0], []])
        e.block(e.batch(a))
        e.cast = [(a, v)]
        self.refused(e, e.files([v]), "ballots.bin", "no closing")

    def test_a_kiosk_that_never_closed_is_reported_and_not_counted(self):
        e, counted, _, _ = self.small()
        c = e.register(1)
        e.vote(c, 77, 0, [[0], []])
        e.block(e.batch(c))
        self.assertEqual(self.check(e, e.files(counted)).summary["entries_without_closing"], 1)

    def test_a_closing_left_out_is_missed(self):
        e, counted, duplicate, _ = self.small()
        b = e.kiosks[1]
        e.closings = [c for c in e.closings if c[0] != b.key.public]
        e.cast = [(k, v) for k, v in e.cast if k is not b]
        self.refused(e, e.files(counted[:2]), "ballots.bin", "it is not published")
        e = maker.Election()
        e.close(e.register(1))
        e.closings = []
        self.refused(e, e.files([]), "closings.bin", "its closing is missing")

    def test_closings_that_lie(self):
        for counters, reason in (
            ((1, 2, 0, 0, 0, 0), "2 recorded, 1 published"),
            ((3, 1, 1, 0, 0, 0), "admitted 3"),
            ((1, 1, 0, 0, 1, 0), "1 spoiled, 0 published"),
        ):
            e = maker.Election()
            a = e.register(1)
            v = e.vote(a, 1, 0, [[0], []])
            e.close(a, counters=counters)
            self.refused(e, e.files([v]), "closings.bin", reason)
        for cards, reason in (
            ((0,), "1 staff signatures"), ((0, 0), "two different cards"), ((1, 0), "ascending"), ((0, 2), "may not do this"),
            ((0, 1, 3), "3 staff signatures"),
        ):
            e = maker.Election()
            a = e.register(1)
            v = e.vote(a, 1, 0, [[0], []])
            e.close(a, cards=cards)
            self.refused(e, e.files([v]), "closings.bin", reason)

    def test_chain_rules(self):
        def build(lie):
            e = maker.Election()
            lie(e)
            return e

        def few(e):
            e.signers = (0, 2)
            e.register(1)

        def order(e):
            e.signers = (1, 0, 3)
            e.register(1)

        def twice(e):
            e.signers = (1, 1, 1)
            e.register(1)

        def skipped(e):
            e.height += 1
            e.register(1)

        def fork(e):
            e.register(1)
            e.tip = e.chain_id
            e.register(1)

        def stranger(e):
            a = e.register(1)
            a.id = bytes(32)
            e.vote(a, 1, 0, [[0], []])
            e.block(e.batch(a))

        def revoked(e):
            a = e.register(1)
            e.revoke(a)
            e.vote(a, 1, 0, [[0], []])
            e.block(e.batch(a))

        def revoked_twice(e):
            a = e.register(1)
            e.revoke(a)
            e.revoke(a)

        def closed(e):
            a = e.register(1)
            e.close(a)
            e.vote(a, 1, 0, [[0], []])
            e.block(e.batch(a))

        def number(e):
            a = e.register(1)
            a.number = 1
            e.vote(a, 1, 0, [[0], []])
            e.block(e.batch(a))

        def predecessor(e):
            a = e.register(1)
            a.previous = b"\1" * 32
            e.vote(a, 1, 0, [[0], []])
            e.block(e.batch(a))

        def empty(e):
            e.block(e.batch(e.register(1)))

        def repeated(e):
            a = e.register(1)
            e.vote(a, 1, 0, [[0], []])
            t = e.batch(a)
            e.block(t, t)

        def kind(e):
            a = e.register(1)
            e.vote(a, 1, 0, [[0], []]).kind = 3
            e.block(e.batch(a))

        def stations(e):
            e.takeover(e.register(1), e.register(2))

        def itself(e):
            a = e.register(1)
            e.takeover(a, a)

        def old_goes_on(e):
            a, b = e.register(1), e.register(1)
            e.takeover(a, b)
            a.waiting = [e.vote(b, 1, 0, [[0], []])]
            e.block(e.batch(a))

        def two_olds(e):
            a, b, c = e.register(1), e.register(1), e.register(1)
            e.takeover(a, c)
            e.takeover(b, c)

        def foreign_predecessor(e):
            a, b = e.register(1), e.register(1)
            e.takeover(a, b, predecessor=b"\1" * 32)

        lies = {
            few: "only 2 of 4", order: "ascending order", twice: "ascending order", skipped: "its height is 2",
            fork: "does not follow the block", stranger: "not registered", revoked: "closed, revoked", revoked_twice: "revoked already",
            closed: "closed, revoked", number: "number of the batch", predecessor: "does not follow the one before",
            empty: "an empty batch", repeated: "number of the batch", kind: "unknown kind 3", stations: "not of one station",
            itself: "from itself", old_goes_on: "taken over", two_olds: "has taken over already",
            foreign_predecessor: "no batch of the old kiosk",
        }
        for lie, reason in lies.items():
            with self.subTest(lie.__name__):
                e = build(lie)
                self.refused(e, e.files([]), "chain.bin", reason)

    def test_validators_that_change(self):
        def build(lie):
            e = maker.Election()
            lie(e)
            return e

        def joins(e):
            e.register(1)
            e.change(e.validators + [maker.Key(e.rng)], ahead=3)
            e.register(1)  # by the old set
            e.signers = (0, 2, 3, 4)
            e.register(1)  # four of five
            e.change(e.validators[2:], who=(1, 2, 3, 4))
            e.signers = (0, 1, 2)
            e.register(1)

        e = build(joins)
        self.check(e, e.files([]))

        def too_early(e):
            e.change(e.validators + [maker.Key(e.rng)], ahead=3)
            e.pending = (2, e.pending[1])
            e.signers = (0, 1, 2, 3)
            e.register(1)

        def too_late(e):
            e.change(e.validators + [maker.Key(e.rng)], ahead=2)
            e.pending = None
            e.register(1)

        def few_of_the_new(e):
            e.change(e.validators + [maker.Key(e.rng)])
            e.register(1)

        def bent(**how):
            return lambda e: e.change(e.validators + [maker.Key(e.rng)], **how)

        def another_waits(e):
            e.change(e.validators + [maker.Key(e.rng)], ahead=9)
            e.change(e.validators + [maker.Key(e.rng)], ahead=9)

        def again(e):
            new, old = e.validators + [maker.Key(e.rng)], e.validators
            e.change(new)
            e.signers = (0, 1, 2, 3)
            e.change(old, number=1, who=(0, 1, 2, 3))

        def strangers(e):
            four = [maker.Key(e.rng) for _ in range(4)]
            e.change(four, old=four)

        for number, (lie, reason) in enumerate((
            (too_early, "other validators than those who decide it"),
            (too_late, "other validators than those who decide it"),
            (few_of_the_new, "only 3 of 5"),
            (bent(who=(0, 1)), "only 2 of 4 validators signed the change"),
            (bent(who=(0, 1, 1)), "not signed in ascending order"),
            (bent(who=(3, 1, 0)), "not signed in ascending order"),
            (bent(number=2), "has not the number 1"),
            (bent(number=0), "has not the number 1"),
            (bent(chain=bytes(32)), "another chain"),
            (bent(previous=bytes(32)), "does not follow the set before"),
            (bent(ahead=1), "a height that is over"),
            (bent(ahead=100_002), "too far ahead"),
            (another_waits, "does not stand yet"),
            (again, "has not the number 2"),
            (strangers, "signature of validator 0 on the change"),
            (lambda e: e.change(e.validators), "the same as before"),
            (lambda e: e.change(e.validators + e.validators[:1]), "has a key twice"),
            (lambda e: e.change([maker.Key(e.rng) for _ in range(17)]), "too large"),
            (lambda e: e.change([]), "empty"),
        )):
            with self.subTest(number):
                e = build(lie)
                self.refused(e, e.files([]), "chain.bin", reason)

    def test_p18_tallies_that_lie(self):
        e, counted, duplicate, _ = self.small()
        self.refused(e, e.files(counted + [duplicate]), "tally.bin", "it says 4 ballots, 3 count")
        self.refused(e, e.files(counted[:2] + [duplicate]), "tally.bin", "sums are not those")
        base = e.files(counted)
        for using, reason in (((1,), "1 decryptions, not 2"), ((1, 2, 3), "3 decryptions, not 2"), ((3, 1), "not ascending")):
            self.refused(e, base | {"tally.bin": e.tally(counted, using)[0]}, "tally.bin", reason)
        self.check(e, base | {"tally.bin": e.tally(counted, (2, 3))[0]})
        true_shares = e.shares
        e.shares = [true_shares[0], true_shares[1], true_shares[2] + 1]
        self.refused(e, base | {"tally.bin": e.tally(counted)[0]}, "tally.bin", "the proof of trustee 3 does not hold")
        e.shares = true_shares
        e.bend_selection = lambda i: i ^ 1
        self.refused(e, base | {"tally.bin": e.tally(counted)[0]}, "tally.bin", "the proof of trustee 1 does not hold")
        e.bend_selection = lambda i: i
        true_table, e.k_table = e.k_table, SimpleNamespace(multiply=lambda t: true_table.multiply(t - 1))
        self.refused(e, base | {"tally.bin": e.tally(counted)[0]}, "tally.bin", "does not give the total")

    def test_results_that_lie(self):
        e, counted, _, _ = self.small()
        base = e.files(counted)
        good = json.loads(base["results.json"])

        def lie(change):
            copy = json.loads(base["results.json"])
            change(copy["Election"][0]["Contest"])
            return json.dumps(copy).encode()

        def set_total(c):
            c[0]["ContestSelection"][0]["VoteCounts"][0]["Count"] += 1

        def set_no_votes(c):
            c[1]["OtherCounts"][0]["Undervotes"] += 1

        def two_totals(c):
            c[0]["ContestSelection"][0]["VoteCounts"] *= 2

        def option_gone(c):
            c[1]["ContestSelection"].pop()

        def swapped(c):
            s = c[0]["ContestSelection"]
            s[0]["@id"], s[1]["@id"] = s[1]["@id"], s[0]["@id"]

        for change, reason in (
            (set_total, "it says 3, the tally 2"), (set_no_votes, "no-votes"), (two_totals, "not exactly one count"),
            (option_gone, "not exactly those"), (swapped, "the tally"), (lambda c: c.pop(), "not exactly those"),
        ):
            self.refused(e, base | {"results.json": lie(change)}, "results.json", reason)
        for raw in (b"", b"[]", b"{}", b"\xff", b'{"Election":[1]}', json.dumps(good).encode() + b"x", b"[" * 99999):
            self.refused(e, base | {"results.json": raw}, "results.json", "")

    def test_p19_no_counts_of_smaller_groups(self):
        """The published total less the votes of all other stations is one station's: results.json holds totals alone."""
        e, counted, _, _ = self.small()
        base = e.files(counted)

        def station(counts):
            counts.append(dict(counts[0], GpUnitId="station-1", Type="election-day", Count=0))

        def only(counts):
            counts[0]["Type"] = "election-day"

        for change, reason in ((station, "none of smaller groups"), (only, "not the total")):
            copy = json.loads(base["results.json"])
            change(copy["Election"][0]["Contest"][0]["ContestSelection"][0]["VoteCounts"])
            self.refused(e, base | {"results.json": json.dumps(copy).encode()}, "results.json", reason)

    def test_reception_counts(self):
        e, counted, _, _ = self.small()
        files = e.files(counted)
        name = "reception counts"
        self.check(e, files, reception=e.reception((1, 0, 2), (2, 0, 2)))
        self.refused(e, files, name, "2 different tags, but reception admitted 1", reception=e.reception((1, 0, 2), (2, 0, 1)))
        self.refused(e, files, name, "reception admitted 0", reception=e.reception((1, 0, 2)))
        self.refused(e, files, name, "second time", reception=e.reception((1, 0, 2), (1, 0, 2), (2, 0, 2)))
        lie = json.loads(e.reception((1, 0, 2), (2, 0, 1)))
        lie["counts"][1]["admissions"] = 2
        self.refused(e, files, name, "signature does not hold", reception=json.dumps(lie).encode())
        lie["counts"][1]["key"] = e.authority.public.hex()
        self.refused(e, files, name, "not a staff card", reception=json.dumps(lie).encode())
        lie["counts"][1]["admissions"] = True
        self.refused(e, files, name, "not a whole number", reception=json.dumps(lie).encode())

    def test_a_key_of_another_ceremony(self):
        e, counted, _, _ = self.small()
        other = maker.Election(seed=2)
        self.refused(e, e.files(counted) | {"ceremony.bin": other.transcript}, "ceremony.bin", "not what the ceremony gave")
        self.refused(e, e.files(counted) | {"keys.bin": other.keys}, "index.bin", "election")


class Manifests(unittest.TestCase):
    def test_rules_of_the_manifest(self):
        good = maker.Election().manifest
        verify.check_manifest(good)
        at = good.index(bytes([0, 0]) + maker.varint(20261122))  # mode and policy
        days = good.index(maker.varint(20261122))
        for raw in (
            b"\2" + good[1:],
            good[:at] + b"\2" + good[at + 1 :],
            good[:at] + b"\0\2" + good[at + 2 :],
            good[:days] + maker.varint(20261131) + good[days + 4 :],
            good[:days] + maker.varint(20261124) + good[days + 4 :],
            good.replace(b"c-dish", b"c-park"),
            good.replace(b"\x03o-2", b"\x03o-1", 1),
            good.replace(b"\2ja\2en", b"\2ja\2ja", 1),
            good.replace(b"u-1", b"u-2", 1),
            good + b"\0",
            good[:-1],
        ):
            self.assertNotEqual(raw, good)
            with self.assertRaises(Refused):
                verify.check_manifest(raw)

    def test_two_epochs_need_the_policy_last(self):
        verify.check_manifest(maker.Election(policy=1, epochs=2).manifest)
        with self.assertRaisesRegex(Refused, "epochs"):
            verify.check_manifest(maker.Election(policy=0, epochs=2).manifest)


class CommandLine(Record):
    def run_main(self, *argv):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = verify.main(list(argv))
            except SystemExit as stop:
                code = stop.code
        return code, out.getvalue(), err.getvalue()

    def test_exit_codes_and_json(self):
        e, counted, duplicate, spoiled = self.small()
        e.write(self.path, e.files(counted))
        code = verify.code_text(duplicate.code)
        path = os.path.join(self.folder, "opening")
        with open(path, "wb") as f:
            f.write(maker.opening(spoiled, 0))
        status, out, _ = self.run_main(self.path, "--json", "--code", code, "--opening", path, "--authority", e.authority.public.hex())
        found = json.loads(out)
        self.assertEqual((status, found["holds"], found["codes"][code]), (0, True, "duplicate"))
        self.assertEqual(found["openings"][0]["chosen"], ["o-against"])
        status, out, _ = self.run_main(self.path)
        self.assertEqual(status, 0)
        self.assertIn("o-for 2", out)
        status, out, _ = self.run_main(self.path, "--sample", "1")
        self.assertIn("ONLY A SAMPLE", out)
        with open(os.path.join(self.path, "tally.bin"), "ab") as f:
            f.write(b"x")
        status, out, err = self.run_main(self.path, "--json")
        self.assertEqual((status, json.loads(out)["holds"], json.loads(out)["file"]), (1, False, "tally.bin"))
        self.assertIn("tally.bin", err)

    def test_usage(self):
        self.assertEqual(self.run_main("--help")[0], 0)
        for argv in (
            [], [os.path.join(self.folder, "nothing")], [self.folder, "--authority", "zz"], [self.folder, "--authority", "02"],
            [self.folder, "--code", "short"], [self.folder, "--reception", os.path.join(self.folder, "none")],
            [self.folder, "--sample", "0"], [self.folder, "--jobs", "0"], [self.folder, "--unknown"],
        ):
            status, _, err = self.run_main(*argv)
            self.assertEqual(status, 2, argv)
            self.assertTrue(err, argv)


if __name__ == "__main__":
    unittest.main()
