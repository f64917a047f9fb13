//! What everybody checks: each round complete, each message its sender's, each share what was revealed.

use p256::elliptic_curve::ops::LinearCombination as _;
use p256::elliptic_curve::subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::ceremony::deal::{Dealer, knowledge, share_info};
use crate::ceremony::messages::{Accept, Commit, Complaint, Reveal, Sent, ShareMessage, receive};
use crate::ceremony::{CeremonyError, Reason, Setup, refuse};
use crate::group::{Point, ProjectivePoint, Scalar, scalar, scalar_bytes};
use crate::hash::{Digest, Hasher, hash};
use crate::keys::MAX_TRUSTEES;
use crate::seal::{self, ENCAPSULATED_LEN, SealingSecret, TAG_LEN};
use crate::signed::Signed;
use crate::tally::{PublicKeys, TrusteeSecret};

/// One message of each trustee, in the order of their numbers; the messages may come in any order.
fn collect<'b, T: Sent<'b> + Copy>(
    setup: &Setup<'_>,
    messages: impl IntoIterator<Item = Signed<'b>>,
) -> Result<heapless::Vec<(&'b [u8], T), MAX_TRUSTEES>, CeremonyError> {
    let mut slots: [Option<(&'b [u8], T)>; MAX_TRUSTEES] = [None; MAX_TRUSTEES];
    for signed in messages {
        let message: T = receive(setup, &signed)?;
        let sender = message.sender();
        let slot = usize::from(sender)
            .checked_sub(1)
            .and_then(|index| slots.get_mut(index))
            .ok_or(refuse(0, Reason::Stranger))?;
        if slot.replace((signed.body, message)).is_some() {
            return Err(refuse(sender, Reason::Twice));
        }
    }
    let mut round = heapless::Vec::new();
    for (number, slot) in (1..=setup.count()).zip(slots) {
        let entry = slot.ok_or(refuse(number, Reason::Missing))?;
        round.push(entry).map_err(|_| refuse(0, Reason::Threshold))?;
    }
    Ok(round)
}

/// Round 1, complete.
pub struct Commits<'b> {
    round: heapless::Vec<(&'b [u8], Commit), MAX_TRUSTEES>,
}

impl<'b> Commits<'b> {
    /// Reads the commits of all trustees, in any order.
    ///
    /// # Errors
    /// Who sent what does not hold, sent twice or did not send.
    pub fn collect(setup: &Setup<'_>, messages: impl IntoIterator<Item = Signed<'b>>) -> Result<Self, CeremonyError> {
        collect(setup, messages).map(|round| Self { round })
    }

    /// What a trustee committed to.
    #[must_use]
    pub fn reveal(&self, trustee: u8) -> Option<&Digest> {
        let index = usize::from(trustee).checked_sub(1)?;
        self.round.get(index).map(|(_, commit)| &commit.reveal)
    }
}

/// One trustee's coefficients in the exponent: exactly k.
type Points = heapless::Vec<Point, MAX_TRUSTEES>;

/// Round 2, complete: what was revealed is what was committed to, and is known by its sender.
pub struct Reveals<'b> {
    bodies: heapless::Vec<&'b [u8], MAX_TRUSTEES>,
    points: heapless::Vec<Points, MAX_TRUSTEES>,
}

impl<'b> Reveals<'b> {
    /// Reads the reveals of all trustees, in any order.
    ///
    /// # Errors
    /// Who sent what does not hold, sent twice or did not send.
    pub fn collect(
        setup: &Setup<'_>,
        commits: &Commits<'_>,
        messages: impl IntoIterator<Item = Signed<'b>>,
    ) -> Result<Self, CeremonyError> {
        let round = collect::<Reveal<'b>>(setup, messages)?;
        let mut reveals = Self {
            bodies: heapless::Vec::new(),
            points: heapless::Vec::new(),
        };
        for (body, reveal) in &round {
            let trustee = reveal.trustee;
            if commits.reveal(trustee) != Some(&hash("ippyo/1/ceremony/reveal", &[body])) {
                return Err(refuse(trustee, Reason::NotCommitted));
            }
            let points = check_coefficients(setup, reveal)?;
            let full = |()| refuse(0, Reason::Threshold);
            reveals.bodies.push(body).map_err(|_| full(()))?;
            reveals.points.push(points).map_err(|_| full(()))?;
        }
        Ok(reveals)
    }

    /// The coefficients of a trustee in the exponent.
    fn of(&self, trustee: u8) -> Option<&Points> {
        self.points.get(usize::from(trustee).checked_sub(1)?)
    }
}

/// F(x)·G from the coefficients in the exponent.
fn evaluate(points: &Points, x: u8) -> ProjectivePoint {
    let x = Scalar::from(u32::from(x));
    points.iter().rev().fold(ProjectivePoint::IDENTITY, |value, point| {
        value.mul_vartime(&x) + point.affine()
    })
}

/// k points, each with a proof of knowledge that holds.
fn check_coefficients(setup: &Setup<'_>, reveal: &Reveal<'_>) -> Result<Points, CeremonyError> {
    let trustee = reveal.trustee;
    let mut points = Points::new();
    for (index, coefficient) in (0u8..).zip(reveal.coefficients.iter()) {
        let coefficient = coefficient.map_err(|error| refuse(trustee, Reason::Wire(error)))?;
        if index >= setup.threshold() {
            return Err(refuse(trustee, Reason::Coefficients));
        }
        let point = Point::from_bytes(&coefficient.point.0).map_err(|_| refuse(trustee, Reason::Coefficient(index)))?;
        let proof = || {
            let c = scalar(&coefficient.challenge).ok()?;
            let v = scalar(&coefficient.response).ok()?;
            let commitment =
                ProjectivePoint::lincomb_vartime(&[(ProjectivePoint::GENERATOR, v), (point.projective(), c)]);
            let commitment = Point::from_projective(&commitment).ok()?;
            let expected = knowledge(setup.hash(), trustee, index, &point, &commitment);
            bool::from(expected.ct_eq(&c)).then_some(())
        };
        proof().ok_or(refuse(trustee, Reason::Knowledge(index)))?;
        points.push(point).map_err(|_| refuse(trustee, Reason::Coefficients))?;
    }
    if points.len() == usize::from(setup.threshold()) {
        Ok(points)
    } else {
        Err(refuse(trustee, Reason::Coefficients))
    }
}

/// What a ceremony comes to, if all accept it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// k, K, S_1 .. S_n.
    pub keys: PublicKeys,
    /// H over all commits and reveals.
    pub transcript: Digest,
}

