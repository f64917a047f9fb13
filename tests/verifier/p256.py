"""The group P-256 in Python integers: what the verifier needs and no more.

Written from FIPS 186-5, SP 800-186 and SEC 1. It handles public data only, so nothing here is constant in time and none of
it may ever touch a secret key. A point is a tuple (x, y); the identity is None. Inside a loop points are Jacobian triples.
"""

import hashlib

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
HALF = (N - 1) // 2
_ROOT = (P + 1) // 4  # p = 3 mod 4, so a root is a power


class Malformed(ValueError):
    """Bytes that are not what they claim to be."""


def point(raw):
    """33 bytes, SEC 1 compressed; the identity, other tags and other lengths are refused (SPEC.md, 1)."""
    if len(raw) != 33:
        raise Malformed("a point is 33 bytes, here are %d" % len(raw))
    tag = raw[0]
    if tag != 2 and tag != 3:
        raise Malformed("a point begins with 02 or 03, not with %02x" % tag)
    x = int.from_bytes(raw[1:], "big")
    if x >= P:
        raise Malformed("the x of a point is not below p")
    square = (x * x * x - 3 * x + B) % P
    y = pow(square, _ROOT, P)
    if y * y % P != square:
        raise Malformed("a point is not on the curve")
    return (x, y if (y & 1) == (tag & 1) else P - y)


def encode(a):
    """The 33 bytes of a point; there are none for the identity."""
    if a is None:
        raise Malformed("the identity has no encoding")
    return bytes([2 | (a[1] & 1)]) + a[0].to_bytes(32, "big")


def scalar(raw):
    """32 bytes, big-endian, below n."""
    if len(raw) != 32:
        raise Malformed("a scalar is 32 bytes, here are %d" % len(raw))
    value = int.from_bytes(raw, "big")
    if value >= N:
        raise Malformed("a scalar is not below the order of the group")
    return value


def negate(a):
    return None if a is None else (a[0], P - a[1])


# Jacobian arithmetic. The identity is None here too.

def _double(a):
    if a is None:
        return None
    x, y, z = a
    zz = z * z % P
    yy = y * y % P
    s = 4 * x * yy % P
    m = 3 * (x - zz) * (x + zz) % P
    x3 = (m * m - 2 * s) % P
    return (x3, (m * (s - x3) - 8 * yy * yy) % P, 2 * y * z % P)


def _add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    x1, y1, z1 = a
    x2, y2, z2 = b
    if z2 == 1:
        u1, s1 = x1, y1
    else:
        zz2 = z2 * z2 % P
        u1 = x1 * zz2 % P
        s1 = y1 * z2 * zz2 % P
    zz1 = z1 * z1 % P
    h = (x2 * zz1 - u1) % P
    r = (y2 * z1 * zz1 - s1) % P
    if h == 0:
        return _double(a) if r == 0 else None
    hh = h * h % P
    hhh = h * hh % P
    v = u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return (x3, (r * (v - x3) - s1 * hhh) % P, h * z1 * z2 % P)


def _jacobian(a):
    return None if a is None else (a[0], a[1], 1)


def _affine(a):
    if a is None:
        return None
    inverse = pow(a[2], -1, P)
    square = inverse * inverse % P
    return (a[0] * square % P, a[1] * square * inverse % P)


def _affine_all(points):
    """Many Jacobian points, none the identity, with one inversion (Montgomery's trick)."""
    running, product = [], 1
    for a in points:
        running.append(product)
        product = product * a[2] % P
    inverse = pow(product, -1, P)
    out = [None] * len(points)
    for i in range(len(points) - 1, -1, -1):
        x, y, z = points[i]
        one = inverse * running[i] % P
        inverse = inverse * z % P
        square = one * one % P
        out[i] = (x * square % P, y * square * one % P)
    return out


def add(*points):
    """The sum of affine points, as an affine point."""
    total = None
    for a in points:
        total = _add(total, _jacobian(a))
    return _affine(total)


class Sum:
    """A running sum of affine points; one inversion at the end."""

    def __init__(self):
        self._total = None

    def add(self, a):
        self._total = _add(self._total, _jacobian(a))

    def value(self):
        return _affine(self._total)


class Table:
    """The multiples d * 256**i of one base, so that a multiplication is 32 additions."""

    def __init__(self, base):
        rows, column = [], _jacobian(base)
        for _ in range(32):
            entry = column
            for _ in range(255):
                rows.append(entry)
                entry = _add(entry, column)
            column = entry
        self._rows = _affine_all(rows)

    def jacobian(self, k):
        total = None
        for i, digit in enumerate((k % N).to_bytes(32, "little")):
            if digit:
                x, y = self._rows[255 * i + digit - 1]
                total = _add(total, (x, y, 1))
        return total

    def multiply(self, k):
        return _affine(self.jacobian(k))


_generator = None


def generator():
    """The table of G, built at the first use."""
    global _generator
    if _generator is None:
        _generator = Table(G)
    return _generator


