//! Which totals of smaller groups may be published (SPEC.md, section 12): a pure rule over numbers of ballots.
//!
//! A total over a few ballots tells how few people voted, and so does the difference of two totals. The totals of a contest over
//! the whole election are always published; they are what was voted on. This module knows no votes, only how many ballots a
//! group has. It cannot help where many vote alike: a unanimous group of any size shows everybody's vote.

/// Decides for the groups of *one* partition of a contest's ballots (stations, or styles, never both: totals of two partitions can
/// be subtracted across one another) which totals may stand beside the total of all. `shown` gets an answer for each group.
///
/// A group below `threshold` is withheld. What is withheld can be computed together, as the total of all minus what is
/// shown; so if that is above 0 and below the threshold, the smallest group that is shown is withheld with it. Groups without
/// a ballot are shown: there is nothing in them. With a threshold of 0 or 1 everything is shown.
///
/// Returns how many ballots are withheld, to be published as one merged group; `None` if the slices differ in length.
pub fn select(ballots: &[u32], threshold: u32, shown: &mut [bool]) -> Option<u64> {
    if ballots.len() != shown.len() {
        return None;
    }
    let mut withheld = 0u64;
    for (count, shown) in ballots.iter().zip(shown.iter_mut()) {
        *shown = *count == 0 || *count >= threshold;
        if !*shown {
            withheld += u64::from(*count);
        }
    }
    if withheld > 0 && withheld < u64::from(threshold) {
        let smallest = ballots
            .iter()
            .zip(shown.iter_mut())
            .filter(|(count, shown)| **shown && **count > 0)
            .min_by_key(|(count, _)| **count);
        if let Some((count, shown)) = smallest {
            *shown = false;
            withheld += u64::from(*count);
        }
    }
    Some(withheld)
}

/// Whether totals over `after` ballots may be published when totals over `before` of the same ballots are known already (a first
/// count without a late box): the difference of the two is a group too.
#[must_use]
pub const fn difference_allowed(before: u32, after: u32, threshold: u32) -> bool {
    let difference = before.abs_diff(after);
    difference == 0 || difference >= threshold
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    proptest! {
        /// The attacker adds and subtracts every published total: the total of all and each group that is shown.
        #[test]
        fn p19_no_sum_or_difference_of_published_totals_is_a_small_group(
            ballots in proptest::collection::vec(0u32..30, 0..9),
            threshold in 0u32..25,
        ) {
            let mut shown = vec![true; ballots.len()];
            let withheld = select(&ballots, threshold, &mut shown).unwrap();
            let all: u32 = ballots.iter().sum();
            let published: Vec<u32> = ballots.iter().zip(&shown).filter(|(_, shown)| **shown).map(|(b, _)| *b).collect();
            prop_assert_eq!(withheld, u64::from(all - published.iter().sum::<u32>()));
            for subset in 0u32..1 << published.len() {
                let sum: u32 = (0..).zip(&published).filter(|(i, _)| subset >> i & 1 == 1).map(|(_, b)| b).sum();
                let fine = |ballots: u32| ballots == 0 || ballots >= threshold || ballots == all;
                prop_assert!(fine(sum), "a group of {} of {:?}", sum, &ballots);
                prop_assert!(fine(all - sum), "a difference of {} of {:?}", all - sum, &ballots);
            }
        }

        #[test]
        fn p19_large_groups_are_not_withheld_without_need(
            ballots in proptest::collection::vec(10u32..30, 0..9),
            threshold in 0u32..=10,
        ) {
            let mut shown = vec![false; ballots.len()];
            prop_assert_eq!(select(&ballots, threshold, &mut shown), Some(0));
            prop_assert!(shown.iter().all(|shown| *shown));
        }
    }

    #[test]
    fn p19_one_small_station_takes_a_second_with_it() {
        let mut shown = [true; 3];
        assert_eq!(select(&[3, 40, 20], 10, &mut shown), Some(23));
        assert_eq!(shown, [false, true, false]);
        // Two small ones that are large together hide each other.
        assert_eq!(select(&[6, 40, 7], 10, &mut shown), Some(13));
        assert_eq!(shown, [false, true, false]);
        assert_eq!(select(&[6], 10, &mut shown), None);
    }

    #[test]
    fn p19_a_second_count_with_a_few_ballots_more_is_refused() {
        assert!(difference_allowed(100, 100, 10));
        assert!(difference_allowed(100, 110, 10));
        assert!(!difference_allowed(100, 101, 10));
        assert!(!difference_allowed(109, 100, 10));
        assert!(difference_allowed(0, 1, 1));
    }
}
