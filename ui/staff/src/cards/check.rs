//! The kiosk's whole admission, step by step, under a domain that no election has (`firmware/kiosk/src/admission.rs` is what is rehearsed).

use card::x509::X509;
use card::{
    Card, CardError, CardPublicKey, CertificateVerifier as _, Date, KeyUse, MAX_OBJECT, Pin, Profile, Slot, Transmit,
};
use election::group::Point;
use election::tag::{ElectionSecret, Pseudonym, jpki_message, piv_point};
use rand_core::CryptoRng;
use serde::Serialize;

use super::measured::{Counter, Measured, StepReport, Steps};
use super::{refused, test_domain, tries_suffice};
use crate::keyfile;
use crate::problem::{Kind, Outcome, Problem};

/// What a card is tried against.
pub struct Terms<'t> {
    /// Certificates of those who issue cards, DER; without any, the chain is not looked at and the report says so.
    pub authorities: &'t [Vec<u8>],
    /// The day on which certificates have to be valid.
    pub day: Date,
    /// The PIN may be tried although one try is left.
    pub last_try: bool,
}

/// What was found. It holds when there is no [`Checked::problem`].
#[derive(Debug, Serialize)]
pub struct Checked {
    /// `piv` or `jpki`.
    pub profile: Option<&'static str>,
    /// Tries left before the PIN was tried.
    pub tries_left: Option<u8>,
    /// Whether an authority vouches for the certificate; `None` if none was given.
    pub chain: Option<bool>,
    /// What was done, in order.
    pub steps: Vec<StepReport>,
    /// The first thing that does not hold.
    pub problem: Option<Problem>,
}

/// Runs the admission, computes the pseudonym a second time and compares. The pseudonym never leaves this function.
pub async fn check<T: Transmit, R: CryptoRng>(link: &mut T, pin: &Pin, terms: &Terms<'_>, rng: &mut R) -> Checked {
    let counter = Counter::default();
    let mut link = Measured::new(link, &counter);
    let mut steps = Steps::new(&counter);
    let mut checked = Checked {
        profile: None,
        tries_left: None,
        chain: None,
        steps: Vec::new(),
        problem: None,
    };
    let selected = async { Card::select(&mut link).await.map_err(|error| refused("select", error)) };
    match steps.run("select", selected).await {
        Ok(mut card) => {
            let done = with_card(&mut card, pin, terms, rng, &mut checked, &mut steps).await;
            // On every way out.
            let forget = async { card.forget().await.map_err(|error| refused("forget", error)) };
            let forgotten = steps.run("forget", forget).await;
            checked.problem = done.and(forgotten).err();
        }
        Err(problem) => checked.problem = Some(problem),
    }
    checked.steps = steps.list;
    checked
}

async fn with_card<T: Transmit, R: CryptoRng>(
    card: &mut Card<'_, T>,
    pin: &Pin,
    terms: &Terms<'_>,
    rng: &mut R,
    checked: &mut Checked,
    steps: &mut Steps<'_>,
) -> Outcome<()> {
    checked.profile = Some(match card.profile() {
        Profile::Jpki => "jpki",
        _ => "piv",
    });
    let left = async { card.tries_left().await.map_err(|error| refused("tries left", error)) };
    let left = steps.run("tries left", left).await?;
    checked.tries_left = Some(left);
    tries_suffice(left, terms.last_try)?;
    let verify = async { card.verify(pin).await.map_err(|error| refused("PIN", error)) };
    steps.run("PIN", verify).await?;
    let mut buffer = [0; MAX_OBJECT];
    let domain = test_domain();
    match card {
        Card::Piv(piv) => {
            let read = async {
                let read = piv.certificate(Slot::KeyManagement, &mut buffer).await;
                read.map_err(|error| refused("certificate 9D", error))
            };
            let certificate = steps.run("certificate", read).await?;
            let key = judge(certificate, KeyUse::Agree, terms, checked, steps)?;
            let base = piv_point(&domain).map_err(|error| Problem::new(Kind::Refused, "test point", error))?;
            let mut compute = async || {
                let shared = piv.shared_point(base.affine(), &key, rng).await;
                let shared = shared.map_err(|error| refused("possession", error))?;
                let shared = Point::from_projective(&shared.into())
                    .map_err(|error| Problem::new(Kind::Refused, "possession", error))?;
                Ok(Pseudonym::piv(&shared))
            };
            let first = steps.run("possession and pseudonym", compute()).await?;
            let second = steps.run("the same once more", compute()).await?;
            equal(&first, &second)
        }
        Card::Jpki(jpki) => {
            let read = async {
                let read = jpki.certificate(&mut buffer).await;
                read.map_err(|error| refused("certificate", error))
            };
            let certificate = steps.run("certificate", read).await?;
            let key = judge(certificate, KeyUse::Sign, terms, checked, steps)?;
            let prove = async {
                let proven = jpki.prove(&key, &X509, rng).await;
                proven.map_err(|error| refused("possession", error))
            };
            steps.run("possession", prove).await?;
            let message = jpki_message(&domain);
            let mut compute = async || {
                let signature = jpki.unique_signature(&message, &key, &X509).await;
                let signature = signature.map_err(|error| refused("pseudonym", error))?;
                Ok(Pseudonym::jpki(signature.as_slice()))
            };
            let first = steps.run("pseudonym", compute()).await?;
            let second = steps.run("pseudonym once more", compute()).await?;
            equal(&first, &second)
        }
        _ => Err(refused("card", CardError::NoApplication)),
    }
}

fn judge(
    certificate: &[u8],
    usage: KeyUse,
    terms: &Terms<'_>,
    checked: &mut Checked,
    steps: &mut Steps<'_>,
) -> Outcome<CardPublicKey> {
    if terms.authorities.is_empty() {
        return keyfile::key_of(certificate);
    }
    let mut authorities = terms.authorities.iter().map(Vec::as_slice);
    let judged = X509.verify(certificate, &mut authorities, usage, terms.day);
    checked.chain = Some(judged.is_ok());
    steps.end(
        "chain",
        &judged.map_or_else(|error| error.to_string(), |_| "ok".to_owned()),
    );
    judged.map_err(|error| Problem::new(Kind::Refused, "chain", error))
}

/// Compared by what a kiosk would make of them, under a secret that is thrown away.
fn equal(first: &Pseudonym, second: &Pseudonym) -> Outcome<()> {
    let secret = ElectionSecret::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
    if secret.tag(first) == secret.tag(second) {
        Ok(())
    } else {
        Err(Problem::new(Kind::Refused, "pseudonym", "is not the same twice")
            .advice("this card could vote twice, or never be recognised: do not enrol it"))
    }
}
