//! Keys on the desk's disk: public ones as hex or certificates, secret ones as one line of hex in a file of mode 0600.

use std::path::Path;

use election::sign::{PublicKey, Signer};
use rand_core::CryptoRng;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, DecodePem as _, Encode as _};
use zeroize::Zeroizing;

use crate::files;
use crate::problem::{Kind, Outcome, Problem};

/// Longest certificate that is read.
const LONGEST_CERTIFICATE: u64 = 64 << 10;

/// A voter's or staff member's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// P-256, compressed: a PIV card.
    P256(PublicKey),
    /// RSA as PKCS#1 DER: a My Number card.
    Rsa(Vec<u8>),
}

/// Makes a signing key, keeps the secret at `path` (0600, never overwritten) and gives the signer.
///
/// # Errors
/// The file is there already or cannot be written.
pub fn create<R: CryptoRng + ?Sized>(path: &Path, rng: &mut R) -> Outcome<Signer> {
    let signer = Signer::generate(rng);
    write_secret(path, &signer.to_bytes())?;
    Ok(signer)
}

/// Keeps 32 secret bytes as a line of hex.
///
/// # Errors
/// As [`create`].
pub fn write_secret(path: &Path, secret: &[u8; 32]) -> Outcome<()> {
    write_line(path, "", secret)
}

/// What stands before the hex of the election secret. E is destroyed after the tally and keys are kept: a file of the one kind
/// must never pass for the other.
const ELECTION: &str = "election-secret ";

/// Keeps the election secret E, marked as such.
///
/// # Errors
/// As [`create`].
pub fn write_election_secret(path: &Path, secret: &[u8; 32]) -> Outcome<()> {
    write_line(path, ELECTION, secret)
}

/// Reads the election secret E; a key file is refused.
///
/// # Errors
/// As [`read_secret`].
pub fn read_election_secret(path: &Path) -> Outcome<Zeroizing<[u8; 32]>> {
    read_line(
        path,
        ELECTION,
        "is not the file of an election secret (one line: election-secret and 64 hex digits)",
    )
}

fn write_line(path: &Path, mark: &str, secret: &[u8; 32]) -> Outcome<()> {
    let mut line = Zeroizing::new(vec![0u8; mark.len() + 65]);
    let (front, digits) = line.split_at_mut(mark.len());
    front.copy_from_slice(mark.as_bytes());
    hex::encode_to_slice(secret, &mut digits[..64])
        .map_err(|error| Problem::new(Kind::Malformed, path.display(), error))?;
    digits[64] = b'\n';
    files::write_secret(path, &line)
}

/// Reads 32 secret bytes.
///
/// # Errors
/// Not there, or not a line of 64 hex digits.
pub fn read_secret(path: &Path) -> Outcome<Zeroizing<[u8; 32]>> {
    read_line(path, "", "is not a secret key file (one line of 64 hex digits)")
}

fn read_line(path: &Path, mark: &str, wrong: &str) -> Outcome<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(files::read(path, 256)?);
    let mut secret = Zeroizing::new([0; 32]);
    bytes
        .trim_ascii()
        .strip_prefix(mark.as_bytes())
        .and_then(|digits| hex::decode_to_slice(digits, secret.as_mut()).ok())
        .ok_or_else(|| {
            Problem::new(Kind::Malformed, path.display(), wrong)
                .advice("check that this is the right file, and that it was copied whole")
        })?;
    Ok(secret)
}

/// Reads a signing key.
///
/// # Errors
/// As [`read_secret`], and a number that is no key.
pub fn read_signer(path: &Path) -> Outcome<Signer> {
    Signer::from_bytes(&*read_secret(path)?).map_err(|error| Problem::new(Kind::Malformed, path.display(), error))
}

/// A public key as hex: compressed (66 digits) or uncompressed (130 digits).
///
/// # Errors
/// Not hex, another length, not a point.
pub fn parse_public(text: &str, at: &str) -> Outcome<PublicKey> {
    let wrong = |what: String| {
        Problem::new(Kind::Malformed, at, what).advice("write the public key as 66 hex digits (compressed P-256 point)")
    };
    let bytes = hex::decode(text.trim()).map_err(|error| wrong(format!("is not hex ({error})")))?;
    let key = match bytes.len() {
        33 | 65 => p256::PublicKey::from_sec1_bytes(&bytes),
        length => return Err(wrong(format!("has {length} bytes, a public key has 33"))),
    }
    .map_err(|_| wrong("is not a point of P-256".into()))?;
    let key = election::sign::compressed(&key.into());
    election::sign::public_key(&key).map_err(|error| wrong(error.to_string()))?;
    Ok(key)
}

