//! The tally (DESIGN, "The life of an election" 7): from closed media and the chain to sums that trustees decrypt.
//!
//! Three steps: [`prepare`] reads and checks everything and adds up; trustees give parts for the sums, on machines of their own
//! ([`crate::decrypt`], from a [`draft`] of the record that they check themselves) or in the room ([`decrypt`]); [`finish`] chooses
//! k good ones, finds the totals and makes the record. Only sums are ever decrypted.

mod boxes;
mod finish;
mod report;

use std::collections::BTreeMap;

use election::closing::Closing;
use election::group::Point;
use election::hash::Digest;
use election::keys::Keys;
use election::ledger::Genesis;
use election::manifest::{CheckedManifest, Manifest, election_hash};
use election::record::FileName;
use election::tally::{Decryption, PublicKeys, SelectionSum, Statement, TrusteeSecret};
use rand_core::CryptoRng;

pub use self::finish::{Tallied, draft, finish};

use self::boxes::{check_codes, closing_set, closings, turned_up};
use crate::ballots::{self, Crypto, Item, Judged, Sums};
use crate::ledger_view::{self, LedgerView};
use crate::medium::{self, BallotBox, Content};
use crate::problem::{Kind, Outcome, Problem};
use crate::progress::Progress;

/// What a tally is made of.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// manifest.bin.
    pub manifest: &'a [u8],
    /// keys.bin.
    pub keys: &'a [u8],
    /// ceremony.bin.
    pub ceremony: &'a [u8],
    /// genesis.bin.
    pub genesis: &'a [u8],
    /// chain.bin.
    pub chain: &'a [u8],
    /// Closed pairs of media, one a kiosk.
    pub boxes: &'a [BallotBox],
    /// Media that turned up late: what only they hold is listed, never counted.
    pub late: &'a [Content],
    /// Closing words as witnesses wrote them down, by kiosk id.
    pub words: &'a BTreeMap<Digest, String>,
    /// Reception's counts, if given.
    pub reception: Option<&'a [u8]>,
    /// How many cards were issued again and admitted after reception's check.
    pub reissued: Option<u32>,
    /// RFC 3339 with an offset, for the results.
    pub generated: &'a str,
}

/// Everything checked and added up; what is missing are the trustees.
pub struct Prepared<'a> {
    input: Input<'a>,
    election: Digest,
    manifest: CheckedManifest<'a>,
    keys: PublicKeys,
    ledger: LedgerView,
    cast: Vec<(Item<'a>, Judged)>,
    spoiled: Vec<(Item<'a>, Judged)>,
    closings: Vec<(Closing<'a>, &'a BallotBox)>,
    late: BTreeMap<Digest, u32>,
    sums: Vec<Sums>,
    statements: Vec<Sum>,
}

/// A sum to be decrypted.
#[derive(Clone, Copy)]
pub struct Sum {
    contest: u16,
    selection: u8,
    a: Point,
    b: Point,
}

impl Sum {
    /// The sums of a contest: options, then no-votes.
    ///
    /// # Errors
    /// A sum that no honest ballots give.
    pub(crate) fn of(contest: u16, selections: &[SelectionSum]) -> Outcome<Vec<Self>> {
        let one = |(selection, value): (u8, &SelectionSum)| {
            let (a, b) = value.points().map_err(|error| {
                Problem::new(
                    Kind::Refused,
                    format!("contest {contest}, selection {selection}"),
                    error,
                )
                .advice("the sum of all ballots is nothing, which no honest ballots give: look into the kiosks")
            })?;
            Ok(Self {
                contest,
                selection,
                a,
                b,
            })
        };
        (0u8..).zip(selections).map(one).collect()
    }

    /// What is decrypted.
    pub(crate) const fn statement<'s>(&self, election: &'s Digest) -> Statement<'s> {
        Statement {
            election,
            contest: self.contest,
            selection: self.selection,
            a: self.a,
            b: self.b,
        }
    }
}

impl Prepared<'_> {
    /// Election hash.
    #[must_use]
    pub const fn election(&self) -> &Digest {
        &self.election
    }

    /// How many trustees are needed.
    #[must_use]
    pub const fn threshold(&self) -> u8 {
        self.keys.threshold
    }

    /// The sums that trustees decrypt.
    #[must_use]
    pub fn sums(&self) -> &[Sum] {
        &self.statements
    }
}

