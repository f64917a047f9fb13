//! Trustees decrypt on machines of their own (SPEC.md, section 10): no part of the key leaves its owner, and nobody has to believe
//! the desk. The shared folder may travel on a stick; nothing in it is believed.
//!
//! ```text
//! shared:  draft/ (the record without tally, results and report)  commit-1.bin ...  reveal-1.bin ...
//! private: share.secret, signing.key (of the ceremony)  decrypted-ELECTION.bin  parts-SUMS.bin
//! ```
//!
//! A trustee checks the draft as an auditor does, adds the counted ballots up itself, and decrypts these sums and no others. Which
//! sums it has decrypted in an election stays in its private folder, and it refuses any others: two tallies that differ by a few
//! ballots show how these few voted (pitfall 19).

use std::path::{Path, PathBuf};

use election::ceremony::{Setup, Transcript};
use election::hash::Digest;
use election::keys::Keys;
use election::record::FileName;
use election::sign::{PublicKey, Signer};
use election::signed::Signed;
use election::tally::{CommitParts, Decryption, RevealParts, Round, check_round, commitment, sign_round, sums_hash};
use election::wire::{self, Seq};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::encode::to_bytes;
use crate::problem::{Kind, Outcome, Problem};
use crate::progress::Progress;
use crate::record::Record;
use crate::tally::Sum;
use crate::{ceremony, files, keyfile, verify};

/// Longest message of a trustee: 256 contests of 75 selections each.
const LONGEST: u64 = 4 << 20;
/// The folder of the draft, in the shared one.
pub const DRAFT: &str = "draft";
const SIGNING: &str = "signing.key";

/// What a trustee has decrypted in an election.
#[derive(Serialize, Deserialize)]
struct Decrypted {
    election: Digest,
    sums: Digest,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// The step.
    pub step: &'static str,
    /// The trustee's number.
    pub trustee: u8,
    /// False if the message was there already.
    pub written: bool,
    /// Ballots that count in the draft.
    pub counted: Option<u32>,
    /// What comes next.
    pub next: String,
}

/// The hash that names a list of sums.
#[must_use]
pub fn hash_of(election: &Digest, sums: &[Sum]) -> Digest {
    let count = u32::try_from(sums.len()).unwrap_or(u32::MAX);
    sums_hash(election, count, sums.iter().map(|sum| sum.statement(election)))
}

/// Puts the draft into the shared folder; one that is there must be for the same sums, which [`collect`] finds out.
///
/// # Errors
/// It cannot be written.
pub fn publish(shared: &Path, draft: &Record) -> Outcome<()> {
    files::folder(shared)?;
    draft.write(&shared.join(DRAFT))
}

/// Notes durably that this trustee decrypts these sums of this election; refuses if it has decrypted others.
///
/// # Errors
/// [`Kind::Refused`] with the file that says so.
pub fn pin(private: &Path, election: &Digest, sums: &Digest) -> Outcome<()> {
    let path = own(private, "decrypted", election);
    let bytes = to_bytes(&Decrypted {
        election: *election,
        sums: *sums,
    })?;
    if !path.exists() {
        return files::write_secret(&path, &bytes);
    }
    if files::read(&path, 256)? == bytes {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Refused,
        path.display(),
        "this trustee has decrypted other sums of this election, and decrypts no second ones",
    )
    .advice(
        "the difference of two tallies is a tally of the ballots in which they differ: ask why they differ. If all trustees agree to count again, \
         each moves this file away",
    ))
}

fn own(private: &Path, what: &str, election: &Digest) -> PathBuf {
    let name = hex::encode(election.first_chunk::<8>().unwrap_or(&[0; 8]));
    private.join(format!("{what}-{name}.bin"))
}

/// Round 1: checks the draft, adds up, makes this trustee's parts, and commits to them. May be run again.
///
/// # Errors
/// What does not hold in the draft; other sums than before; a folder of another ceremony.
pub fn commit<R: CryptoRng + ?Sized>(
    shared: &Path,
    private: &Path,
    authority: Option<PublicKey>,
    rng: &mut R,
    progress: Progress<'_>,
) -> Outcome<StepReport> {
    let record = Record::read(&shared.join(DRAFT))?;
    let draft = verify::draft(&record, authority.as_ref(), progress)?;
    let keys_bytes = record.get(FileName::Keys).unwrap_or_default();
    let keys = Keys::read(keys_bytes).map_err(|error| Problem::new(Kind::Refused, FileName::Keys, error))?;
    let secret = ceremony::read_share(private, &keys)?;
    let me = secret.trustee();
    let signer = own_signer(private, &record, me)?;
    let sums = hash_of(&draft.election, &draft.sums);
    pin(private, &draft.election, &sums)?;
    let parts = own(private, "parts", &sums);
    if !parts.exists() {
        let mut list = Vec::new();
        for sum in &draft.sums {
            let part = secret
                .decrypt(&sum.statement(&draft.election), rng)
                .map_err(|error| Problem::new(Kind::Refused, format!("trustee {me}"), error))?;
            list.extend(to_bytes(&part)?);
        }
        let body = to_bytes(&RevealParts {
            election: draft.election,
            sums,
            trustee: me,
            parts: Seq::from_bytes(&list),
        })?;
        // Once and for all: another proof of the same part would not be what was committed to.
        files::write_secret(&parts, &message(Round::Reveal, &body, &signer)?)?;
    }
    let reveal = files::read(&parts, LONGEST)?;
    let reveal: Signed<'_> = wire::decode(&reveal).map_err(|error| {
        Problem::new(Kind::Malformed, parts.display(), error).advice("remove it and run the step again")
    })?;
    let body = to_bytes(&CommitParts {
        election: draft.election,
        sums,
        trustee: me,
        reveal: commitment(reveal.body),
    })?;
    let written = put(
        &shared.join(format!("commit-{me}.bin")),
        &message(Round::Commit, &body, &signer)?,
    )?;
    Ok(StepReport {
        step: "commit",
        trustee: me,
        written,
        counted: Some(draft.counted),
        next: format!("when {} trustees have committed, run `decrypt reveal`", keys.threshold),
    })
}