impl Outcome {
    /// Computes joint key and public shares from the complete rounds.
    ///
    /// # Errors
    /// [`Reason::Degenerate`].
    pub fn new(setup: &Setup<'_>, commits: &Commits<'_>, reveals: &Reveals<'_>) -> Result<Self, CeremonyError> {
        let at = |x: u8| {
            let sum = reveals
                .points
                .iter()
                .fold(ProjectivePoint::IDENTITY, |sum, points| sum + evaluate(points, x));
            Point::from_projective(&sum).map_err(|_| refuse(0, Reason::Degenerate))
        };
        let mut shares = heapless::Vec::new();
        for number in 1..=setup.count() {
            shares.push(at(number)?).map_err(|_| refuse(0, Reason::Threshold))?;
        }
        let mut hasher = Hasher::new("ippyo/1/ceremony/transcript");
        for (body, _) in &commits.round {
            hasher.part(body);
        }
        for body in &reveals.bodies {
            hasher.part(body);
        }
        Ok(Self {
            keys: PublicKeys {
                threshold: setup.threshold(),
                // F(0) is the sum of the first coefficients.
                joint: at(0)?,
                shares,
            },
            transcript: hasher.finish(),
        })
    }
}

/// A share that fits what its sender revealed. Zeroized when dropped; no `Debug`.
pub struct Share {
    from: u8,
    value: Zeroizing<Scalar>,
}

