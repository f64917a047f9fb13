"""Ballots: layout, tracking code and proofs (SPEC.md, 4), many proofs at once.

Each proof says that some points add up to the identity. A chunk of ballots multiplies every such equation by a fresh random
128-bit number and adds them all up: if one equation is false, the sum is the identity with a chance below 2^-127. Only if a
sum does not hold are the proofs looked at one by one, to name the one that fails.
"""

import secrets
from types import SimpleNamespace

import p256
from p256 import Malformed
from wire import H, S, u16

SELECTION, SUM = 294, 98


class Layout:
    """How long a ballot of each style is, and which selections it holds: it follows from the manifest alone."""

    def __init__(self, contests, styles):
        """(options m, votes n) of each contest, and the contests of each style."""
        self.contests = [SimpleNamespace(options=m, votes=n) for m, n in contests]
        self.styles = styles

    @classmethod
    def of(cls, manifest):
        contests = [(len(c.options), c.votes) for c in manifest.contests]
        return cls(contests, [[c.contest for c in style.contests] for style in manifest.styles])

    def slots(self, contest):
        """m options and n no-votes."""
        return self.contests[contest].options + self.contests[contest].votes

    def length(self, style):
        return 35 + sum(SELECTION * self.slots(c) + SUM for c in self.styles[style])


def style_of(layout, ballot):
    """Checks version, style and length, and gives the style."""
    if len(ballot) < 35:
        raise Malformed("a ballot of %d bytes" % len(ballot))
    if ballot[0] != 1:
        raise Malformed("a ballot of the unknown version %d" % ballot[0])
    style = int.from_bytes(ballot[1:3], "big")
    if style >= len(layout.styles):
        raise Malformed("a ballot of style %d, which the manifest does not have" % style)
    if len(ballot) != layout.length(style):
        raise Malformed("a ballot of %d bytes where its style has %d" % (len(ballot), layout.length(style)))
    return style


def contests_of(layout, ballot, style):
    """(contest index, offset of its first selection) in the ballot's order."""
    at = 35
    for contest in layout.styles[style]:
        yield contest, at
        at += SELECTION * layout.slots(contest) + SUM


def tracking_code(layout, eh, station, ballot):
    style = style_of(layout, ballot)
    pairs = []
    for contest, at in contests_of(layout, ballot, style):
        for i in range(layout.slots(contest)):
            start = at + SELECTION * i
            pairs.append(ballot[start : start + 66])
    return H("ippyo/1/code", eh, u16(station), u16(style), ballot[3:35], b"".join(pairs))


def ballot_hash(ballot):
    return H("ippyo/1/ballot", ballot)


class _Equations:
    """A random linear combination of equations that each have to be the identity."""

    def __init__(self):
        self.points, self.scalars, self.of_g, self.of_k = [], [], 0, 0

    def term(self, a, k):
        self.points.append(a)
        self.scalars.append(k)

    def hold(self, k_table):
        total = p256.multi(self.points, self.scalars)
        fixed = p256.combine([(p256.generator(), self.of_g % p256.N), (k_table, self.of_k % p256.N)])
        return p256.add(total, fixed) is None


def _weight():
    return secrets.randbits(128) | 1


