//! The two folders of a ceremony: a trustee's own secrets, and everybody's messages, of which none is believed.

use std::path::{Path, PathBuf};

use election::ceremony::{
    self as rounds, Accept, CeremonyError, Commit, Commits, Dealer, MAX_SIGNED_LEN, Outcome as Agreed, Reveal, Reveals,
    Setup, Transcript,
};
use election::seal::SealingSecret;
use election::sign::Signer;
use election::signed::Signed;
use election::wire::{self, Seq};
use election::words::ClosingWords;
use zeroize::Zeroizing;

use super::{DEFINITION, LONGEST, POLYNOMIAL, SEALING, SIGNING};
use crate::encode::to_bytes;
use crate::problem::{Kind, Outcome, Problem};
use crate::{files, keyfile};

/// A trustee at its own machine.
pub(super) struct Me {
    pub number: u8,
    pub signer: Signer,
    pub sealing: SealingSecret,
    private: PathBuf,
}

impl Me {
    pub fn find(private: &Path, setup: &Setup<'_>) -> Outcome<Self> {
        let (signer, sealing) = own_keys(private)?;
        let place = setup
            .trustees()
            .iter()
            .position(|trustee| trustee.signing.0 == signer.public_key() && trustee.sealing.0 == sealing.public_key());
        let number = place.and_then(|place| u8::try_from(place + 1).ok()).ok_or_else(|| {
            Problem::new(
                Kind::Refused,
                private.display(),
                "its keys are not in the definition of this ceremony",
            )
            .advice(
                "somebody changed the shared folder, or this is the folder of another ceremony: begin again together",
            )
        })?;
        Ok(Self {
            number,
            signer,
            sealing,
            private: private.to_path_buf(),
        })
    }

    pub fn dealer(&self, setup: &Setup<'_>) -> Outcome<Dealer> {
        let bytes = Zeroizing::new(files::read(&self.private.join(POLYNOMIAL), LONGEST)?);
        Dealer::from_bytes(setup, self.number, &bytes).map_err(|error| named(error, Some(setup), POLYNOMIAL))
    }
}

pub(super) fn own_keys(private: &Path) -> Outcome<(Signer, SealingSecret)> {
    let signer = keyfile::read_signer(&private.join(SIGNING))?;
    let path = private.join(SEALING);
    let sealing = SealingSecret::from_bytes(&*keyfile::read_secret(&path)?)
        .map_err(|error| Problem::new(Kind::Malformed, path.display(), error))?;
    Ok((signer, sealing))
}

/// The definition this trustee agreed to; the shared one must still be it.
pub(super) fn pinned(shared: &Path, private: &Path) -> Outcome<Vec<u8>> {
    let ours = private.join(DEFINITION);
    if !ours.exists() {
        return Err(Problem::new(Kind::Refused, private.display(), "has not committed yet")
            .advice("run `ceremony commit` first"));
    }
    let ours = files::read(&ours, LONGEST)?;
    if files::read(&shared.join(DEFINITION), LONGEST)? != ours {
        return Err(Problem::new(
            Kind::Refused,
            shared.join(DEFINITION).display(),
            "is not the definition this trustee committed to",
        )
        .advice("somebody changed it: begin a new ceremony together"));
    }
    Ok(ours)
}

/// Messages of one kind from trustees 1 to n.
#[derive(Default)]
pub(super) struct Messages(pub Vec<Vec<u8>>);

impl Messages {
    pub fn read(shared: &Path, kind: &str, setup: &Setup<'_>) -> Outcome<Self> {
        let mut list = Vec::new();
        for number in 1..=setup.count() {
            let file = format!("{kind}-{number}.bin");
            let bytes = read_message(shared, &file, Some(number))?;
            let signed = decode_signed(&bytes, &file, number)?;
            check_sender(&signed, &file, number)?;
            check_body(&signed, kind, &file, number)?;
            list.push(bytes);
        }
        Ok(Self(list))
    }

    pub fn signed(&self) -> Outcome<Vec<Signed<'_>>> {
        (1..)
            .zip(&self.0)
            .map(|(number, bytes)| decode_signed(bytes, "message", number))
            .collect()
    }
}

pub(super) fn collect<'b>(
    setup: &Setup<'_>,
    commits: &'b Messages,
    reveals: &'b Messages,
) -> Outcome<(Commits<'b>, Reveals<'b>)> {
    let first = Commits::collect(setup, commits.signed()?).map_err(|error| named(error, Some(setup), "commit"))?;
    let second =
        Reveals::collect(setup, &first, reveals.signed()?).map_err(|error| named(error, Some(setup), "reveal"))?;
    Ok((first, second))
}

/// keys.bin and ceremony.bin, read back as an auditor would.
pub(super) fn encode(
    setup: &Setup<'_>,
    outcome: &Agreed,
    commits: &Messages,
    reveals: &Messages,
    accepts: &Messages,
) -> Outcome<(Vec<u8>, Vec<u8>)> {
    let mut buffer = [0; 2048];
    let keys = rounds::keys(setup, outcome, &mut buffer).map_err(|error| named(error, Some(setup), "keys"))?;
    let keys = to_bytes(&keys)?;
    let [commits, reveals, accepts] = [commits, reveals, accepts].map(|messages| messages.0.concat());
    let transcript = to_bytes(&Transcript {
        ceremony: setup.bytes(),
        commits: Seq::from_bytes(&commits),
        reveals: Seq::from_bytes(&reveals),
        accepts: Seq::from_bytes(&accepts),
    })?;
    rounds::verify_transcript(&transcript, &keys).map_err(|error| named(error, Some(setup), "transcript"))?;
    Ok((keys, transcript))
}

