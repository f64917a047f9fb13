//! Admission: a card in, `Admission { style, tag }` out, and the card forgotten (DESIGN, invariant 2).
//!
//! Nothing of the card, its certificate or its roll entry leaves this module; no log line, record or message is made here.

use card::{
    Card, CardError, CertificateError, CertificateVerifier, Date, KeyUse, MAX_OBJECT, Pin, Slot, Transmit,
    TransmitError,
};
use election::group::Point;
use election::package::Package;
use election::roll::{self, Delta};
use election::tag::{ElectionSecret, Pseudonym, jpki_message, piv_point};
use zeroize::{Zeroize as _, Zeroizing};

use crate::random::Random;
use crate::session::{Admission, PinDigits, Tag, WrongCard};

/// Why a card was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The PIN was wrong; at least one try is left.
    WrongPin {
        /// Tries left.
        tries_left: u8,
    },
    /// Nothing was tried: one try is left, and whoever typed the PIN was not warned.
    LastTry,
    /// The card cannot vote.
    Card(WrongCard),
}

/// What a card is held against.
pub struct Gate<'g, V> {
    /// The package: authorities, days, roll.
    pub package: &'g Package<'g>,
    /// Changes of the roll.
    pub delta: Option<&'g Delta<'g>>,
    /// E.
    pub secret: &'g ElectionSecret,
    /// Judge of certificates.
    pub certificates: &'g V,
}

fn card(error: CardError) -> Refusal {
    Refusal::Card(match error {
        CardError::NoApplication | CardError::NotFound | CardError::Compressed => WrongCard::Unsuitable,
        CardError::WrongPin { tries_left } => return Refusal::WrongPin { tries_left },
        CardError::Blocked => WrongCard::Blocked,
        CardError::Transmit(TransmitError::Io) => WrongCard::ReaderGone,
        CardError::Transmit(TransmitError::Timeout) => WrongCard::Mute,
        CardError::PossessionNotProven | CardError::BadSignature | CardError::BadPoint => WrongCard::NotProven,
        _ => WrongCard::Unreadable,
    })
}

/// Asks a card how many PIN tries are left and how long its PIN is, before anything is typed. Costs no try.
///
/// # Errors
/// Why the card cannot vote.
pub async fn probe<T: Transmit>(link: &mut T) -> Result<(u8, PinDigits), WrongCard> {
    let asked = async {
        let mut card = Card::select(link).await?;
        let (fewest, most) = card.pin_digits();
        let digits = PinDigits {
            fewest: u8::try_from(fewest).unwrap_or(PinDigits::ANY.fewest),
            most: u8::try_from(most).unwrap_or(PinDigits::ANY.most),
        };
        Ok((card.tries_left().await?, digits))
    };
    match asked.await.map_err(card) {
        Ok((0, _)) => Err(WrongCard::Blocked),
        Ok(ready) => Ok(ready),
        Err(Refusal::Card(why)) => Err(why),
        Err(Refusal::WrongPin { .. } | Refusal::LastTry) => Err(WrongCard::Unreadable),
    }
}

