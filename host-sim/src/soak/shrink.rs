//! Cuts a failing case down: fewer troubles, fewer power cuts, fewer voters, as long as the same law is still broken.

use std::collections::BTreeSet;

use super::case::{Case, CutAt, Cuts};
use super::district::{Outcome, play};

/// Runs that are tried.
pub const RUNS: u32 = 400;

/// A case cut down, what it shows, and how many runs it took.
pub struct Shrunk {
    /// The case.
    pub case: Case,
    /// Its outcome.
    pub outcome: Outcome,
    /// Runs.
    pub runs: u32,
}

/// Cuts `case` down, which breaks `law`. Where the drawn cuts written out as a list do not break it, `case` itself comes back.
#[must_use]
pub fn shrink(case: &Case, outcome: &Outcome, law: &str, runs: u32) -> Shrunk {
    let mut hunt = Hunt {
        law: law.to_owned(),
        left: runs,
        best: Shrunk {
            case: case.clone(),
            outcome: outcome.clone(),
            runs: 0,
        },
    };
    if matches!(case.cuts, Cuts::OneIn(_)) {
        let listed = Case {
            cuts: Cuts::At(outcome.cuts.clone()),
            ..case.clone()
        };
        if !hunt.tries(listed) {
            return hunt.best;
        }
    }
    // A list gets shorter by halves, then by quarters, and so on; again, because what one list lost may free another.
    for _ in 0..2 {
        let people: Vec<usize> = (0..usize::try_from(case.voters).unwrap_or(0) * 2).collect();
        hunt.reduce(people, |case, gone: &BTreeSet<usize>| case.absent.extend(gone));
        let troubles: Vec<usize> = (0..hunt.best.case.troubles.len()).collect();
        let all = hunt.best.case.troubles.clone();
        hunt.reduce(troubles, move |case, gone: &BTreeSet<usize>| {
            let gone: Vec<_> = gone.iter().filter_map(|index| all.get(*index)).collect();
            case.troubles.retain(|trouble| !gone.contains(&trouble));
        });
        let cuts: Vec<CutAt> = match &hunt.best.case.cuts {
            Cuts::At(list) => list.iter().cloned().collect(),
            _ => Vec::new(),
        };
        hunt.reduce(cuts, |case, gone: &BTreeSet<CutAt>| {
            if let Cuts::At(list) = &mut case.cuts {
                list.retain(|cut| !gone.contains(cut));
            }
        });
    }
    let runs = runs - hunt.left;
    Shrunk { runs, ..hunt.best }
}

struct Hunt {
    law: String,
    left: u32,
    best: Shrunk,
}

impl Hunt {
    /// Plays a case; keeps it if it breaks the law too.
    fn tries(&mut self, case: Case) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let outcome = play(&case, None, &|| {});
        let broken = outcome.violations.iter().any(|violation| violation.law == self.law);
        if broken {
            self.best.case = case;
            self.best.outcome = outcome;
        }
        broken
    }

    fn reduce<T: Ord + Clone>(&mut self, mut items: Vec<T>, take: impl Fn(&mut Case, &BTreeSet<T>)) {
        let mut size = items.len().div_ceil(2);
        while size > 0 && !items.is_empty() && self.left > 0 {
            let mut at = 0;
            while at < items.len() && self.left > 0 {
                let end = (at + size).min(items.len());
                let gone: BTreeSet<T> = items[at..end].iter().cloned().collect();
                let mut case = self.best.case.clone();
                take(&mut case, &gone);
                if case != self.best.case && self.tries(case) {
                    items.drain(at..end);
                } else {
                    at = end;
                }
            }
            if size == 1 {
                break;
            }
            size = size.div_ceil(2);
        }
    }
}
