//! The key ceremony over files (SPEC.md, section 3): a shared folder of messages, and a private folder a trustee, each on a
//! machine of its own. The shared folder may travel on a stick; nothing in it is believed.
//!
//! Every step may be run again: what is there already is checked and left alone. A message that does not hold is named with its
//! file and trustee. The folder names:
//!
//! ```text
//! shared:  join-1.bin ...  definition.bin  commit-1.bin ...  reveal-1.bin ...  share-1-2.bin ...  accept-1.bin ...  complaint-1.bin
//!          and at the end keys.bin, ceremony.bin (the transcript of the record)
//! private: signing.key  sealing.key  definition.bin (what this trustee agreed to)  polynomial.secret  share.secret
//! ```

mod folder;
mod memory;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use self::memory::{InMemory, in_memory};

use self::folder::{
    Me, Messages, check_complaints, check_sender, collect, complain, decode_signed, destroy_polynomial, encode, named,
    own_keys, pinned, put, read_message, words,
};
use election::ceremony::{
    Ceremony, CeremonyError, Commits, Dealer, MAX_SIGNED_LEN, Outcome as Agreed, Reason, Setup, Share, Trustee,
    check_accepts, own_share,
};
use election::keys::{MAX_NAME, MAX_TRUSTEES};
use election::seal::SealingSecret;
use election::tally::TrusteeSecret;
use election::wire::{self, Bytes, Seq};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::encode::to_bytes;
use crate::problem::{Kind, Outcome, Problem};
use crate::{files, keyfile};

/// Longest message file that is read.
const LONGEST: u64 = 16 << 10;
const DEFINITION: &str = "definition.bin";
const SIGNING: &str = "signing.key";
const SEALING: &str = "sealing.key";
const POLYNOMIAL: &str = "polynomial.secret";
/// The trustee's share of the election key, in the private folder.
pub const SHARE: &str = "share.secret";
/// The joint key, in the shared folder.
pub const KEYS: &str = "keys.bin";
/// The transcript, in the shared folder.
pub const TRANSCRIPT: &str = "ceremony.bin";

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// The step.
    pub step: &'static str,
    /// The trustee's number, where it is one's step.
    pub trustee: Option<u8>,
    /// False if everything was there already.
    pub written: bool,
    /// Words of the ceremony's hash: everybody in the room must see the same before anybody commits.
    pub words: Option<String>,
    /// What comes next.
    pub next: String,
}

/// A trustee's entry, before the ceremony is defined.
#[derive(Serialize, Deserialize)]
struct Join<'b> {
    name: &'b str,
    signing: Bytes<33>,
    sealing: Bytes<33>,
}

/// A trustee joins: makes keys in the private folder and puts the public ones into the shared one.
///
/// # Errors
/// A bad name or number; a number that another trustee took.
pub fn join<R: CryptoRng + ?Sized>(
    shared: &Path,
    private: &Path,
    number: u8,
    name: &str,
    rng: &mut R,
) -> Outcome<StepReport> {
    if !(1..=9).contains(&number) {
        return Err(Problem::new(
            Kind::Usage,
            "--number",
            "trustees are numbered from 1 to 9",
        ));
    }
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Problem::new(
            Kind::Usage,
            "--name",
            format!("a name has 1 to {MAX_NAME} bytes"),
        ));
    }
    files::folder(shared)?;
    files::private_folder(private)?;
    let (signer, sealing) = if private.join(SIGNING).exists() {
        own_keys(private)?
    } else {
        let sealing =
            SealingSecret::generate(rng).map_err(|error| Problem::new(Kind::Refused, private.display(), error))?;
        if !private.join(SEALING).exists() {
            keyfile::write_secret(&private.join(SEALING), &sealing.to_bytes())?;
        }
        keyfile::create(&private.join(SIGNING), rng)?;
        own_keys(private)?
    };
    let bytes = to_bytes(&Join {
        name,
        signing: Bytes(signer.public_key()),
        sealing: Bytes(sealing.public_key()),
    })?;
    let written = put(&shared.join(format!("join-{number}.bin")), &bytes)?;
    Ok(report(
        "join",
        Some(number),
        written,
        None,
        "when all have joined, one of you runs `ceremony new`",
    ))
}