/// Whether a certificate holds on the first or the last day of the election (never by the clock: a clock that is wrong would lock
/// voters out; and a card issued or expiring while polls are open is good on one of the two days).
pub(crate) fn certified<V: CertificateVerifier>(
    certificates: &V,
    package: &Package<'_>,
    certificate: &[u8],
    usage: KeyUse,
) -> Result<card::CardPublicKey, CertificateError> {
    let mut result = Err(CertificateError::Malformed);
    for day in [package.manifest.first_day, package.manifest.last_day] {
        let Some(date) = Date::new(day) else { continue };
        result = certificates.verify(certificate, &mut package.certificates(), usage, date);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Tries the PIN and checks the card: certificate (PIV: 9D; My Number card: user authentication), roll entry, possession, tag. On every way out the card is told to forget; the
/// caller takes its power. Never tries a PIN when one try is left unless `last_try_accepted`.
///
/// # Errors
/// [`Refusal`].
pub async fn admit<T: Transmit, V: CertificateVerifier>(
    link: &mut T,
    gate: &Gate<'_, V>,
    pin: &Pin,
    last_try_accepted: bool,
    random: &mut Random,
) -> Result<Admission, Refusal> {
    let mut inserted = Card::select(link).await.map_err(card)?;
    let result = checked(&mut inserted, gate, pin, last_try_accepted, random).await;
    // A card that does not forget is powered down by the caller; that it was pulled out is no error any more.
    let _ = inserted.forget().await;
    result
}

async fn checked<T: Transmit, V: CertificateVerifier>(
    inserted: &mut Card<'_, T>,
    gate: &Gate<'_, V>,
    pin: &Pin,
    last_try_accepted: bool,
    random: &mut Random,
) -> Result<Admission, Refusal> {
    // Asked again: this may be another card than the one that was looked at.
    let left = inserted.tries_left().await.map_err(card)?;
    match left {
        0 => return Err(Refusal::Card(WrongCard::Blocked)),
        1 if !last_try_accepted => return Err(Refusal::LastTry),
        _ => {}
    }
    inserted.verify(pin).await.map_err(|error| match error {
        // It was not even sent, so no try is lost: a PIN of another length than the card's is a wrong one.
        CardError::PinLength { .. } => Refusal::WrongPin { tries_left: left },
        other => card(other),
    })?;
    let mut buffer = Zeroizing::new([0; MAX_OBJECT]);
    let (style, pseudonym) = match inserted {
        Card::Piv(piv) => {
            let certificate = piv
                .certificate(Slot::KeyManagement, buffer.as_mut())
                .await
                .map_err(card)?;
            let key = judged(gate, certificate, KeyUse::Agree)?;
            let mut point = key
                .as_bytes()
                .try_into()
                .map_err(|_| Refusal::Card(WrongCard::Unsuitable))?;
            let style = on_roll(gate, roll::piv_entry(&point));
            point.zeroize();
            let style = style?;
            let election = piv_point(gate.package.election()).map_err(|_| Refusal::Card(WrongCard::Unreadable))?;
            let shared = piv.shared_point(election.affine(), &key, random).await.map_err(card)?;
            let shared = Point::from_projective(&shared.into()).map_err(|_| Refusal::Card(WrongCard::NotProven))?;
            (style, Pseudonym::piv(&shared))
        }
        Card::Jpki(jpki) => {
            let certificate = jpki.certificate(buffer.as_mut()).await.map_err(card)?;
            let key = judged(gate, certificate, KeyUse::Sign)?;
            let style = on_roll(gate, roll::jpki_entry(key.as_bytes()))?;
            // A signature that is the same each time could have been recorded: a fresh one first.
            jpki.prove(&key, gate.certificates, random).await.map_err(card)?;
            let message = jpki_message(gate.package.election());
            let signature = jpki.unique_signature(&message, &key, gate.certificates).await;
            (style, Pseudonym::jpki(signature.map_err(card)?.as_ref()))
        }
        _ => return Err(Refusal::Card(WrongCard::Unsuitable)),
    };
    let tag = Tag(gate.secret.tag(&pseudonym));
    Ok(Admission { style, tag })
}

fn judged<V: CertificateVerifier>(
    gate: &Gate<'_, V>,
    certificate: &[u8],
    usage: KeyUse,
) -> Result<card::CardPublicKey, Refusal> {
    certified(gate.certificates, gate.package, certificate, usage)
        .map_err(|error| Refusal::Card(WrongCard::Certificate(error)))
}

fn on_roll<V>(gate: &Gate<'_, V>, mut entry: [u8; 32]) -> Result<u16, Refusal> {
    let style = roll::style(&gate.package.roll, gate.delta, &entry);
    entry.zeroize();
    style.ok_or(Refusal::Card(WrongCard::NotOnRoll))
}
