//! `tally` and `verify`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use election::hash::Digest;
use election::keys::Keys;
use media::FileMedium;
use serde::Serialize;

use super::decrypt_commands::{Parts, parts};
use super::print;
use crate::decrypt::{self, LeftOut};
use crate::medium::{self, BallotBox, Content};
use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{self, Progress};
use crate::report::Report;
use crate::verify::{self, Options, Verified};
use crate::{desk, files, keyfile, tally};

/// Longest chain and other inputs that are read.
const LONGEST: u64 = 16 << 30;

/// `tally`.
#[derive(Args)]
#[command(
    after_help = "Every kiosk that closed on the chain must be there, original or duplicate, with the twelve words that witnesses \
                        wrote down. The record is verified before it counts as made; then, with --secret, E is destroyed."
)]
pub struct Tally {
    /// manifest.bin
    #[arg(long)]
    manifest: PathBuf,
    /// keys.bin of the ceremony
    #[arg(long)]
    keys: PathBuf,
    /// ceremony.bin of the ceremony
    #[arg(long)]
    ceremony: PathBuf,
    /// genesis.bin
    #[arg(long)]
    genesis: PathBuf,
    /// chain.bin
    #[arg(long)]
    chain: PathBuf,
    /// A kiosk's media: `original,duplicate`; leave one empty if it is lost. Repeat
    #[arg(long = "media", value_name = "ORIGINAL,DUPLICATE")]
    media: Vec<String>,
    /// A medium that turned up late: what only it holds is listed, never counted. Repeat
    #[arg(long = "late", value_name = "MEDIUM")]
    late: Vec<PathBuf>,
    /// Closing words from the witnesses' sheet: `kiosk=twelve words`; the first digits of the kiosk's id are enough. Repeat
    #[arg(long = "closing", value_name = "KIOSK=WORDS")]
    closings: Vec<String>,
    /// reception.json
    #[arg(long)]
    reception: Option<PathBuf>,
    /// Cards that were issued a second time and admitted after reception's check
    #[arg(long)]
    reissued: Option<u32>,
    /// Folder that trustees decrypt over, each on a machine of their own: the first call puts the draft of the record there, the second one
    /// takes what they have revealed
    #[arg(long, value_name = "SHARED", required_unless_present = "trustees")]
    decryptions: Option<PathBuf>,
    /// Instead: a trustee's private folder of the ceremony, brought to this machine; as many as the threshold says. Repeat
    #[arg(long = "trustee")]
    trustees: Vec<PathBuf>,
    /// The authority's secret key
    #[arg(long)]
    authority: PathBuf,
    /// The file with E, to be destroyed when the record stands
    #[arg(long)]
    secret: Option<PathBuf>,
    /// Folder for the record, new or empty
    #[arg(long)]
    out: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct TallyReport {
    report: Report,
    verified: Verified,
    bad_trustees: Vec<u8>,
    left_out: Vec<LeftOut>,
    secret_destroyed: bool,
}

/// Where the draft waits for the trustees.
#[derive(Serialize)]
struct Waiting {
    waiting: bool,
    draft: PathBuf,
}

impl Tally {
    pub fn run(self) -> Outcome<()> {
        let progress = progress::on_standard_error();
        let manifest = desk::read_manifest(&self.manifest)?;
        let keys = desk::read_keys(&self.keys)?;
        let ceremony_bytes = files::read(&self.ceremony, 1 << 20)?;
        let genesis = files::read(&self.genesis, 1 << 20)?;
        let chain = files::read(&self.chain, LONGEST)?;
        let reception = self
            .reception
            .as_deref()
            .map(|path| files::read(path, 1 << 24))
            .transpose()?;
        let authority = keyfile::read_signer(&self.authority)?;
        // Before the work, so that a wrong name ends it: a key in its place is refused, never destroyed.
        if let Some(path) = &self.secret {
            keyfile::read_election_secret(path)?;
        }
        files::empty_folder(&self.out)?;
        let boxes = self
            .media
            .iter()
            .map(|pair| read_pair(pair, &progress))
            .collect::<Outcome<Vec<_>>>()?;
        let late = self
            .late
            .iter()
            .map(|path| open(path).and_then(|medium| medium::read(medium, &path.display().to_string(), &progress)))
            .collect::<Outcome<Vec<Content>>>()?;
        let words = closing_words(&self.closings, &boxes)?;
        let parsed = Keys::read(&keys).map_err(|error| Problem::new(Kind::Malformed, self.keys.display(), error))?;
        let generated = now();
        let prepared = tally::prepare(
            tally::Input {
                manifest: &manifest,
                keys: &keys,
                ceremony: &ceremony_bytes,
                genesis: &genesis,
                chain: &chain,
                boxes: &boxes,
                late: &late,
                words: &words,
                reception: reception.as_deref(),
                reissued: self.reissued,
                generated: &generated,
            },
            &progress,
        )?;
        let (parts, left_out) = match parts(
            &prepared,
            &parsed,
            &authority,
            &self.trustees,
            self.decryptions.as_deref(),
        )? {
            Parts::Here(parts, left_out) => (parts, left_out),
            Parts::Waiting => {
                let draft = self.decryptions.unwrap_or_default().join(decrypt::DRAFT);
                return print(self.json, &Waiting { waiting: true, draft }, |waiting| {
                    format!(
                        "Everything holds; nothing is decrypted yet. The draft of the record is in {}.\n  \
                         next: {} trustees run `decrypt commit`, then `decrypt reveal`; then run this again\n",
                        waiting.draft.display(),
                        prepared.threshold()
                    )
                });
            }
        };
        let tallied = tally::finish(&prepared, &parts, &authority, &progress)?;
        let verified = verify::verify(
            &tallied.record,
            &Options {
                authority: Some(authority.public_key()),
                ..Options::default()
            },
            &progress,
        )?;
        tallied.record.write(&self.out)?;
        let secret_destroyed = match &self.secret {
            Some(path) => {
                files::destroy(path)?;
                true
            }
            None => false,
        };
        let report = TallyReport {
            report: tallied.report,
            verified,
            bad_trustees: tallied.bad_trustees,
            left_out,
            secret_destroyed,
        };
        print(self.json, &report, |report| {
            let mut out = describe(&report.verified);
            for trustee in &report.bad_trustees {
                out.push_str(&format!(
                    "  the parts of trustee {trustee} did not hold and were not used\n"
                ));
            }
            for left in &report.left_out {
                out.push_str(&format!(
                    "  nothing of trustee {} ({}) was used: {}\n",
                    left.trustee, left.name, left.why
                ));
            }
            out.push_str(if report.secret_destroyed {
                "  E is destroyed\n"
            } else {
                "  E was not given to be destroyed: run `staff secret destroy` before witnesses\n"
            });
            out
        })
    }
}

fn open(path: &Path) -> Outcome<FileMedium> {
    FileMedium::open_read_only(path).map_err(|error| {
        Problem::new(Kind::Files, path.display(), error).advice("check the name, and that the medium is in")
    })
}

fn read_pair(pair: &str, progress: Progress<'_>) -> Outcome<BallotBox> {
    let (original, duplicate) = pair.split_once(',').ok_or_else(|| {
        Problem::new(
            Kind::Usage,
            "--media",
            format!("{pair:?} is not of the form original,duplicate"),
        )
        .advice("leave the name of a lost medium empty, but write the comma")
    })?;
    let medium = |name: &str| {
        if name.is_empty() {
            Err(Problem::new(Kind::Refused, pair, "was not given"))
        } else {
            open(Path::new(name))
        }
    };
    tally::read_pair(medium(original), medium(duplicate), pair, progress)
}

/// Matches typed words with the kiosks of the media by the first digits of their ids.
fn closing_words(typed: &[String], boxes: &[BallotBox]) -> Outcome<BTreeMap<Digest, String>> {
    let mut words = BTreeMap::new();
    for text in typed {
        let (kiosk, twelve) = text.split_once('=').ok_or_else(|| {
            Problem::new(
                Kind::Usage,
                "--closing",
                format!("{text:?} is not of the form kiosk=words"),
            )
        })?;
        let prefix = kiosk.trim().to_ascii_lowercase();
        let mut matching = boxes
            .iter()
            .filter(|pair| hex::encode(pair.label.kiosk).starts_with(&prefix));
        let (Some(pair), None) = (matching.next(), matching.next()) else {
            return Err(Problem::new(
                Kind::Usage,
                "--closing",
                format!("{kiosk:?} is not the beginning of exactly one kiosk's id"),
            )
            .advice("write more digits; the id stands on the closing report"));
        };
        words.insert(pair.label.kiosk, twelve.to_owned());
    }
    Ok(words)
}

/// Now, in UTC, RFC 3339.
fn now() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    rfc3339(seconds)
}

