//! Reception's signed counts of admissions (SPEC.md, section 10), as JSON: more tags than people let in means invented voters.
//! What the counts mean is judged in `election::verify`.

use election::hash::Digest;
use election::record::{LABEL_RECEPTION, ReceptionCount};
use election::sign::Signer;
use serde::{Deserialize, Serialize};

use crate::keyfile;
use crate::problem::{Kind, Outcome, Problem};

#[derive(Serialize, Deserialize)]
struct Counts {
    counts: Vec<Count>,
}

#[derive(Serialize, Deserialize)]
struct Count {
    station: u16,
    epoch: u8,
    admissions: u32,
    key: String,
    signature: String,
}

/// Reads the counts. Their signatures are not checked here.
///
/// # Errors
/// Not of the form of SPEC.md, section 10.
pub fn parse(file: &str, bytes: &[u8]) -> Outcome<Vec<ReceptionCount>> {
    let given: Counts = serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(Kind::Refused, file, error).advice("write {\"counts\": [...]} as SPEC.md, section 10 says")
    })?;
    given
        .counts
        .iter()
        .enumerate()
        .map(|(index, count)| {
            let at = format!("{file}, count {index}");
            let key = keyfile::parse_public(&count.key, &at)
                .map_err(|problem| Problem::new(Kind::Refused, &at, problem.what))?;
            let signature = hex::decode(&count.signature)
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| Problem::new(Kind::Refused, &at, "its signature is not 128 hex digits"))?;
            Ok(ReceptionCount {
                station: count.station,
                epoch: count.epoch,
                admissions: count.admissions,
                key,
                signature,
            })
        })
        .collect()
}

/// A count signed by a key at hand (a staff card signs [`ReceptionCount::message`] by itself).
///
/// # Errors
/// The key cannot sign.
pub fn sign(election: &Digest, station: u16, epoch: u8, admissions: u32, signer: &Signer) -> Outcome<ReceptionCount> {
    let message = ReceptionCount::message(election, station, epoch, admissions);
    Ok(ReceptionCount {
        station,
        epoch,
        admissions,
        key: signer.public_key(),
        signature: signer
            .sign(LABEL_RECEPTION, &message)
            .map_err(|error| Problem::new(Kind::Refused, "reception", error))?,
    })
}

/// The counts as `reception.json`.
///
/// # Errors
/// None of ours.
pub fn to_json(counts: &[ReceptionCount]) -> Outcome<Vec<u8>> {
    let counts = Counts {
        counts: counts
            .iter()
            .map(|count| Count {
                station: count.station,
                epoch: count.epoch,
                admissions: count.admissions,
                key: hex::encode(count.key),
                signature: hex::encode(count.signature),
            })
            .collect(),
    };
    let mut bytes =
        serde_json::to_vec_pretty(&counts).map_err(|error| Problem::new(Kind::Malformed, "reception.json", error))?;
    bytes.push(b'\n');
    Ok(bytes)
}
