"""The chain of a record, replayed by the rules of SPEC.md, section 9."""

import hashlib
from types import SimpleNamespace

import p256
from p256 import Malformed
from wire import Block, Decided, H, Reader, Transaction, merkle_root, signed_by, whole

OPENS_AND_CLOSES, PROVISIONS = 1, 2
MAX_ENTRIES = 65536
MAX_CHANGES, MAX_CHANGING, MAX_AHEAD = 16, 16, 100_000
MAX_TRANSACTION, MAX_BLOCK, MAX_TRANSACTIONS = 65536 * 65 + 1024, 16 << 20, 1024


class Broken(Exception):
    """A rule of the ledger that does not hold: which block and transaction, and why."""

    def __init__(self, item, reason):
        super().__init__("%s: %s" % (item, reason))
        self.item, self.reason = item, reason


def kiosk_id(key):
    return H("ippyo/1/kiosk", key)


def two_staff_cards(genesis, role, label, message, signatures):
    """None if exactly two different cards of the roster with this role signed; else what is wrong."""
    if len(signatures) != 2:
        return "%d staff signatures, there have to be two" % len(signatures)
    if not signatures[0].key < signatures[1].key:
        return "the staff signatures are not of two different cards in ascending order"
    roster = {card.key: card.roles for card in genesis.staff}
    for s in signatures:
        if not roster.get(s.key, 0) & role:
            return "the card %s may not do this" % s.key.hex()
        if not signed_by(s.key, label, message, s.signature):
            return "the signature of the card %s does not hold" % s.key.hex()
    return None


def set_hash(keys):
    return H("ippyo/1/validators", b"".join(keys))


def check_change(chain, number, old, height, body, signatures):
    """That a change of validators may stand in the block of this height, which the set `old` decides; `number` is the one that comes next."""
    new = body.validators
    if body.chain != chain:
        raise Malformed("the change of validators is of another chain")
    if body.number != number or number > MAX_CHANGES:
        raise Malformed("the change of validators has not the number %d, or there are too many" % number)
    if body.previous != set_hash(old):
        raise Malformed("the change of validators does not follow the set before")
    if not 1 <= len(new) <= MAX_CHANGING or len(old) > MAX_CHANGING or len(set(new)) != len(new) or new == old:
        raise Malformed("the new set is empty, too large, the same as before or has a key twice")
    for key in new:
        p256.point(key)
    begins = getattr(body, "from")
    if not height < begins <= height + MAX_AHEAD:
        raise Malformed("the change of validators stands from a height that is over or too far ahead")
    message, last = H("ippyo/1/validators/change", body.raw), -1
    for s in signatures:
        if not last < s.validator < len(old):
            raise Malformed("the change of validators is not signed in ascending order")
        last = s.validator
        if not signed_by(old[s.validator], "ippyo/1/sign/validators", message, s.signature):
            raise Malformed("the signature of validator %d on the change does not hold" % s.validator)
    if not 3 * len(signatures) > 2 * len(old):
        raise Malformed("only %d of %d validators signed the change" % (len(signatures), len(old)))


