//! The card room against cards that compute: honest, broken and hostile ones.

mod admission;
mod certificates;
mod commands;
mod files;
mod hostile;
mod pins;

use anyhow::Result;
use card::x509::X509;
use card::{
    CardError, CardPublicKey, CertificateError, CertificateVerifier, Date, KeyUse, MAX_OBJECT, Pin, Piv, Slot, Transmit,
};
use chacha20::ChaCha20Rng;
use p256::elliptic_curve::Generate;
use p256::{AffinePoint, ProjectivePoint, Scalar};
use rand_core::SeedableRng;

use super::*;

const PIN: &str = "1234";
const VALID: (u32, u32) = (20_250_401, 20_300_331);
const DAY: u32 = 20_261_103;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn days(from: u32, until: u32) -> Days {
    Days::new(from, until).unwrap()
}

fn date(day: u32) -> Date {
    Date::new(day).unwrap()
}

fn authority(seed: u64) -> CardAuthority {
    let valid = days(20_200_101, 20_391_231);
    CardAuthority::new("加賀市 認証局", valid, &mut rng(seed)).unwrap()
}

fn voter(authority: &CardAuthority, seed: u64) -> VirtualPiv {
    let valid = days(VALID.0, VALID.1);
    authority.issue_voter(PIN, valid, &mut rng(seed)).unwrap()
}

fn pin(digits: &str) -> Pin {
    Pin::new(digits.as_bytes()).unwrap()
}

fn base(seed: u64) -> AffinePoint {
    let scalar = Scalar::generate_from_rng(&mut rng(seed));
    (ProjectivePoint::GENERATOR * scalar).to_affine()
}

fn judge(
    certificate: &[u8],
    authorities: &[&[u8]],
    usage: KeyUse,
    day: u32,
) -> Result<CardPublicKey, CertificateError> {
    X509.verify(certificate, &mut authorities.iter().copied(), usage, date(day))
}

/// What a kiosk does with a voter's card, from SELECT to the proof of possession.
async fn admit(
    card: &mut impl Transmit,
    digits: &str,
    base: &AffinePoint,
    seed: u64,
) -> Result<(CardPublicKey, AffinePoint), CardError> {
    let mut buffer = [0; MAX_OBJECT];
    let mut piv = Piv::select(card).await?;
    piv.verify(&pin(digits)).await?;
    let certificate = piv.certificate(Slot::KeyManagement, &mut buffer).await?;
    let root = authority(1);
    let key = judge(certificate, &[root.certificate()], KeyUse::Agree, DAY).map_err(|_| CardError::Malformed)?;
    let point = piv.shared_point(base, &key, &mut rng(seed)).await?;
    piv.forget().await?;
    Ok((key, point))
}
