//! The certificate judge against bytes that are no certificates. (Real ones are issued and judged in
//! host-sim/src/cards/tests/certificates.rs, where there is an authority.)
#![cfg(feature = "x509")]

use card::x509::X509;
use card::{CertificateError, CertificateVerifier, Date, KeyUse, MAX_CERTIFICATE};
use proptest::prelude::*;

fn judge(certificate: &[u8], authority: &[u8]) -> CertificateError {
    let day = Date::new(20_261_103).unwrap();
    X509.verify(certificate, &mut [authority].into_iter(), KeyUse::Agree, day)
        .unwrap_err()
}

#[test]
fn what_is_too_long_is_not_even_parsed() {
    assert_eq!(judge(&[0x30; MAX_CERTIFICATE + 1], &[]), CertificateError::TooLong);
    assert_eq!(judge(&[], &[]), CertificateError::Malformed);
    // Thousands of nested sequences must not exhaust the stack.
    let mut nested = vec![];
    while nested.len() + 4 <= MAX_CERTIFICATE {
        let [high, low] = u16::try_from(nested.len()).unwrap().to_be_bytes();
        nested = [&[0x30, 0x82, high, low], &nested[..]].concat();
    }
    assert_eq!(judge(&nested, &nested), CertificateError::Malformed);
}

proptest! {
    #[test]
    fn f8_any_bytes_as_certificate_are_refused_without_panic(
        certificate in prop::collection::vec(any::<u8>(), 0..300),
        authority in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        judge(&certificate, &authority);
    }
}