pub(super) fn read_message(shared: &Path, file: &str, trustee: Option<u8>) -> Outcome<Vec<u8>> {
    let path = shared.join(file);
    if !path.exists() {
        let who = trustee.map_or_else(String::new, |number| format!("trustee {number}, "));
        return Err(Problem::new(Kind::Refused, format!("{who}{file}"), "is not there yet")
            .advice("wait for this trustee, then run the step again"));
    }
    files::read(&path, LONGEST)
}

/// Whether a body decodes: a list of all trustees' messages could not say whose does not.
pub(super) fn check_body(signed: &Signed<'_>, kind: &str, file: &str, trustee: u8) -> Outcome<()> {
    match kind {
        "commit" => wire::decode::<Commit>(signed.body).map(|_| ()),
        "reveal" => wire::decode::<Reveal<'_>>(signed.body)
            .and_then(|reveal| reveal.coefficients.check())
            .map(|_| ()),
        _ => wire::decode::<Accept>(signed.body).map(|_| ()),
    }
    .map_err(|error| {
        Problem::new(Kind::Refused, format!("trustee {trustee}, {file}"), error)
            .advice("ask this trustee to put the file there again")
    })
}

/// Every body begins with the ceremony's hash and its sender, who must be the one in the file's name.
pub(super) fn check_sender(signed: &Signed<'_>, file: &str, trustee: u8) -> Outcome<()> {
    if signed.body.get(32) == Some(&trustee) {
        Ok(())
    } else {
        Err(Problem::new(
            Kind::Refused,
            format!("trustee {trustee}, {file}"),
            "holds a message of somebody else",
        )
        .advice("ask this trustee to put the file there again"))
    }
}

pub(super) fn decode_signed<'b>(bytes: &'b [u8], file: &str, trustee: u8) -> Outcome<Signed<'b>> {
    wire::decode(bytes).map_err(|error| {
        Problem::new(
            Kind::Refused,
            format!("trustee {trustee}, {file}"),
            format!("is not a message ({error})"),
        )
        .advice("ask this trustee to send it again")
    })
}

/// Writes a complaint, so that the others learn of it, and gives the problem.
pub(super) fn complain(shared: &Path, me: &Me, setup: &Setup<'_>, dealer: &Dealer, error: CeremonyError) -> Problem {
    let mut out = [0; MAX_SIGNED_LEN];
    let problem = named(error, Some(setup), "share")
        .advice("the ceremony ends here: find out what happened at this trustee, then begin a new one together");
    let written = dealer
        .complain(setup, &error, &me.signer, &mut out)
        .map_err(|error| named(error, Some(setup), "complaint"))
        .and_then(|message| put(&shared.join(format!("complaint-{}.bin", me.number)), message));
    match written {
        Ok(_) => problem,
        Err(second) => Problem::new(
            problem.kind,
            &problem.at,
            format!("{} (and the complaint: {second})", problem.what),
        ),
    }
}

pub(super) fn check_complaints(shared: &Path, setup: &Setup<'_>) -> Outcome<()> {
    for number in 1..=setup.count() {
        let file = format!("complaint-{number}.bin");
        if !shared.join(&file).exists() {
            continue;
        }
        let bytes = files::read(&shared.join(&file), LONGEST)?;
        let complaint = rounds::read_complaint(setup, &decode_signed(&bytes, &file, number)?)
            .map_err(|error| named(error, Some(setup), "complaint"))?;
        return Err(Problem::new(
            Kind::Refused,
            format!("trustee {}", complaint.against),
            format!(
                "trustee {} complains about a share that does not hold",
                complaint.trustee
            ),
        )
        .advice("the ceremony has ended: find out what happened, then begin a new one together"));
    }
    Ok(())
}

pub(super) fn destroy_polynomial(private: &Path) -> Outcome<()> {
    let path = private.join(POLYNOMIAL);
    if path.exists() { files::destroy(&path) } else { Ok(()) }
}

/// Writes a file; one that is there must already be the same.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Outcome<bool> {
    if path.exists() {
        if files::read(path, LONGEST)? == bytes {
            return Ok(false);
        }
        return Err(Problem::new(
            Kind::Refused,
            path.display(),
            "is there already and says something else",
        )
        .advice("somebody else uses this number or this folder: agree, and begin again where needed"));
    }
    files::write_new(path, bytes)?;
    Ok(true)
}

pub(super) fn named(error: CeremonyError, setup: Option<&Setup<'_>>, message: &str) -> Problem {
    if error.trustee == 0 {
        return Problem::new(Kind::Refused, message, error);
    }
    let name = setup
        .and_then(|setup| setup.trustee(error.trustee))
        .map_or_else(String::new, |trustee| format!(" ({})", trustee.name));
    Problem::new(
        Kind::Refused,
        format!("{message} of trustee {}{name}", error.trustee),
        error,
    )
}

pub(super) fn words(setup: &Setup<'_>) -> String {
    ClosingWords::of(setup.hash()).to_string()
}