def _multiply(base, k):
    """k * base for a base seen once: windows of five bits."""
    k %= N
    if base is None or k == 0:
        return None
    odd = [_jacobian(base)]
    twice = _double(odd[0])
    for _ in range(15):
        odd.append(_add(odd[-1], twice))
    digits = []
    while k:
        if k & 1:
            digit = k & 63
            if digit > 31:
                digit -= 64
            k -= digit
        else:
            digit = 0
        digits.append(digit)
        k >>= 1
    total = None
    for digit in reversed(digits):
        total = _double(total)
        if digit > 0:
            total = _add(total, odd[digit >> 1])
        elif digit < 0:
            x, y, z = odd[-digit >> 1]
            total = _add(total, (x, P - y, z))
    return total


def multiply(base, k):
    return _affine(_multiply(base, k))


def combine(terms):
    """The sum of k * base over pairs (table or point, k), for a handful of terms."""
    total = None
    for base, k in terms:
        part = base.jacobian(k) if isinstance(base, Table) else _multiply(base, k)
        total = _add(total, part)
    return _affine(total)


# Many terms at once: Pippenger's buckets with signed digits. A bucket is summed by pairs of affine points; all pairs of a
# round share one inversion, which makes an addition six multiplications.

def _sum_buckets(buckets):
    """{digit: [points]} -> {digit: point}, leaving out sums that are the identity."""
    while True:
        pairs, left, denominators = [], {}, []
        for digit, points in buckets.items():
            if len(points) == 1:
                continue
            rest = []
            if len(points) & 1:
                rest.append(points[-1])
            left[digit] = rest
            for i in range(0, len(points) - 1, 2):
                (x1, y1), (x2, y2) = points[i], points[i + 1]
                d = x2 - x1
                if d == 0:
                    if y1 != y2:
                        continue  # opposite points: nothing is left of them
                    d = 2 * y1
                pairs.append((rest, x1, y1, x2, y2))
                denominators.append(d)
        if not left:
            return {digit: points[0] for digit, points in buckets.items() if points}
        running, product = [], 1
        for d in denominators:
            running.append(product)
            product = product * d % P
        inverse = pow(product, -1, P)
        for i in range(len(pairs) - 1, -1, -1):
            rest, x1, y1, x2, y2 = pairs[i]
            slope = inverse * running[i] % P
            inverse = inverse * denominators[i] % P
            if x1 == x2:
                slope = slope * 3 * (x1 * x1 - 1) % P
            else:
                slope = slope * (y2 - y1) % P
            x3 = (slope * slope - x1 - x2) % P
            rest.append((x3, (slope * (x1 - x3) - y1) % P))
        for digit, rest in left.items():
            if rest:
                buckets[digit] = rest
            else:
                del buckets[digit]


def _window(count):
    """The width in bits with the least work for this many terms."""
    return min(range(2, 17), key=lambda c: (256 // c + 1) * (count + 3 * 2 ** (c - 1)))


def multi(points, scalars):
    """The sum of scalars[i] * points[i], as an affine point. Short scalars cost less."""
    count = len(points)
    if count < 8:
        return combine(list(zip(points, scalars)))
    width = _window(count)
    full, half, mask = 1 << width, 1 << (width - 1), (1 << width) - 1
    windows = [{} for _ in range(256 // width + 2)]
    for a, k in zip(points, scalars):
        if a is None:
            continue
        k %= N
        opposite = None
        i = 0
        while k:
            digit = k & mask
            k >>= width
            if digit > half:
                k += 1
                if opposite is None:
                    opposite = (a[0], P - a[1])
                windows[i].setdefault(full - digit, []).append(opposite)
            elif digit:
                windows[i].setdefault(digit, []).append(a)
            i += 1
    total = None
    for buckets in reversed(windows):
        for _ in range(width if total is not None else 0):
            total = _double(total)
        sums = _sum_buckets(buckets)
        running, part = None, None
        for digit in range(max(sums, default=0), 0, -1):
            if digit in sums:
                x, y = sums[digit]
                running = _add(running, (x, y, 1))
            part = _add(part, running)
        total = _add(total, part)
    return _affine(total)


def verify_prehashed(key, digest, signature):
    """ECDSA over a 32-byte digest (FIPS 186-5, 6.4.2); both halves in 1..n-1 and the second one not above (n-1)/2."""
    if len(signature) != 64:
        return False
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if not (1 <= r < N and 1 <= s <= HALF):
        return False
    inverse = pow(s, -1, N)
    e = int.from_bytes(digest, "big")
    found = combine([(generator(), e * inverse % N), (key, r * inverse % N)])
    return found is not None and found[0] % N == r


def expand_message_xmd(message, dst, length):
    """RFC 9380, 5.3.1, with SHA-256."""
    if len(dst) > 255 or length > 255 * 32:
        raise Malformed("expand_message_xmd: too long")
    prime = dst + bytes([len(dst)])
    first = hashlib.sha256(b"\0" * 64 + message + length.to_bytes(2, "big") + b"\0" + prime).digest()
    block = hashlib.sha256(first + b"\1" + prime).digest()
    out = [block]
    for i in range(2, (length + 31) // 32 + 1):
        mixed = bytes(p ^ q for p, q in zip(first, block))
        block = hashlib.sha256(mixed + bytes([i]) + prime).digest()
        out.append(block)
    return b"".join(out)[:length]