/// Defines the ceremony from those who joined: trustees 1 to n, k of whom decrypt.
///
/// # Errors
/// Somebody is missing; an entry does not hold; a threshold that is none.
pub fn new<R: CryptoRng + ?Sized>(shared: &Path, trustees: u8, threshold: u8, rng: &mut R) -> Outcome<StepReport> {
    if threshold == 0 || threshold > trustees || usize::from(trustees) > MAX_TRUSTEES {
        return Err(Problem::new(
            Kind::Usage,
            "--threshold",
            format!(
                "{threshold} of {trustees} is no threshold: 1 to {MAX_TRUSTEES} trustees, and not more needed than there are"
            ),
        ));
    }
    let path = shared.join(DEFINITION);
    let written = if path.exists() {
        false
    } else {
        let mut joins = Vec::new();
        for number in 1..=trustees {
            joins.push(read_message(shared, &format!("join-{number}.bin"), Some(number))?);
        }
        let mut list = Vec::new();
        for (number, bytes) in (1..).zip(&joins) {
            let join: Join<'_> = wire::decode(bytes).map_err(|error| {
                Problem::new(Kind::Malformed, format!("join-{number}.bin, trustee {number}"), error)
            })?;
            list.extend(to_bytes(&Trustee {
                name: join.name,
                signing: join.signing,
                sealing: join.sealing,
            })?);
        }
        let mut id = [0; 32];
        rng.fill_bytes(&mut id);
        let bytes = to_bytes(&Ceremony {
            version: 1,
            id,
            threshold,
            trustees: Seq::from_bytes(&list),
        })?;
        Setup::read(&bytes).map_err(|error| named(error, None, "join"))?;
        files::write_new(&path, &bytes)?;
        true
    };
    let bytes = files::read(&path, LONGEST)?;
    let setup = Setup::read(&bytes).map_err(|error| named(error, None, DEFINITION))?;
    if (setup.count(), setup.threshold()) != (trustees, threshold) {
        return Err(Problem::new(
            Kind::Refused,
            path.display(),
            format!(
                "is there already, for {} of {} trustees",
                setup.threshold(),
                setup.count()
            ),
        )
        .advice("begin a new ceremony in a new folder"));
    }
    Ok(report(
        "new",
        None,
        written,
        Some(words(&setup)),
        "everybody compares the twelve words, then runs `ceremony commit`",
    ))
}

/// Round 1: draws the polynomial and commits to it. From here on the trustee is bound to this definition.
///
/// # Errors
/// The trustee is not in the definition; the definition is another one than before.
pub fn commit<R: CryptoRng + ?Sized>(shared: &Path, private: &Path, rng: &mut R) -> Outcome<StepReport> {
    let bytes = files::read(&shared.join(DEFINITION), LONGEST)?;
    let setup = Setup::read(&bytes).map_err(|error| named(error, None, DEFINITION))?;
    let me = Me::find(private, &setup)?;
    // Pinned before anything is sent: a definition changed later is noticed.
    put(&private.join(DEFINITION), &bytes)?;
    let secret = private.join(POLYNOMIAL);
    if !secret.exists() && !private.join(SHARE).exists() {
        let dealer = Dealer::generate(&setup, me.number, rng).map_err(|error| named(error, Some(&setup), "commit"))?;
        files::write_secret(&secret, &dealer.to_bytes())?;
    }
    let name = format!("commit-{}.bin", me.number);
    let written = if shared.join(&name).exists() {
        false
    } else {
        let dealer = me.dealer(&setup)?;
        let mut out = [0; MAX_SIGNED_LEN];
        let message = dealer
            .commit(&setup, &me.signer, &mut out)
            .map_err(|error| named(error, Some(&setup), "commit"))?;
        put(&shared.join(name), message)?
    };
    Ok(report(
        "commit",
        Some(me.number),
        written,
        Some(words(&setup)),
        "when all have committed, run `ceremony reveal`",
    ))
}

/// Round 2: shows what was committed to, once all have committed.
///
/// # Errors
/// Whose commit is missing or does not hold.
pub fn reveal(shared: &Path, private: &Path) -> Outcome<StepReport> {
    let bytes = pinned(shared, private)?;
    let setup = Setup::read(&bytes).map_err(|error| named(error, None, DEFINITION))?;
    let me = Me::find(private, &setup)?;
    let commits = Messages::read(shared, "commit", &setup)?;
    let commits = Commits::collect(&setup, commits.signed()?).map_err(|error| named(error, Some(&setup), "commit"))?;
    let name = format!("reveal-{}.bin", me.number);
    let written = if shared.join(&name).exists() {
        false
    } else {
        let mut out = [0; MAX_SIGNED_LEN];
        let message = me
            .dealer(&setup)?
            .reveal(&setup, &commits, &me.signer, &mut out)
            .map_err(|error| named(error, Some(&setup), "reveal"))?
            .to_vec();
        put(&shared.join(name), &message)?
    };
    Ok(report(
        "reveal",
        Some(me.number),
        written,
        None,
        "when all have revealed, run `ceremony share`",
    ))
}

