//! From k good parts to a total: a bad part is named and stops nothing but itself.

use crate::group::{ProjectivePoint, Scalar};
use crate::keys::MAX_TRUSTEES;
use crate::tally::{Decryption, PublicKeys, SelectionTally, Statement, TallyError, verify_decryption};

/// The parts that will be published, and the trustees whose parts are not good.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Exactly k good parts, trustees ascending.
    pub good: heapless::Vec<Decryption, MAX_TRUSTEES>,
    /// Trustees whose part did not hold, ascending: to be named in the report.
    pub bad: heapless::Vec<u8, MAX_TRUSTEES>,
}

/// Chooses k good parts from what the trustees sent; a bad part stops nothing but itself.
///
/// # Errors
/// [`TallyError::TooFew`].
pub fn choose(
    keys: &PublicKeys,
    statement: &Statement<'_>,
    parts: impl IntoIterator<Item = Decryption>,
) -> Result<Chosen, TallyError> {
    let mut slots: [Option<Decryption>; MAX_TRUSTEES] = [None; MAX_TRUSTEES];
    let mut failed = [false; MAX_TRUSTEES];
    for part in parts {
        let index = usize::from(part.trustee)
            .checked_sub(1)
            .filter(|index| *index < keys.shares.len());
        let Some((slot, failed)) = index.and_then(|index| slots.get_mut(index).zip(failed.get_mut(index))) else {
            // A part of no trustee is nobody's to answer for.
            continue;
        };
        match verify_decryption(keys, statement, &part) {
            Ok(_) => *slot = Some(part),
            Err(_) => *failed = true,
        }
    }
    let needed = usize::from(keys.threshold);
    let good: heapless::Vec<_, MAX_TRUSTEES> = slots.iter().flatten().copied().take(needed).collect();
    let bad = (1u8..)
        .zip(failed.iter().zip(&slots))
        .filter(|(_, (failed, slot))| **failed && slot.is_none())
        .map(|(trustee, _)| trustee)
        .collect();
    if good.len() == needed {
        Ok(Chosen { good, bad })
    } else {
        Err(TallyError::TooFew {
            good: u8::try_from(good.len()).unwrap_or(u8::MAX),
            needed: keys.threshold,
        })
    }
}

/// M from exactly k parts of different trustees, ascending: Lagrange's interpolation at 0. Each part is checked.
///
/// # Errors
/// [`TallyError::Trustees`], [`TallyError::Trustee`].
pub fn combine(
    keys: &PublicKeys,
    statement: &Statement<'_>,
    decryptions: &[Decryption],
) -> Result<ProjectivePoint, TallyError> {
    let ascending = decryptions.windows(2).all(|pair| match pair {
        [one, two] => one.trustee < two.trustee,
        _ => false,
    });
    if !ascending || decryptions.len() != usize::from(keys.threshold) {
        return Err(TallyError::Trustees);
    }
    let mut sum = ProjectivePoint::IDENTITY;
    for decryption in decryptions {
        let part = verify_decryption(keys, statement, decryption)?;
        let (mut over, mut under) = (Scalar::ONE, Scalar::ONE);
        let own = Scalar::from(u32::from(decryption.trustee));
        for other in decryptions.iter().filter(|other| other.trustee != decryption.trustee) {
            let other = Scalar::from(u32::from(other.trustee));
            over *= other;
            under *= other - own;
        }
        // Different numbers below n: their difference has an inverse.
        let inverse = under.invert_vartime().into_option().ok_or(TallyError::Trustees)?;
        sum += part.projective().mul_vartime(&(over * inverse));
    }
    Ok(sum)
}

/// t·K = B - M, ready for [`crate::dlog::Dlog::find`].
///
/// # Errors
/// As [`combine`].
pub fn open_sum(
    keys: &PublicKeys,
    statement: &Statement<'_>,
    decryptions: &[Decryption],
) -> Result<ProjectivePoint, TallyError> {
    Ok(statement.b.projective() - combine(keys, statement, decryptions)?)
}

/// Checks a published selection against the sums that the verifier made of the counted ballots itself.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify_selection(
    keys: &PublicKeys,
    statement: &Statement<'_>,
    ballots: u32,
    published: &SelectionTally<'_>,
) -> Result<(), TallyError> {
    if published.a.0 != statement.a.to_bytes() || published.b.0 != statement.b.to_bytes() {
        return Err(TallyError::Sums);
    }
    let mut decryptions = heapless::Vec::<Decryption, MAX_TRUSTEES>::new();
    for decryption in published.decryptions.iter() {
        let decryption = decryption.map_err(|_| TallyError::Trustees)?;
        decryptions.push(decryption).map_err(|_| TallyError::Trustees)?;
    }
    let opened = open_sum(keys, statement, &decryptions)?;
    let expected = keys.joint.projective().mul_vartime(&Scalar::from(published.total));
    if published.total <= ballots && opened == expected {
        Ok(())
    } else {
        Err(TallyError::Total)
    }
}
