//! Provisioning: E is sealed to a kiosk that two staff cards have signed in (DESIGN, "The life of an election" 2).
//!
//! What the desk gets is the registration itself, with both signatures; a kiosk that nobody signed in gets nothing.

use election::hash::Digest;
use election::ledger::{Book, Full, Genesis, KioskRow, Registration, Rules, Transaction};
use election::tag::{ElectionSecret, SEALED_SECRET_LEN};
use rand_core::CryptoRng;
use serde::Serialize;

use crate::problem::{Kind, Outcome, Problem};

/// What was sealed, and for whom.
#[derive(Clone, Debug, Serialize)]
pub struct Provisioned {
    /// Kiosk id.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub kiosk: Digest,
    /// Its station.
    pub station: u16,
    /// Hash of the software that staff saw on it.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub software: Digest,
    /// The names of the two staff cards.
    pub staff: Vec<String>,
    /// E sealed to the kiosk.
    #[serde(skip)]
    pub sealed: [u8; SEALED_SECRET_LEN],
}

/// Checks a registration as the ledger would, and gives its body.
///
/// # Errors
/// Not a registration, of another election, or not signed by two staff cards that may provision.
pub fn check_registration(genesis: &Genesis<'_>, registration: &[u8]) -> Outcome<(Registration, Vec<String>)> {
    let refuse = |what: String| {
        Problem::new(Kind::Refused, "registration", what)
            .advice("register the kiosk again with two staff cards that may provision")
    };
    let transaction = Transaction::read(registration).map_err(|error| refuse(error.to_string()))?;
    let Transaction::Register { body, staff } = transaction else {
        return Err(refuse("this transaction registers no kiosk".into()));
    };
    Rules::new(*genesis, Nothing)
        .check(&transaction)
        .map_err(|error| refuse(error.to_string()))?;
    let names = staff
        .iter()
        .map_while(Result::ok)
        .filter_map(|signature| genesis.card(&signature.key.0))
        .map(|card| card.name.to_owned())
        .collect();
    Ok((body, names))
}

/// Seals E to the kiosk of a registration.
///
/// # Errors
/// As [`check_registration`]; a secret that is not the one the package commits to; another station.
pub fn provision<R: CryptoRng + ?Sized>(
    genesis: &Genesis<'_>,
    registration: &[u8],
    secret: &ElectionSecret,
    commitment: &Digest,
    station: u16,
    rng: &mut R,
) -> Outcome<Provisioned> {
    if secret.commitment(&genesis.election) != *commitment {
        return Err(Problem::new(
            Kind::Refused,
            "election secret",
            "is not the one this package commits to",
        )
        .advice("use the secret that was drawn for this election"));
    }
    let (body, staff) = check_registration(genesis, registration)?;
    if body.station != station {
        return Err(Problem::new(
            Kind::Refused,
            "registration",
            format!("is for station {}, the package for station {station}", body.station),
        )
        .advice("use the package of the kiosk's station"));
    }
    let kiosk = election::ledger::kiosk_id(&body.kiosk.0);
    let sealed = secret
        .seal(&genesis.election, &kiosk, &body.sealing.0, rng)
        .map_err(|error| Problem::new(Kind::Refused, "registration", error))?;
    Ok(Provisioned {
        kiosk,
        station,
        software: body.software,
        staff,
        sealed,
    })
}

/// A ledger on which nothing stands yet: a registration is judged by itself.
struct Nothing;

impl Book for Nothing {
    fn kiosk(&self, _: &Digest) -> Option<KioskRow> {
        None
    }

    fn put_kiosk(&mut self, _: KioskRow) -> Result<(), Full> {
        Err(Full)
    }

    fn batch(&self, _: &Digest, _: u32) -> Option<Digest> {
        None
    }

    fn batch_number(&self, _: &Digest, _: &Digest) -> Option<u32> {
        None
    }

    fn put_batch(&mut self, _: &Digest, _: u32, _: Digest) -> Result<(), Full> {
        Err(Full)
    }
}
