"""Step 3: the transcript of the key ceremony gives the joint key."""

import p256
import wire
from p256 import Malformed
from refused import Refused, need, decode
from wire import H, S, signed_by


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
