//! The My Number profile against cards that compute, and what it must never touch.

use card::x509::X509;
use card::{
    Card, CardError, CardPublicKey, CertificateError, CertificateVerifier as _, Date, Jpki, KeyUse, MAX_CERTIFICATE,
    Pin, Profile, Transmit, TransmitError,
};
use chacha20::ChaCha20Rng;
use election::tag::{ElectionSecret, Pseudonym, jpki_message};
use embassy_futures::block_on;
use rand_core::SeedableRng as _;
use std::sync::LazyLock;

use super::*;

const DAY: u32 = 20_261_103;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn days() -> Days {
    Days::new(20_250_401, 20_300_331).unwrap()
}

/// Keys of 2,048 bits take a while: one authority for all tests.
static AUTHORITY: LazyLock<JpkiAuthority> = LazyLock::new(|| {
    JpkiAuthority::new(
        "公的個人認証 試験認証局",
        Days::new(20_200_101, 20_391_231).unwrap(),
        &mut rng(1),
    )
    .unwrap()
});

fn voter(seed: u64) -> VirtualJpki {
    AUTHORITY.issue("1234", days(), &mut rng(seed)).unwrap()
}

fn pin(digits: &str) -> Pin {
    Pin::new(digits.as_bytes()).unwrap()
}

fn judge(certificate: &[u8], authorities: &[&[u8]], day: u32) -> Result<CardPublicKey, CertificateError> {
    X509.verify(
        certificate,
        &mut authorities.iter().copied(),
        KeyUse::Sign,
        Date::new(day).unwrap(),
    )
}

/// What a kiosk does with a voter's card.
async fn admit(card: &mut impl Transmit, seed: u64) -> Result<(CardPublicKey, [u8; 256]), CardError> {
    let mut buffer = [0; MAX_CERTIFICATE];
    let Card::Jpki(mut jpki) = Card::select(card).await? else {
        panic!("another profile")
    };
    assert_eq!(jpki.tries_left().await?, 3);
    jpki.verify(&pin("1234")).await?;
    let certificate = jpki.certificate(&mut buffer).await?;
    let key = judge(certificate, &[AUTHORITY.certificate()], DAY).map_err(|_| CardError::Malformed)?;
    jpki.prove(&key, &X509, &mut rng(seed)).await?;
    let signature = jpki.unique_signature(&jpki_message(&[7; 32]), &key, &X509).await?;
    jpki.forget().await?;
    Ok((key, *signature))
}

#[test]
fn a1_a_my_number_card_is_the_same_person_at_two_kiosks_and_another_card_another() {
    let (mut card, mut other) = (voter(2), voter(3));
    let (key, first) = block_on(admit(&mut card, 10)).unwrap();
    card.reset();
    assert_eq!(block_on(admit(&mut card, 11)).unwrap(), (key, first));
    assert_eq!(key, card.public_key().unwrap());
    let (other_key, second) = block_on(admit(&mut other, 12)).unwrap();
    assert_ne!(key, other_key);
    assert_ne!(first, second);
    // Two kiosks with the same E give one tag; without E the pseudonym says nothing about it.
    let tag = |e: [u8; 32], signature: &[u8]| ElectionSecret::from_bytes(e).tag(&Pseudonym::jpki(signature));
    assert_eq!(tag([9; 32], &first), tag([9; 32], &first));
    assert_ne!(tag([9; 32], &first), tag([8; 32], &first));
    assert_ne!(tag([9; 32], &first), tag([9; 32], &second));
}

