"""Step 8: which ballots count, their proofs and sums, decryptions and totals."""

import multiprocessing
import secrets

import ballots
import p256
import wire
from ceremony import encoded
from p256 import Malformed
from refused import Refused, need, decode
from wire import S, u16


CHUNK_SELECTIONS = 2500


def decide(cast, policy):
    """Gives every cast ballot a `state`: counted, duplicate or overwritten."""
    best = {}
    for p in cast:
        rank = (-p.epoch if policy == 1 else 0, p.place)
        if p.tag not in best or rank < best[p.tag][0]:
            best[p.tag] = (rank, p)
    for p in cast:
        winner = best[p.tag][1]
        if p is winner:
            p.state = "counted"
        elif policy == 1 and p.epoch < winner.epoch:
            p.state = "overwritten"
        else:
            p.state = "duplicate"


_checker = None


def _start(layout, eh, joint):
    global _checker
    _checker = ballots.Checker(layout, eh, joint)


def _check(chunk):
    sums, failure = _checker.check(chunk)
    return len(chunk), sums, failure


def check_proofs(cast, spoiled, layout, eh, joint, sample, jobs, progress):
    """All proofs of all ballots (or of `sample` of them); gives the sums of the counted ones."""
    work = [("ballots.bin", p.item, p.ballot, p.state == "counted") for p in cast]
    work += [("spoiled.bin", p.item, p.ballot, False) for p in spoiled]
    chosen = set(range(len(work)))
    if sample is not None and sample < len(work):
        chosen = set(secrets.SystemRandom().sample(range(len(work)), sample))
    chunks, chunk, load = [], [], 0
    per_job = sum(len(w[2]) for w in work) // ballots.SELECTION // max(jobs, 1) + 1
    for i, (file, item, ballot, counted) in enumerate(work):
        chunk.append(((file, item), ballot, counted, i in chosen))
        load += len(ballot) // ballots.SELECTION
        if load >= min(CHUNK_SELECTIONS, per_job):
            chunks.append(chunk)
            chunk, load = [], 0
    if chunk:
        chunks.append(chunk)
    sums, done = {}, 0

    def take(result):
        nonlocal done
        count, found, failure = result
        if failure:
            (file, item), reason = failure if isinstance(failure[0], tuple) else (("ballots.bin", failure[0]), failure[1])
            raise Refused(file, item, reason)
        for key, (a, b) in found.items():
            pair = sums.setdefault(key, (p256.Sum(), p256.Sum()))
            pair[0].add(a)
            pair[1].add(b)
        done += count
        progress(done)

    if jobs > 1 and len(chunks) > 1:
        with multiprocessing.get_context("fork").Pool(jobs, _start, (layout, eh, joint)) as pool:
            for result in pool.imap(_check, chunks):
                take(result)
    else:
        _start(layout, eh, joint)
        for chunk in chunks:
            take(_check(chunk))
    return {key: (a.value(), b.value()) for key, (a, b) in sums.items()}, len(chosen)


def check_tally(data, eh, manifest, keys, layout, cast, sums):
    """The counted set, A, B, the trustees' proofs and the totals; gives {contest: [total a selection]}."""
    file = "tally.bin"
    tally = decode(file, data, wire.Tally)
    need(tally.election == eh, file, "", "it is of another election")
    counted = [p for p in cast if p.state == "counted"]
    need(tally.ballots == len(counted), file, "", "it says %d ballots, %d count" % (tally.ballots, len(counted)))
    need(
        [c.contest for c in tally.contests] == list(range(len(manifest.contests))), file, "", "it does not hold every contest once"
    )
    by_style = [0] * len(manifest.styles)
    for p in counted:
        by_style[ballots.style_of(layout, p.ballot)] += 1
    joint_table = p256.Table(p256.point(keys.joint))
    totals = {}
    for c in tally.contests:
        item = "contest " + manifest.contests[c.contest].id
        expected = sum(n for n, style in zip(by_style, layout.styles) if c.contest in style)
        need(c.ballots == expected, file, item, "it says %d ballots, %d count" % (c.ballots, expected))
        slots = layout.slots(c.contest)
        need(len(c.selections) == (slots if expected else 0), file, item, "a wrong number of selections")
        for i, s in enumerate(c.selections):
            where = "%s, selection %d" % (item, i)
            a, b = sums[(c.contest, i)]
            need(
                s.a == encoded(file, where, a) and s.b == encoded(file, where, b), file, where,
                "its sums are not those of the counted ballots",
            )
            m = check_decryptions(file, where, s, a, eh, c.contest, i, keys)
            found = p256.add(b, p256.negate(m))
            need(s.total <= expected, file, where, "a total of %d from %d ballots" % (s.total, expected))
            need(found == joint_table.multiply(s.total), file, where, "the decryption does not give the total %d" % s.total)
        totals[c.contest] = [s.total for s in c.selections] or [0] * slots
    return tally, totals


def check_decryptions(file, where, s, a, eh, contest, selection, keys):
    """Every trustee's part has its proof; gives M."""
    who = [d.trustee for d in s.decryptions]
    need(len(who) == keys.threshold, file, where, "%d decryptions, not %d" % (len(who), keys.threshold))
    need(
        who == sorted(set(who)) and all(1 <= l <= len(keys.trustees) for l in who), file, where, "its trustees are not ascending"
    )
    parts = []
    for d in s.decryptions:
        share_raw = keys.trustees[d.trustee - 1].share
        share, part = p256.point(share_raw), p256.point(d.point)
        try:
            c, v = p256.scalar(d.challenge), p256.scalar(d.response)
            u_g = p256.encode(p256.combine([(p256.generator(), v), (share, c)]))
            u_a = p256.encode(p256.combine([(a, v), (part, c)]))
        except Malformed as error:
            raise Refused(file, where, "trustee %d: %s" % (d.trustee, error)) from None
        expected = S(
            "ippyo/1/decryption", eh, bytes([d.trustee]), u16(contest), bytes([selection]), share_raw, s.a, s.b, d.point, u_g, u_a
        )
        need(c == expected, file, where, "the proof of trustee %d does not hold" % d.trustee)
        lagrange = 1
        for other in who:
            if other != d.trustee:
                lagrange = lagrange * other * pow(other - d.trustee, -1, p256.N) % p256.N
        parts.append((part, lagrange))
    return p256.combine(parts)
