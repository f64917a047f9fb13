//! Ballots as people think of them: contests and options by their ids, and what somebody wants.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use chacha20::ChaCha20Rng;
use staff::definition::Definition;

use crate::world::seed::Draw as _;

/// What one voter wants: for each contest of their ballot the chosen options. Ids are NIST's `@id`.
pub type Choices = BTreeMap<String, BTreeSet<String>>;

/// Votes by contest and option: `{contest id: {option id: votes}}`, the shape of `--totals` and of the report.
pub type Totals = BTreeMap<String, BTreeMap<String, u64>>;

/// Part of voters who use fewer votes than they have in a contest, in percent.
const UNDERVOTES: u64 = 12;

/// One contest of a ballot.
#[derive(Clone, Debug)]
pub struct Contest {
    /// Its id.
    pub id: String,
    /// How many options may be chosen.
    pub votes: u8,
    /// Ids of its options.
    pub options: Vec<String>,
}

/// A ballot style's contests, in order.
#[derive(Clone, Debug)]
pub struct Paper {
    /// The contests.
    pub contests: Vec<Contest>,
}

/// All papers of an election, by style.
#[must_use]
pub fn papers(definition: &Definition) -> Vec<Paper> {
    let contest = |index: u16| definition.contests.get(usize::from(index));
    definition
        .styles
        .iter()
        .map(|style| Paper {
            contests: style
                .contests
                .iter()
                .filter_map(|(index, _)| contest(*index))
                .map(|contest| Contest {
                    id: contest.id.clone(),
                    votes: contest.votes,
                    options: contest.options.iter().map(|option| option.id.clone()).collect(),
                })
                .collect(),
        })
        .collect()
}

/// Nothing chosen in any contest.
#[must_use]
pub fn nothing(paper: &Paper) -> Choices {
    paper
        .contests
        .iter()
        .map(|contest| (contest.id.clone(), BTreeSet::new()))
        .collect()
}

/// Somebody's own mind: some options are more liked than others, some votes are left unused.
#[must_use]
pub fn mind(paper: &Paper, rng: &mut ChaCha20Rng) -> Choices {
    paper
        .contests
        .iter()
        .map(|contest| (contest.id.clone(), liking(contest, rng)))
        .collect()
}

/// What somebody likes in one contest.
#[must_use]
pub fn liking(contest: &Contest, rng: &mut ChaCha20Rng) -> BTreeSet<String> {
    let mut votes = usize::from(contest.votes).min(contest.options.len());
    if rng.chance(UNDERVOTES, 100) {
        votes = usize::try_from(rng.below(votes as u64)).unwrap_or(0);
    }
    let mut left: Vec<&String> = contest.options.iter().collect();
    let mut chosen = BTreeSet::new();
    for _ in 0..votes {
        // The first ones a little more often, so that the totals differ from one another.
        let end = left.len() as u64;
        let index = usize::try_from(rng.below(end).min(rng.below(end))).unwrap_or(0);
        chosen.insert(left.remove(index).clone());
    }
    chosen
}

/// Checks that totals can be reached by these voters, and says which cannot.
///
/// `voters` is how many voters have each paper.
///
/// # Errors
/// Unknown ids (with those there are), more votes than voters, more votes than a contest has.
pub fn check(totals: &Totals, papers: &[Paper], voters: &[u64]) -> Result<()> {
    let mut contests: BTreeMap<&str, (&Contest, u64)> = BTreeMap::new();
    for (paper, voters) in papers.iter().zip(voters) {
        for contest in &paper.contests {
            contests.entry(&contest.id).or_insert((contest, 0)).1 += voters;
        }
    }
    for (id, wanted) in totals {
        let Some((contest, voters)) = contests.get(id.as_str()) else {
            let known: Vec<&str> = contests.keys().copied().collect();
            bail!(
                "totals: this election has no contest {id}; its contests are {}",
                known.join(", ")
            );
        };
        let mut sum: u64 = 0;
        for (option, votes) in wanted {
            ensure!(
                contest.options.contains(option),
                "totals: contest {id} has no option {option}; its options are {}",
                contest.options.join(", ")
            );
            ensure!(
                votes <= voters,
                "totals: {votes} votes for {option} in contest {id}, but only {voters} voters have this contest: \
                 lower the votes or raise --voters"
            );
            sum = sum.saturating_add(*votes);
        }
        let most = voters.saturating_mul(u64::from(contest.votes));
        ensure!(
            sum <= most,
            "totals: {sum} votes in contest {id}, but {voters} voters with {} votes each can give at most {most}: \
             lower the votes or raise --voters",
            contest.votes
        );
    }
    Ok(())
}

