//! Everything of an encryption that does not depend on the choice, made while the voter reads.
//!
//! All group operations are here; [`PreparedSelection::finish`] only selects bytes, hashes and does scalar arithmetic. A
//! prepared value is burnt before it is used: it holds nonces, and one nonce in two ballots reveals both votes.

use rand_core::CryptoRng;
use subtle::{Choice, ConditionallySelectable as _};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::ballot::encrypt::{EncryptError, Secret};
use crate::ballot::proof::{SelectionChallenge, SumStatement};
use crate::ballot::view::fill;
use crate::ballot::{ContestShape, Election};
use crate::curve::{Jacobian, normalize};
use crate::group::{PointBytes, Scalar, Secrets, scalar_bytes};

/// Selections that are prepared together and share one field inversion: 28 points, about 5 kB of stack.
pub(super) const CHUNK: usize = 4;

/// One selection without its choice. Secret until burnt: no `Debug`, no `Clone`, zeroized when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PreparedSelection {
    /// r·G.
    alpha: PointBytes,
    /// r·K and (1 + r)·K: beta for 0 and for 1.
    beta: [PointBytes; 2],
    /// (u·G, u·K): the commitments of the branch that is true.
    real: [PointBytes; 2],
    /// (w·G, x·K): those of the branch that is simulated.
    simulated: [PointBytes; 2],
    r: Scalar,
    u: Scalar,
    w: Scalar,
    x: Scalar,
    fresh: bool,
}

impl PreparedSelection {
    /// A slot that holds nothing yet.
    pub const EMPTY: Self = Self {
        alpha: [0; 33],
        beta: [[0; 33]; 2],
        real: [[0; 33]; 2],
        simulated: [[0; 33]; 2],
        r: Scalar::ZERO,
        u: Scalar::ZERO,
        w: Scalar::ZERO,
        x: Scalar::ZERO,
        fresh: false,
    };

    /// Whether the slot is prepared and not burnt.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Takes the values out; the slot is empty before they are used.
    fn burn(&mut self) -> Option<Self> {
        let burnt = self.fresh.then(|| core::mem::replace(self, Self::EMPTY));
        self.zeroize();
        burnt
    }

    /// The selection's 294 bytes for m = `one`, and its secret. Constant time in `one`.
    pub(super) fn finish(
        &mut self,
        challenge: &SelectionChallenge,
        index: u8,
        one: Choice,
        out: &mut [u8],
        secret: &mut Secret,
    ) -> Result<(), EncryptError> {
        let slot = self.burn().ok_or(EncryptError::Burnt)?;
        let select = |zero: &PointBytes, other: &PointBytes| PointBytes::conditional_select(zero, other, one);
        let ([beta0, beta1], [real_a, real_b], [simulated_a, simulated_b]) = (&slot.beta, &slot.real, &slot.simulated);
        let beta = select(beta0, beta1);
        // m = 0: branch 0 is real, branch 1 simulated; m = 1 the other way round.
        let (a0, b0) = (select(real_a, simulated_a), select(real_b, simulated_b));
        let (a1, b1) = (select(simulated_a, real_a), select(simulated_b, real_b));
        // The simulated branch i = 1 - m has c_i = (x - w) / (m - i), and m - i is 1 for m = 1 and -1 for m = 0.
        let difference = slot.x - slot.w;
        let mut c_simulated = Scalar::conditional_select(&-difference, &difference, one);
        let mut v_simulated = slot.w - c_simulated * slot.r;
        let c = challenge.challenge(index, [&slot.alpha, &beta, &a0, &b0, &a1, &b1]);
        let mut c_real = c - c_simulated;
        let mut v_real = slot.u - c_real * slot.r;
        let c0 = Scalar::conditional_select(&c_real, &c_simulated, one);
        let v0 = Scalar::conditional_select(&v_real, &v_simulated, one);
        let v1 = Scalar::conditional_select(&v_simulated, &v_real, one);
        // Which of the four is which says the vote.
        c_simulated.zeroize();
        v_simulated.zeroize();
        c_real.zeroize();
        v_real.zeroize();
        secret.set(one, &slot.r);
        fill(
            out,
            &[
                &slot.alpha,
                &beta,
                &a0,
                &b0,
                &a1,
                &b1,
                &scalar_bytes(&c0),
                &scalar_bytes(&v0),
                &scalar_bytes(&v1),
            ],
        )
        .ok_or(EncryptError::Output)
    }
}

/// A contest's sum proof without its challenge. As secret as [`PreparedSelection`].
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PreparedSum {
    /// A and B of the contest: they do not depend on the choice, because the sum is always n.
    sum_a: PointBytes,
    sum_b: PointBytes,
    a: PointBytes,
    b: PointBytes,
    r: Scalar,
    u: Scalar,
    fresh: bool,
}

impl PreparedSum {
    /// A slot that holds nothing yet.
    pub const EMPTY: Self = Self {
        sum_a: [0; 33],
        sum_b: [0; 33],
        a: [0; 33],
        b: [0; 33],
        r: Scalar::ZERO,
        u: Scalar::ZERO,
        fresh: false,
    };

