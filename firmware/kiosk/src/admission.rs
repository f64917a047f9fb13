//! Admission: a card in, `Admission { style, tag }` out, and the card forgotten (DESIGN, invariant 2).
//!
//! Nothing of the card, its certificate or its roll entry leaves this module; no log line, record or message is made here.

use card::{
    CardError, CertificateError, CertificateVerifier, Date, KeyUse, MAX_OBJECT, Pin, Piv, Slot, Transmit, TransmitError,
};
use election::group::Point;
use election::package::Package;
use election::roll::{self, Delta};
use election::tag::{ElectionSecret, Pseudonym, piv_point};
use zeroize::{Zeroize as _, Zeroizing};

use crate::random::Random;
use crate::session::{Admission, Tag, WrongCard};

/// Why a card was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The PIN was wrong; at least one try is left.
    WrongPin {
        /// Tries left.
        tries_left: u8,
    },
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

/// Asks a card how many PIN tries are left, before anything is typed. Costs no try.
///
/// # Errors
/// Why the card cannot vote.
pub async fn probe<T: Transmit>(link: &mut T) -> Result<u8, WrongCard> {
    let asked = async { Piv::select(link).await?.tries_left().await };
    match asked.await.map_err(card) {
        Ok(0) => Err(WrongCard::Blocked),
        Ok(tries_left) => Ok(tries_left),
        Err(Refusal::Card(why)) => Err(why),
        Err(Refusal::WrongPin { .. }) => Err(WrongCard::Unreadable),
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

/// Tries the PIN and checks the card: certificate of 9D, roll entry, possession, tag. On every way out the card is told to forget; the
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
    let mut piv = Piv::select(link).await.map_err(card)?;
    let result = checked(&mut piv, gate, pin, last_try_accepted, random).await;
    // A card that does not forget is powered down by the caller; that it was pulled out is no error any more.
    let _ = piv.forget().await;
    result
}

async fn checked<T: Transmit, V: CertificateVerifier>(
    piv: &mut Piv<'_, T>,
    gate: &Gate<'_, V>,
    pin: &Pin,
    last_try_accepted: bool,
    random: &mut Random,
) -> Result<Admission, Refusal> {
    // Asked again: this may be another card than the one that was looked at.
    match piv.tries_left().await.map_err(card)? {
        0 => return Err(Refusal::Card(WrongCard::Blocked)),
        1 if !last_try_accepted => return Err(Refusal::WrongPin { tries_left: 1 }),
        _ => {}
    }
    piv.verify(pin).await.map_err(card)?;
    let mut buffer = Zeroizing::new([0; MAX_OBJECT]);
    let certificate = piv
        .certificate(Slot::KeyManagement, buffer.as_mut())
        .await
        .map_err(card)?;
    let key = certified(gate.certificates, gate.package, certificate, KeyUse::Agree)
        .map_err(|error| Refusal::Card(WrongCard::Certificate(error)))?;
    let mut point = key
        .as_bytes()
        .try_into()
        .map_err(|_| Refusal::Card(WrongCard::Unsuitable))?;
    let mut entry = roll::piv_entry(&point);
    point.zeroize();
    let style = roll::style(&gate.package.roll, gate.delta, &entry);
    entry.zeroize();
    let style = style.ok_or(Refusal::Card(WrongCard::NotOnRoll))?;
    let election = piv_point(gate.package.election()).map_err(|_| Refusal::Card(WrongCard::Unreadable))?;
    let shared = piv.shared_point(election.affine(), &key, random).await.map_err(card)?;
    let shared = Point::from_projective(&shared.into()).map_err(|_| Refusal::Card(WrongCard::NotProven))?;
    let tag = Tag(gate.secret.tag(&Pseudonym::piv(&shared)));
    Ok(Admission { style, tag })
}
