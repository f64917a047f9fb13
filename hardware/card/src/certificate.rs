//! Who vouches for a card's key: the seam for certificate checks, and calendar days.

use core::fmt;

use crate::key::CardPublicKey;

/// Largest certificate that is looked at, in bytes. Certificates on PIV cards have at most 1,856
/// bytes (NIST SP 800-73-4 Part 1 Appendix A); 4 KiB leaves room for other issuers and bounds what a
/// parser may allocate.
pub const MAX_CERTIFICATE: usize = 4096;

/// Most authorities that are tried for one certificate.
pub const MAX_AUTHORITIES: usize = 32;

/// A calendar day, YYYYMMDD, that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(u32);

impl Date {
    /// The day written as YYYYMMDD, such as `20261103`; `None` if there is no such day between 1970
    /// and 9999.
    #[must_use]
    pub const fn new(yyyymmdd: u32) -> Option<Self> {
        let (year, month, day) = (yyyymmdd / 10_000, yyyymmdd / 100 % 100, yyyymmdd % 100);
        let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return None,
        };
        if year < 1970 || year > 9999 || day == 0 || day > days {
            return None;
        }
        Some(Self(yyyymmdd))
    }

    /// The day as YYYYMMDD.
    #[must_use]
    pub const fn yyyymmdd(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = (self.0 / 10_000, self.0 / 100 % 100, self.0 % 100);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// What the certified key must be allowed to do (keyUsage, RFC 5280 section 4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// digitalSignature: slot 9A, and My Number cards.
    Sign,
    /// keyAgreement: slot 9D.
    Agree,
}

/// Judges whether one of the given authorities vouches for a certificate.
///
/// A trait, so that a platform without an allocator can bring a judge of its own and so that code
/// above this room does not depend on X.509.
pub trait CertificateVerifier {
    /// The public key of `certificate` if it was issued by one of `authorities` (certificates too),
    /// both are valid on the day `at`, and the key may be used for `usage`.
    ///
    /// `at` comes from the caller's documents, never from a clock: a clock that is wrong must not
    /// lock people out, nor let them in.
    ///
    /// # Errors
    /// [`CertificateError`], for people to act on.
    fn verify(
        &self,
        certificate: &[u8],
        authorities: &mut dyn Iterator<Item = &[u8]>,
        usage: KeyUse,
        at: Date,
    ) -> Result<CardPublicKey, CertificateError>;

    /// Whether `signature` is `key`'s over the SHA-256 `hash` (RSASSA-PKCS1-v1_5, RFC 8017 section 8.2.2). False for keys that are
    /// not RSA, and always, unless a platform brings RSA: whoever cannot check a signature must not believe it.
    fn verify_rsa(&self, key: &CardPublicKey, hash: &[u8; 32], signature: &[u8; 256]) -> bool {
        let _ = (key, hash, signature);
        false
    }
}

/// Why a certificate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not valid any more on the day: the holder needs a renewed card.
    Expired,
    /// Not valid yet on the day.
    NotYetValid,
    /// None of the authorities has the issuer's name: a card of another issuer.
    UnknownIssuer,
    /// An authority of that name exists, but the signature is not its own: forged or damaged.
    BadSignature,
    /// The authority that signed is not valid on the day: the list of authorities is out of date.
    IssuerNotValid,
    /// What signed is not a certificate authority.
    NotAnAuthority,
    /// The certificate does not allow this use of its key, or belongs to an authority.
    WrongUsage,
    /// It demands something that is not understood here (a critical extension), so it must be refused.
    UnknownCriticalExtension,
    /// The key is of a kind that is not understood here.
    UnsupportedKey,
    /// The signature is of a kind that is not understood here.
    UnsupportedSignature,
    /// Longer than [`MAX_CERTIFICATE`].
    TooLong,
    /// More than [`MAX_AUTHORITIES`] authorities were given.
    TooManyAuthorities,
    /// Not a certificate in DER, or bytes follow it.
    Malformed,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the certificate has expired: the holder needs a renewed card",
            Self::NotYetValid => "the certificate is not valid yet on this day",
            Self::UnknownIssuer => "the certificate is from an issuer that is not admitted here",
            Self::BadSignature => "the issuer did not sign this certificate: forged or damaged",
            Self::IssuerNotValid => "the issuer's own certificate is not valid on this day",
            Self::NotAnAuthority => "what signed this certificate is no certificate authority",
            Self::WrongUsage => "the certificate is not for this use of its key",
            Self::UnknownCriticalExtension => "the certificate has a critical extension that is not understood",
            Self::UnsupportedKey => "the certificate's key is of a kind that is not admitted here",
            Self::UnsupportedSignature => "the certificate is signed in a way that is not admitted here",
            Self::TooLong => "the certificate is longer than 4096 bytes",
            Self::TooManyAuthorities => "more authorities than can be tried",
            Self::Malformed => "not a certificate, or a damaged one",
        })
    }
}

impl core::error::Error for CertificateError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Date;
    use std::string::ToString;

    #[test]
    fn only_days_that_exist() {
        for good in [19_700_101, 20_000_229, 20_240_229, 20_261_103, 99_991_231] {
            assert_eq!(Date::new(good).map(Date::yyyymmdd), Some(good));
        }
        for bad in [
            0,
            19_691_231,
            20_260_229,
            21_000_229,
            20_261_301,
            20_260_001,
            20_260_431,
            20_260_100,
            100_000_101,
            u32::MAX,
        ] {
            assert_eq!(Date::new(bad), None, "{bad}");
        }
        assert!(Date::new(20_261_103) < Date::new(20_261_201));
        assert_eq!(Date::new(20_260_405).unwrap().to_string(), "2026-04-05");
    }
}
