"""What is sealed to a key (SPEC.md, 6): HPKE base mode, RFC 9180, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305 of RFC 8439.

Only opening, and only for keys that are published (the vectors): nothing here is constant in time.
"""

import hashlib
import hmac
import struct

import p256
from p256 import Malformed

ENCAPSULATED, TAG = 65, 16
_KEM, _SUITE = b"KEM\x00\x10", b"HPKE\x00\x10\x00\x01\x00\x03"


def _extract(suite, salt, label, ikm):
    return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, hashlib.sha256).digest()


def _expand(suite, prk, label, info, length):
    info = struct.pack(">H", length) + b"HPKE-v1" + suite + label + info
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + block, i + 1
    return out[:length]


def _uncompressed(a):
    return b"\4" + a[0].to_bytes(32, "big") + a[1].to_bytes(32, "big")


def _read_uncompressed(raw):
    if len(raw) != ENCAPSULATED or raw[0] != 4:
        raise Malformed("an encapsulated key is an uncompressed point")
    x, y = int.from_bytes(raw[1:33], "big"), int.from_bytes(raw[33:], "big")
    if x >= p256.P or y >= p256.P or (y * y - x * x * x + 3 * x - p256.B) % p256.P:
        raise Malformed("an encapsulated key is not on the curve")
    return (x, y)


def _chacha20(key, counter, nonce):
    """One block of the key stream (RFC 8439, 2.3)."""
    start = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    state = start[:]

    def turn(a, b, bits):
        return ((a ^ b) << bits | (a ^ b) >> 32 - bits) & 0xFFFFFFFF

    def quarter(a, b, c, d):
        for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = state[x] + state[y] & 0xFFFFFFFF
            state[z] = turn(state[z], state[x], bits)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(state, start)))


def _poly1305(key, message):
    """RFC 8439, 2.5."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at : at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return (total + int.from_bytes(key[16:32], "little") & 2**128 - 1).to_bytes(16, "little")


def aead_open(key, nonce, sealed, aad=b""):
    text, tag = sealed[:-TAG], sealed[-TAG:]

    def padded(data):
        return data + bytes(-len(data) % 16)

    lengths = struct.pack("<QQ", len(aad), len(text))
    if len(sealed) < TAG or _poly1305(_chacha20(key, 0, nonce)[:32], padded(aad) + padded(text) + lengths) != tag:
        raise Malformed("it is sealed to another key or for another purpose, or was changed")
    stream = b"".join(_chacha20(key, 1 + i, nonce) for i in range(-(-len(text) // 64)))
    return bytes(a ^ b for a, b in zip(text, stream))


def open_sealed(secret, info, raw):
    """What `raw` (encapsulated key, ciphertext, tag) says to the owner of the scalar `secret`; else Malformed."""
    encapsulated = raw[:ENCAPSULATED]
    shared = p256.multiply(_read_uncompressed(encapsulated), secret)
    context = encapsulated + _uncompressed(p256.multiply(p256.G, secret))
    prk = _extract(_KEM, b"", b"eae_prk", shared[0].to_bytes(32, "big"))
    shared = _expand(_KEM, prk, b"shared_secret", context, 32)
    context = b"\0" + _extract(_SUITE, b"", b"psk_id_hash", b"") + _extract(_SUITE, b"", b"info_hash", info)
    prk = _extract(_SUITE, shared, b"secret", b"")
    key, nonce = _expand(_SUITE, prk, b"key", context, 32), _expand(_SUITE, prk, b"base_nonce", context, 12)
    return aead_open(key, nonce, raw[ENCAPSULATED:])
