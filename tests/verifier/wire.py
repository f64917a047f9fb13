"""Hashes, signatures and the postcard encoding of SPEC.md, section 1, and every structure of a published record.

Decoding is strict: minimal varints, no byte left over, points on the curve. What comes out are plain objects; `raw` keeps
the bytes a structure was read from, because hashes are taken over those.
"""

import hashlib
from types import SimpleNamespace

import p256
from p256 import Malformed


def u16(n):
    return n.to_bytes(2, "big")


def u32(n):
    return n.to_bytes(4, "big")


def _framed(parts):
    return b"".join(u32(len(part)) + part for part in parts)


def H(label, *parts):
    """The labelled hash."""
    name = label.encode("ascii")
    return hashlib.sha256(bytes([len(name)]) + name + _framed(parts)).digest()


def S(label, *parts):
    """Hash to a scalar."""
    return int.from_bytes(p256.expand_message_xmd(_framed(parts), label.encode("ascii"), 48), "big") % p256.N


def merkle_root(leaves):
    """RFC 6962, 2.1, over the data of the leaves."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    # Splitting at the largest power of two below the count is the same tree as pairing from the left, the odd one moving up.
    while len(level) > 1:
        above = [hashlib.sha256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        if len(level) & 1:
            above.append(level[-1])
        level = above
    return level[0]


def signed_by(key, label, message, signature):
    """True if `signature` is one of the 33-byte `key` over `message` with this label."""
    return p256.verify_prehashed(p256.point(key), H(label, key, message), signature)


class Reader:
    """One structure's bytes, read from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, length):
        end = self.at + length
        if end > len(self.data):
            raise Malformed("the bytes end too early")
        out = self.data[self.at : end]
        self.at = end
        return out

    def u8(self):
        return self.raw(1)[0]

    def _varint(self, bits):
        value, shift = 0, 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift >= bits:
                raise Malformed("a number is longer than its type")
        if byte == 0 and shift > 0:
            raise Malformed("a number is not in its shortest form")
        if value >> bits:
            raise Malformed("a number is too large for its type")
        return value

    def u16(self):
        return self._varint(16)

    def u32(self):
        return self._varint(32)

    def u64(self):
        return self._varint(64)

    def bytes(self):
        return self.raw(self.u32())

    def str(self):
        try:
            return self.bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("a text is not UTF-8") from None

    def digest(self):
        return self.raw(32)

    def point(self):
        """A point that has to be one; its 33 bytes come back."""
        raw = self.raw(33)
        p256.point(raw)
        return raw

    def option(self, read):
        tag = self.u8()
        if tag > 1:
            raise Malformed("an option begins with 00 or 01")
        return read() if tag else None

    def seq(self, read):
        """Seq<T>: a byte string that holds T's up to its end. `read` takes a Reader."""
        return items(self.bytes(), read)

    def end(self):
        if self.at != len(self.data):
            raise Malformed("%d bytes are left over" % (len(self.data) - self.at))


def items(data, read):
    """T's one after the other up to the end of `data`."""
    inner, out = Reader(data), []
    while inner.at < len(data):
        try:
            out.append(read(inner))
        except Malformed as error:
            raise Malformed("item %d: %s" % (len(out), error)) from None
    return out


def whole(data, read):
    """Exactly one T."""
    reader = Reader(data)
    value = read(reader)
    reader.end()
    return value


def _kept(read):
    """Keeps in `.raw` the bytes that were read."""

    def wrapper(r):
        start = r.at
        value = read(r)
        value.raw = r.data[start : r.at]
        return value

    return wrapper


def _struct(**fields):
    """A reader of fields in their order."""

    def read(r):
        return SimpleNamespace(**{name: kind(r) for name, kind in fields.items()})

    return _kept(read)


def _seq(kind):
    return lambda r: r.seq(kind)


def fixed(length):
    return lambda r: r.raw(length)


_R = Reader

# 2. Manifest
Text = _struct(language=_R.str, text=_R.str)
Epoch = _struct(name=_seq(Text))
Unit = _struct(id=_R.str, name=_seq(Text))
Choice = _struct(id=_R.str, name=_seq(Text), party=_seq(Text))
Contest = _struct(id=_R.str, kind=_R.u8, votes=_R.u8, name=_seq(Text), text=_seq(Text), options=_seq(Choice))
StyleContest = _struct(contest=_R.u16, order=_R.bytes)
Style = _struct(id=_R.str, units=_seq(_R.str), contests=_seq(StyleContest))
Manifest = _struct(
    version=_R.u16, id=_R.str, mode=_R.u8, policy=_R.u8, first_day=_R.u32, last_day=_R.u32, batch=_R.u16,
    small_group=_R.u32, languages=_seq(_R.str), name=_seq(Text), epochs=_seq(Epoch), units=_seq(Unit),
    contests=_seq(Contest), styles=_seq(Style),
)

