//! What the desk and an auditor do: ledger rules, tally, verification.

use election::ledger::{BatchRow, Genesis, KioskRow, Rules, Tables, Transaction};

use crate::inputs::bytes;

pub fn all() -> bool {
    let Ok(genesis) = Genesis::read(bytes()) else {
        return false;
    };
    let (mut kiosks, mut batches) = ([KioskRow::EMPTY; 2], [BatchRow::EMPTY; 2]);
    let mut rules = Rules::new(genesis, Tables::new(&mut kiosks, &mut batches));
    Transaction::read(bytes()).is_ok_and(|t| rules.apply(&t).is_ok())
}