/// Reads and checks everything: closings, words, ballots against the chain, proofs, tags; and adds the counted ballots up.
///
/// # Errors
/// The first thing that does not hold, with kiosk or file.
pub fn prepare<'a>(input: Input<'a>, progress: Progress<'_>) -> Outcome<Prepared<'a>> {
    let broken = |file: FileName| move |error: &dyn std::fmt::Display| Problem::new(Kind::Refused, file, error);
    let manifest = Manifest::parse(input.manifest).map_err(|error| broken(FileName::Manifest)(&error))?;
    let parsed = Keys::read(input.keys).map_err(|error| broken(FileName::Keys)(&error))?;
    let keys = PublicKeys::read(&parsed).map_err(|error| broken(FileName::Keys)(&error))?;
    let genesis = Genesis::read(input.genesis).map_err(|error| broken(FileName::Genesis)(&error))?;
    let election = election_hash(input.manifest, &parsed.joint.0);
    let crypto = Crypto::new(&manifest, election, &parsed.joint.0)?;
    let ledger = ledger_view::replay(input.genesis, &election, input.chain, progress)?;
    let closings = closings(&input, &election, &genesis, &ledger)?;

    let mut cast = Vec::new();
    let mut spoiled = Vec::new();
    let mut late: BTreeMap<Digest, u32> = BTreeMap::new();
    for (closing, pair) in &closings {
        let set = closing_set(closing, pair, &crypto, &ledger)?;
        if set.late > 0 {
            late.insert(closing.kiosk_id(), set.late);
        }
        cast.extend(set.cast);
        spoiled.extend(set.spoiled);
    }
    cast.sort_by_key(|(_, judged)| judged.code);
    spoiled.sort_by_key(|(_, judged)| judged.code);
    check_codes(&cast, &spoiled)?;
    for content in input.late {
        *late.entry(content.label.kiosk).or_default() += turned_up(content, &crypto, &ledger, &cast)?;
    }
    let (cast_items, mut judged): (Vec<Item<'a>>, Vec<Judged>) = cast.into_iter().unzip();
    let (spoiled_items, spoiled_judged): (Vec<Item<'a>>, Vec<Judged>) = spoiled.into_iter().unzip();
    ballots::check_proofs("cast ballots", &cast_items, &crypto, progress)
        .map_err(|problem| blame(problem, &cast_items))?;
    ballots::check_proofs("spoiled ballots", &spoiled_items, &crypto, progress)
        .map_err(|problem| blame(problem, &spoiled_items))?;
    ballots::decide(&mut judged, manifest.policy);
    let sums = ballots::sums(
        &cast_items,
        &judged,
        usize::from(manifest.contest_count()),
        &crypto,
        progress,
    )?;
    let statements = statements(&sums)?;
    Ok(Prepared {
        input,
        election,
        manifest,
        keys,
        ledger,
        cast: cast_items.into_iter().zip(judged).collect(),
        spoiled: spoiled_items.into_iter().zip(spoiled_judged).collect(),
        closings,
        late,
        sums,
        statements,
    })
}

/// Adds which kiosk a ballot that does not hold came from: that is what has to be looked into.
fn blame(problem: Problem, items: &[Item<'_>]) -> Problem {
    let index = problem
        .at
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse::<usize>().ok());
    match index.and_then(|index| items.get(index)) {
        Some(item) => Problem::new(
            Kind::Refused,
            format!("{}, of kiosk {}", problem.at, hex::encode(item.kiosk)),
            problem.what,
        )
        .advice("keep the kiosk and its media as evidence; nothing was decrypted"),
        None => problem,
    }
}

fn statements(sums: &[Sums]) -> Outcome<Vec<Sum>> {
    let mut list = Vec::new();
    for (contest, sum) in (0u16..).zip(sums) {
        list.extend(Sum::of(contest, &sum.selections)?);
    }
    Ok(list)
}

/// One trustee's parts, one a sum, in the order of [`Prepared::sums`].
///
/// # Errors
/// A secret that is none.
pub fn decrypt<R: CryptoRng + ?Sized>(
    prepared: &Prepared<'_>,
    secret: &TrusteeSecret,
    rng: &mut R,
) -> Outcome<Vec<Decryption>> {
    prepared
        .statements
        .iter()
        .map(|sum| {
            secret
                .decrypt(&sum.statement(&prepared.election), rng)
                .map_err(|error| Problem::new(Kind::Refused, format!("trustee {}", secret.trustee()), error))
        })
        .collect()
}

/// Reads a pair of media (either may be missing or broken) for the tally.
///
/// # Errors
/// See [`medium::join`].
pub fn read_pair<O: kiosk::ports::Medium, D: kiosk::ports::Medium>(
    original: Outcome<O>,
    duplicate: Outcome<D>,
    name: &str,
    progress: Progress<'_>,
) -> Outcome<BallotBox> {
    let original = original.and_then(|medium| medium::read(medium, &format!("{name} (original)"), progress));
    let duplicate = duplicate.and_then(|medium| medium::read(medium, &format!("{name} (duplicate)"), progress));
    medium::join(original, duplicate, name)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
