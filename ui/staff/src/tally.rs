//! The tally (DESIGN, "The life of an election" 7): from closed media and the chain to sums that trustees decrypt.
//!
//! Three steps, so that trustees need not trust the desk's machine with anything but their part: [`prepare`] reads and checks
//! everything and adds up; each trustee gives parts for the sums ([`decrypt`]); [`finish`] chooses k good ones, finds the totals
//! and makes the record. Only sums are ever decrypted.

use std::collections::{BTreeMap, HashSet};

use election::batch::Kind as EntryKind;
use election::closing::{Closing, Counters};
use election::dlog::{Baby, Dlog};
use election::group::Point;
use election::hash::Digest;
use election::keys::Keys;
use election::ledger::{Genesis, Raw};
use election::manifest::{CheckedManifest, Manifest, Mode, Policy, election_hash};
use election::record::{FileName, PublishedBallot, PublishedSpoiled};
use election::sign::Signer;
use election::tally::{ContestTally, Decryption, PublicKeys, SelectionTally, Statement, Tally, TrusteeSecret, choose, open_sum};
use election::wire::{Bytes, Seq};
use election::words::ClosingWords;
use rand_core::CryptoRng;
use rayon::prelude::*;

use crate::ballots::{self, Crypto, Fate, Item, Judged, Sums};
use crate::encode::{seq_of, to_bytes};
use crate::ledger_view::{self, LedgerView};
use crate::medium::{self, BallotBox, Content};
use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{Counter, Progress};
use crate::record::Record;
use crate::report::{self, Ballots, KioskReport, Report, StationReport};
use crate::{html, reception, results};

/// Entries of the table that totals are looked up in: totals up to 2^20 in about 1,000 steps.
const BABY_STEPS: usize = 1 << 10;

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
    const fn statement<'s>(&self, election: &'s Digest) -> Statement<'s> {
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
    ballots::check_proofs("cast ballots", &cast_items, &crypto, progress).map_err(|problem| blame(problem, &cast_items))?;
    ballots::check_proofs("spoiled ballots", &spoiled_items, &crypto, progress).map_err(|problem| blame(problem, &spoiled_items))?;
    ballots::decide(&mut judged, manifest.policy);
    let sums = ballots::sums(&cast_items, &judged, usize::from(manifest.contest_count()), &crypto, progress)?;
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
    let index = problem.at.rsplit(' ').next().and_then(|number| number.parse::<usize>().ok());
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

/// The closings of all boxes, checked against the chain and the typed words; every kiosk that closed must be there, once.
fn closings<'a>(
    input: &Input<'a>,
    election: &Digest,
    genesis: &Genesis<'_>,
    ledger: &LedgerView,
) -> Outcome<Vec<(Closing<'a>, &'a BallotBox)>> {
    let mut list: Vec<(Closing<'a>, &'a BallotBox)> = Vec::new();
    for pair in input.boxes {
        let at = format!("medium of kiosk {}", hex::encode(pair.label.kiosk));
        let refuse = |what: String| Problem::new(Kind::Refused, &at, what);
        if pair.label.election != *election {
            return Err(refuse("this medium is of another election".into()).advice("take it out; nothing on it belongs to this count"));
        }
        let closing: Closing<'a> = election::wire::decode(&pair.closing).map_err(|error| refuse(format!("its closing: {error}")))?;
        let kiosk = closing.kiosk_id();
        if closing.election != *election || kiosk != pair.label.kiosk || closing.epoch != pair.label.epoch {
            return Err(refuse("its closing is of another kiosk, epoch or election".into()));
        }
        if list.iter().any(|(other, _)| other.kiosk == closing.kiosk) {
            return Err(refuse("this kiosk's media were given twice".into()).advice("give each pair of media once"));
        }
        closing.check_signatures(genesis).map_err(|error| refuse(error.to_string()))?;
        let on_chain = ledger.closed.iter().find(|closed| closed.kiosk == kiosk);
        match on_chain {
            Some(closed) if closed.hash == closing.hash && closed.epoch == closing.epoch => {}
            Some(_) => return Err(refuse("its closing is not the one on the chain".into()).advice("keep the media and call the election authority")),
            None => return Err(refuse("its closing batch is not on the chain".into()).advice("run `staff anchor` with this medium first")),
        }
        if ledger.kiosks.get(&kiosk).is_none_or(|row| row.station != closing.station) {
            return Err(refuse("it says another station than the kiosk was registered at".into()));
        }
        let typed = input.words.get(&kiosk).ok_or_else(|| {
            refuse("the closing words that witnesses wrote down were not typed in".into())
                .advice(format!("give --closing {}=\"twelve words\"", &hex::encode(kiosk)[..12]))
        })?;
        let words: ClosingWords = typed.parse().map_err(|error: election::words::WordsError| {
            refuse(format!("the closing words: {error}")).advice("type them again from the witnesses' sheet")
        })?;
        if !words.matches(&closing.hash) {
            return Err(refuse("the closing words are not those of this medium".into())
                .advice("compare with the sheet of this very kiosk; if they differ, the box was replaced after closing: do not count it"));
        }
        list.push((closing, pair));
    }
    for closed in &ledger.closed {
        if !list.iter().any(|(closing, _)| closing.kiosk_id() == closed.kiosk) {
            return Err(Problem::new(
                Kind::Refused,
                format!("kiosk {}", hex::encode(closed.kiosk)),
                "it closed on the chain, but its media were not given",
            )
            .advice("bring its original or its duplicate; without it the count would be short"));
        }
    }
    list.sort_by_key(|(closing, _)| (closing.kiosk.0, closing.epoch));
    Ok(list)
}