/// Round 2: shows the parts, once k trustees have committed to theirs for the same sums. May be run again.
///
/// # Errors
/// Too few have committed, each of the others named with the reason.
pub fn reveal(shared: &Path, private: &Path) -> Outcome<StepReport> {
    let record = Record::read(&shared.join(DRAFT))?;
    let keys = Keys::read(record.get(FileName::Keys).unwrap_or_default())
        .map_err(|error| Problem::new(Kind::Refused, FileName::Keys, error))?;
    let me = ceremony::read_share(private, &keys)?.trustee();
    let signer = own_signer(private, &record, me)?;
    let manifest = record.get(FileName::Manifest).unwrap_or_default();
    let election = election::manifest::election_hash(manifest, &keys.joint.0);
    let pinned = own(private, "decrypted", &election);
    if !pinned.exists() {
        return Err(
            Problem::new(Kind::Refused, private.display(), "this trustee has not committed")
                .advice("run `decrypt commit` first"),
        );
    }
    let pinned = files::read(&pinned, 256)?;
    let pinned: Decrypted =
        wire::decode(&pinned).map_err(|error| Problem::new(Kind::Malformed, private.display(), error))?;
    let parts = own(private, "parts", &pinned.sums);
    let bytes = files::read(&parts, LONGEST)?;
    let signed: Signed<'_> =
        wire::decode(&bytes).map_err(|error| Problem::new(Kind::Malformed, parts.display(), error))?;
    let mine: RevealParts<'_> =
        wire::decode(signed.body).map_err(|error| Problem::new(Kind::Malformed, parts.display(), error))?;
    check_round(Round::Reveal, &signed, &signer.public_key())
        .map_err(|error| Problem::new(Kind::Malformed, parts.display(), error))?;
    let trustees = trustees(&record)?;
    let mut missing = Vec::new();
    let mut committed = 0;
    for trustee in &trustees {
        match committed_by(shared, trustee, &election, &mine.sums) {
            Ok(_) => committed += 1,
            Err(why) => missing.push(format!("{}: {why}", trustee.who())),
        }
    }
    if committed < usize::from(keys.threshold) {
        return Err(Problem::new(
            Kind::Refused,
            "commits",
            format!(
                "{committed} trustees have committed, {} are needed; {}",
                keys.threshold,
                missing.join("; ")
            ),
        )
        .advice("wait for them, then run the step again"));
    }
    Ok(StepReport {
        step: "reveal",
        trustee: me,
        written: put(&shared.join(format!("reveal-{me}.bin")), &bytes)?,
        counted: None,
        next: format!(
            "when {} trustees have revealed, the desk runs its `tally` again",
            keys.threshold
        ),
    })
}

/// What the trustees sent.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Parts of each trustee whose messages hold, in the order of the sums. Their proofs are not checked yet.
    pub parts: Vec<Vec<Decryption>>,
    /// Whose parts are not used, and why.
    pub left_out: Vec<LeftOut>,
}

/// A trustee whose parts are not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Number.
    pub trustee: u8,
    /// Name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Reads the trustees' messages for these sums: whoever is missing or does not hold is named and left out.
///
/// # Errors
/// The draft is not a record; fewer than k are left, each of the others named.
pub fn collect(shared: &Path, draft: &Record, election: &Digest, sums: &[Sum], needed: u8) -> Outcome<Collected> {
    let hash = hash_of(election, sums);
    let mut collected = Collected::default();
    for trustee in trustees(draft)? {
        match revealed_by(shared, &trustee, election, &hash, sums) {
            Ok(parts) => collected.parts.push(parts),
            Err(why) => collected.left_out.push(LeftOut {
                trustee: trustee.number,
                name: trustee.name,
                why,
            }),
        }
    }
    if collected.parts.len() >= usize::from(needed) {
        return Ok(collected);
    }
    let reasons: Vec<String> = collected
        .left_out
        .iter()
        .map(|left| format!("trustee {} ({}): {}", left.trustee, left.name, left.why))
        .collect();
    Err(Problem::new(
        Kind::Refused,
        shared.display(),
        format!(
            "{} trustees have decrypted, {needed} are needed; {}",
            collected.parts.len(),
            reasons.join("; ")
        ),
    )
    .advice("trustees run `decrypt commit`, then `decrypt reveal`; then run `tally` again"))
}

