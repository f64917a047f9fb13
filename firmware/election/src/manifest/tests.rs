//! A small manifest for the tests of this crate, and the rules of section 2 broken one by one.

use std::vec::Vec;

use proptest::prelude::*;
use serde::Serialize;

use super::*;

/// The encoding of one value.
pub(crate) fn bytes_of<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = std::vec![0; wire::encoded_len(value).unwrap()];
    wire::encode(value, &mut out).unwrap();
    out
}

/// The items' bytes of a list.
pub(crate) fn seq_of<T: Serialize>(items: impl IntoIterator<Item = T>) -> Vec<u8> {
    items.into_iter().flat_map(|item| bytes_of(&item)).collect()
}

pub(crate) fn texts_of(texts: &[(&str, &str)]) -> Vec<u8> {
    seq_of(texts.iter().map(|(language, text)| Text { language, text }))
}

/// id, units, (contest, order)
type PlainStyle = (&'static str, Vec<&'static str>, Vec<(u16, Vec<u8>)>);

/// A manifest as plain values: change one and encode.
#[derive(Clone)]
pub(crate) struct Plain {
    pub version: u16,
    pub id: &'static str,
    pub mode: Mode,
    pub policy: Policy,
    pub days: (u32, u32),
    pub batch: u16,
    pub languages: Vec<&'static str>,
    pub name: Vec<(&'static str, &'static str)>,
    pub epochs: Vec<&'static str>,
    pub units: Vec<&'static str>,
    /// id, votes, options
    pub contests: Vec<(&'static str, u8, Vec<&'static str>)>,
    pub styles: Vec<PlainStyle>,
}

/// Two contests, "choose 1 of 2" and "choose up to 2 of 3", two styles, two epochs, policy last.
pub(crate) fn plain() -> Plain {
    Plain {
        version: 1,
        id: "test-election",
        mode: Mode::Consultation,
        policy: Policy::Last,
        days: (20261122, 20261123),
        batch: 2,
        languages: std::vec!["ja", "en"],
        name: std::vec![("ja", "試験"), ("en", "Test")],
        epochs: std::vec!["期日前", "当日"],
        units: std::vec!["north", "south"],
        contests: std::vec![
            ("mayor", 1, std::vec!["a", "b"]),
            ("council", 2, std::vec!["x", "y", "z"]),
        ],
        styles: std::vec![
            (
                "both",
                std::vec!["north", "south"],
                std::vec![(0, std::vec![]), (1, std::vec![2, 0, 1])]
            ),
            ("mayor-only", std::vec!["south"], std::vec![(0, std::vec![1, 0])]),
        ],
    }
}

impl Plain {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let name = |text: &'static str| texts_of(&[(self.languages.first().unwrap_or(&"ja"), text)]);
        let languages = seq_of(self.languages.iter());
        let own_name = texts_of(&self.name);
        let epochs: Vec<u8> = self
            .epochs
            .iter()
            .flat_map(|text| {
                bytes_of(&Epoch {
                    name: Seq::from_bytes(&name(text)),
                })
            })
            .collect();
        let units: Vec<u8> = self
            .units
            .iter()
            .flat_map(|id| {
                bytes_of(&Unit {
                    id,
                    name: Seq::from_bytes(&name("区")),
                })
            })
            .collect();
        let contests: Vec<u8> = self
            .contests
            .iter()
            .flat_map(|(id, votes, options)| {
                let options: Vec<u8> = options
                    .iter()
                    .flat_map(|id| {
                        bytes_of(&Choice {
                            id,
                            name: Seq::from_bytes(&name("候補")),
                            party: Seq::default(),
                        })
                    })
                    .collect();
                bytes_of(&Contest {
                    id,
                    kind: Kind::Candidates,
                    votes: *votes,
                    name: Seq::from_bytes(&name("選挙")),
                    text: Seq::default(),
                    options: Seq::from_bytes(&options),
                })
            })
            .collect();
        let styles: Vec<u8> = self
            .styles
            .iter()
            .flat_map(|(id, units, contests)| {
                let units = seq_of(units.iter());
                let contests = seq_of(contests.iter().map(|(contest, order)| StyleContest {
                    contest: *contest,
                    order,
                }));
                bytes_of(&Style {
                    id,
                    units: Seq::from_bytes(&units),
                    contests: Seq::from_bytes(&contests),
                })
            })
            .collect();
        bytes_of(&Manifest {
            version: self.version,
            id: self.id,
            mode: self.mode,
            policy: self.policy,
            first_day: self.days.0,
            last_day: self.days.1,
            batch: self.batch,
            small_group: 10,
            languages: Seq::from_bytes(&languages),
            name: Seq::from_bytes(&own_name),
            epochs: Seq::from_bytes(&epochs),
            units: Seq::from_bytes(&units),
            contests: Seq::from_bytes(&contests),
            styles: Seq::from_bytes(&styles),
        })
    }
}

