//! Does where a vote lies tell when it came? Sums over many stations, judged once at the end (V12).
//!
//! Under the null hypothesis every permutation of the votes over the slots that were drawn is as likely as any other, so mean and
//! variance of both sums are known exactly, station by station, and their total is close to normal.

use std::collections::BTreeMap;

use serde::Serialize;

/// Parts that a region of slots is cut into.
const PARTS: usize = 16;

/// The sums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    votes: u64,
    /// Arrival against slot: sum and variance.
    with_arrival: (f64, f64),
    /// A vote's slot against the next one's: sum minus its mean, and variance.
    with_next: (f64, f64),
    /// Votes by part of the region.
    parts: [u64; PARTS],
    /// How many are expected there: a region that is no multiple of the parts has parts of two sizes.
    expected: [f64; PARTS],
}

/// What the sums say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Votes looked at.
    pub votes: u64,
    /// Standard deviations by which arrival and slot go together.
    pub arrival_sigma: f64,
    /// Standard deviations by which the slots of neighbours go together.
    pub neighbours_sigma: f64,
    /// Chi square of the placement over sixteen parts, fifteen degrees of freedom.
    pub placement_chi_square: f64,
}

/// Standard deviations that chance does not reach: one run in 500 million.
const SIGMA: f64 = 6.0;
/// The same for chi square with 15 degrees of freedom.
const CHI_SQUARE: f64 = 75.0;

/// The part of a region of so many slots in which a slot lies.
fn part(slot: u32, of: u32) -> usize {
    let part = usize::try_from(u64::from(slot) * PARTS as u64 / u64::from(of.max(1))).unwrap_or(0);
    part.min(PARTS - 1)
}

impl Order {
    /// Adds a station: slots of its votes in the order in which they came, and how many slots there are.
    pub fn add(&mut self, slots: &[u32], of: u32) {
        let count = slots.len();
        if count < 3 || of == 0 {
            return;
        }
        let n = count as f64;
        let slot: Vec<f64> = slots.iter().map(|slot| f64::from(*slot)).collect();
        let mean = slot.iter().sum::<f64>() / n;
        let slot: Vec<f64> = slot.iter().map(|value| value - mean).collect();
        let arrival: Vec<f64> = (0..count).map(|at| at as f64 - (n - 1.0) / 2.0).collect();
        let (a2, s2): (f64, f64) = (
            arrival.iter().map(|value| value * value).sum(),
            slot.iter().map(|value| value * value).sum(),
        );
        if s2 <= 0.0 {
            return;
        }
        // Of one size, whatever the region: divided by the slots' own spread.
        let scale = s2.sqrt();
        self.with_arrival.0 += arrival.iter().zip(&slot).map(|(a, s)| a * s).sum::<f64>() / (scale * a2.sqrt());
        self.with_arrival.1 += 1.0 / (n - 1.0);
        let next: f64 = slot.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / s2;
        // Of a random permutation (Wald and Wolfowitz, for the open chain): mean -1/n, variance close to 1/n.
        self.with_next.0 += next + 1.0 / n;
        self.with_next.1 += 1.0 / n;
        self.votes += count as u64;
        for slot in slots {
            self.parts[part(*slot, of)] += 1;
        }
        for slot in 0..of {
            self.expected[part(slot, of)] += n / f64::from(of);
        }
    }

    /// Adds other sums.
    pub fn merge(&mut self, other: &Self) {
        self.votes += other.votes;
        self.with_arrival.0 += other.with_arrival.0;
        self.with_arrival.1 += other.with_arrival.1;
        self.with_next.0 += other.with_next.0;
        self.with_next.1 += other.with_next.1;
        for (mine, theirs) in self.parts.iter_mut().zip(other.parts) {
            *mine += theirs;
        }
        for (mine, theirs) in self.expected.iter_mut().zip(other.expected) {
            *mine += theirs;
        }
    }

    /// What they say.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let sigma = |(sum, variance): (f64, f64)| if variance > 0.0 { sum / variance.sqrt() } else { 0.0 };
        let chi = |(votes, expected): (&u64, &f64)| (*votes as f64 - expected).powi(2) / expected.max(1.0);
        Verdict {
            votes: self.votes,
            arrival_sigma: sigma(self.with_arrival),
            neighbours_sigma: sigma(self.with_next),
            placement_chi_square: self.parts.iter().zip(&self.expected).map(chi).sum(),
        }
    }
}

impl Verdict {
    /// Whether the slots say nothing of the order. (Regions that are nearly full or smaller than the parts are even by force; that
    /// only makes chi square smaller.)
    #[must_use]
    pub fn holds(&self) -> bool {
        self.arrival_sigma.abs() < SIGMA
            && self.neighbours_sigma.abs() < SIGMA
            && self.placement_chi_square < CHI_SQUARE
    }
}

/// Numbers by name, summed.
pub fn add_all(into: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (name, number) in from {
        *into.entry(name.clone()).or_default() += number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::seed::{Draw as _, Seed};

    #[test]
    fn v12_random_places_pass_and_every_order_is_found() {
        let mut rng = Seed::new("order").rng("test", 0);
        let mut judge = |place: &dyn Fn(u32, &mut chacha20::ChaCha20Rng) -> Vec<u32>| {
            let mut order = Order::default();
            for _ in 0..40 {
                order.add(&place(60, &mut rng), 256);
            }
            order.verdict()
        };
        let drawn = judge(&|votes, rng| {
            let mut slots: Vec<u32> = (0..256).collect();
            rng.shuffle(&mut slots);
            slots.truncate(votes as usize);
            slots
        });
        assert!(drawn.holds(), "{drawn:?}");
        // One after the other; then backwards; then each near the one before; then only in the front.
        assert!(!judge(&|votes, _| (0..votes).collect()).holds());
        assert!(!judge(&|votes, _| (0..votes).map(|at| 255 - at).collect()).holds());
        let near = judge(&|votes, rng| {
            let start = u32::try_from(rng.below(256)).unwrap();
            (0..votes).map(|at| (start + at * 3) % 256).collect()
        });
        assert!(!near.holds(), "{near:?}");
        let front = judge(&|votes, rng| {
            let mut slots: Vec<u32> = (0..votes + 20).collect();
            rng.shuffle(&mut slots);
            slots.truncate(votes as usize);
            slots
        });
        assert!(!front.holds(), "{front:?}");
    }
}