impl Share {
    /// Opens the share that another trustee sealed to `me`, and checks it against what that trustee revealed.
    ///
    /// # Errors
    /// [`Reason::Sealed`] or [`Reason::Share`] name the sender: complain with exactly this error.
    pub fn open(
        setup: &Setup<'_>,
        reveals: &Reveals<'_>,
        me: u8,
        key: &SealingSecret,
        signed: &Signed<'_>,
    ) -> Result<Self, CeremonyError> {
        let message: ShareMessage = receive(setup, signed)?;
        let from = message.from;
        if message.to != me || from == me {
            return Err(refuse(from, Reason::Stranger));
        }
        let mut sealed = [0; ENCAPSULATED_LEN + 32 + TAG_LEN];
        for (byte, part) in sealed
            .iter_mut()
            .zip(message.encapsulated.0.iter().chain(&message.sealed.0))
        {
            *byte = *part;
        }
        let mut bytes = Zeroizing::new([0; 32]);
        seal::open(key, &share_info(setup.hash(), from, me), &sealed, bytes.as_mut_slice())
            .map_err(|_| refuse(from, Reason::Sealed))?;
        let value = scalar(&bytes)
            .map(Zeroizing::new)
            .map_err(|_| refuse(from, Reason::Share))?;
        let points = reveals.of(from).ok_or(refuse(from, Reason::Missing))?;
        if ProjectivePoint::GENERATOR * *value == evaluate(points, me) {
            Ok(Self { from, value })
        } else {
            Err(refuse(from, Reason::Share))
        }
    }

    /// The sender.
    #[must_use]
    pub const fn from(&self) -> u8 {
        self.from
    }
}

/// The trustee's share of the secret key: the sum of what all sent, and of the own polynomial.
///
/// # Errors
/// [`Reason::Missing`] and [`Reason::Twice`] name a sender; [`Reason::Share`] if the own polynomial is not the revealed one.
pub fn own_share(
    setup: &Setup<'_>,
    outcome: &Outcome,
    dealer: &Dealer,
    shares: &[Share],
) -> Result<TrusteeSecret, CeremonyError> {
    let me = dealer.trustee();
    let mut sum = dealer.evaluate(me);
    for number in (1..=setup.count()).filter(|number| *number != me) {
        let mut from = shares.iter().filter(|share| share.from == number);
        let share = from.next().ok_or(refuse(number, Reason::Missing))?;
        if from.next().is_some() {
            return Err(refuse(number, Reason::Twice));
        }
        *sum += *share.value;
    }
    let secret = TrusteeSecret::from_bytes(me, &Zeroizing::new(scalar_bytes(&sum)))
        .map_err(|_| refuse(me, Reason::Degenerate))?;
    if secret.public().ok().as_ref() == outcome.keys.share(me) {
        Ok(secret)
    } else {
        Err(refuse(me, Reason::Share))
    }
}

/// Checks that all trustees accepted this outcome: only then the key stands.
///
/// # Errors
/// Who did not, or accepted something else.
pub fn check_accepts<'b>(
    setup: &Setup<'_>,
    outcome: &Outcome,
    messages: impl IntoIterator<Item = Signed<'b>>,
) -> Result<(), CeremonyError> {
    for (_, accept) in collect::<Accept>(setup, messages)? {
        if accept.transcript != outcome.transcript || accept.joint.0 != outcome.keys.joint.to_bytes() {
            return Err(refuse(accept.trustee, Reason::Accepted));
        }
    }
    Ok(())
}

/// Reads a complaint; whether it is right or not, it ends the ceremony.
///
/// # Errors
/// It is not a trustee's, or against nobody.
pub fn read_complaint(setup: &Setup<'_>, signed: &Signed<'_>) -> Result<Complaint, CeremonyError> {
    let complaint: Complaint = receive(setup, signed)?;
    if setup.trustee(complaint.against).is_none() {
        return Err(refuse(complaint.trustee, Reason::Stranger));
    }
    Ok(complaint)
}
