//! Where the power fails: by chance, so that every kind of boundary gets its share, or exactly where a case says. Keeps what it did, so
//! that a drawn run can be played again as a list.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::case::{CutAt, Cuts};
use crate::world::boundary::Boundary;
use crate::world::machine::Machine;
use crate::world::seed::{Draw as _, Seed};

/// The fuses of a district.
pub struct Fuses {
    cuts: Cuts,
    seed: Seed,
    by_kind: RefCell<BTreeMap<Boundary, u64>>,
    done: RefCell<BTreeSet<CutAt>>,
}

/// A kind that was never cut is cut so many times sooner than the average.
const SOONER: u64 = 20;

impl Fuses {
    /// For a case.
    #[must_use]
    pub fn new(cuts: Cuts, seed: Seed) -> Rc<Self> {
        Rc::new(Self {
            cuts,
            seed,
            by_kind: RefCell::default(),
            done: RefCell::default(),
        })
    }

    /// Puts one into a kiosk.
    pub fn fit(self: &Rc<Self>, machine: &Machine) {
        if self.cuts == Cuts::None {
            return;
        }
        machine.tears.set(true);
        let fuses = self.clone();
        let kiosk = machine.name.clone();
        let mut rng = self.seed.rng(&format!("fuse {kiosk}"), 0);
        machine.power.set_fuse(Some(Box::new(move |at, boundary| {
            let fails = match &fuses.cuts {
                Cuts::None => false,
                Cuts::OneIn(mean) => {
                    let parts = fuses.parts(at);
                    rng.below(u64::from(*mean).max(1) * 100) < parts
                }
                Cuts::At(list) => list.contains(&CutAt {
                    kiosk: kiosk.clone(),
                    boundary,
                }),
            };
            if fails {
                *fuses.by_kind.borrow_mut().entry(at).or_default() += 1;
                fuses.done.borrow_mut().insert(CutAt {
                    kiosk: kiosk.clone(),
                    boundary,
                });
            }
            fails
        })));
    }

    /// Hundredths of the mean rate at which a kind is to be cut now.
    fn parts(&self, at: Boundary) -> u64 {
        let mut by_kind = self.by_kind.borrow_mut();
        by_kind.entry(at).or_default();
        let cuts = by_kind.get(&at).copied().unwrap_or(0);
        let average = by_kind.values().sum::<u64>() / by_kind.len().max(1) as u64;
        (100 * (average + 1) / (cuts + 1)).clamp(40, 100 * SOONER)
    }

    /// Cuts so far.
    #[must_use]
    pub fn done(&self) -> BTreeSet<CutAt> {
        self.done.borrow().clone()
    }
}
