//! The laws of the card fuzz targets (tests/fuzz) over what virtual cards of both kinds really say, over the corpora in
//! tests/fuzz/seeds, and over mutations of both: short, and the same every time.

#[path = "../fuzz/src/cards.rs"]
mod cards;

use std::fs;
use std::path::PathBuf;

use card::x509::X509;
use card::{Card, CertificateVerifier as _, Date, KeyUse, MAX_OBJECT, Pin, Slot, Transmit, TransmitError};
use chacha20::ChaCha20Rng;
use embassy_futures::block_on;
use host_sim::cards::{CardAuthority, Chip, Days, JpkiAuthority, VirtualCard};
use rand_core::{Rng as _, SeedableRng as _};
use tests::tree;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A card whose answers are written down in the form that the law `card_apdus` reads.
struct Heard {
    chip: VirtualCard,
    said: Vec<u8>,
}

impl Transmit for Heard {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        let answer = self.chip.apdu(command)?;
        self.said.extend(u16::try_from(answer.len()).unwrap().to_be_bytes());
        self.said.extend(&answer);
        response[..answer.len()].copy_from_slice(&answer);
        Ok(answer.len())
    }
}

/// One visit of an honest card: what it said, its certificate, and its authority's.
fn visit(chip: VirtualCard, pin: &str, authority: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut heard = Heard { chip, said: vec![] };
    let mut buffer = [0; MAX_OBJECT];
    let day = Date::new(20_261_103).unwrap();
    let certificate = block_on(async {
        let mut card = Card::select(&mut heard).await.unwrap();
        card.tries_left().await.unwrap();
        card.verify(&Pin::new(pin.as_bytes()).unwrap()).await.unwrap();
        let mut authorities = std::iter::once(authority);
        let certificate = match &mut card {
            Card::Piv(piv) => {
                let found = piv
                    .certificate(Slot::KeyManagement, &mut buffer)
                    .await
                    .unwrap()
                    .to_vec();
                let key = X509.verify(&found, &mut authorities, KeyUse::Agree, day).unwrap();
                let base = p256::AffinePoint::GENERATOR;
                piv.shared_point(&base, &key, &mut rng(1)).await.unwrap();
                piv.sign(&[1; 32]).await.unwrap();
                found
            }
            Card::Jpki(jpki) => {
                let found = jpki.certificate(&mut buffer).await.unwrap().to_vec();
                let key = X509.verify(&found, &mut authorities, KeyUse::Sign, day).unwrap();
                jpki.prove(&key, &X509, &mut rng(1)).await.unwrap();
                jpki.unique_signature(&[1; 32], &key, &X509).await.unwrap();
                found
            }
            _ => panic!("another profile"),
        };
        card.forget().await.unwrap();
        certificate
    });
    (heard.said, certificate)
}

/// What there is to begin with, by law.
fn corpus(law: &str) -> Vec<Vec<u8>> {
    let days = Days::new(20_250_401, 20_350_331).unwrap();
    let municipality = CardAuthority::new("test", days, &mut rng(1)).unwrap();
    let ministry = JpkiAuthority::new("test", days, &mut rng(1)).unwrap();
    let piv = municipality.issue_voter("739481", days, &mut rng(2)).unwrap();
    let jpki = ministry.issue("7394", days, &mut rng(2)).unwrap();
    let (piv_said, piv_certificate) = visit(piv.into(), "739481", municipality.certificate());
    let (jpki_said, jpki_certificate) = visit(jpki.into(), "7394", ministry.certificate());
    let pair = |subject: &[u8], issuer: &[u8]| {
        let length = u16::try_from(subject.len()).unwrap().to_be_bytes();
        [&length[..], subject, issuer].concat()
    };
    let mut out = match law {
        "card_apdus" => vec![piv_said, jpki_said],
        "card_tlv" => vec![[&[0x53, 0x82, 1, 0][..], &piv_certificate[..256]].concat()],
        "card_certificate" => vec![
            pair(&piv_certificate, municipality.certificate()),
            pair(&jpki_certificate, ministry.certificate()),
            municipality.certificate().to_vec(),
            ministry.certificate().to_vec(),
        ],
        _ => vec![],
    };
    let folder = seeds().join(law);
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        out.push(fs::read(entry.unwrap().path()).unwrap());
    }
    out
}

fn seeds() -> PathBuf {
    tree::root().join("tests/fuzz/seeds")
}

fn mutate(seed: &[u8], other: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut out = seed.to_vec();
    let mut below = |bound: usize| usize::try_from(rng.next_u32()).unwrap() % bound.max(1);
    for _ in 0..=below(3) {
        let at = below(out.len());
        match below(6) {
            0 => out.truncate(at),
            1 if !out.is_empty() => out[at] ^= 1 << below(8),
            2 => out.insert(at, [0, 1, 0x7F, 0x80, 0xFF][below(5)]),
            3 if !out.is_empty() => drop(out.remove(at)),
            4 if !out.is_empty() => out[at] = [0, 0x61, 0x6C, 0x90, 0xFF][below(5)],
            _ => {
                let from = below(other.len()).min(other.len());
                out.splice(at.., other[from..].iter().copied()).for_each(drop);
            }
        }
    }
    out
}

#[test]
fn f8_no_bytes_of_a_card_break_a_law() {
    for (name, law) in cards::LAWS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name}: no corpus");
        let mut rng = rng(1);
        for seed in &corpus {
            law(seed);
            for _ in 0..400 {
                let other = &corpus[usize::try_from(rng.next_u32()).unwrap() % corpus.len()];
                law(&mutate(seed, other, &mut rng));
            }
        }
    }
}
