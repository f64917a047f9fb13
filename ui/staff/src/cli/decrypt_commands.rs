//! `decrypt`: what a trustee does at the count, on a machine of their own.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use election::keys::Keys;
use election::tally::Decryption;

use super::{print, system_rng};
use crate::decrypt::{self, LeftOut, StepReport};
use crate::problem::{Kind, Outcome, Problem};
use crate::tally::{self, Prepared};
use crate::{ceremony, keyfile, progress};

/// `decrypt`.
#[derive(Subcommand)]
pub enum Decrypt {
    /// Checks the draft of the record, adds the ballots up, and commits to this trustee's parts
    Commit(Commit),
    /// Shows the parts, once enough trustees have committed
    Reveal(Folders),
}

/// Both folders of a trustee.
#[derive(Args)]
pub struct Folders {
    /// Folder of messages, with the desk's draft
    #[arg(long)]
    shared: PathBuf,
    /// This trustee's private folder of the ceremony
    #[arg(long)]
    private: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// `decrypt commit`.
#[derive(Args)]
pub struct Commit {
    #[command(flatten)]
    folders: Folders,
    /// The authority's public key in hex, as it was made public
    #[arg(long)]
    authority: Option<String>,
}

impl Decrypt {
    pub fn run(self) -> Outcome<()> {
        let (report, json) = match self {
            Self::Commit(c) => {
                let authority = c
                    .authority
                    .as_deref()
                    .map(|text| keyfile::parse_public(text, "--authority"))
                    .transpose()?;
                let (shared, private) = (&c.folders.shared, &c.folders.private);
                let progress = progress::on_standard_error();
                let report = decrypt::commit(shared, private, authority, &mut system_rng(), &progress)?;
                (report, c.folders.json)
            }
            Self::Reveal(folders) => (decrypt::reveal(&folders.shared, &folders.private)?, folders.json),
        };
        print(json, &report, describe)
    }
}

fn describe(report: &StepReport) -> String {
    let done = if report.written { "done" } else { "was done already" };
    let counted = report.counted.map_or_else(String::new, |counted| {
        format!("  the draft holds; {counted} ballots count, and only their sums are decrypted\n")
    });
    format!(
        "{} (trustee {}): {done}\n{counted}  next: {}\n",
        report.step, report.trustee, report.next
    )
}

/// What a tally has from its trustees.
pub(super) enum Parts {
    /// The draft was written; the trustees are next.
    Waiting,
    /// Their parts, and whose are not used.
    Here(Vec<Vec<Decryption>>, Vec<LeftOut>),
}

/// Parts from trustees who are in the room with their folders, or from those who decrypt on machines of their own.
pub(super) fn parts(
    prepared: &Prepared<'_>,
    keys: &Keys<'_>,
    authority: &election::sign::Signer,
    folders: &[PathBuf],
    shared: Option<&Path>,
) -> Outcome<Parts> {
    let Some(shared) = shared else {
        let hash = decrypt::hash_of(prepared.election(), prepared.sums());
        let mut parts = Vec::new();
        for folder in folders {
            let secret = ceremony::read_share(folder, keys)?;
            decrypt::pin(folder, prepared.election(), &hash)?;
            parts.push(tally::decrypt(prepared, &secret, &mut system_rng())?);
        }
        return Ok(Parts::Here(parts, Vec::new()));
    };
    if !folders.is_empty() {
        return Err(Problem::new(
            Kind::Usage,
            "--decryptions",
            "either trustees decrypt on machines of their own, or they bring their folders (--trustee)",
        ));
    }
    let draft = tally::draft(prepared, authority)?;
    if !shared.join(decrypt::DRAFT).exists() {
        decrypt::publish(shared, &draft)?;
        return Ok(Parts::Waiting);
    }
    let collected = decrypt::collect(
        shared,
        &draft,
        prepared.election(),
        prepared.sums(),
        prepared.threshold(),
    )?;
    Ok(Parts::Here(collected.parts, collected.left_out))
}