/// Seconds since 1970 as RFC 3339 (civil-from-days, H. Hinnant).
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

/// `verify`.
#[derive(Args)]
#[command(
    after_help = "Exit code 0: the record holds. 1: it does not, and the first thing that does not hold is named. 2: it could not be \
                        looked at."
)]
pub struct Verify {
    /// Folder of the record
    record: PathBuf,
    /// The authority's public key in hex, as it was made public
    #[arg(long)]
    authority: Option<String>,
    /// Reception's signed counts of admissions
    #[arg(long)]
    reception: Option<PathBuf>,
    /// A tracking code to look up; repeat
    #[arg(long = "code")]
    codes: Vec<String>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct DoesNotHold<'p> {
    holds: bool,
    at: &'p str,
    what: &'p str,
}

impl Verify {
    pub fn run(self) -> Outcome<()> {
        let options = Options {
            authority: self
                .authority
                .as_deref()
                .map(|text| keyfile::parse_public(text, "--authority"))
                .transpose()?,
            reception: self
                .reception
                .as_deref()
                .map(|path| files::read(path, 1 << 24))
                .transpose()?,
            codes: self.codes.clone(),
        };
        match verify::verify_folder(&self.record, &options, &progress::on_standard_error()) {
            Ok(verified) => print(self.json, &verified, describe),
            Err(problem) => {
                if self.json && problem.kind == Kind::Refused {
                    let report = DoesNotHold {
                        holds: false,
                        at: &problem.at,
                        what: &problem.what,
                    };
                    print(true, &report, |_| String::new())?;
                }
                Err(problem)
            }
        }
    }
}

