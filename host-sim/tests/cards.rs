//! Elections with My Number cards, and decks of cards on disk.

use embassy_futures::block_on;
use host_sim::cards::{Chip as _, Days, Deck, Order, Profiles};
use host_sim::{Scenario, bundled};

#[test]
fn a1_half_the_voters_have_my_number_cards_and_nobody_votes_twice() {
    let folder = tempfile::tempdir().unwrap();
    let report = Scenario::new(bundled::load("kaga-consultation").unwrap())
        .voters(20)
        .cards(Profiles::Mixed)
        .run(&folder.path().join("record"))
        .unwrap();
    assert!(report.holds(), "{:?}", report.wrong);
    assert_eq!(report.counted, 20);
}

#[test]
fn my_number_cards_alone_do_as_well_at_two_stations_in_two_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let report = Scenario::new(bundled::load("kaga-consultation").unwrap())
        .voters(6)
        .kiosks(2)
        .policy(election::manifest::Policy::Last)
        .cards(Profiles::Jpki)
        .run(&folder.path().join("record"))
        .unwrap();
    assert!(report.holds(), "{:?}", report.wrong);
    assert_eq!(report.counted, 6);
}

fn order<'o>(styles: &'o [String]) -> Order<'o> {
    Order {
        voters: 4,
        staff: 2,
        blank: 1,
        profiles: Profiles::Mixed,
        styles,
        valid: Days::new(20_200_401, 20_400_331).unwrap(),
        seed: "deck",
    }
}

#[test]
fn a_deck_keeps_counters_says_that_its_keys_are_for_tests_and_lets_nobody_out_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("deck");
    let styles = ["a".to_owned(), "b".to_owned()];
    let deck = Deck::issue(&place, &order(&styles)).unwrap();
    let names = [
        "blank-1",
        "staff-1",
        "staff-2",
        "voter-001",
        "voter-002",
        "voter-003",
        "voter-004",
    ];
    assert_eq!(deck.names().unwrap(), names);
    for name in names {
        let text = std::fs::read_to_string(place.join(format!("{name}.card.json"))).unwrap();
        assert!(text.contains("unprotected test keys"));
    }
    let profile = |name: &str| deck.file(name).unwrap().profile();
    assert_eq!([profile("voter-001"), profile("voter-002")], ["piv", "jpki"]);
    assert_eq!(deck.authorities().unwrap().len(), 2);
    // Not into a folder that holds something.
    assert!(Deck::issue(&place, &order(&styles)).is_err());
    for name in ["../deck/voter-001", "", "a/b", "voter 1", ".."] {
        assert!(deck.take(name).is_err(), "{name:?}");
    }
    // A wrong PIN is remembered by the file; the card is the same one afterwards.
    for (name, application, wrong) in [
        (
            "voter-001",
            "00A404000BA00000030800001000010000",
            "0020008008".to_owned() + &"39".repeat(8),
        ),
        (
            "voter-002",
            "00A4040C0AD392F000260100000001",
            "00200080043939".to_owned() + "3939",
        ),
    ] {
        let before = deck.take(name).unwrap().card().roll_key();
        let mut card = deck.take(name).unwrap();
        let say = |card: &mut host_sim::cards::Kept, text: &str| card.apdu(&hex::decode(text).unwrap()).unwrap();
        assert!(say(&mut card, application).ends_with(&[0x90, 0]));
        if name == "voter-002" {
            say(&mut card, "00A4020C020018");
        }
        assert_eq!(say(&mut card, &wrong), [0x63, 0xC2], "{name}");
        drop(card);
        let again = deck.take(name).unwrap();
        assert_eq!(again.card().tries_left(), 2);
        assert_eq!(again.card().roll_key(), before);
    }
}

#[test]
fn a_decks_roll_and_staff_tables_are_what_the_desk_reads() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("deck");
    let definition = bundled::load("kaga-consultation").unwrap();
    let imported = staff::import::import_bytes(&definition, &staff::import::Options::default()).unwrap();
    let manifest = election::manifest::Manifest::parse(&imported.manifest).unwrap();
    let styles: Vec<String> = manifest.styles().map(|style| style.id.to_owned()).collect();
    Deck::issue(&place, &order(&styles)).unwrap();
    let roll = staff::roll::read_csv(&place.join("roll.csv"), &manifest).unwrap();
    assert_eq!(roll.entries.len(), 4);
    assert_eq!(staff::genesis::read_staff(&place.join("staff.csv")).unwrap().len(), 2);
    // The same entries from certificates as from keys.
    let deck = Deck::open(&place).unwrap();
    let mut table = String::new();
    for name in ["voter-001", "voter-002"] {
        let mut card = deck.take(name).unwrap();
        let certificate = block_on(async {
            let mut buffer = [0; card::MAX_OBJECT];
            let mut link = Link(&mut card);
            match card::Card::select(&mut link).await.unwrap() {
                card::Card::Piv(mut piv) => piv
                    .certificate(card::Slot::KeyManagement, &mut buffer)
                    .await
                    .unwrap()
                    .to_vec(),
                card::Card::Jpki(mut jpki) => jpki.certificate(&mut buffer).await.unwrap().to_vec(),
                _ => panic!("another profile"),
            }
        });
        std::fs::write(place.join(format!("{name}.der")), certificate).unwrap();
        table += &format!("{name}.der,{}\n", styles[0]);
    }
    let by_certificate = staff::roll::parse_csv(table.as_bytes(), &place, &manifest).unwrap();
    assert_eq!(by_certificate.entries.len(), 2);
    assert!(
        by_certificate
            .entries
            .keys()
            .all(|entry| roll.entries.contains_key(entry))
    );
}

/// A reader that is nothing but a function call.
struct Link<'c>(&'c mut host_sim::cards::Kept);

impl card::Transmit for Link<'_> {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, card::TransmitError> {
        let answer = self.0.apdu(command)?;
        response[..answer.len()].copy_from_slice(&answer);
        Ok(answer.len())
    }
}
