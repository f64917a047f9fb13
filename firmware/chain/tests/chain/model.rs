//! The ledger against a model that is nothing but plain maps: random deeds of kiosks and staff, good and bad.
//!
//! The model is written from SPEC.md, section 9, not from the code: it holds every batch of every kiosk and asks them each time.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chain::{Chain, SubmitError};
use election::hash::Digest;
use election::ledger::{Refusal, transaction_hash};
use proptest::prelude::*;

use crate::fixture::{World, batch, digest, id, key, world};

/// What somebody tries.
#[derive(Clone, Debug)]
enum Deed {
    Register(u8, u16),
    Revoke(u8),
    /// old, new, which predecessor: 0 none, 1 the last batch of old, 2 an unknown one, 3 the one old inherited.
    Takeover(u8, u8, u8),
    /// kiosk, number relative to the next one, whether the predecessor is right, content, closing.
    Batch(u8, i8, bool, u8, bool),
    /// An earlier deed's bytes again.
    Replay(prop::sample::Index),
}

#[derive(Clone, Default)]
struct Kiosk {
    station: u16,
    batches: Vec<Digest>,
    inherited: Option<Digest>,
    took_over: bool,
    closed: bool,
    revoked: bool,
    replaced: bool,
}

#[derive(Default)]
struct Model {
    kiosks: BTreeMap<u8, Kiosk>,
    seen: BTreeSet<Digest>,
    codes: BTreeMap<Digest, usize>,
}

/// What the model says of a deed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Taken,
    Known,
    Refused,
    Forked,
}

const ZERO: Digest = [0; 32];

impl Kiosk {
    fn may_send(&self) -> bool {
        !(self.revoked || self.replaced || self.closed)
    }

    fn expected_previous(&self) -> Digest {
        self.batches.last().copied().or(self.inherited).unwrap_or(ZERO)
    }
}

/// The bytes of a deed, and what the model says of them. The model changes where they are taken.
fn play(world: &World, model: &mut Model, history: &[(Vec<u8>, Deed)], deed: &Deed) -> (Vec<u8>, Word, Deed) {
    let (bytes, deed) = match deed {
        Deed::Replay(index) if history.is_empty() => {
            let _ = index;
            return play(world, model, history, &Deed::Register(0, 0));
        }
        Deed::Replay(index) => history[index.index(history.len())].clone(),
        Deed::Register(kiosk, station) => (world.register(&key(*kiosk), *station), deed.clone()),
        Deed::Revoke(kiosk) => (world.revoke(&key(*kiosk), "out of order"), deed.clone()),
        Deed::Takeover(old, new, which) => {
            let row = model.kiosks.get(old).cloned().unwrap_or_default();
            let predecessor = match which {
                0 => ZERO,
                1 => row.batches.last().copied().unwrap_or(ZERO),
                2 => digest("unknown"),
                _ => row.inherited.unwrap_or(ZERO),
            };
            (world.takeover(&key(*old), &key(*new), predecessor), deed.clone())
        }
        Deed::Batch(kiosk, offset, right, content, closing) => {
            let row = model.kiosks.get(kiosk).cloned().unwrap_or_default();
            let next = u32::try_from(row.batches.len()).unwrap();
            let number = next.saturating_add_signed(i32::from(*offset));
            let previous = if *right {
                match number {
                    0 => row.inherited.unwrap_or(ZERO),
                    number => row
                        .batches
                        .get(number as usize - 1)
                        .copied()
                        .unwrap_or_else(|| digest("later")),
                }
            } else {
                digest("wrong")
            };
            let name = format!("{kiosk} {number} {content}");
            let closing = closing.then(|| digest("closing"));
            (batch(&key(*kiosk), number, previous, &[&name], closing).0, deed.clone())
        }
    };
    let word = judge(model, &bytes);
    (bytes, word, deed)
}