/// A key in a cell of a table: hex, or the path of a certificate (PEM or DER), relative to the table's folder.
///
/// # Errors
/// Neither.
pub fn parse_cell(cell: &str, folder: &Path, at: &str) -> Outcome<Key> {
    let cell = cell.trim();
    if cell.len() >= 64 && cell.bytes().all(|b| b.is_ascii_hexdigit()) {
        // Keys of the two kinds differ in length: 33 or 65 bytes, and 270.
        if cell.len() == 540 {
            let bytes = hex::decode(cell).map_err(|error| Problem::new(Kind::Malformed, at, error))?;
            return rsa(&bytes).ok_or_else(|| {
                Problem::new(Kind::Malformed, at, "is not an RSA-2048 key in PKCS#1 form")
                    .advice("give the card's certificate instead of hex")
            });
        }
        return parse_public(cell, at).map(Key::P256);
    }
    let path = folder.join(cell);
    certificate_key(&certificate(&path)?, &path)
}

/// A certificate as DER, from PEM or DER.
///
/// # Errors
/// Neither.
pub fn certificate(path: &Path) -> Outcome<Vec<u8>> {
    let bytes = files::read(path, LONGEST_CERTIFICATE)?;
    let parsed = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        Certificate::from_pem(&bytes)
    } else {
        Certificate::from_der(&bytes)
    };
    parsed.and_then(|certificate| certificate.to_der()).map_err(|error| {
        Problem::new(
            Kind::Malformed,
            path.display(),
            format!("is not a certificate ({error})"),
        )
        .advice("give a certificate in PEM or DER, or the public key in hex")
    })
}

/// The subject's public key.
///
/// # Errors
/// Another algorithm than P-256 and RSA.
fn certificate_key(der: &[u8], path: &Path) -> Outcome<Key> {
    let wrong = |what: &str| {
        Problem::new(Kind::Unsupported, path.display(), what)
            .advice("P-256 (PIV) and RSA-2048 (My Number card) keys are supported")
    };
    let certificate = Certificate::from_der(der).map_err(|_| wrong("is not a certificate"))?;
    let info = certificate.tbs_certificate().subject_public_key_info();
    let bits = info
        .subject_public_key
        .as_bytes()
        .ok_or_else(|| wrong("has a broken public key"))?;
    match info.algorithm.oid.to_string().as_str() {
        // id-ecPublicKey
        "1.2.840.10045.2.1" => {
            let key = p256::PublicKey::from_sec1_bytes(bits)
                .map_err(|_| wrong("has an elliptic-curve key that is not on P-256"))?;
            Ok(Key::P256(election::sign::compressed(&key.into())))
        }
        // rsaEncryption: the bit string is the PKCS#1 key.
        "1.2.840.113549.1.1.1" => rsa(bits).ok_or_else(|| {
            wrong("has an RSA key that is not the kind of My Number cards (2,048 bits, exponent 65537)")
        }),
        other => Err(wrong(&format!("has a key of the algorithm {other}"))),
    }
}

/// The public key in a certificate, if it is of a kind that a kiosk admits. The certificate itself is not judged.
///
/// # Errors
/// No certificate, or another kind of key.
pub fn key_of(der: &[u8]) -> Outcome<card::CardPublicKey> {
    let unsupported = || Problem::new(Kind::Unsupported, "certificate", "has a key that no kiosk admits");
    match certificate_key(der, Path::new("certificate"))? {
        Key::P256(key) => card::CardPublicKey::p256(&key).map_err(|_| unsupported()),
        Key::Rsa(key) => card::CardPublicKey::rsa2048(&key).map_err(|_| unsupported()),
    }
}

/// A key that a kiosk could admit; any other one in a roll would be a voter who is turned away.
fn rsa(pkcs1: &[u8]) -> Option<Key> {
    card::CardPublicKey::rsa2048(pkcs1).ok()?;
    Some(Key::Rsa(pkcs1.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_passes_for_the_secret_that_is_destroyed_nor_the_other_way_round() {
        let folder = tempfile::tempdir().unwrap();
        let (key, secret) = (
            folder.path().join("authority.key"),
            folder.path().join("election.secret"),
        );
        write_secret(&key, &[7; 32]).unwrap();
        write_election_secret(&secret, &[8; 32]).unwrap();
        assert_eq!(*read_secret(&key).unwrap(), [7; 32]);
        assert_eq!(*read_election_secret(&secret).unwrap(), [8; 32]);
        assert_eq!(read_election_secret(&key).unwrap_err().kind, Kind::Malformed);
        assert_eq!(read_secret(&secret).unwrap_err().kind, Kind::Malformed);
    }
}