fn refused(change: impl FnOnce(&mut Plain)) -> (Place, Rule) {
    let mut plain = plain();
    change(&mut plain);
    let bytes = plain.encode();
    let error = Manifest::parse(&bytes).expect_err("a broken rule is refused");
    (error.place, error.rule)
}

/// `count` distinct ids.
fn ids(count: usize) -> Vec<&'static str> {
    (0..count).map(|i| &*std::format!("id-{i}").leak()).collect()
}

#[test]
fn a_manifest_is_read_as_it_was_written() {
    let bytes = plain().encode();
    let manifest = Manifest::parse(&bytes).unwrap();
    assert_eq!(manifest.id, "test-election");
    assert_eq!(
        (manifest.epoch_count(), manifest.contest_count(), manifest.style_count()),
        (2, 2, 2)
    );
    assert_eq!(manifest.contest(1).unwrap().id, "council");
    assert_eq!(manifest.contest(2), None);
    let style = manifest.style(0).unwrap();
    let shapes: Vec<_> = manifest
        .shapes(&style)
        .map(|s| (s.contest, s.options, s.votes))
        .collect();
    assert_eq!(shapes, [(0, 2, 1), (1, 3, 2)]);
    let ballot: Vec<_> = manifest
        .ballot(&style)
        .map(|(item, contest)| (item.order, contest.id))
        .collect();
    assert_eq!(ballot, [(&[][..], "mayor"), (&[2, 0, 1][..], "council")]);
    // 35 + 3 * 294 + 98 + 5 * 294 + 98 (section 4).
    assert_eq!(manifest.max_ballot_len(), 2583);
    assert_eq!(manifest.text(manifest.name, "en"), Some("Test"));
    assert_eq!(manifest.text(manifest.name, "pt"), Some("試験"));
    assert_eq!(manifest.text(Seq::default(), "ja"), None);
}

#[test]
fn a_style_may_leave_contests_out() {
    let mut plain = plain();
    plain
        .styles
        .push(("council-only", std::vec![], std::vec![(1, std::vec![])]));
    let bytes = plain.encode();
    let manifest = Manifest::parse(&bytes).unwrap();
    let style = manifest.style(2).unwrap();
    let shapes: Vec<_> = manifest.shapes(&style).collect();
    assert_eq!(shapes, [manifest.shape(1).unwrap()]);
}