class Checker:
    """Checks the proofs of ballots of one election."""

    def __init__(self, layout, eh, joint):
        self.layout, self.eh, self.joint = layout, eh, joint
        self.k_table = p256.Table(p256.point(joint))

    def _ballot(self, ballot, equations, visit):
        """Reads every point and scalar of a ballot, adds its equations, shows each (contest, selection, alpha, beta)."""
        n = p256.N
        style = style_of(self.layout, ballot)
        ident, style_raw = ballot[3:35], u16(style)
        for position, (contest, at) in enumerate(contests_of(self.layout, ballot, style)):
            where = "contest %d" % contest
            total_a, total_b = p256.Sum(), p256.Sum()
            first = len(equations.points)
            slots = self.layout.slots(contest)
            try:
                for i in range(slots):
                    where = "contest %d, selection %d" % (contest, i)
                    raw = ballot[at : at + SELECTION]
                    at += SELECTION
                    parts = [raw[33 * j : 33 * j + 33] for j in range(6)]
                    alpha, beta, a0, b0, a1, b1 = [p256.point(part) for part in parts]
                    c0, v0, v1 = [p256.scalar(raw[198 + 32 * j : 230 + 32 * j]) for j in range(3)]
                    c = S("ippyo/1/ballot/selection", self.eh, ident, style_raw, u16(contest), bytes([i]), *parts)
                    c1 = (c - c0) % n
                    wa0, wb0, wa1, wb1 = _weight(), _weight(), _weight(), _weight()
                    equations.term(alpha, wa0 * c0 + wa1 * c1)
                    equations.term(beta, wb0 * c0 + wb1 * c1)
                    for a, w in ((a0, wa0), (b0, wb0), (a1, wa1), (b1, wb1)):
                        equations.term(p256.negate(a), w)
                    equations.of_g += wa0 * v0 + wa1 * v1
                    equations.of_k += wb0 * v0 + wb1 * (v1 - c1)
                    total_a.add(alpha)
                    total_b.add(beta)
                    visit(contest, i, alpha, beta)
                where = "contest %d, sum proof" % contest
                raw = ballot[at : at + SUM]
                votes = self.layout.contests[contest].votes
                a, b = p256.point(raw[:33]), p256.point(raw[33:66])
                v = p256.scalar(raw[66:])
                sums = p256.encode(total_a.value()), p256.encode(total_b.value())
                c = S(
                    "ippyo/1/ballot/sum", self.eh, ident, style_raw, u16(contest), bytes([votes]), *sums, raw[:33], raw[33:66]
                )
                wa, wb = _weight(), _weight()
                # a = v G + c A and b = v K + c (B - n K); A and B are the sums, so their terms join those of the selections.
                for i in range(slots):
                    equations.scalars[first + 6 * i] += wa * c
                    equations.scalars[first + 6 * i + 1] += wb * c
                equations.term(p256.negate(a), wa)
                equations.term(p256.negate(b), wb)
                equations.of_g += wa * v
                equations.of_k += wb * (v - c * votes)
            except Malformed as error:
                raise Malformed("%s: %s" % (where, error)) from None

    def check(self, chunk):
        """Checks [(item, ballot bytes, counted, proofs wanted)]; gives ({(contest, selection): (A, B)}, failure or None)."""
        sums = {}

        def count(contest, i, alpha, beta):
            pair = sums.setdefault((contest, i), (p256.Sum(), p256.Sum()))
            pair[0].add(alpha)
            pair[1].add(beta)

        together = _Equations()
        nothing = lambda *_: None
        for item, ballot, counted, proofs in chunk:
            try:
                self._ballot(ballot, together if proofs else _Equations(), count if counted else nothing)
            except Malformed as error:
                return {}, (item, str(error))
        if together.points and not together.hold(self.k_table):
            for item, ballot, _, proofs in chunk:
                if proofs:
                    failure = self.first_false(ballot)
                    if failure:
                        return {}, (item, failure)
            return {}, ("a chunk of ballots", "the proofs do not hold together")
        return {key: (a.value(), b.value()) for key, (a, b) in sums.items()}, None

    def first_false(self, ballot):
        """The first proof of a ballot that does not hold, each computed plainly as SPEC.md writes it; None if all hold."""
        g, k = p256.generator(), self.k_table
        joint = p256.point(self.joint)
        style = style_of(self.layout, ballot)
        head = (self.eh, ballot[3:35], u16(style))
        for contest, at in contests_of(self.layout, ballot, style):
            alphas, betas = [], []
            for i in range(self.layout.slots(contest)):
                raw = ballot[at : at + SELECTION]
                at += SELECTION
                parts = [raw[33 * j : 33 * j + 33] for j in range(6)]
                alpha, beta = p256.point(parts[0]), p256.point(parts[1])
                c0, v0, v1 = [p256.scalar(raw[198 + 32 * j : 230 + 32 * j]) for j in range(3)]
                c = S("ippyo/1/ballot/selection", *head, u16(contest), bytes([i]), *parts)
                c1 = (c - c0) % p256.N
                found = [
                    p256.combine([(g, v0), (alpha, c0)]),
                    p256.combine([(k, v0), (beta, c0)]),
                    p256.combine([(g, v1), (alpha, c1)]),
                    p256.combine([(k, v1), (p256.add(beta, p256.negate(joint)), c1)]),
                ]
                if found != [p256.point(part) for part in parts[2:]]:
                    return "contest %d, selection %d: the proof that it holds 0 or 1 does not hold" % (contest, i)
                alphas.append(alpha)
                betas.append(beta)
            raw = ballot[at : at + SUM]
            votes = self.layout.contests[contest].votes
            a, b = p256.add(*alphas), p256.add(*betas)
            v = p256.scalar(raw[66:])
            c = S(
                "ippyo/1/ballot/sum", *head, u16(contest), bytes([votes]), p256.encode(a), p256.encode(b), raw[:33], raw[33:66]
            )
            rest = p256.add(b, p256.negate(p256.multiply(joint, votes)))
            found = [p256.combine([(g, v), (a, c)]), p256.combine([(k, v), (rest, c)])]
            if found != [p256.point(raw[:33]), p256.point(raw[33:66])]:
                return "contest %d: the proof that its sum is %d does not hold" % (contest, votes)
        return None


def check_opening(layout, joint, ballot, code, opening):
    """What the opening (`IPO1`) of one contest says was encrypted: (contest index, [0 or 1 a selection]). Else Malformed."""
    if len(opening) < 38 or opening[:4] != b"IPO1":
        raise Malformed("an opening begins with IPO1 and holds at least 38 bytes")
    if opening[4:36] != code:
        raise Malformed("the opening is of another code")
    style = style_of(layout, ballot)
    places = list(contests_of(layout, ballot, style))
    position, count = opening[36], opening[37]
    if position >= len(places):
        raise Malformed("the ballot has no contest at position %d" % position)
    contest, at = places[position]
    if count != layout.slots(contest) or len(opening) != 38 + 33 * count:
        raise Malformed("an opening of %d selections where the contest has %d" % (count, layout.slots(contest)))
    k_table, values = p256.Table(p256.point(joint)), []
    for i in range(count):
        m = opening[38 + 33 * i]
        r = p256.scalar(opening[39 + 33 * i : 71 + 33 * i])
        if m > 1 or r == 0:
            raise Malformed("selection %d: a value that is neither 0 nor 1, or an empty nonce" % i)
        start = at + SELECTION * i
        alpha, beta = p256.point(ballot[start : start + 33]), p256.point(ballot[start + 33 : start + 66])
        if p256.generator().multiply(r) != alpha or k_table.multiply(m + r) != beta:
            raise Malformed("selection %d: the ciphertext is not an encryption of %d" % (i, m))
        values.append(m)
    if sum(values) != layout.contests[contest].votes:
        raise Malformed("the selections add up to %d, not to %d" % (sum(values), layout.contests[contest].votes))
    return contest, values
