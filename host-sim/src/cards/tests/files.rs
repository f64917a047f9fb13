//! Cards and authorities as they are issued and kept in files.

use card::{Piv, Slot};
use embassy_futures::block_on;
use x509_cert::der::Decode as _;

use super::super::*;
use super::{PIN, VALID, admit, authority, base, days, pin, rng, voter};

#[test]
fn a_card_file_brings_back_the_same_card_with_its_counter() {
    let root = authority(1);
    let mut card = voter(&root, 1);
    let mut piv = block_on(Piv::select(&mut card)).unwrap();
    let _ = block_on(piv.verify(&pin("0000")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("voter.json");
    card.to_file().unwrap().save(&path).unwrap();
    card.to_file().unwrap().save(&path).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains("test keys"));

    let VirtualCard::Piv(mut again) = CardFile::load(&path).unwrap().card().unwrap() else {
        panic!("another profile")
    };
    assert_eq!(again.tries_left(), 2);
    assert_eq!(
        again.shared_point(&base(1)).unwrap(),
        card.shared_point(&base(1)).unwrap()
    );
    assert!(block_on(admit(&mut *again, PIN, &base(1), 1)).is_ok());

    std::fs::write(&path, "{}").unwrap();
    let error = CardFile::load(&path).err().unwrap();
    assert!(error.to_string().contains("voter.json"));
    assert!(CardFile::load(&folder.path().join("nobody.json")).is_err());
    assert!(card.to_file().unwrap().save(folder.path()).is_err());
}

#[test]
fn an_authority_file_brings_back_the_same_authority() {
    let root = authority(1);
    let text = serde_json::to_string(&root.to_file()).unwrap();
    let file: AuthorityFile = serde_json::from_str(&text).unwrap();
    let again = CardAuthority::from_file(&file).unwrap();
    assert_eq!(again.certificate(), root.certificate());
    let card = voter(&again, 1);
    assert_eq!(
        card.certificate(Slot::Authentication),
        voter(&root, 1).certificate(Slot::Authentication)
    );
}

#[test]
fn the_same_seed_gives_the_same_card_and_another_seed_another() {
    let root = authority(1);
    let text = |card: VirtualPiv| serde_json::to_string(&card.to_file().unwrap()).unwrap();
    assert_eq!(text(voter(&root, 1)), text(voter(&authority(1), 1)));
    assert_ne!(text(voter(&root, 1)), text(voter(&root, 2)));
}

#[test]
fn a2_a_voters_certificates_hold_no_name_but_a_random_number() {
    let root = authority(1);
    let mut subjects = vec![];
    for seed in 0..4 {
        let card = voter(&root, seed);
        let parsed = x509_cert::Certificate::from_der(card.certificate(Slot::KeyManagement)).unwrap();
        let subject = parsed.tbs_certificate().subject().to_string();
        assert_eq!(subject.len(), "CN=".len() + 32);
        subjects.push(subject);
    }
    subjects.dedup();
    assert_eq!(subjects.len(), 4);
}

#[test]
fn what_no_card_can_be_issued_with_is_refused() {
    let root = authority(1);
    let valid = days(VALID.0, VALID.1);
    for pin in ["", "123", "123456789", "12a4"] {
        assert!(root.issue_voter(pin, valid, &mut rng(1)).is_err(), "{pin}");
    }
    let long = "長".repeat(65);
    for name in ["", &long] {
        assert!(root.issue_staff(name, PIN, valid, &mut rng(1)).is_err());
    }
    assert!(Days::new(20_260_230, 20_300_101).is_err());
    assert!(Days::new(20_300_101, 20_260_101).is_err());
}