#[test]
fn each_rule_is_refused_by_name_and_place() {
    use Place::{Choice, Contest, Epoch, Language, StyleContest, Unit};
    let whole = Place::Manifest;
    assert_eq!(refused(|m| m.version = 2), (whole, Rule::Version(2)));
    assert_eq!(refused(|m| m.id = ""), (whole, Rule::Id));
    assert_eq!(
        refused(|m| m.id = std::string::String::from_utf8(std::vec![b'a'; 65]).unwrap().leak()),
        (whole, Rule::Id)
    );
    assert_eq!(refused(|m| m.days = (20261123, 20261122)), (whole, Rule::Day));
    for day in [
        20260229,
        20261301,
        20260010,
        20260431,
        20260100,
        101,
        19000229,
        u32::MAX,
    ] {
        assert_eq!(refused(|m| m.days = (day, day)), (whole, Rule::Day), "{day}");
    }
    for batch in [0, 257] {
        assert_eq!(refused(|m| m.batch = batch), (whole, Rule::Batch));
    }
    assert_eq!(refused(|m| m.languages = std::vec![]), (whole, Rule::Empty));
    assert_eq!(
        refused(|m| m.languages = std::vec!["ja", "en", "ja"]),
        (Language(2), Rule::Duplicate)
    );
    assert_eq!(refused(|m| m.languages = ids(9)), (whole, Rule::TooMany { limit: 8 }));
    assert_eq!(
        refused(|m| m.name = std::vec![("en", "Test")]),
        (whole, Rule::NoFallback)
    );
    assert_eq!(refused(|m| m.name = std::vec![("ja", "")]), (whole, Rule::NoFallback));
    assert_eq!(refused(|m| m.name.push(("pt", "Teste"))), (whole, Rule::TextLanguage));
    assert_eq!(refused(|m| m.name.push(("en", "Again"))), (whole, Rule::TextLanguage));
    assert_eq!(
        refused(|m| m.epochs[1] = std::string::String::from_utf8(std::vec![b'a'; 4097]).unwrap().leak()),
        (Epoch(1), Rule::TextLength)
    );
    assert_eq!(refused(|m| m.policy = Policy::First), (whole, Rule::Epochs));
    assert_eq!(refused(|m| m.epochs = std::vec![]), (whole, Rule::Empty));
    assert_eq!(
        refused(|m| m.epochs = std::vec!["e"; 17]),
        (whole, Rule::TooMany { limit: 16 })
    );
    assert_eq!(refused(|m| m.epochs[1] = ""), (Epoch(1), Rule::NoFallback));
    assert_eq!(refused(|m| m.units = std::vec![]), (whole, Rule::Empty));
    assert_eq!(refused(|m| m.units[1] = "north"), (Unit(1), Rule::Duplicate));
    assert_eq!(refused(|m| m.units = ids(4097)), (whole, Rule::TooMany { limit: 4096 }));
    assert_eq!(refused(|m| m.contests = std::vec![]), (whole, Rule::Empty));
    assert_eq!(refused(|m| m.contests[1].0 = "mayor"), (Contest(1), Rule::Duplicate));
    assert_eq!(
        refused(|m| m.contests = ids(257).into_iter().map(|id| (id, 1, std::vec!["a"])).collect()),
        (whole, Rule::TooMany { limit: 256 })
    );
    for votes in [0, 3, 16] {
        assert_eq!(refused(|m| m.contests[0].1 = votes), (Contest(0), Rule::Votes));
    }
    assert_eq!(
        refused(|m| m.contests[0] = ("mayor", 16, ids(20))),
        (Contest(0), Rule::Votes)
    );
    assert_eq!(refused(|m| m.contests[0].2 = std::vec![]), (Contest(0), Rule::Empty));
    assert_eq!(
        refused(|m| m.contests[0].2 = ids(61)),
        (Contest(0), Rule::TooMany { limit: 60 })
    );
    assert_eq!(
        refused(|m| m.contests[1].2[2] = "x"),
        (Choice { contest: 1, option: 2 }, Rule::Duplicate)
    );
    assert_eq!(refused(|m| m.styles = std::vec![]), (whole, Rule::Empty));
    assert_eq!(refused(|m| m.styles[1].0 = "both"), (Place::Style(1), Rule::Duplicate));
    assert_eq!(
        refused(|m| m.styles[1].1 = std::vec!["west"]),
        (Place::Style(1), Rule::UnitId)
    );
    assert_eq!(refused(|m| m.styles[0].1.reverse()), (Place::Style(0), Rule::UnitId));
    assert_eq!(
        refused(|m| m.styles[1].1 = std::vec!["south", "south"]),
        (Place::Style(1), Rule::UnitId)
    );
    assert_eq!(refused(|m| m.styles[0].2.clear()), (Place::Style(0), Rule::Empty));
    let position = |position| StyleContest { style: 0, position };
    assert_eq!(refused(|m| m.styles[0].2.reverse()), (position(1), Rule::ContestIndex));
    assert_eq!(refused(|m| m.styles[0].2[1].0 = 2), (position(1), Rule::ContestIndex));
    assert_eq!(refused(|m| m.styles[0].2[1].0 = 0), (position(1), Rule::ContestIndex));
    for order in [
        std::vec![0, 1],
        std::vec![0, 1, 1],
        std::vec![0, 1, 3],
        std::vec![0, 1, 2, 0],
        std::vec![255; 3],
    ] {
        assert_eq!(
            refused(|m| m.styles[0].2[1].1 = order.clone()),
            (position(1), Rule::Order),
            "{order:?}"
        );
    }
}