class Ledger:
    """What the chain says: kiosks, batches and the first place of each leaf."""

    def __init__(self, genesis, eh):
        self.genesis, self.eh = genesis, eh
        self.chain = H("ippyo/1/genesis", genesis.raw)
        self.validators = set_hash(genesis.validators)
        self.set, self.changes, self.pending = genesis.validators, 0, None
        self.height, self.tip = 0, self.chain
        self.kiosks = {}  # id -> station, key, batches (hashes), next, previous, closed, revoked, successor, predecessor kiosk
        self.entries = []  # kiosk, epoch, kind, code, leaf, place
        self.cast_place = {}  # (code, leaf) -> first place
        self.spoiled_place = {}
        self.batches = 0

    def lineage(self, kiosk):
        """A kiosk, the one it took over from, and so on."""
        out = []
        while kiosk is not None:
            out.append(kiosk)
            kiosk = self.kiosks[kiosk].took_over_from
        return out

    def append(self, decided):
        item = "block %d" % (self.height + 1)
        try:
            block = whole(decided.block, Block)
        except Malformed as error:
            raise Broken(item, str(error)) from None
        header, certificate = block.header, decided.certificate
        if len(decided.block) > MAX_BLOCK or len(block.transactions) > MAX_TRANSACTIONS:
            raise Broken(item, "it is larger than a block may be")

        def need(condition, reason):
            if not condition:
                raise Broken(item, reason)

        need(header.version == 1, "an unknown version")
        need(header.chain == self.chain, "it is of another chain")
        need(header.height == self.height + 1, "its height is %d" % header.height)
        if self.pending is not None and self.height + 1 >= self.pending[0]:
            self.set, self.pending = self.pending[1], None
            self.validators = set_hash(self.set)
        need(header.previous == self.tip, "it does not follow the block before")
        need(header.validators == self.validators, "it names other validators than those who decide it")
        need(header.transactions == merkle_root(block.transactions), "its transactions are not those of its header")
        block_hash = H("ippyo/1/block", header.raw)
        need(certificate.height == header.height and certificate.block == block_hash, "its certificate is of another block")
        message = hashlib.sha256(
            b"ippyo/v1" + self.chain + b"\2" + header.height.to_bytes(8, "big") + certificate.round.to_bytes(4, "big")
            + b"\1" + block_hash
        ).digest()
        last = -1
        for s in certificate.signatures:
            need(last < s.validator < len(self.set), "its certificate does not list validators in ascending order")
            last = s.validator
            key = p256.point(self.set[s.validator])
            need(
                p256.verify_prehashed(key, message, s.signature), "the signature of validator %d does not hold" % s.validator
            )
        need(
            3 * len(certificate.signatures) > 2 * len(self.set),
            "only %d of %d validators signed" % (len(certificate.signatures), len(self.set)),
        )
        for i, raw in enumerate(block.transactions):
            try:
                self._transaction(raw, (header.height, i))
            except Malformed as error:
                raise Broken("%s, transaction %d" % (item, i), str(error)) from None
        self.height, self.tip = header.height, block_hash

    def _transaction(self, raw, place):
        if len(raw) > MAX_TRANSACTION:
            raise Malformed("it is larger than a transaction may be")
        t = whole(raw, Transaction)
        body = t.body
        if t.kind == 4:
            if self.pending is not None:
                raise Malformed("another change of validators does not stand yet")
            check_change(self.chain, self.changes + 1, self.set, place[0], body, t.signatures)
            self.changes += 1
            self.pending = (getattr(body, "from"), body.validators)
            return
        election = body.header.election if t.kind == 3 else body.election
        if election != self.eh:
            raise Malformed("it is of another election")
        if t.kind == 3:
            self._batch(body, place)
            return
        name = ("register", "revoke", "takeover")[t.kind]
        wrong = two_staff_cards(self.genesis, PROVISIONS, "ippyo/1/sign/staff/" + name, body.raw, t.staff)
        if wrong:
            raise Malformed(wrong)
        (self._register, self._revoke, self._takeover)[t.kind](body)

    def _known(self, kiosk):
        if kiosk not in self.kiosks:
            raise Malformed("the kiosk %s is not registered" % kiosk.hex())
        return self.kiosks[kiosk]

    def _register(self, body):
        ident = kiosk_id(body.kiosk)
        if ident in self.kiosks:
            raise Malformed("the kiosk %s is registered already" % ident.hex())
        self.kiosks[ident] = SimpleNamespace(
            key=body.kiosk, station=body.station, batches=[], previous=bytes(32), closing=None, revoked=False,
            taken_over=False, took_over_from=None,
        )

    def _revoke(self, body):
        kiosk = self._known(body.kiosk)
        if kiosk.revoked:
            raise Malformed("the kiosk is revoked already")
        if len(body.reason.encode()) > 256:
            raise Malformed("the reason is longer than 256 bytes")
        kiosk.revoked = True

    def _takeover(self, body):
        old, new = self._known(body.old), self._known(body.new)
        if body.old == body.new:
            raise Malformed("a kiosk cannot take over from itself")
        if old.closing is not None or old.revoked or old.taken_over:
            raise Malformed("the old kiosk is closed, revoked or taken over")
        if new.station != old.station:
            raise Malformed("the two kiosks are not of one station")
        if new.batches or new.revoked or new.taken_over or new.took_over_from is not None:
            raise Malformed("the new kiosk has batches, is revoked, taken over or has taken over already")
        inherited = not old.batches and body.predecessor == old.previous
        if body.predecessor != bytes(32) and body.predecessor not in old.batches and not inherited:
            raise Malformed("the predecessor is no batch of the old kiosk")
        old.taken_over = True
        new.took_over_from, new.previous = body.old, body.predecessor

    def _batch(self, batch, place):
        header = batch.header
        kiosk = self._known(header.kiosk)
        if kiosk.closing is not None or kiosk.revoked or kiosk.taken_over:
            raise Malformed("the kiosk is closed, revoked or taken over")
        if header.number != len(kiosk.batches):
            raise Malformed("the number of the batch is %d, not %d" % (header.number, len(kiosk.batches)))
        if header.previous != kiosk.previous:
            raise Malformed("the batch does not follow the one before")
        entries = batch.entries
        if len(entries) != header.count or header.count > MAX_ENTRIES:
            raise Malformed("a batch of %d entries that says %d" % (len(entries), header.count))
        if not entries and header.closing is None:
            raise Malformed("an empty batch that does not close")
        if header.root != merkle_root([bytes([e.kind]) + e.code + e.leaf for e in entries]):
            raise Malformed("the root of the batch is not that of its entries")
        batch_hash = H("ippyo/1/batch", header.raw)
        if not signed_by(kiosk.key, "ippyo/1/sign/batch", batch_hash, batch.signature):
            raise Malformed("the signature of the batch does not hold")
        before = None
        for i, entry in enumerate(entries):
            if entry.kind not in (1, 2):
                raise Malformed("entry %d is of the unknown kind %d" % (i, entry.kind))
            if before is not None and not before < entry.code:
                raise Malformed("the entries are not in ascending order")
            before = entry.code
            self.entries.append((header.kiosk, header.epoch, entry.kind, entry.code, entry.leaf))
            places = self.cast_place if entry.kind == 1 else self.spoiled_place
            places.setdefault((entry.code, entry.leaf), place + (i,))
        kiosk.batches.append(batch_hash)
        kiosk.previous = batch_hash
        if header.closing is not None:
            kiosk.closing = (header.epoch, header.closing)
        self.batches += 1


def replay(genesis, eh, chain_bytes, progress=lambda done: None):
    """The ledger after all blocks of chain.bin."""
    ledger = Ledger(genesis, eh)
    reader = Reader(chain_bytes)
    while reader.at < len(chain_bytes):
        try:
            decided = Decided(reader)
        except Malformed as error:
            raise Broken("block %d" % (ledger.height + 1), str(error)) from None
        ledger.append(decided)
        progress(reader.at)
    return ledger