    /// The 98 bytes of the proof.
    pub(super) fn finish(
        &mut self,
        election: &Election<'_>,
        id: &crate::ballot::BallotId,
        style: u16,
        shape: &ContestShape,
        out: &mut [u8],
    ) -> Result<(), EncryptError> {
        if !self.fresh {
            return Err(EncryptError::Burnt);
        }
        let slot = core::mem::replace(self, Self::EMPTY);
        let statement = SumStatement {
            election: election.hash(),
            id,
            style,
            contest: shape.contest,
            votes: shape.votes,
            sum_a: &slot.sum_a,
            sum_b: &slot.sum_b,
        };
        let c = statement.challenge(&slot.a, &slot.b);
        let v = slot.u - c * slot.r;
        fill(out, &[&slot.a, &slot.b, &scalar_bytes(&v)]).ok_or(EncryptError::Output)
    }
}

/// The sums over a contest's selections while they are being prepared.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Sums {
    r: Scalar,
    a: Jacobian,
    b: Jacobian,
}

impl Sums {
    pub(super) const EMPTY: Self = Self {
        r: Scalar::ZERO,
        a: Jacobian::IDENTITY,
        b: Jacobian::IDENTITY,
    };

    /// The sum proof's own two powers; `votes` is n.
    pub(super) fn prepare<R: CryptoRng + ?Sized>(
        &mut self,
        election: &Election<'_>,
        votes: u8,
        secrets: &mut Secrets<'_, R>,
    ) -> Result<PreparedSum, EncryptError> {
        let u = secrets.scalar()?;
        let joint = election.joint().affine();
        for _ in 0..votes {
            self.b = self.b.add(&joint);
        }
        let points = [self.a, self.b, election.generator().mul(&u), election.joint().mul(&u)];
        let [sum_a, sum_b, a, b] = normalize(&points).map(|point| point.to_bytes());
        Ok(PreparedSum {
            sum_a,
            sum_b,
            a,
            b,
            r: self.r,
            u,
            fresh: true,
        })
    }
}

/// Prepares up to [`CHUNK`] selections, six fixed-base multiplications each, and adds them to the contest's sums.
pub(super) fn prepare_chunk<R: CryptoRng + ?Sized>(
    election: &Election<'_>,
    slots: &mut [PreparedSelection],
    sums: &mut Sums,
    secrets: &mut Secrets<'_, R>,
) -> Result<(), EncryptError> {
    let (g, k) = (election.generator(), election.joint());
    let mut points = [[Jacobian::IDENTITY; 7]; CHUNK];
    for (slot, points) in slots.iter_mut().zip(&mut points) {
        slot.zeroize();
        slot.r = secrets.scalar()?;
        slot.u = secrets.scalar()?;
        slot.w = secrets.scalar()?;
        slot.x = secrets.scalar()?;
        let (alpha, beta) = (g.mul(&slot.r), k.mul(&slot.r));
        sums.r += slot.r;
        *points = [
            alpha,
            beta,
            beta.add(&k.affine()),
            g.mul(&slot.u),
            k.mul(&slot.u),
            g.mul(&slot.w),
            k.mul(&slot.x),
        ];
    }
    // One array for one inversion; slots that the last chunk of a contest lacks are identities and written nowhere.
    let [p0, p1, p2, p3] = points;
    let mut flat = [Jacobian::IDENTITY; 7 * CHUNK];
    for (flat, point) in flat.iter_mut().zip([p0, p1, p2, p3].as_flattened()) {
        *flat = *point;
    }
    let affine = normalize(&flat);
    let (rows, _) = affine.as_chunks::<7>();
    for (slot, row) in slots.iter_mut().zip(rows) {
        let [alpha, beta, ..] = row;
        sums.a = sums.a.add(alpha);
        sums.b = sums.b.add(beta);
        let [alpha, beta0, beta1, real_a, real_b, simulated_a, simulated_b] = row.map(|point| point.to_bytes());
        slot.alpha = alpha;
        slot.beta = [beta0, beta1];
        slot.real = [real_a, real_b];
        slot.simulated = [simulated_a, simulated_b];
        slot.fresh = true;
    }
    flat.zeroize();
    Ok(())
}

/// Prepares one contest: exactly m + n slots and the sum proof. 6(m + n) + 2 fixed-base multiplications.
///
/// The slots live in memory only and never outlive a boot: a slot restored from anywhere repeats a nonce.
///
/// # Errors
/// [`EncryptError::Output`] for a wrong number of slots, [`EncryptError::Randomness`]; then the slots are empty.
pub fn prepare_contest<R: CryptoRng + ?Sized>(
    election: &Election<'_>,
    shape: &ContestShape,
    slots: &mut [PreparedSelection],
    sum: &mut PreparedSum,
    rng: &mut R,
) -> Result<(), EncryptError> {
    if slots.len() != shape.selections() {
        return Err(EncryptError::Output);
    }
    let mut secrets = Secrets::new(rng);
    let mut sums = Sums::EMPTY;
    let mut all = || {
        for chunk in slots.chunks_mut(CHUNK) {
            prepare_chunk(election, chunk, &mut sums, &mut secrets)?;
        }
        sums.prepare(election, shape.votes, &mut secrets)
    };
    match all() {
        Ok(prepared) => {
            *sum = prepared;
            Ok(())
        }
        Err(error) => {
            slots.iter_mut().zeroize();
            sum.zeroize();
            Err(error)
        }
    }
}