/// Round 3: seals a share to every other trustee, once all have revealed.
///
/// # Errors
/// Whose message is missing or does not hold.
pub fn share<R: CryptoRng + ?Sized>(shared: &Path, private: &Path, rng: &mut R) -> Outcome<StepReport> {
    let bytes = pinned(shared, private)?;
    let setup = Setup::read(&bytes).map_err(|error| named(error, None, DEFINITION))?;
    let me = Me::find(private, &setup)?;
    let (commits, reveals) = (
        Messages::read(shared, "commit", &setup)?,
        Messages::read(shared, "reveal", &setup)?,
    );
    let (_, reveals) = collect(&setup, &commits, &reveals)?;
    let mut written = false;
    for to in (1..=setup.count()).filter(|to| *to != me.number) {
        let path = shared.join(format!("share-{}-{to}.bin", me.number));
        // A share is sealed anew each time and opens to the same: an old one stands.
        if path.exists() {
            continue;
        }
        let mut out = [0; MAX_SIGNED_LEN];
        let message = me
            .dealer(&setup)?
            .share(&setup, &reveals, to, &me.signer, rng, &mut out)
            .map_err(|error| named(error, Some(&setup), "share"))?
            .to_vec();
        written |= put(&path, &message)?;
    }
    Ok(report(
        "share",
        Some(me.number),
        written,
        None,
        "when all have shared, run `ceremony accept`",
    ))
}

/// Round 4: opens and checks all shares, keeps the trustee's part of the key, accepts, and destroys the polynomial. A share that
/// does not hold becomes a complaint, and ends the ceremony.
///
/// # Errors
/// Whose message is missing or does not hold.
pub fn accept(shared: &Path, private: &Path) -> Outcome<StepReport> {
    let bytes = pinned(shared, private)?;
    let setup = Setup::read(&bytes).map_err(|error| named(error, None, DEFINITION))?;
    let me = Me::find(private, &setup)?;
    check_complaints(shared, &setup)?;
    let name = shared.join(format!("accept-{}.bin", me.number));
    if name.exists() && private.join(SHARE).exists() {
        destroy_polynomial(private)?;
        return Ok(report(
            "accept",
            Some(me.number),
            false,
            None,
            "when all have accepted, run `ceremony finish`",
        ));
    }
    let (commits, reveals) = (
        Messages::read(shared, "commit", &setup)?,
        Messages::read(shared, "reveal", &setup)?,
    );
    let (commits, reveals) = collect(&setup, &commits, &reveals)?;
    let outcome = Agreed::new(&setup, &commits, &reveals).map_err(|error| named(error, Some(&setup), "reveal"))?;
    let dealer = me.dealer(&setup)?;
    let mut shares = Vec::new();
    for from in (1..=setup.count()).filter(|from| *from != me.number) {
        let file = format!("share-{from}-{}.bin", me.number);
        let bytes = read_message(shared, &file, Some(from))?;
        let signed = decode_signed(&bytes, &file, from)?;
        check_sender(&signed, &file, from)?;
        let share =
            Share::open(&setup, &reveals, me.number, &me.sealing, &signed).map_err(|error| match error.reason {
                // Signed by the trustee, and wrong: that ends the ceremony.
                Reason::Sealed | Reason::Share => complain(shared, &me, &setup, &dealer, error),
                // Not the trustee's message at all: whoever carries the folder may have damaged it.
                _ => named(CeremonyError { trustee: from, ..error }, Some(&setup), &file)
                    .advice("ask this trustee to put the file there again"),
            });
        shares.push(share?);
    }
    let secret = own_share(&setup, &outcome, &dealer, &shares).map_err(|error| named(error, Some(&setup), "share"))?;
    let mut out = [0; MAX_SIGNED_LEN];
    let message = dealer
        .accept(&setup, &outcome, &secret, &me.signer, &mut out)
        .map_err(|error| named(error, Some(&setup), "accept"))?
        .to_vec();
    // The part is durable before anybody hears of it; else a key could stand that nobody can use.
    if private.join(SHARE).exists() {
        if *keyfile::read_secret(&private.join(SHARE))? != *secret.to_bytes() {
            return Err(
                Problem::new(Kind::Refused, private.display(), "holds the share of another key")
                    .advice("use a private folder of its own for every ceremony"),
            );
        }
    } else {
        keyfile::write_secret(&private.join(SHARE), &secret.to_bytes())?;
    }
    put(&name, &message)?;
    destroy_polynomial(private)?;
    Ok(report(
        "accept",
        Some(me.number),
        true,
        None,
        "when all have accepted, run `ceremony finish`",
    ))
}