#[test]
fn a2_the_signature_certificate_its_key_and_its_password_are_never_touched() {
    let card = AUTHORITY
        .add_signature(voter(2), "加賀花子", "PASSWORD1", days(), &mut rng(4))
        .unwrap();
    let mut card = Recording::new(card);
    block_on(admit(&mut card, 10)).unwrap();
    let commands = std::mem::take(&mut card.commands);
    assert!(commands.len() > 12, "{commands:02X?}");
    let selected: Vec<&[u8]> = commands
        .iter()
        .filter(|c| c[1] == 0xA4 && c[2] == 0x02)
        .map(|c| &c[5..7])
        .collect();
    assert!(!selected.is_empty());
    for file in selected {
        assert!(
            [[0x00, 0x0A], [0x00, 0x17], [0x00, 0x18]].contains(&[file[0], file[1]]),
            "{file:02X?}"
        );
    }
    // No short file identifier, no other way to a file, no command beside these.
    for command in &commands {
        let known = match command[..4] {
            [0x00, 0xA4, 0x00 | 0x04, 0x0C] | [0x00, 0xA4, 0x04, 0x00] | [0x00, 0xA4, 0x02, 0x0C] => true,
            [0x00, 0x20, 0x00, 0x80] | [0x80, 0x2A, 0x00, 0x80] => true,
            [0x00, 0xB0, high, _] => high & 0x80 == 0,
            _ => false,
        };
        assert!(known, "{command:02X?}");
    }
    // The pair is there, so it could have been touched.
    let raw: [&[u8]; 3] = [
        &[
            0x00, 0xA4, 0x04, 0x0C, 0x0A, 0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01,
        ],
        &[0x00, 0xA4, 0x02, 0x0C, 0x02, 0x00, 0x01],
        &[0x00, 0xB0, 0x00, 0x00, 0x00],
    ];
    let answers: Vec<_> = raw.iter().map(|command| card.chip.apdu(command).unwrap()).collect();
    assert_eq!(answers, [vec![0x90, 0x00], vec![0x90, 0x00], vec![0x69, 0x82]]);
}

#[test]
fn f8_a_wrong_pin_counts_down_until_blocked_and_another_length_costs_no_try() {
    let mut card = voter(2);
    let mut jpki = block_on(Jpki::select(&mut card)).unwrap();
    for wrong in ["12345", "12345678"] {
        assert_eq!(
            block_on(jpki.verify(&pin(wrong))),
            Err(CardError::PinLength { digits: 4 })
        );
    }
    assert_eq!(block_on(jpki.tries_left()), Ok(3));
    assert_eq!(
        block_on(jpki.verify(&pin("0000"))),
        Err(CardError::WrongPin { tries_left: 2 })
    );
    assert_eq!(block_on(jpki.verify(&pin("1234"))), Ok(()));
    for left in [2, 1] {
        assert_eq!(
            block_on(jpki.verify(&pin("0000"))),
            Err(CardError::WrongPin { tries_left: left })
        );
    }
    assert_eq!(block_on(jpki.verify(&pin("0000"))), Err(CardError::Blocked));
    assert_eq!(block_on(jpki.verify(&pin("1234"))), Err(CardError::Blocked));
    assert_eq!(block_on(jpki.tries_left()), Ok(0));
    card.reset();
    let mut jpki = block_on(Jpki::select(&mut card)).unwrap();
    assert_eq!(block_on(jpki.tries_left()), Ok(0));
}

#[test]
fn a1_the_verified_pin_does_not_outlive_forget_select_nor_a_power_cut() {
    let key = voter(2).public_key().unwrap();
    for way in 0..3 {
        let mut card = voter(2);
        let mut jpki = block_on(Jpki::select(&mut card)).unwrap();
        block_on(jpki.verify(&pin("1234"))).unwrap();
        block_on(jpki.prove(&key, &X509, &mut rng(5))).unwrap();
        match way {
            0 => block_on(jpki.forget()).unwrap(),
            1 => card.reset(),
            _ => {}
        }
        let mut jpki = block_on(Jpki::select(&mut card)).unwrap();
        assert_eq!(
            block_on(jpki.prove(&key, &X509, &mut rng(5))),
            Err(CardError::PinRequired),
            "way {way}"
        );
    }
}

/// Shows one card's certificate, signs with another's key.
struct Swapped {
    front: VirtualJpki,
    behind: VirtualJpki,
    recorded: Option<Vec<u8>>,
}