fn describe(verified: &Verified) -> String {
    let mut out = format!(
        "The record of {} holds.\n  {} ballots: {} counted, {} duplicates, {} overwritten; {} spoiled\n  {} closings, {} batches in {} blocks of {} validators\n",
        verified.election,
        verified.ballots,
        verified.counted,
        verified.duplicates,
        verified.overwritten,
        verified.spoiled,
        verified.closings,
        verified.batches,
        verified.chain_height,
        verified.validators
    );
    if !verified.authority_compared {
        out.push_str(&format!(
            "  it is signed by {}: compare this with the key that the authority made public\n",
            verified.authority
        ));
    }
    if verified.entries_without_closing > 0 {
        out.push_str(&format!(
            "  {} entries on the chain belong to kiosks that never closed; they are not counted\n",
            verified.entries_without_closing
        ));
    }
    for (contest, options) in &verified.totals {
        let list: Vec<String> = options
            .iter()
            .map(|(option, votes)| format!("{option} {votes}"))
            .collect();
        let no_votes = verified.no_votes.get(contest).copied().unwrap_or(0);
        out.push_str(&format!("  {contest}: {}, no vote {no_votes}\n", list.join(", ")));
    }
    for (code, status) in &verified.codes {
        out.push_str(&format!("  code {code}: {status}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_795_307_999), "2026-11-22T00:39:59Z");
    }
}
