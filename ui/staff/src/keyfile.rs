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
    let mut line = Zeroizing::new(vec![0u8; 65]);
    hex::encode_to_slice(secret, &mut line[..64])
        .map_err(|error| Problem::new(Kind::Malformed, path.display(), error))?;
    line[64] = b'\n';
    files::write_secret(path, &line)
}

/// Reads 32 secret bytes.
///
/// # Errors
/// Not there, or not a line of 64 hex digits.
pub fn read_secret(path: &Path) -> Outcome<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(files::read(path, 256)?);
    let line = bytes.trim_ascii();
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(line, secret.as_mut()).map_err(|_| {
        Problem::new(
            Kind::Malformed,
            path.display(),
            "is not a secret key file (one line of 64 hex digits)",
        )
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
            .advice("P-256 (PIV) and RSA (My Number card) keys are supported")
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
        "1.2.840.113549.1.1.1" => Ok(Key::Rsa(bits.to_vec())),
        other => Err(wrong(&format!("has a key of the algorithm {other}"))),
    }
}