/// Draws a mind for each voter so that all of them together give exactly `totals`, and no vote where it names none.
///
/// `styles` is the paper of each voter. The totals have passed [`check`].
#[must_use]
pub fn exactly(totals: &Totals, papers: &[Paper], styles: &[u16], rng: &mut ChaCha20Rng) -> Vec<Choices> {
    let paper = |style: u16| papers.get(usize::from(style));
    let mut minds: Vec<Choices> = styles
        .iter()
        .map(|style| paper(*style).map(nothing).unwrap_or_default())
        .collect();
    for (id, wanted) in totals {
        let mut voters: Vec<usize> = (0..minds.len())
            .filter(|index| minds[*index].contains_key(id))
            .collect();
        if voters.is_empty() {
            continue;
        }
        rng.shuffle(&mut voters);
        // Dealt out like cards: an option has at most as many votes as there are voters, so nobody gets it twice; a round
        // is one vote for each voter, so nobody gets more than the contest has.
        let dealt = wanted
            .iter()
            .flat_map(|(option, votes)| std::iter::repeat_n(option, usize::try_from(*votes).unwrap_or(usize::MAX)));
        for (option, voter) in dealt.zip(voters.iter().cycle()) {
            if let Some(chosen) = minds[*voter].get_mut(id) {
                chosen.insert(option.clone());
            }
        }
    }
    minds
}

/// Adds one ballot to totals; `no_votes` gets the votes that were not used.
pub fn add(paper: &Paper, choices: &Choices, totals: &mut Totals, no_votes: &mut BTreeMap<String, u64>) {
    for contest in &paper.contests {
        let sums = totals.entry(contest.id.clone()).or_default();
        let chosen = choices.get(&contest.id);
        for option in chosen.into_iter().flatten() {
            *sums.entry(option.clone()).or_default() += 1;
        }
        let unused = u64::from(contest.votes).saturating_sub(chosen.map_or(0, |chosen| chosen.len() as u64));
        *no_votes.entry(contest.id.clone()).or_default() += unused;
    }
}

/// Totals of no ballot: 0 for every option of every contest.
#[must_use]
pub fn zero(papers: &[Paper]) -> Totals {
    papers
        .iter()
        .flat_map(|paper| &paper.contests)
        .map(|contest| {
            let options = contest.options.iter().map(|option| (option.clone(), 0)).collect();
            (contest.id.clone(), options)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::seed::Seed;
    use proptest::prelude::*;

    fn paper(votes: u8, options: usize) -> Paper {
        Paper {
            contests: vec![Contest {
                id: "c".into(),
                votes,
                options: (0..options).map(|n| format!("o{n}")).collect(),
            }],
        }
    }

    proptest! {
        #[test]
        fn dealt_totals_are_exact_and_nobody_has_too_many(
            votes in 1u8..4, options in 4usize..9, voters in 1u64..40, seed in any::<u64>(),
            wanted in proptest::collection::vec(0u64..40, 9),
        ) {
            let papers = [paper(votes, options)];
            let totals: Totals = [("c".to_owned(), wanted.iter().take(options).enumerate()
                .map(|(n, votes)| (format!("o{n}"), *votes)).collect())].into();
            if check(&totals, &papers, &[voters]).is_ok() {
                let styles = vec![0; usize::try_from(voters).unwrap()];
                let minds = exactly(&totals, &papers, &styles, &mut Seed::new("t").rng("deal", seed));
                let (mut sums, mut unused) = (zero(&papers), BTreeMap::new());
                for mind in &minds {
                    prop_assert!(mind["c"].len() <= usize::from(votes));
                    add(&papers[0], mind, &mut sums, &mut unused);
                }
                prop_assert_eq!(&sums, &totals);
                let given: u64 = totals["c"].values().sum();
                prop_assert_eq!(unused["c"], voters * u64::from(votes) - given);
            } else {
                let most = totals["c"].values().max().copied().unwrap_or(0);
                let sum: u64 = totals["c"].values().sum();
                prop_assert!(most > voters || sum > voters * u64::from(votes));
            }
        }
    }

    #[test]
    fn totals_that_do_not_fit_are_named() {
        let papers = [paper(1, 3)];
        let totals = |contest: &str, option: &str, votes| -> Totals {
            [(contest.to_owned(), [(option.to_owned(), votes)].into())].into()
        };
        let error = |totals: Totals| check(&totals, &papers, &[5]).unwrap_err().to_string();
        assert!(error(totals("x", "o1", 1)).contains("no contest x; its contests are c"));
        assert!(error(totals("c", "x", 1)).contains("no option x; its options are o0, o1, o2"));
        assert!(error(totals("c", "o1", 6)).contains("only 5 voters"));
        let both: Totals = [("c".to_owned(), [("o0".to_owned(), 3), ("o1".to_owned(), 3)].into())].into();
        assert!(error(both).contains("at most 5"));
    }
}
