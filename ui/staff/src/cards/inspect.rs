//! What a card says of itself without a PIN.

use card::{Card, CardError, CardPublicKey, MAX_OBJECT, Slot, Transmit};
use serde::Serialize;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::KeyUsage;

use super::refused;
use crate::keyfile;
use crate::problem::Outcome;

/// A card.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspected {
    /// `piv` or `jpki`.
    pub profile: &'static str,
    /// PIN tries left, 0 if blocked. Asking costs none.
    pub tries_left: u8,
    /// Fewest and most digits of the PIN.
    pub pin_digits: (usize, usize),
    /// Its certificates, as far as they are read: never the signature certificate of a My Number card.
    pub certificates: Vec<CertificateSummary>,
    /// The key that stands in a roll, hex.
    pub roll_key: Option<String>,
    /// The key that stands in a table of staff cards, hex.
    pub staff_key: Option<String>,
}

/// A certificate, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CertificateSummary {
    /// `9A`, `9D`, or `user authentication`.
    pub slot: &'static str,
    /// Whose.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// First day and moment.
    pub not_before: String,
    /// Last day and moment.
    pub not_after: String,
    /// Kind of key.
    pub key: &'static str,
    /// keyUsage; empty if the certificate restricts nothing.
    pub usage: String,
    /// Bytes.
    pub length: usize,
}

/// Asks a card what it is.
///
/// # Errors
/// The card's refusal. A slot without a certificate is left out.
pub async fn inspect<T: Transmit>(link: &mut T) -> Outcome<Inspected> {
    let failed = |error| refused("card", error);
    let mut card = Card::select(link).await.map_err(failed)?;
    let pin_digits = card.pin_digits();
    let tries_left = card.tries_left().await.map_err(failed)?;
    let mut buffer = [0; MAX_OBJECT];
    let mut found = Vec::new();
    let profile = match &mut card {
        Card::Piv(piv) => {
            for (name, slot) in [("9A", Slot::Authentication), ("9D", Slot::KeyManagement)] {
                match piv.certificate(slot, &mut buffer).await {
                    Ok(certificate) => found.push((name, certificate.to_vec())),
                    Err(CardError::NotFound) => {}
                    Err(error) => return Err(refused(name, error)),
                }
            }
            "piv"
        }
        Card::Jpki(jpki) => {
            match jpki.certificate(&mut buffer).await {
                Ok(certificate) => found.push(("user authentication", certificate.to_vec())),
                Err(CardError::NotFound) => {}
                Err(error) => return Err(refused("user authentication", error)),
            }
            "jpki"
        }
        _ => return Err(failed(CardError::NoApplication)),
    };
    card.forget().await.map_err(failed)?;
    let key_in = |name: &str| -> Option<String> {
        let (_, certificate) = found.iter().find(|(slot, _)| *slot == name)?;
        keyfile::key_of(certificate).ok().map(|key| hex::encode(key.as_bytes()))
    };
    Ok(Inspected {
        profile,
        tries_left,
        pin_digits,
        roll_key: key_in(if profile == "piv" { "9D" } else { "user authentication" }),
        staff_key: key_in("9A"),
        certificates: found.iter().map(|(slot, der)| summary(slot, der)).collect(),
    })
}

fn summary(slot: &'static str, der: &[u8]) -> CertificateSummary {
    let unreadable = || "?".to_owned();
    let parsed = Certificate::from_der(der).ok();
    let tbs = parsed.as_ref().map(Certificate::tbs_certificate);
    let text = |what: &dyn Fn(&x509_cert::TbsCertificate) -> String| tbs.map_or_else(unreadable, what);
    CertificateSummary {
        slot,
        subject: text(&|tbs| tbs.subject().to_string()),
        issuer: text(&|tbs| tbs.issuer().to_string()),
        not_before: text(&|tbs| tbs.validity().not_before.to_string()),
        not_after: text(&|tbs| tbs.validity().not_after.to_string()),
        key: match keyfile::key_of(der) {
            Ok(CardPublicKey::P256(_)) => "P-256",
            Ok(CardPublicKey::Rsa2048(_)) => "RSA-2048",
            _ => "not one that is admitted",
        },
        usage: text(&|tbs| match tbs.get_extension::<KeyUsage>() {
            Ok(Some((_, usage))) => [
                (usage.digital_signature(), "digitalSignature"),
                (usage.key_agreement(), "keyAgreement"),
                (usage.key_cert_sign(), "keyCertSign"),
            ]
            .into_iter()
            .filter(|(has, _)| *has)
            .map(|(_, name)| name)
            .collect::<Vec<_>>()
            .join(", "),
            Ok(None) => String::new(),
            Err(_) => "?".to_owned(),
        }),
        length: der.len(),
    }
}
