//! Makes a PIV card a voter's or a member of staff's. The keys are made on the card.

use card::issue::ManagementKey;
use card::x509::X509;
use card::{Card, CardError, CertificateVerifier as _, KeyUse, MAX_OBJECT, Pin, Piv, Slot, Transmit};
use election::tag::piv_point;
use rand_core::CryptoRng;
use serde::Serialize;

use super::authority::{CardAuthority, Days, Usage};
use super::measured::{Counter, Measured, StepReport, Steps};
use super::{refused, test_domain, tries_suffice};
use crate::problem::{Kind, Outcome, Problem};

/// What is to be issued.
pub struct Order<'o> {
    /// Who vouches for the card.
    pub authority: &'o CardAuthority,
    /// Name in the certificates; a voter's card has none, but a random number.
    pub staff: Option<&'o str>,
    /// Validity.
    pub valid: Days,
    /// The card's management key as it is.
    pub manager: &'o ManagementKey,
    /// The card's PIN as it is.
    pub old_pin: &'o Pin,
    /// The holder's PIN.
    pub new_pin: &'o Pin,
    /// The PUK as it is and as it is to be; left alone if none is given.
    pub puk: Option<(&'o Pin, &'o Pin)>,
    /// Keys and certificates that are there may be lost.
    pub overwrite: bool,
    /// The PIN may be tried although one try is left.
    pub last_try: bool,
}

/// A card that was issued.
#[derive(Debug, Serialize)]
pub struct Issued {
    /// The 9D key, hex: what stands in a roll.
    pub roll_key: String,
    /// The 9A key, hex: what stands in a table of staff cards.
    pub staff_key: String,
    /// What was done, in order.
    pub steps: Vec<StepReport>,
}

/// Issues the card: nothing is written before PIN, management key and order are known to be good, and in the end the card has shown that it
/// signs, agrees on keys and bears certificates that hold.
///
/// # Errors
/// What is wrong; the same command mends what was begun.
pub async fn issue<T: Transmit, R: CryptoRng>(link: &mut T, order: &Order<'_>, rng: &mut R) -> Outcome<Issued> {
    if let Some(weakness) = order.new_pin.weakness() {
        return Err(
            Problem::new(Kind::Refused, "new PIN", weakness).advice("choose one that a thief would not try first")
        );
    }
    let counter = Counter::default();
    let mut link = Measured::new(link, &counter);
    let mut steps = Steps::new(&counter);
    let failed = |error| refused("card", error);
    let done = attempt(&mut link, order, rng, &mut steps).await;
    // On every way out, also of the management key.
    let forgotten = async { Card::select(&mut link).await?.forget().await }.await;
    let begun = |step| steps.list.iter().any(|one| one.step == step);
    let (roll_key, staff_key) = done.map_err(|problem| {
        if begun("new PIN") {
            problem.advice("the card is half issued, its PIN is the new one: the same command with that as --old-pin, and --overwrite")
        } else if begun("management key") {
            problem.advice("the card is half issued: the same command again, with --overwrite")
        } else {
            problem
        }
    })?;
    forgotten.map_err(failed)?;
    steps.end("forget", "ok");
    Ok(Issued {
        roll_key,
        staff_key,
        steps: steps.list,
    })
}

async fn attempt<T: Transmit, R: CryptoRng>(
    link: &mut T,
    order: &Order<'_>,
    rng: &mut R,
    steps: &mut Steps<'_>,
) -> Outcome<(String, String)> {
    let at = |what: &'static str| move |error| refused(what, error);
    let mut piv = Piv::select(link).await.map_err(at("select"))?;
    let left = piv.tries_left().await.map_err(at("PIN"))?;
    tries_suffice(left, order.last_try)?;
    let mut buffer = [0; MAX_OBJECT];
    for (name, slot) in [("9A", Slot::Authentication), ("9D", Slot::KeyManagement)] {
        match piv.certificate(slot, &mut buffer).await {
            Err(CardError::NotFound) => {}
            Ok(_) if order.overwrite => {}
            Ok(_) => {
                return Err(Problem::new(
                    Kind::Refused,
                    name,
                    "holds a certificate: the card is somebody's already",
                )
                .advice("if its keys may be lost for ever: the same command with --overwrite"));
            }
            Err(error) if order.overwrite => {
                let _ = error;
            }
            Err(error) => return Err(refused(name, error)),
        }
    }
    steps.end("look", "ok");
    piv.verify(order.old_pin).await.map_err(at("PIN"))?;
    steps.end("PIN", "ok");
    piv.manage(order.manager, rng).await.map_err(at("management key"))?;
    steps.end("management key", "ok");

    let mut number = [0; 16];
    rng.fill_bytes(&mut number);
    let holder = order.staff.map_or_else(|| hex::encode(number), str::to_owned);
    let signs = piv.generate(Slot::Authentication).await.map_err(at("9A"))?;
    let agrees = piv.generate(Slot::KeyManagement).await.map_err(at("9D"))?;
    steps.end("keys", "ok");
    for (slot, key, usage) in [
        (Slot::Authentication, &signs, Usage::Sign),
        (Slot::KeyManagement, &agrees, Usage::Agree),
    ] {
        let certificate = order.authority.certify(&holder, key, usage, order.valid, rng)?;
        piv.put_certificate(slot, &certificate)
            .await
            .map_err(at("certificate"))?;
    }
    let mut guid = [0; 16];
    rng.fill_bytes(&mut guid);
    piv.put_identifier(&guid, order.valid.until)
        .await
        .map_err(at("card identifier"))?;
    steps.end("certificates", "ok");
    piv.change_pin(order.old_pin, order.new_pin)
        .await
        .map_err(at("new PIN"))?;
    if let Some((old, new)) = order.puk {
        piv.change_puk(old, new).await.map_err(at("PUK"))?;
    }
    steps.end("new PIN", "ok");

    // What a kiosk will do with it.
    piv.verify(order.new_pin).await.map_err(at("new PIN"))?;
    let signature = piv.sign(&test_domain()).await.map_err(at("9A"))?;
    if !signs.verify(&test_domain(), &signature) {
        return Err(refused("9A", CardError::BadSignature));
    }
    let base = piv_point(&test_domain()).map_err(|error| Problem::new(Kind::Refused, "test point", error))?;
    piv.shared_point(base.affine(), &agrees, rng).await.map_err(at("9D"))?;
    for (slot, key, usage) in [
        (Slot::Authentication, &signs, KeyUse::Sign),
        (Slot::KeyManagement, &agrees, KeyUse::Agree),
    ] {
        let certificate = piv.certificate(slot, &mut buffer).await.map_err(at("certificate"))?;
        let mut authorities = std::iter::once(order.authority.certificate());
        let judged = X509.verify(certificate, &mut authorities, usage, order.valid.until);
        if judged.map_err(|error| Problem::new(Kind::Refused, "certificate", error))? != *key {
            return Err(Problem::new(Kind::Refused, "certificate", "is not what was written"));
        }
    }
    steps.end("proof", "ok");
    Ok((hex::encode(agrees.as_bytes()), hex::encode(signs.as_bytes())))
}
