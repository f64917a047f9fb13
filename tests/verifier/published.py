"""Steps 4 to 6: the chain, and what is published against it; the proofs of ballots come later, together."""

import ballots
import ledger as ledgers
import wire
from codes import code_text
from p256 import Malformed
from refused import Refused, need, decode, decode_items
from wire import H


def check_chain(data, eh, progress):
    file = "genesis.bin"
    genesis = decode(file, data[file], wire.Genesis)
    need(genesis.version == 1 and genesis.election == eh, file, "", "an unknown version or another election")
    staff = [card.key for card in genesis.staff]
    need(len(set(staff)) == len(staff) <= 256, file, "staff", "a card twice, or more than 256")
    for card in genesis.staff:
        item = "card " + card.key.hex()
        need(card.roles < 4, file, item, "an unknown role")
        need(1 <= len(card.name.encode()) <= 64, file, item, "a name that is empty or longer than 64 bytes")
    provisioning = sum(1 for card in genesis.staff if card.roles & ledgers.PROVISIONS)
    need(provisioning >= 2, file, "staff", "fewer than two cards may provision")
    need(1 <= len(genesis.validators) <= 64, file, "validators", "none, or more than 64")
    need(len(set(genesis.validators)) == len(genesis.validators), file, "validators", "a key twice")
    try:
        return genesis, ledgers.replay(genesis, eh, data["chain.bin"], progress)
    except ledgers.Broken as broken:
        raise Refused("chain.bin", broken.item, broken.reason) from None


def published(file, data, read, kind, layout, eh, ledger):
    """The items of ballots.bin or spoiled.bin with code, leaf, station and place; strictly ascending by code."""
    out, before = [], None
    for i, p in enumerate(decode_items(file, data, read)):
        item = "ballot %d" % i
        need(p.kiosk in ledger.kiosks, file, item, "its kiosk is not registered")
        kiosk = ledger.kiosks[p.kiosk]
        try:
            p.code = ballots.tracking_code(layout, eh, kiosk.station, p.ballot)
        except Malformed as error:
            raise Refused(file, item, str(error)) from None
        p.item = item = "ballot %d (code %s)" % (i, code_text(p.code))
        need(before is None or before < p.code, file, item, "the ballots are not strictly ascending by tracking code")
        before = p.code
        tag = p.tag if kind == 1 else bytes(32)
        p.leaf = H("ippyo/1/leaf", bytes([kind]), bytes([p.epoch]), p.code, ballots.ballot_hash(p.ballot), tag)
        places = ledger.cast_place if kind == 1 else ledger.spoiled_place
        p.place = places.get((p.code, p.leaf))
        need(p.place is not None, file, item, "its leaf is not on the ledger")
        p.station, p.kind = kiosk.station, kind
        out.append(p)
    return out


def check_presence(cast, spoiled, closings, ledger):
    """Ballots and entries of closed kiosks are the same set."""
    lines = {kiosk: ledger.lineage(kiosk) for kiosk in ledger.kiosks}
    entered = {(kiosk, epoch, kind, code, leaf) for kiosk, epoch, kind, code, leaf in ledger.entries}
    codes = set()
    for p in cast + spoiled:
        file = "ballots.bin" if p.kind == 1 else "spoiled.bin"
        need(p.code not in codes, file, p.item, "its code is not unique")
        codes.add(p.code)
        need(
            any((kiosk, p.epoch, p.kind, p.code, p.leaf) in entered for kiosk in lines[p.kiosk]),
            file, p.item, "its leaf is not in a batch of its kiosk and epoch",
        )
        need((p.kiosk, p.epoch) in closings, file, p.item, "its kiosk has no closing for this epoch")
    closed = {kiosk for ident in lines if ledger.kiosks[ident].closing for kiosk in lines[ident]}
    there = {(p.kind, p.code, p.leaf) for p in cast + spoiled}
    unclosed = 0
    for kiosk, _, kind, code, leaf in ledger.entries:
        if kiosk in closed:
            need(
                (kind, code, leaf) in there, "ballots.bin" if kind == 1 else "spoiled.bin", "code " + code_text(code),
                "it is on the ledger for a closed kiosk, but it is not published",
            )
        else:
            unclosed += 1
    return unclosed