# 3. Trustees
Trustee = _struct(name=_R.str, signing=_R.point, sealing=_R.point)
Ceremony = _struct(version=_R.u16, id=_R.digest, threshold=_R.u8, trustees=_seq(Trustee))
Signed = _struct(body=_R.bytes, signature=fixed(64))
Commit = _struct(ceremony=_R.digest, trustee=_R.u8, reveal=_R.digest)
Coefficient = _struct(point=_R.point, challenge=fixed(32), response=fixed(32))
Reveal = _struct(ceremony=_R.digest, trustee=_R.u8, coefficients=_seq(Coefficient))
Accept = _struct(ceremony=_R.digest, trustee=_R.u8, transcript=_R.digest, joint=_R.point)
TrusteeKey = _struct(name=_R.str, share=_R.point)
Keys = _struct(threshold=_R.u8, joint=_R.point, trustees=_seq(TrusteeKey))
Transcript = _struct(ceremony=_R.bytes, commits=_seq(Signed), reveals=_seq(Signed), accepts=_seq(Signed))

# 8. Batches and closings
StaffSignature = _struct(key=_R.point, signature=fixed(64))
BatchHeader = _struct(
    election=_R.digest, epoch=_R.u8, kiosk=_R.digest, number=_R.u32, previous=_R.digest, root=_R.digest, count=_R.u32,
    audit=_R.digest, closing=lambda r: r.option(r.digest),
)
Entry = _struct(kind=_R.u8, code=_R.digest, leaf=_R.digest)
Batch = _struct(header=BatchHeader, entries=_seq(Entry), signature=fixed(64))
Counters = _struct(admitted=_R.u32, recorded=_R.u32, abandoned=_R.u32, interrupted=_R.u32, spoiled=_R.u32, void=_R.u32)
Closing = _struct(
    election=_R.digest, package=_R.digest, kiosk=_R.point, station=_R.u16, epoch=_R.u8, counters=Counters,
    audit=_R.digest, hash=_R.digest, staff=_seq(StaffSignature), signature=fixed(64),
)

# 9. Ledger
StaffCard = _struct(key=_R.point, roles=_R.u8, name=_R.str)
Genesis = _struct(version=_R.u16, election=_R.digest, staff=_seq(StaffCard), validators=_seq(_R.point))
Registration = _struct(election=_R.digest, kiosk=_R.point, sealing=_R.point, station=_R.u16, software=_R.digest)
Revocation = _struct(election=_R.digest, kiosk=_R.digest, reason=_R.str)
Takeover = _struct(
    election=_R.digest, epoch=_R.u8, old=_R.digest, new=_R.digest, predecessor=_R.digest, count=_R.u32
)
SetChange = _struct(chain=_R.digest, number=_R.u32, **{"from": _R.u64}, previous=_R.digest, validators=_seq(_R.point))
CommitSignature = _struct(validator=_R.u8, signature=fixed(64))
_BODIES = {0: Registration, 1: Revocation, 2: Takeover}


def Transaction(r):
    kind = r.u32()
    if kind == 3:
        return SimpleNamespace(kind=kind, body=Batch(r), staff=[])
    if kind == 4:
        return SimpleNamespace(kind=kind, body=SetChange(r), signatures=r.seq(CommitSignature))
    if kind not in _BODIES:
        raise Malformed("a transaction of the unknown kind %d" % kind)
    return SimpleNamespace(kind=kind, body=_BODIES[kind](r), staff=r.seq(StaffSignature))


BlockHeader = _struct(
    version=_R.u16, chain=_R.digest, height=_R.u64, previous=_R.digest, transactions=_R.digest, validators=_R.digest
)
Block = _struct(header=BlockHeader, transactions=_seq(_R.bytes))
Certificate = _struct(height=_R.u64, round=_R.u32, block=_R.digest, signatures=_seq(CommitSignature))
Decided = _struct(block=_R.bytes, certificate=Certificate)

# 10. The record
PublishedBallot = _struct(kiosk=_R.digest, epoch=_R.u8, tag=_R.digest, ballot=_R.bytes)
PublishedSpoiled = _struct(kiosk=_R.digest, epoch=_R.u8, ballot=_R.bytes)
Decryption = _struct(trustee=_R.u8, point=_R.point, challenge=fixed(32), response=fixed(32))
SelectionTally = _struct(a=_R.point, b=_R.point, total=_R.u32, decryptions=_seq(Decryption))
ContestTally = _struct(contest=_R.u16, ballots=_R.u32, selections=_seq(SelectionTally))
Tally = _struct(election=_R.digest, ballots=_R.u32, contests=_seq(ContestTally))
File = _struct(name=_R.str, length=_R.u64, hash=_R.digest)
Index = _struct(version=_R.u16, election=_R.digest, authority=_R.point, files=_seq(File))