impl Transmit for Swapped {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        let honest = self.front.apdu(command)?;
        let behind = self.behind.apdu(command)?;
        let answer = match (command, &self.recorded) {
            ([0x80, 0x2A, ..], Some(recorded)) => [recorded, &[0x90, 0x00][..]].concat(),
            ([0x80, 0x2A, ..], None) => behind,
            _ => honest,
        };
        response[..answer.len()].copy_from_slice(&answer);
        Ok(answer.len())
    }
}

#[test]
fn a1_a_relay_to_a_second_genuine_card_and_a_recorded_signature_are_caught() {
    let mut card = voter(2);
    let (_, signature) = block_on(admit(&mut card, 10)).unwrap();
    for recorded in [None, Some(signature.to_vec())] {
        let mut relay = Swapped {
            front: voter(2),
            behind: voter(3),
            recorded,
        };
        assert_eq!(block_on(admit(&mut relay, 11)), Err(CardError::PossessionNotProven));
    }
}

/// A card whose signatures somebody keeps, or, once there are some, a copy of its certificate with the kept ones.
struct Kept {
    card: VirtualJpki,
    signatures: Vec<Vec<u8>>,
    replays: Option<usize>,
}

impl Transmit for Kept {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        let mut answer = self.card.apdu(command)?;
        if let [0x80, 0x2A, ..] = command {
            match &mut self.replays {
                None => self.signatures.push(answer.clone()),
                Some(next) => {
                    answer.clone_from(&self.signatures[*next]);
                    *next += 1;
                }
            }
        }
        response[..answer.len()].copy_from_slice(&answer);
        Ok(answer.len())
    }
}

#[test]
fn a1_a_signature_that_was_recorded_proves_nothing_the_next_time() {
    let mut kept = Kept {
        card: voter(2),
        signatures: vec![],
        replays: None,
    };
    block_on(admit(&mut kept, 10)).unwrap();
    assert_eq!(kept.signatures.len(), 2, "the challenge and the pseudonym");
    // Everything the card said in that visit, once more, to a kiosk with other randomness: it does not hold the key.
    kept.card.reset();
    kept.replays = Some(0);
    assert_eq!(block_on(admit(&mut kept, 11)), Err(CardError::PossessionNotProven));
}