/// SPEC.md, section 9, with plain maps. Reads the transaction with the project's decoder only to know what it says.
fn judge(model: &mut Model, bytes: &[u8]) -> Word {
    use election::ledger::Transaction;
    if model.seen.contains(&transaction_hash(bytes)) {
        return Word::Known;
    }
    let number_of = |wanted: &Digest| (0..8).find(|kiosk| id(&key(*kiosk)) == *wanted).unwrap();
    let word = match Transaction::read(bytes).unwrap() {
        Transaction::Register { body, .. } => {
            let kiosk = (0..8).find(|kiosk| key(*kiosk).public_key() == body.kiosk.0).unwrap();
            let row = Kiosk {
                station: body.station,
                ..Kiosk::default()
            };
            match model.kiosks.entry(kiosk) {
                Entry::Occupied(_) => Word::Refused,
                Entry::Vacant(place) => {
                    place.insert(row);
                    Word::Taken
                }
            }
        }
        Transaction::Revoke { body, .. } => match model.kiosks.get_mut(&number_of(&body.kiosk)) {
            Some(row) if !row.revoked => {
                row.revoked = true;
                Word::Taken
            }
            _ => Word::Refused,
        },
        Transaction::Takeover { body, .. } => {
            let (old, new) = (number_of(&body.old), number_of(&body.new));
            let (Some(o), Some(n)) = (model.kiosks.get(&old), model.kiosks.get(&new)) else {
                return Word::Refused;
            };
            let predecessor = body.predecessor;
            let known = predecessor == ZERO
                || o.batches.contains(&predecessor)
                || (o.batches.is_empty() && o.inherited == Some(predecessor));
            let good = old != new
                && o.may_send()
                && n.may_send()
                && o.station == n.station
                && n.batches.is_empty()
                && !n.took_over
                && known;
            if !good {
                return Word::Refused;
            }
            model.kiosks.get_mut(&old).unwrap().replaced = true;
            let n = model.kiosks.get_mut(&new).unwrap();
            n.took_over = true;
            n.inherited = Some(predecessor);
            Word::Taken
        }
        // The model makes none; their rules are judged in election's tests.
        Transaction::Validators { .. } => Word::Refused,
        Transaction::Batch(batch) => {
            let Some(row) = model.kiosks.get_mut(&number_of(&batch.header.kiosk)) else {
                return Word::Refused;
            };
            let hash = batch.header.hash();
            if let Some(on_ledger) = row.batches.get(batch.header.number as usize) {
                return if *on_ledger == hash {
                    Word::Refused
                } else {
                    Word::Forked
                };
            }
            if !row.may_send()
                || batch.header.number as usize != row.batches.len()
                || batch.header.previous != row.expected_previous()
            {
                return Word::Refused;
            }
            row.batches.push(hash);
            row.closed = batch.header.closing.is_some();
            for entry in batch.entries.iter() {
                *model.codes.entry(entry.unwrap().code).or_default() += 1;
            }
            Word::Taken
        }
    };
    if word == Word::Taken {
        model.seen.insert(transaction_hash(bytes));
    }
    word
}

fn deed() -> impl Strategy<Value = Deed> {
    let kiosk = || 0u8..4;
    prop_oneof![
        3 => (kiosk(), 0u16..2).prop_map(|(kiosk, station)| Deed::Register(kiosk, station / 2 + u16::from(kiosk == 3))),
        1 => kiosk().prop_map(Deed::Revoke),
        3 => (kiosk(), kiosk(), 0u8..4).prop_map(|(old, new, which)| Deed::Takeover(old, new, which)),
        10 => (kiosk(), prop_oneof![6 => Just(0i8), 1 => Just(1), 1 => Just(-1), 1 => Just(-2)], prop::bool::weighted(0.9), 0u8..2, prop::bool::weighted(0.1))
            .prop_map(|(kiosk, offset, right, content, closing)| Deed::Batch(kiosk, offset, right, content, closing)),
        2 => any::<prop::sample::Index>().prop_map(Deed::Replay),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_ledger_takes_exactly_what_the_model_takes(deeds in prop::collection::vec(deed(), 1..60)) {
        let world = world(1);
        let mut chain = Chain::in_memory(&world.genesis, world.validators.clone()).unwrap();
        let mut model = Model::default();
        let mut history = Vec::new();
        for deed in &deeds {
            let (bytes, word, deed) = play(&world, &mut model, &history, deed);
            let height = chain.ledger().height();
            let said = match chain.submit(&bytes) {
                Ok(receipt) if receipt.height > height => Word::Taken,
                Ok(_) => Word::Known,
                Err(SubmitError::Refused(Refusal::Fork { .. })) => Word::Forked,
                Err(SubmitError::Refused(_)) => Word::Refused,
                Err(error) => panic!("{error}"),
            };
            prop_assert_eq!(said, word, "{:?}", deed);
            history.push((bytes, deed));
        }
        // What is on the ledger is what the model holds, also after everything is read again.
        let kept = chain::storage::Contents { chain: chain.export().unwrap(), promised: 0, evidence: vec![] };
        let again = Chain::open(&world.genesis, vec![], chain::storage::MemoryStorage::with(kept)).unwrap();
        for ledger in [chain.ledger(), again.ledger()] {
            prop_assert_eq!(ledger.kiosks().count(), model.kiosks.len());
            for (number, expected) in &model.kiosks {
                let row = ledger.kiosk(&id(&key(*number))).unwrap();
                prop_assert_eq!(row.next as usize, expected.batches.len());
                prop_assert_eq!(row.previous, expected.expected_previous());
                prop_assert_eq!(row.check_open().is_ok(), expected.may_send());
                for batch in &expected.batches {
                    prop_assert!(ledger.batch(batch).is_some());
                }
            }
            for (code, places) in &model.codes {
                prop_assert_eq!(ledger.find(code).count(), *places);
            }
            for transaction in &model.seen {
                prop_assert!(ledger.proof(transaction).is_some());
            }
        }
    }
}
