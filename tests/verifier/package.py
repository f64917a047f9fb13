"""Election packages, rolls and their changes (SPEC.md, 5 to 7): what a kiosk is given, which no record holds."""

import hashlib
from types import SimpleNamespace

import p256
import wire
from manifest import check_manifest
from clips import check_clips
from pictures import check_pictures
from refused import need, decode
from seal import open_sealed
from wire import H, Reader, signed_by

# The last two may be missing.
KINDS = ["manifest", "keys", "station", "roll", "authorities", "genesis", "secret", "pictures", "speech"]

Section = wire._struct(kind=Reader.u8, length=Reader.u32, hash=Reader.digest)
PackageHeader = wire._struct(
    version=Reader.u16, serial=Reader.u32, election=Reader.digest, authority=Reader.point, station=Reader.u16,
    sections=wire._seq(Section),
)
Station = wire._struct(number=Reader.u16, name=wire._seq(wire.Text))
DeltaEntry = wire._struct(entry=Reader.digest, style=lambda r: r.option(r.u16))
Delta = wire._struct(election=Reader.digest, station=Reader.u16, serial=Reader.u32, entries=wire._seq(DeltaEntry))


def piv_entry(key):
    return H("ippyo/1/roll/piv", key)


def jpki_entry(der):
    return H("ippyo/1/roll/jpki", der)


def check_roll(file, raw, styles):
    """{entry: style}; entries strictly ascending, of styles that exist."""
    need(len(raw) % 34 == 0 and len(raw) <= 34 << 20, file, "roll", "not whole entries, or too many")
    rows = [(raw[at : at + 32], int.from_bytes(raw[at + 32 : at + 34], "big")) for at in range(0, len(raw), 34)]
    for before, row in zip(rows, rows[1:]):
        need(before[0] < row[0], file, "roll", "the entries are not strictly ascending")
    need(all(style < styles for _, style in rows), file, "roll", "a style that the manifest does not have")
    return dict(rows)


def check_package(raw, authority=None, station=None, file="package"):
    """Everything a reader can check of a package alone."""
    size = int.from_bytes(raw[:4], "big")
    need(len(raw) <= 64 << 20 and size <= 512 and len(raw) >= 4 + size + 64, file, "", "too long, or cut off")
    header_raw, signature, rest = raw[4 : 4 + size], raw[4 + size : 68 + size], raw[68 + size :]
    h = decode(file, header_raw, PackageHeader, "header")
    need(h.version == 1, file, "header", "an unknown version")
    need(authority is None or h.authority == authority, file, "authority", "it is %s" % h.authority.hex())
    need(station is None or h.station == station, file, "station", "it is for station %d" % h.station)
    package_hash = H("ippyo/1/package", header_raw)
    need(signed_by(h.authority, "ippyo/1/sign/package", package_hash, signature), file, "signature", "it does not hold")
    kinds = [s.kind for s in h.sections]
    need(kinds[:7] == list(range(1, 8)) and kinds[7:] in ([], [8], [9], [8, 9]), file, "sections", "not every kind exactly once, ascending")
    need(sum(s.length for s in h.sections) == len(rest), file, "sections", "they do not end where the file ends")
    parts, at = {}, 0
    for s in h.sections:
        name = KINDS[s.kind - 1]
        parts[name] = rest[at : at + s.length]
        at += s.length
        need(hashlib.sha256(parts[name]).digest() == s.hash, file, name, "its hash is not the one in the header")
    manifest = check_manifest(parts["manifest"])
    keys = decode(file, parts["keys"], wire.Keys, "keys")
    need(h.election == H("ippyo/1/election", parts["manifest"], keys.joint), file, "election", "not that of manifest and joint key")
    s = decode(file, parts["station"], Station, "station")
    need(s.number == h.station, file, "station", "it is not the header's")
    languages = [t.language for t in s.name]
    need(len(set(languages)) == len(languages), file, "station", "a language twice")
    need(all(language in manifest.languages for language in languages), file, "station", "a language that is not listed")
    need(any(t.language == manifest.languages[0] and t.text for t in s.name), file, "station", "no name in the first language")
    roll = check_roll(file, parts["roll"], len(manifest.styles))
    certificates = decode(file, parts["authorities"], lambda r: wire.items(r.raw(len(r.data)), Reader.bytes), "authorities")
    need(1 <= len(certificates) <= 16 and all(1 <= len(c) <= 4096 for c in certificates), file, "authorities", "out of bounds")
    genesis = decode(file, parts["genesis"], wire.Genesis, "genesis")
    need(genesis.version == 1 and genesis.election == h.election, file, "genesis", "an unknown version or another election")
    need(len(parts["secret"]) == 32, file, "secret", "a commitment has 32 bytes")
    pictures = check_pictures(parts["pictures"], file) if "pictures" in parts else {}
    clips = check_clips(parts["speech"], file) if "speech" in parts else {}
    return SimpleNamespace(
        header=h, hash=package_hash, manifest=manifest, keys=keys, roll=roll, commitment=parts["secret"], pictures=pictures,
        clips=clips,
    )


def check_delta(raw, package, held=None, file="delta"):
    """The roll after a signed change; `held` is the serial in force (the package's, if there was no delta yet)."""
    h = package.header
    signed = decode(file, raw, wire.Signed)
    d = decode(file, signed.body, Delta, "body")
    need(signed_by(h.authority, "ippyo/1/sign/delta", signed.body, signed.signature), file, "signature", "it does not hold")
    need(d.election == h.election, file, "election", "it is of another election")
    need(d.station == h.station, file, "station", "it is for station %d" % d.station)
    need(d.serial > max(h.serial, held or 0), file, "serial", "it is not newer than what is held")
    need(len(d.entries) <= 1 << 16, file, "entries", "too many")
    for before, entry in zip(d.entries, d.entries[1:]):
        need(before.entry < entry.entry, file, "entries", "they are not strictly ascending")
    roll = dict(package.roll)
    for entry in d.entries:
        need(entry.style is None or entry.style < len(package.manifest.styles), file, "entries", "a style that does not exist")
        roll.pop(entry.entry, None)
        if entry.style is not None:
            roll[entry.entry] = entry.style
    return roll


def open_secret(secret, eh, kiosk_id, sealed, commitment):
    """E as a kiosk with the sealing key `secret` reads it; it has to be what the package commits to."""
    e = open_sealed(secret, b"ippyo/1/secret" + eh + kiosk_id, sealed)
    if len(e) != 32 or H("ippyo/1/secret", eh, e) != commitment:
        raise p256.Malformed("the secret is not the one of this election's package")
    return e