#[test]
fn the_bounds_of_a_style_are_refused() {
    let wide = |m: &mut Plain, contests: usize, options: usize| {
        m.contests = ids(contests).into_iter().map(|id| (id, 1, ids(options))).collect();
        m.styles = std::vec![(
            "all",
            std::vec![],
            (0..u16::try_from(contests).unwrap())
                .map(|i| (i, std::vec![]))
                .collect()
        )];
    };
    assert_eq!(
        refused(|m| wide(m, 65, 1)),
        (Place::Style(0), Rule::TooMany { limit: 64 })
    );
    assert_eq!(refused(|m| wide(m, 9, 60)), (Place::Style(0), Rule::Selections));
    let mut most = plain();
    wide(&mut most, 64, 7);
    let bytes = most.encode();
    assert_eq!(
        Manifest::parse(&bytes).unwrap().max_ballot_len(),
        35 + 512 * 294 + 64 * 98
    );
}

#[test]
fn an_error_finds_its_ids() {
    let mut plain = plain();
    plain.contests[1].2[2] = "x";
    let bytes = plain.encode();
    let error = Manifest::parse(&bytes).unwrap_err();
    assert_eq!(error.ids(&bytes), (Some("council"), Some("x")));
    assert_eq!(std::format!("{error}"), "option 3 of contest 2: the id is used twice");
}

#[test]
fn a_manifest_above_its_size_is_refused() {
    let bytes = std::vec![0; MAX_MANIFEST + 1];
    assert_eq!(Manifest::parse(&bytes).unwrap_err().rule, Rule::Size);
}

/// Every cut and every changed byte is refused or is another manifest with another hash: never the same one.
#[test]
fn p08_a_cut_manifest_is_refused_and_a_changed_byte_changes_the_election() {
    let bytes = plain().encode();
    let joint = [2; 33];
    let hash = election_hash(&bytes, &joint);
    for length in 0..bytes.len() {
        assert!(Manifest::parse(&bytes[..length]).is_err());
    }
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        // Reading must end without a panic, whatever it says.
        let _ = Manifest::parse(&changed);
        assert_ne!(election_hash(&changed, &joint), hash);
    }
    assert_ne!(election_hash(&bytes, &[3; 33]), hash);
}

proptest! {
    #[test]
    fn hostile_manifests_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(manifest) = Manifest::parse(&bytes) {
            prop_assert_eq!(bytes_of(&*manifest), bytes);
        }
    }

    /// Bytes that look more like a manifest: an honest one with a few bytes overwritten.
    #[test]
    fn damaged_manifests_are_refused_or_hold_every_rule(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = plain().encode();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        match Manifest::parse(&bytes) {
            Err(error) => {
                let _ = error.ids(&bytes);
            }
            Ok(manifest) => {
                prop_assert_eq!(bytes_of(&*manifest), &bytes[..]);
                for style in manifest.styles() {
                    let named = style.contests.count();
                    prop_assert_eq!(manifest.shapes(&style).count(), named);
                    let length = manifest
                        .shapes(&style)
                        .fold(BALLOT_HEADER_LEN, |sum, shape| sum + shape.encoded_len());
                    prop_assert!(length <= manifest.max_ballot_len());
                }
            }
        }
    }
}