struct ClosingSet<'a> {
    cast: Vec<(Item<'a>, Judged)>,
    spoiled: Vec<(Item<'a>, Judged)>,
    late: u32,
}

/// The ballots a kiosk closed with: those on its medium that stand in its batches (or in those of the kiosk whose place it
/// took). The closing hash says whether that is all of them.
fn closing_set<'a>(closing: &Closing<'_>, pair: &'a BallotBox, crypto: &Crypto, ledger: &LedgerView) -> Outcome<ClosingSet<'a>> {
    let kiosk = closing.kiosk_id();
    let at = format!("medium of kiosk {}", hex::encode(kiosk));
    let line = ledger.line(&kiosk);
    let entered: HashSet<(EntryKindNumber, Digest, Digest)> = ledger
        .rows
        .iter()
        .filter(|row| row.epoch == closing.epoch && line.contains(&row.kiosk))
        .map(|row| (u8::from(row.kind), row.code, row.leaf))
        .collect();
    let mut set = ClosingSet {
        cast: Vec::new(),
        spoiled: Vec::new(),
        late: 0,
    };
    for kind in [EntryKind::Cast, EntryKind::Spoiled] {
        // What is no ballot of this election at all cannot have a leaf on the chain: it is listed with what turned up late.
        let items: Vec<Item<'a>> = pair
            .records
            .iter()
            .filter(|record| record.kind == kind && crypto.view(&record.ballot).is_ok())
            .map(|record| Item {
                kiosk,
                epoch: closing.epoch,
                tag: record.tag,
                ballot: &record.ballot,
            })
            .collect();
        let judged = ballots::look(kind, &at, &items, crypto, ledger)?;
        for (item, judged) in items.into_iter().zip(judged) {
            if !entered.contains(&(kind.into(), judged.code, judged.leaf)) {
                continue;
            }
            match kind {
                EntryKind::Cast => set.cast.push((item, judged)),
                EntryKind::Spoiled => set.spoiled.push((item, judged)),
            }
        }
    }
    set.late = count(pair.records.len() - set.cast.len() - set.spoiled.len());
    let mut leaves: Vec<Digest> = set.cast.iter().map(|(_, judged)| judged.leaf).collect();
    let mut codes: Vec<Digest> = set.spoiled.iter().map(|(_, judged)| judged.code).collect();
    leaves.sort_unstable();
    codes.sort_unstable();
    closing
        .check_hash(leaves.iter().copied(), codes.iter().copied())
        .map_err(|error| {
            Problem::new(
                Kind::Refused,
                at,
                format!(
                    "the medium does not hold what the kiosk closed with: {error} ({} cast ballots found, {} closed; {} spoiled found, {} closed)",
                    leaves.len(),
                    closing.counters.recorded,
                    codes.len(),
                    closing.counters.spoiled
                ),
            )
            .advice("give both media of the pair; if a ballot is missing on both, look for another medium of this station")
        })?;
    Ok(set)
}

type EntryKindNumber = u8;

/// Each code once over all kiosks: a copied ballot is refused (pitfall 5).
fn check_codes(cast: &[(Item<'_>, Judged)], spoiled: &[(Item<'_>, Judged)]) -> Outcome<()> {
    let mut all: Vec<(&Digest, &Digest)> = cast.iter().chain(spoiled).map(|(item, judged)| (&judged.code, &item.kiosk)).collect();
    all.sort_unstable();
    for pair in all.windows(2) {
        if let [(code, first), (again, second)] = pair
            && code == again
        {
            return Err(Problem::new(
                Kind::Refused,
                format!("kiosks {} and {}", hex::encode(first), hex::encode(second)),
                format!("both hold the ballot with the code {}", election::ballot::code_text(code)),
            )
            .advice("no two kiosks can have one ballot: keep both and their media as evidence"));
        }
    }
    Ok(())
}

/// Ballots of a medium that turned up late and that no closing set has.
fn turned_up(content: &Content, crypto: &Crypto, ledger: &LedgerView, cast: &[(Item<'_>, Judged)]) -> Outcome<u32> {
    let items: Vec<Item<'_>> = content
        .records
        .iter()
        .filter(|record| record.kind == EntryKind::Cast && crypto.view(&record.ballot).is_ok())
        .map(|record| Item {
            kiosk: content.label.kiosk,
            epoch: content.label.epoch,
            tag: record.tag,
            ballot: &record.ballot,
        })
        .collect();
    let at = format!("late medium of kiosk {}", hex::encode(content.label.kiosk));
    let judged = ballots::look(EntryKind::Cast, &at, &items, crypto, ledger)?;
    let published: HashSet<&Digest> = cast.iter().map(|(_, judged)| &judged.leaf).collect();
    Ok(count(judged.iter().filter(|judged| !published.contains(&judged.leaf)).count()))
}

fn statements(sums: &[Sums]) -> Outcome<Vec<Sum>> {
    let mut list = Vec::new();
    for (contest, sum) in (0u16..).zip(sums) {
        for (selection, value) in (0u8..).zip(&sum.selections) {
            let (a, b) = value.points().map_err(|error| {
                Problem::new(Kind::Refused, format!("contest {contest}, selection {selection}"), error)
                    .advice("the sum of all ballots is nothing, which no honest ballots give: look into the kiosks")
            })?;
            list.push(Sum {
                contest,
                selection,
                a,
                b,
            });
        }
    }
    Ok(list)
}

/// One trustee's parts, one a sum, in the order of [`Prepared::sums`].
///
/// # Errors
/// A secret that is none.
pub fn decrypt<R: CryptoRng + ?Sized>(prepared: &Prepared<'_>, secret: &TrusteeSecret, rng: &mut R) -> Outcome<Vec<Decryption>> {
    prepared
        .statements
        .iter()
        .map(|sum| {
            secret.decrypt(&sum.statement(&prepared.election), rng).map_err(|error| {
                Problem::new(Kind::Refused, format!("trustee {}", secret.trustee()), error)
            })
        })
        .collect()
}

/// A finished tally.
#[derive(Clone, Debug)]
pub struct Tallied {
    /// The record, its index signed.
    pub record: Record,
    /// What it says.
    pub report: Report,
    /// Trustees whose parts did not hold.
    pub bad_trustees: Vec<u8>,
}

/// Chooses k good parts a sum, finds the totals, and makes the record.
///
/// # Errors
/// Fewer than k good parts for a sum; a total that cannot be found.
pub fn finish(
    prepared: &Prepared<'_>,
    parts: &[Vec<Decryption>],
    authority: &Signer,
    progress: Progress<'_>,
) -> Outcome<Tallied> {
    let counter = Counter::new("decrypting sums", prepared.statements.len(), progress);
    let most = prepared.sums.iter().map(|sum| sum.ballots).max().unwrap_or(0);
    let mut memory = vec![Baby::EMPTY; BABY_STEPS.min(most as usize + 1)];
    let dlog = Dlog::new(&prepared.keys.joint, &mut memory);
    let opened: Vec<Opened> = prepared
        .statements
        .par_iter()
        .enumerate()
        .map(|(index, sum)| {
            let at = || format!("contest {}, selection {}", sum.contest, sum.selection);
            let statement = sum.statement(&prepared.election);
            let given = parts.iter().filter_map(|parts| parts.get(index).copied());
            let chosen = choose(&prepared.keys, &statement, given).map_err(|error| {
                Problem::new(Kind::Refused, at(), error).advice("bring another trustee; so many are needed as the ceremony agreed")
            })?;
            let point = open_sum(&prepared.keys, &statement, &chosen.good).map_err(|error| Problem::new(Kind::Refused, at(), error))?;
            let ballots = prepared.sums.get(usize::from(sum.contest)).map_or(0, |sum| sum.ballots);
            let total = dlog.find(&point, ballots).ok_or_else(|| {
                Problem::new(Kind::Refused, at(), "what the trustees decrypted is no number of votes")
            })?;
            counter.step();
            Ok(Opened {
                sum: *sum,
                total,
                decryptions: chosen.good.to_vec(),
                bad: chosen.bad.to_vec(),
            })
        })
        .collect::<Outcome<_>>()?;
    let totals = totals(prepared, &opened);
    let report = make_report(prepared, &totals, &opened)?;
    let mut record = Record::new();
    record.put(FileName::Manifest, prepared.input.manifest.to_vec());
    record.put(FileName::Keys, prepared.input.keys.to_vec());
    record.put(FileName::Ceremony, prepared.input.ceremony.to_vec());
    record.put(FileName::Genesis, prepared.input.genesis.to_vec());
    record.put(FileName::Chain, prepared.input.chain.to_vec());
    record.put(
        FileName::Ballots,
        seq_of(prepared.cast.iter().map(|(item, _)| PublishedBallot {
            kiosk: item.kiosk,
            epoch: item.epoch,
            tag: item.tag,
            ballot: Raw(item.ballot),
        }))?,
    );
    record.put(
        FileName::Spoiled,
        seq_of(prepared.spoiled.iter().map(|(item, _)| PublishedSpoiled {
            kiosk: item.kiosk,
            epoch: item.epoch,
            ballot: Raw(item.ballot),
        }))?,
    );
    record.put(FileName::Closings, seq_of(prepared.closings.iter().map(|(closing, _)| *closing))?);
    record.put(FileName::Tally, encode_tally(prepared, &opened)?);
    record.put(FileName::Results, results::to_json(&report)?);
    record.put(FileName::Report, html::page(&report).into_bytes());
    if let Some(bytes) = prepared.input.reception {
        reception::parse("reception.json", bytes)?;
        record.put(FileName::Reception, bytes.to_vec());
    }
    record.sign(&prepared.election, authority)?;
    let mut bad_trustees: Vec<u8> = opened.iter().flat_map(|opened| opened.bad.iter().copied()).collect();
    bad_trustees.sort_unstable();
    bad_trustees.dedup();
    Ok(Tallied {
        record,
        report,
        bad_trustees,
    })
}

struct Opened {
    sum: Sum,
    total: u32,
    decryptions: Vec<Decryption>,
    bad: Vec<u8>,
}

/// Ballots and totals a contest.
fn totals(prepared: &Prepared<'_>, opened: &[Opened]) -> Vec<(u32, Vec<u32>)> {
    let mut totals: Vec<(u32, Vec<u32>)> = prepared.sums.iter().map(|sum| (sum.ballots, Vec::new())).collect();
    for opened in opened {
        if let Some((_, list)) = totals.get_mut(usize::from(opened.sum.contest)) {
            list.push(opened.total);
        }
    }
    totals
}

fn encode_tally(prepared: &Prepared<'_>, opened: &[Opened]) -> Outcome<Vec<u8>> {
    let mut contests = Vec::new();
    for (contest, sum) in (0u16..).zip(&prepared.sums) {
        let mut selections = Vec::new();
        for opened in opened.iter().filter(|opened| opened.sum.contest == contest) {
            let decryptions = seq_of(&opened.decryptions)?;
            selections.extend(to_bytes(&SelectionTally {
                a: Bytes(opened.sum.a.to_bytes()),
                b: Bytes(opened.sum.b.to_bytes()),
                total: opened.total,
                decryptions: Seq::from_bytes(&decryptions),
            })?);
        }
        contests.extend(to_bytes(&ContestTally {
            contest,
            ballots: sum.ballots,
            selections: Seq::from_bytes(&selections),
        })?);
    }
    to_bytes(&Tally {
        election: prepared.election,
        ballots: count(prepared.cast.iter().filter(|(_, judged)| judged.fate == Fate::Counted).count()),
        contests: Seq::from_bytes(&contests),
    })
}

fn make_report(prepared: &Prepared<'_>, totals: &[(u32, Vec<u32>)], opened: &[Opened]) -> Outcome<Report> {
    let manifest = &prepared.manifest;
    let mut kiosks: Vec<KioskReport> = prepared
        .closings
        .iter()
        .map(|(closing, pair)| kiosk_report(prepared, closing, pair))
        .collect();
    kiosks.sort_by_key(|kiosk| (kiosk.station, kiosk.epoch, kiosk.kiosk.clone()));
    let mut stations: BTreeMap<u16, u32> = BTreeMap::new();
    let mut sum = Ballots::default();
    for kiosk in &kiosks {
        *stations.entry(kiosk.station).or_default() += kiosk.recorded;
        sum.admitted += kiosk.admitted;
        sum.recorded += kiosk.recorded;
        sum.abandoned += kiosk.abandoned;
        sum.interrupted += kiosk.interrupted;
        sum.spoiled += kiosk.spoiled;
        sum.void += kiosk.void;
        sum.counted += kiosk.counted;
        sum.duplicates += kiosk.duplicates;
        sum.overwritten += kiosk.overwritten;
    }
    sum.late = prepared.late.values().sum();
    let used: std::collections::BTreeSet<u8> = opened
        .iter()
        .flat_map(|opened| opened.decryptions.iter().map(|part| part.trustee))
        .collect();
    let keys = Keys::read(prepared.input.keys).map_err(|error| Problem::new(Kind::Refused, FileName::Keys, error))?;
    Ok(Report {
        id: manifest.id.to_owned(),
        election: hex::encode(prepared.election),
        name: report::texts(manifest.name),
        mode: match manifest.mode {
            Mode::Consultation => "consultation",
            Mode::Statutory => "statutory",
        },
        policy: match manifest.policy {
            Policy::First => "first",
            Policy::Last => "last",
        },
        first_day: manifest.first_day,
        last_day: manifest.last_day,
        generated: prepared.input.generated.to_owned(),
        epochs: manifest.epochs().map(|epoch| report::texts(epoch.name)).collect(),
        units: manifest
            .units
            .iter()
            .map_while(Result::ok)
            .map(|unit| (unit.id.to_owned(), report::texts(unit.name)))
            .collect(),
        ballots: sum,
        contests: report::contests(manifest, totals),
        stations: stations
            .into_iter()
            .map(|(station, recorded)| StationReport {
                station,
                recorded,
                below_small_group: recorded < manifest.small_group,
            })
            .collect(),
        kiosks,
        small_group: manifest.small_group,
        reissued: prepared.input.reissued,
        trustees: used
            .iter()
            .filter_map(|number| keys.trustee(*number))
            .map(|trustee| trustee.name.to_owned())
            .collect(),
        trustees_total: usize::from(keys.trustee_count()),
        chain_height: prepared.ledger.height,
        validators: prepared.ledger.validators,
        batches: prepared.ledger.batches,
    })
}

fn kiosk_report(prepared: &Prepared<'_>, closing: &Closing<'_>, pair: &BallotBox) -> KioskReport {
    let kiosk = closing.kiosk_id();
    let fates = |fate: Fate| {
        count(
            prepared
                .cast
                .iter()
                .filter(|(item, judged)| item.kiosk == kiosk && item.epoch == closing.epoch && judged.fate == fate)
                .count(),
        )
    };
    let Counters {
        admitted,
        recorded,
        abandoned,
        interrupted,
        spoiled,
        void,
    } = closing.counters;
    KioskReport {
        kiosk: hex::encode(kiosk),
        station: closing.station,
        epoch: closing.epoch,
        admitted,
        recorded,
        abandoned,
        interrupted,
        spoiled,
        void,
        counted: fates(Fate::Counted),
        duplicates: fates(Fate::Duplicate),
        overwritten: fates(Fate::Overwritten),
        late: prepared.late.get(&kiosk).copied().unwrap_or(0),
        from_duplicate: pair.from_duplicate,
        words: ClosingWords::of(&closing.hash).to_string(),
    }
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