/// A trustee as the ceremony knows it.
struct Known {
    number: u8,
    name: String,
    signing: PublicKey,
}

impl Known {
    fn who(&self) -> String {
        format!("trustee {} ({})", self.number, self.name)
    }
}

fn trustees(record: &Record) -> Outcome<Vec<Known>> {
    let broken = |error: &dyn std::fmt::Display| Problem::new(Kind::Refused, FileName::Ceremony, error);
    let transcript: Transcript<'_> =
        wire::decode(record.get(FileName::Ceremony).unwrap_or_default()).map_err(|error| broken(&error))?;
    let setup = Setup::read(transcript.ceremony).map_err(|error| broken(&error))?;
    Ok((1..)
        .zip(setup.trustees())
        .map(|(number, trustee)| Known {
            number,
            name: trustee.name.to_owned(),
            signing: trustee.signing.0,
        })
        .collect())
}

fn own_signer(private: &Path, record: &Record, me: u8) -> Outcome<Signer> {
    let path = private.join(SIGNING);
    let signer = keyfile::read_signer(&path)?;
    let known = trustees(record)?;
    let mine = known.iter().find(|trustee| trustee.number == me);
    if mine.is_some_and(|trustee| trustee.signing == signer.public_key()) {
        Ok(signer)
    } else {
        Err(Problem::new(
            Kind::Refused,
            path.display(),
            "is not this trustee's key of the ceremony",
        )
        .advice("bring the folder of this election's ceremony"))
    }
}

fn message(round: Round, body: &[u8], signer: &Signer) -> Outcome<Vec<u8>> {
    let signed = sign_round(round, body, signer).map_err(|error| Problem::new(Kind::Refused, SIGNING, error))?;
    to_bytes(&signed)
}

/// A trustee's signed message from its file: why it is not used, in words.
fn read_round(shared: &Path, name: &str, round: Round, trustee: &Known) -> Result<Vec<u8>, String> {
    let path = shared.join(format!("{name}-{}.bin", trustee.number));
    if !path.exists() {
        return Err(format!("no {name} yet"));
    }
    let bytes = files::read(&path, LONGEST).map_err(|problem| problem.what)?;
    let signed: Signed<'_> = wire::decode(&bytes).map_err(|error| format!("its {name} is not a message ({error})"))?;
    check_round(round, &signed, &trustee.signing).map_err(|_| format!("its {name} is not signed by it"))?;
    Ok(signed.body.to_vec())
}

fn committed_by(shared: &Path, trustee: &Known, election: &Digest, sums: &Digest) -> Result<Digest, String> {
    let body = read_round(shared, "commit", Round::Commit, trustee)?;
    let commit: CommitParts = wire::decode(&body).map_err(|error| format!("its commit does not hold ({error})"))?;
    if commit.election != *election || commit.trustee != trustee.number {
        return Err("its commit is of another election or trustee".into());
    }
    if commit.sums != *sums {
        return Err("it has committed to parts of other sums".into());
    }
    Ok(commit.reveal)
}

fn revealed_by(
    shared: &Path,
    trustee: &Known,
    election: &Digest,
    hash: &Digest,
    sums: &[Sum],
) -> Result<Vec<Decryption>, String> {
    let committed = committed_by(shared, trustee, election, hash)?;
    let body = read_round(shared, "reveal", Round::Reveal, trustee)?;
    if commitment(&body) != committed {
        return Err("what it revealed is not what it committed to".into());
    }
    let reveal: RevealParts<'_> = wire::decode(&body).map_err(|error| format!("its reveal does not hold ({error})"))?;
    if reveal.election != *election || reveal.sums != *hash || reveal.trustee != trustee.number {
        return Err("its reveal is of another election, of other sums or of another trustee".into());
    }
    let parts = reveal.parts.iter().collect::<Result<Vec<_>, _>>();
    let parts = parts.map_err(|error| format!("its parts do not decode ({error})"))?;
    if parts.len() != sums.len() || parts.iter().any(|part| part.trustee != trustee.number) {
        return Err("its reveal does not hold one part of its own for each sum".into());
    }
    Ok(parts)
}

/// Writes a message; one that is there must already be the same.
fn put(path: &Path, bytes: &[u8]) -> Outcome<bool> {
    if !path.exists() {
        files::write_new(path, bytes)?;
        return Ok(true);
    }
    if files::read(path, LONGEST)? == bytes {
        return Ok(false);
    }
    Err(Problem::new(
        Kind::Refused,
        path.display(),
        "is there already and says something else",
    )
    .advice("find out who wrote it; take it away and run the step again"))
}
