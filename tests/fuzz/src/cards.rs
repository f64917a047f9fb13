//! What hardware/card owes to any bytes at all from a card: no panic, an end, and no card that passes for one it is not. Fuzz targets call
//! these with bytes of libFuzzer, tests/tests/fuzz_cards.rs with what real and virtual cards say, and mutations of it.
#![allow(dead_code, reason = "each fuzz target uses one law")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use card::t1::{Atr, Block, Exchange, Frame, Heard, MAX_ATR, MAX_BLOCKS, Pps, Protocol, Step};
use card::x509::X509;
use card::{
    Card, CardPublicKey, CertificateVerifier as _, Date, KeyUse, MAX_OBJECT, Pin, Slot, Transmit, TransmitError, tlv,
};
use p256::elliptic_curve::Group as _;
use p256::{ProjectivePoint, PublicKey};
use rand_core::{TryCryptoRng, TryRng};

/// A law over bytes, with its name.
pub type Law = (&'static str, fn(&[u8]));

/// Every law.
pub const LAWS: &[Law] = &[
    ("card_apdus", apdus),
    ("card_tlv", tlv_elements),
    ("card_certificate", certificate),
    ("card_atr", atr),
    ("card_t1", t1),
];

/// Nothing here ever waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a card made of bytes never waits"),
    }
}

/// A card that answers what the bytes say: two bytes of length, then the answer; when they end, it is gone.
struct Said<'d> {
    data: &'d [u8],
    commands: usize,
}

impl Transmit for Said<'_> {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        assert!((4..=261).contains(&command.len()));
        self.commands += 1;
        let Some(([high, low], rest)) = self.data.split_first_chunk() else {
            return Err(TransmitError::Removed);
        };
        // Now and then longer than a response may be.
        let length = usize::from(u16::from_be_bytes([*high, *low]) % 300).min(rest.len());
        let (answer, rest) = rest.split_at(length);
        self.data = rest;
        response
            .get_mut(..length)
            .ok_or(TransmitError::TooLong)?
            .copy_from_slice(answer);
        Ok(length)
    }
}

/// Randomness that is always the same: what goes wrong goes wrong again.
struct Counting(u8);

impl TryRng for Counting {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.0 = self.0.wrapping_add(1);
        Ok(u32::from(self.0))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

/// A whole visit of a card that says these things. Nobody has the private key, so nothing may be proven.
pub fn apdus(data: &[u8]) {
    let mut said = Said { data, commands: 0 };
    let generator = ProjectivePoint::generator();
    let key = CardPublicKey::from(&PublicKey::from_affine(generator.double().to_affine()).expect("a point"));
    let mut buffer = [0; MAX_OBJECT];
    let mut rng = Counting(0);
    now(async {
        let Ok(mut card) = Card::select(&mut said).await else {
            return;
        };
        let _ = card.tries_left().await;
        if let Ok(pin) = Pin::new(b"739481") {
            let _ = card.verify(&pin).await;
        }
        match &mut card {
            Card::Piv(piv) => {
                if let Ok(found) = piv.certificate(Slot::KeyManagement, &mut buffer).await {
                    assert!(!found.is_empty() && found.len() <= MAX_OBJECT);
                }
                let base = (generator * p256::Scalar::from(5_u64)).to_affine();
                assert!(piv.shared_point(&base, &key, &mut rng).await.is_err());
                let _ = piv.sign(&[1; 32]).await;
            }
            Card::Jpki(jpki) => {
                if let Ok(found) = jpki.certificate(&mut buffer).await {
                    assert!(found.starts_with(&[0x30, 0x82]) && found.len() <= MAX_OBJECT);
                }
                // The key is of another kind, so no signature can be its own.
                assert!(jpki.prove(&key, &X509, &mut rng).await.is_err());
                assert!(jpki.unique_signature(&[1; 32], &key, &X509).await.is_err());
            }
            _ => {}
        }
        let _ = card.forget().await;
    });
    // 40 commands of ours, each followed by at most MAX_PARTS more.
    assert!(said.commands <= 40 * (card::apdu::MAX_PARTS + 2));
}

/// TLV: elements lie within the bytes, and what is found is there.
pub fn tlv_elements(data: &[u8]) {
    if let Some(element) = tlv::read(data) {
        assert!(element.value.len() + element.rest.len() + 2 <= data.len());
        if let Ok(found) = tlv::find(data, element.tag) {
            assert_eq!(found, Some(element.value));
        }
        let _ = tlv::only(element.value, element.tag);
    }
}

/// Certificates: what vouches for itself is no card of anybody's, and bytes that are judged twice are judged alike.
pub fn certificate(data: &[u8]) {
    let day = Date::new(20_261_103).expect("a day");
    for usage in [KeyUse::Sign, KeyUse::Agree] {
        let mut own = std::iter::once(data);
        // One that is an authority is refused as a holder; one that is none is refused as an issuer.
        assert!(X509.verify(data, &mut own, usage, day).is_err());
        assert!(X509.verify(data, &mut std::iter::empty(), usage, day).is_err());
        if let Some((length, rest)) = data.split_first_chunk::<2>() {
            let (subject, issuer) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
            let judge = || X509.verify(subject, &mut std::iter::once(issuer), usage, day);
            assert_eq!(judge(), judge());
        }
    }
}

/// Answers to reset: read as soon as they are whole and never otherwise; PPS answers confirm only what was asked.
pub fn atr(data: &[u8]) {
    let whole = (1..=data.len().min(MAX_ATR)).find_map(|length| match Atr::read(&data[..length]) {
        Ok(None) => None,
        Ok(Some(_)) => Some(true),
        Err(_) => Some(false),
    });
    if whole == Some(true) {
        assert!(data.len() >= 2);
    }
    for ta1 in [None, Some(0x18), Some(0x95)] {
        let request = Pps::t1(ta1);
        if request.confirmed(data).is_ok() {
            assert!(data == request.bytes() || data == Pps::t1(None).bytes());
        }
    }
    assert!(Pps::length(data) <= 6);
}

/// T=1: bytes cut into blocks by their own lengths are answers to an exchange, which ends, and never writes beyond its buffer.
pub fn t1(data: &[u8]) {
    let _ = Block::read(data).is_ok();
    let (ifsc, mut rest) = data.split_first().map_or((32, data), |(first, rest)| (*first, rest));
    let mut protocol = Protocol::new(ifsc.clamp(1, 254));
    let mut response = [0; 258];
    for length in [5_usize, 261] {
        let command = vec![0x5A; length];
        let mut frame = Frame::default();
        let mut exchange = Exchange::new(&mut protocol, &command);
        let mut step = exchange.start(&mut frame);
        let mut sent = 0;
        while let Ok(Step::Send { .. }) = step {
            sent += 1;
            assert!(sent <= usize::from(MAX_BLOCKS) && (4..=258).contains(&frame.bytes().len()));
            // A byte says how long the next block is; a right check character is put behind every other one.
            let heard = match rest.split_first() {
                None => Heard::Silence,
                Some((count, after)) => {
                    let (bytes, after) = after.split_at(usize::from(*count & 0x7F).min(after.len()));
                    rest = after;
                    let mut block = bytes.to_vec();
                    if count & 0x80 != 0 {
                        block.push(block.iter().fold(0, |sum, byte| sum ^ byte));
                    }
                    step = exchange.next(Heard::Bytes(&block), &mut frame, &mut response);
                    continue;
                }
            };
            step = exchange.next(heard, &mut frame, &mut response);
        }
        if let Ok(Step::Done { length }) = step {
            assert!(length <= response.len());
        }
    }
}
