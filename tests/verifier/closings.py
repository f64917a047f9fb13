"""Step 7: closings follow from the published ballots."""

import ledger as ledgers
import wire
from refused import need, decode_items
from wire import H, signed_by, u32


def read_closings(data, eh, manifest, genesis, ledger):
    file, out, before = "closings.bin", {}, None
    for i, c in enumerate(decode_items(file, data, wire.Closing)):
        ident = ledgers.kiosk_id(c.kiosk)
        c.item = item = "closing %d (kiosk %s, epoch %d)" % (i, ident.hex()[:16], c.epoch)
        need(before is None or before < (c.kiosk, c.epoch), file, item, "the closings are not strictly ascending")
        before = (c.kiosk, c.epoch)
        need(c.election == eh, file, item, "it is of another election")
        need(c.epoch < len(manifest.epochs), file, item, "an epoch that the manifest does not have")
        kiosk = ledger.kiosks.get(ident)
        need(kiosk is not None, file, item, "its kiosk is not registered")
        need(kiosk.station == c.station, file, item, "its station is not that of the kiosk")
        need(kiosk.closing == (c.epoch, c.hash), file, item, "it is not the one in the kiosk's last batch")
        need(signed_by(c.kiosk, "ippyo/1/sign/closing", c.hash, c.signature), file, item, "the kiosk's signature does not hold")
        wrong = ledgers.two_staff_cards(
            genesis, ledgers.OPENS_AND_CLOSES, "ippyo/1/sign/staff/close", eh + ident + bytes([c.epoch]), c.staff
        )
        need(wrong is None, file, item, wrong)
        out[(ident, c.epoch)] = c
    return out


def check_closings(closings, cast, spoiled, eh, ledger):
    file = "closings.bin"
    for ident, kiosk in ledger.kiosks.items():
        if kiosk.closing:
            need(
                (ident, kiosk.closing[0]) in closings, file, "kiosk " + ident.hex()[:16],
                "it closed on the ledger, but its closing is missing",
            )
    leaves, codes = {}, {}
    for p in cast:
        leaves.setdefault((p.kiosk, p.epoch), []).append(p.leaf)
    for p in spoiled:
        codes.setdefault((p.kiosk, p.epoch), []).append(p.code)
    for key, c in closings.items():
        own_leaves, own_codes = sorted(leaves.get(key, [])), sorted(codes.get(key, []))
        n = c.counters
        six = b"".join(u32(x) for x in (n.admitted, n.recorded, n.abandoned, n.interrupted, n.spoiled, n.void))
        expected = H(
            "ippyo/1/closing", eh, c.package, key[0], bytes([c.epoch]), b"".join(own_leaves), b"".join(own_codes), six, c.audit
        )
        need(c.hash == expected, file, c.item, "its hash does not follow from what is published")
        need(n.recorded == len(own_leaves), file, c.item, "%d recorded, %d published" % (n.recorded, len(own_leaves)))
        need(n.spoiled == len(own_codes), file, c.item, "%d spoiled, %d published" % (n.spoiled, len(own_codes)))
        need(
            n.admitted == n.recorded + n.abandoned + n.interrupted, file, c.item,
            "admitted %d is not recorded %d + abandoned %d + interrupted %d"
            % (n.admitted, n.recorded, n.abandoned, n.interrupted),
        )