#[test]
fn a1_a_signature_has_one_form_only() {
    let mut card = voter(2);
    let (key, signature) = block_on(admit(&mut card, 10)).unwrap();
    let hash = jpki_message(&[7; 32]);
    assert!(X509.verify_rsa(&key, &hash, &signature));
    assert!(!X509.verify_rsa(&key, &jpki_message(&[8; 32]), &signature));
    // Every bit counts; so does adding the modulus, where that fits.
    for byte in 0..256 {
        let mut bad = signature;
        bad[byte] ^= 1 << (byte % 8);
        assert!(!X509.verify_rsa(&key, &hash, &bad), "{byte}");
    }
    let mut carry = 0;
    let mut twin = signature;
    for (place, modulus) in twin.iter_mut().zip(&key.as_bytes()[9..265]).rev() {
        let sum = u16::from(*place) + u16::from(*modulus) + carry;
        *place = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert!(!X509.verify_rsa(&key, &hash, &twin));
    assert!(!X509.verify_rsa(&CardPublicKey::Rsa2048([0xFF; 270]), &hash, &signature));
    assert!(!X509.verify_rsa(&CardPublicKey::P256([2; 33]), &hash, &signature));
}

#[test]
fn a7_rsa_certificates_are_held_to_the_same_rules() {
    let card = voter(2);
    let root = AUTHORITY.certificate();
    assert_eq!(judge(card.certificate(), &[root], DAY), Ok(card.public_key().unwrap()));
    assert_eq!(
        judge(card.certificate(), &[root], 20_300_401),
        Err(CertificateError::Expired)
    );
    assert_eq!(
        judge(card.certificate(), &[], DAY),
        Err(CertificateError::UnknownIssuer)
    );
    let other = JpkiAuthority::new("公的個人認証 試験認証局", days(), &mut rng(99)).unwrap();
    assert!(judge(card.certificate(), &[other.certificate()], DAY).is_err());
    let p256 = CardAuthority::new("公的個人認証 試験認証局", days(), &mut rng(98)).unwrap();
    assert!(judge(card.certificate(), &[p256.certificate()], DAY).is_err());
    // An authority of each kind beside the other: the right one is found.
    assert!(
        judge(
            card.certificate(),
            &[p256.certificate(), other.certificate(), root],
            DAY
        )
        .is_ok()
    );
    // A holder is no authority: what the card's CA file says is not trusted by itself either.
    assert!(judge(card.certificate(), &[card.certificate()], DAY).is_err());
    for at in (0..card.certificate().len()).step_by(7) {
        let mut bad = card.certificate().to_vec();
        bad[at] ^= 0x10;
        assert!(judge(&bad, &[root], DAY).is_err(), "byte {at}");
    }
}

#[test]
fn f8_a_my_number_card_pulled_out_at_any_command_is_an_error_and_works_when_it_comes_back() {
    let mut counting = Recording::new(voter(2));
    block_on(admit(&mut counting, 10)).unwrap();
    for after in 0..counting.commands.len() {
        let mut card = Misbehaving::new(voter(2), Fault::RemovedAfter(after));
        let pulled = block_on(admit(&mut card, 10));
        // Taken out at the very last command, when all is proven: that is as good as forgetting.
        if after + 1 < counting.commands.len() {
            assert_eq!(
                pulled,
                Err(CardError::Transmit(TransmitError::Removed)),
                "after {after}"
            );
        }
        card.reset();
        assert!(block_on(admit(&mut card, 10)).is_ok(), "after {after}");
    }
}

#[test]
fn f8_mad_my_number_cards_are_refused_without_panic() {
    for seed in 0..300 {
        let mut card = Misbehaving::new(voter_once(), Fault::Garbled(Box::new(rng(seed))));
        let _ = block_on(whatever(&mut card));
        let mut card = Misbehaving::new(voter_once(), Fault::Nonsense(Box::new(rng(seed))));
        let _ = block_on(whatever(&mut card));
    }
    let mut card = Misbehaving::new(voter_once(), Fault::Endless);
    assert!(block_on(whatever(&mut card)).is_err());
}

/// The PIV card, which is quick to make, takes the place of a chip whose answers are replaced anyway.
fn voter_once() -> VirtualPiv {
    static ROOT: LazyLock<CardAuthority> = LazyLock::new(|| CardAuthority::new("x", days(), &mut rng(1)).unwrap());
    ROOT.issue_voter("1234", days(), &mut rng(2)).unwrap()
}

/// Every question, whatever the card said to the one before.
async fn whatever(card: &mut impl Transmit) -> Result<(), CardError> {
    let mut buffer = [0; MAX_CERTIFICATE];
    let mut last = Ok(());
    for _ in 0..4 {
        if let Ok(mut jpki) = Jpki::select(card).await {
            let _ = jpki.tries_left().await;
            last = jpki.certificate(&mut buffer).await.map(|_| ());
            let key = CardPublicKey::P256([2; 33]);
            let _ = jpki.unique_signature(&[1; 32], &key, &X509).await;
            let _ = jpki.forget().await;
        } else {
            last = Err(CardError::NoApplication);
        }
    }
    last
}

#[test]
fn profiles_are_told_apart() {
    // A transit card: no applications at all.
    struct Transit;
    impl Chip for Transit {
        fn reset(&mut self) {}
        fn apdu(&mut self, _: &[u8]) -> Result<Vec<u8>, TransmitError> {
            Ok(vec![0x6E, 0x00])
        }
    }
    let profile = |chip: &mut dyn Chip| {
        struct Borrowed<'a>(&'a mut dyn Chip);
        impl Transmit for Borrowed<'_> {
            async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
                transmit(self.0, command, response)
            }
        }
        block_on(Card::select(&mut Borrowed(chip))).map(|card| card.profile())
    };
    assert_eq!(profile(&mut voter(2)), Ok(Profile::Jpki));
    assert_eq!(profile(&mut voter_once()), Ok(Profile::Piv));
    assert_eq!(profile(&mut Transit), Err(CardError::NoApplication));
}