/// Ends the ceremony: checks everything once more and writes `keys.bin` and `ceremony.bin` into the shared folder.
///
/// # Errors
/// Whose message is missing or does not hold.
pub fn finish(shared: &Path) -> Outcome<StepReport> {
    let bytes = files::read(&shared.join(DEFINITION), LONGEST)?;
    let setup = Setup::read(&bytes).map_err(|error| named(error, None, DEFINITION))?;
    check_complaints(shared, &setup)?;
    let [commits, reveals, accepts] = ["commit", "reveal", "accept"].map(|kind| Messages::read(shared, kind, &setup));
    let (commits, reveals, accepts) = (commits?, reveals?, accepts?);
    let (first, second) = collect(&setup, &commits, &reveals)?;
    let outcome = Agreed::new(&setup, &first, &second).map_err(|error| named(error, Some(&setup), "reveal"))?;
    check_accepts(&setup, &outcome, accepts.signed()?).map_err(|error| named(error, Some(&setup), "accept"))?;
    let (keys, transcript) = encode(&setup, &outcome, &commits, &reveals, &accepts)?;
    let mut written = put(&shared.join(KEYS), &keys)?;
    written |= put(&shared.join(TRANSCRIPT), &transcript)?;
    Ok(report(
        "finish",
        None,
        written,
        Some(words(&setup)),
        "the key stands: use keys.bin and ceremony.bin",
    ))
}

/// A whole ceremony on one machine, over the same files and steps: for developers. Real trustees never share a machine.
///
/// # Errors
/// As the steps.
pub fn local<R: CryptoRng + ?Sized>(
    folder: &Path,
    trustees: u8,
    threshold: u8,
    rng: &mut R,
) -> Outcome<Vec<StepReport>> {
    let shared = folder.join("shared");
    let private: Vec<PathBuf> = (1..=trustees)
        .map(|number| folder.join(format!("trustee-{number}")))
        .collect();
    let mut reports = Vec::new();
    for (number, private) in (1..).zip(&private) {
        reports.push(join(&shared, private, number, &format!("Trustee {number}"), rng)?);
    }
    reports.push(new(&shared, trustees, threshold, rng)?);
    for private in &private {
        reports.push(commit(&shared, private, rng)?);
    }
    for private in &private {
        reports.push(reveal(&shared, private)?);
    }
    for private in &private {
        reports.push(share(&shared, private, rng)?);
    }
    for private in &private {
        reports.push(accept(&shared, private)?);
    }
    reports.push(finish(&shared)?);
    Ok(reports)
}

/// Reads a trustee's part from a private folder and finds its number by the public keys.
///
/// # Errors
/// No part of this key.
pub fn read_share(private: &Path, keys: &election::keys::Keys<'_>) -> Outcome<TrusteeSecret> {
    let path = private.join(SHARE);
    let bytes = keyfile::read_secret(&path)?;
    for number in 1..=keys.trustee_count() {
        let secret = TrusteeSecret::from_bytes(number, &bytes)
            .map_err(|error| Problem::new(Kind::Malformed, path.display(), error))?;
        let public = secret
            .public()
            .map_err(|error| Problem::new(Kind::Malformed, path.display(), error))?;
        if keys
            .trustee(number)
            .is_some_and(|trustee| trustee.share.0 == public.to_bytes())
        {
            return Ok(secret);
        }
    }
    Err(
        Problem::new(Kind::Refused, path.display(), "is not a part of this election's key")
            .advice("bring the folder of this election's ceremony"),
    )
}

fn report(step: &'static str, trustee: Option<u8>, written: bool, words: Option<String>, next: &str) -> StepReport {
    StepReport {
        step,
        trustee,
        written,
        words,
        next: next.to_owned(),
    }
}
