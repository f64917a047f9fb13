//! Packages: what is accepted, what is refused, and that no byte of one can be changed.

use std::vec::Vec;

use chacha20::ChaCha20Rng;
use proptest::prelude::*;
use rand_core::SeedableRng as _;

use super::*;
use crate::keys::tests::plain_keys;
use crate::ledger::{StaffCard, Validators};
use crate::manifest::tests::{bytes_of, plain, seq_of, texts_of};
use crate::roll::RollError;
use crate::sign::Signer;

fn signer(seed: u8) -> Signer {
    Signer::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
}

pub(crate) fn genesis_of(election: Digest) -> Vec<u8> {
    let staff: Vec<u8> = [10, 11]
        .iter()
        .flat_map(|seed| {
            bytes_of(&StaffCard {
                key: Bytes(signer(*seed).public_key()),
                roles: 3,
                name: "card",
            })
        })
        .collect();
    bytes_of(&Genesis {
        version: 1,
        election,
        staff: Seq::from_bytes(&staff),
        validators: Validators::from_bytes(&signer(20).public_key()),
    })
}

struct Plain {
    serial: u32,
    election: Digest,
    station: u16,
    sections: [Vec<u8>; 7],
    pictures: Option<Vec<u8>>,
    clips: Option<Vec<u8>>,
}

fn good() -> Plain {
    let manifest = plain().encode();
    let joint = signer(30).public_key();
    let election = election_hash(&manifest, &joint);
    let name = texts_of(&[("ja", "第一投票所")]);
    let mut roll = Vec::new();
    for entry in [3u8, 5, 9] {
        roll.extend([entry; 32]);
        roll.extend([0, entry % 2]);
    }
    Plain {
        serial: 2,
        election,
        station: 7,
        sections: [
            manifest,
            plain_keys(1, joint, &[("trustee", joint)]),
            bytes_of(&Station {
                number: 7,
                name: Seq::from_bytes(&name),
            }),
            roll,
            seq_of([Raw(b"certificate"), Raw(b"another")]),
            genesis_of(election),
            std::vec![6; 32],
        ],
        pictures: None,
        clips: None,
    }
}

impl Plain {
    fn encode(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let parts = Parts {
            serial: self.serial,
            election: self.election,
            station: self.station,
            sections: self.sections.each_ref().map(Vec::as_slice),
            pictures: self.pictures.as_deref(),
            clips: self.clips.as_deref(),
        };
        write::<PackageError>(&parts, &signer(1), |bytes| {
            file.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        file
    }
}

fn open(file: &[u8]) -> Result<Package<'_>, PackageError> {
    Package::open(file, &signer(1).public_key())
}

fn refused(change: impl FnOnce(&mut Plain)) -> PackageError {
    let mut plain = good();
    change(&mut plain);
    open(&plain.encode()).expect_err("refused")
}

/// A package over an arbitrary list of sections, well signed.
fn signed_with(sections: &[Section], content: &[u8]) -> Vec<u8> {
    let list = seq_of(sections.iter());
    let header = bytes_of(&PackageHeader {
        version: 1,
        serial: 1,
        election: [0; 32],
        authority: Bytes(signer(1).public_key()),
        station: 7,
        sections: Seq::from_bytes(&list),
    });
    let signature = signer(1).sign(LABEL, &hash("ippyo/1/package", &[&header])).unwrap();
    let length = u32::try_from(header.len()).unwrap().to_be_bytes();
    [&length[..], &header, &signature, content].concat()
}

fn stream(file: &[u8], chunk: usize) -> Result<(), PackageError> {
    let front = &file[..file.len().min(MAX_HEADER + 68)];
    let signed = SignedHeader::open(front, &signer(1).public_key())?;
    let mut stream = SectionStream::new(&signed);
    for bytes in file[signed.sections_at..].chunks(chunk) {
        stream.feed(bytes)?;
    }
    stream.finish()
}

#[test]
fn a_package_is_read_as_it_was_written() {
    let plain = good();
    let file = plain.encode();
    let package = open(&file).unwrap();
    assert_eq!(package.header.serial, 2);
    assert_eq!(*package.election(), plain.election);
    assert_eq!(package.manifest.id, "test-election");
    assert_eq!(package.station.number, 7);
    assert_eq!(package.roll.style(&[5; 32]), Some(1));
    assert_eq!(package.roll.style(&[4; 32]), None);
    assert_eq!(
        package.certificates().collect::<Vec<_>>(),
        [&b"certificate"[..], b"another"]
    );
    assert_eq!(package.secret, &[6; 32]);
    let longest = SignedHeader::open(&file, &signer(1).public_key()).unwrap().sections_at;
    assert!(longest < MAX_HEADER);
}

#[test]
fn sections_must_be_of_one_election_and_hold_their_rules() {
    assert!(matches!(refused(|p| p.sections[0][0] = 2), PackageError::Manifest(_)));
    assert!(matches!(refused(|p| p.sections[1].truncate(40)), PackageError::Keys(_)));
    assert_eq!(refused(|p| p.election[0] ^= 1), PackageError::Election);
    let other = signer(31).public_key();
    assert_eq!(
        refused(|p| p.sections[1] = plain_keys(1, other, &[("t", other)])),
        PackageError::Election
    );
    assert_eq!(
        refused(|p| p.sections[5] = genesis_of([1; 32])),
        PackageError::GenesisElection
    );
    assert!(matches!(
        refused(|p| p.sections[5].truncate(60)),
        PackageError::Genesis(_)
    ));
    assert_eq!(refused(|p| p.station = 8), PackageError::Station);
    let foreign = texts_of(&[("fr", "un")]);
    let station = |name| {
        bytes_of(&Station {
            number: 7,
            name: Seq::from_bytes(name),
        })
    };
    assert_eq!(refused(|p| p.sections[2] = station(&foreign)), PackageError::Station);
    assert_eq!(refused(|p| p.sections[2] = station(&[])), PackageError::Station);
    assert!(matches!(
        refused(|p| p.sections[2].push(0)),
        PackageError::SectionWire(Kind::Station, _)
    ));
    assert_eq!(
        refused(|p| p.sections[3][33] = 2),
        PackageError::Roll(RollError::Style { entry: 0, style: 2 })
    );
    assert_eq!(refused(|p| p.sections[4].clear()), PackageError::Authorities);
    assert_eq!(
        refused(|p| p.sections[4] = seq_of([Raw(b"")])),
        PackageError::Authorities
    );
    assert_eq!(
        refused(|p| p.sections[4] = seq_of([Raw(&[1; MAX_CERTIFICATE + 1])])),
        PackageError::Authorities
    );
    assert_eq!(
        refused(|p| p.sections[4] = seq_of([Raw(b"c"); 17])),
        PackageError::Authorities
    );
    assert!(matches!(
        refused(|p| p.sections[4].push(3)),
        PackageError::SectionWire(Kind::Authorities, _)
    ));
    for length in [0, 31, 33] {
        assert!(matches!(
            refused(|p| p.sections[6].resize(length, 0)),
            PackageError::SectionWire(Kind::Secret, _)
        ));
    }
}

#[test]
fn missing_unknown_repeated_and_misplaced_sections_are_refused() {
    let section = |kind| Section {
        kind,
        length: 0,
        hash: sha256(&[]),
    };
    let open_with = |kinds: &[u8]| {
        let sections: Vec<Section> = kinds.iter().map(|kind| section(*kind)).collect();
        open(&signed_with(&sections, &[])).unwrap_err()
    };
    assert_eq!(open_with(&[1, 2, 3, 4, 5, 6]), PackageError::Missing(Kind::Secret));
    assert_eq!(open_with(&[1, 3, 4, 5, 6, 7]), PackageError::Missing(Kind::Keys));
    assert_eq!(open_with(&[1, 1, 2, 3, 4, 5, 6, 7]), PackageError::SectionKind(1));
    assert_eq!(open_with(&[2, 1, 3, 4, 5, 6, 7]), PackageError::Missing(Kind::Manifest));
    assert_eq!(open_with(&[1, 2, 3, 4, 5, 6, 7, 10]), PackageError::SectionKind(10));
    assert_eq!(open_with(&[1, 2, 3, 4, 5, 6, 7, 8, 8]), PackageError::SectionKind(8));
    assert_eq!(open_with(&[1, 2, 3, 4, 5, 6, 8]), PackageError::Missing(Kind::Secret));
    assert_eq!(open_with(&[0, 1, 2, 3, 4, 5, 6, 7]), PackageError::SectionKind(0));
    assert_eq!(open_with(&[]), PackageError::Missing(Kind::Manifest));
    // Lengths beyond every bound.
    let huge: Vec<Section> = (1..=7)
        .map(|kind| Section {
            length: u32::MAX,
            ..section(kind)
        })
        .collect();
    assert_eq!(open(&signed_with(&huge, &[])).unwrap_err(), PackageError::Length);
    // A well-signed header whose content is another.
    let mut plain = good();
    let file = plain.encode();
    plain.sections[6][0] ^= 1;
    let mut changed = file.clone();
    let last = changed.len() - 32;
    changed[last..].copy_from_slice(&plain.sections[6]);
    assert_eq!(open(&changed).unwrap_err(), PackageError::SectionHash(Kind::Secret));
}

/// A section of two small pictures.
fn pictures() -> Vec<u8> {
    let picture = |cluster| crate::pictures::Picture {
        cluster,
        font: 0,
        x: 12,
        y: 20,
        width: 2,
        height: 2,
        packed: &[0xf0, 0x02],
    };
    let (fonts, pictures) = (
        seq_of([[3_u8; 32]]),
        seq_of([picture("\u{8fbb}"), picture("\u{8fbb}\u{e0100}")]),
    );
    bytes_of(&Pictures {
        version: 1,
        fonts: Seq::from_bytes(&fonts),
        pictures: Seq::from_bytes(&pictures),
    })
}

#[test]
fn pictures_are_signed_with_the_package_and_may_be_missing() {
    assert!(open(&good().encode()).unwrap().pictures.is_none());
    let mut plain = good();
    plain.pictures = Some(pictures());
    let file = plain.encode();
    assert_eq!(open(&file).unwrap().pictures.unwrap().pictures.count(), 2);
    // Another picture under the same name: what was signed is refused.
    let mut changed = file.clone();
    let last = changed.len() - 1;
    changed[last] ^= 0x10;
    assert_eq!(open(&changed).unwrap_err(), PackageError::SectionHash(Kind::Pictures));
    assert_eq!(stream(&changed, 64), Err(PackageError::SectionHash(Kind::Pictures)));
    // Taken away as a whole.
    let without = &file[..file.len() - plain.pictures.as_ref().unwrap().len()];
    assert_eq!(open(without).unwrap_err(), PackageError::Length);
    // Signed, but not of the format.
    plain.pictures.as_mut().unwrap().push(0);
    assert!(matches!(open(&plain.encode()).unwrap_err(), PackageError::Pictures(_)));
}

/// A section of one clip.
fn clips() -> Vec<u8> {
    let mut out = Vec::new();
    let one = (crate::clips::ClipKey::new("ja", "次へ"), &[1_u8, 2, 3][..]);
    crate::clips::write(core::iter::once(one), |bytes| {
        out.extend_from_slice(bytes);
        Ok::<_, crate::clips::ClipsError>(())
    })
    .unwrap();
    out
}

#[test]
fn a17_speech_is_signed_with_the_package_and_may_be_missing() {
    for pictures in [None, Some(pictures())] {
        let mut plain = good();
        plain.pictures = pictures;
        assert!(open(&plain.encode()).unwrap().clips.is_none());
        plain.clips = Some(clips());
        let file = plain.encode();
        let package = open(&file).unwrap();
        assert_eq!(package.clips.unwrap().count(), 1);
        assert_eq!(package.pictures.is_some(), plain.pictures.is_some());
        assert_eq!(stream(&file, 50), Ok(()));
        // Another sound under the same name.
        let mut changed = file.clone();
        *changed.last_mut().unwrap() ^= 0x10;
        assert_eq!(open(&changed).unwrap_err(), PackageError::SectionHash(Kind::Clips));
        assert_eq!(stream(&changed, 64), Err(PackageError::SectionHash(Kind::Clips)));
        // Signed, but not of the format.
        plain.clips.as_mut().unwrap().push(0);
        assert_eq!(
            open(&plain.encode()).unwrap_err(),
            PackageError::Clips(crate::clips::ClipsError::Bounds)
        );
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_package_is_refused() {
    let mut plain = good();
    plain.pictures = Some(pictures());
    plain.clips = Some(clips());
    let file = plain.encode();
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&changed).is_err(), "bit {bit}");
        // The streaming reader sees the same, except what only whole sections show.
        assert!(stream(&changed, 100).is_err(), "bit {bit}, streamed");
    }
    for length in 0..file.len() {
        assert!(open(&file[..length]).is_err(), "cut at {length}");
        assert!(stream(&file[..length], 64).is_err(), "cut at {length}, streamed");
    }
    let longer = [&file[..], &[0]].concat();
    assert_eq!(open(&longer).unwrap_err(), PackageError::Length);
    assert_eq!(stream(&longer, 64), Err(PackageError::Length));
}

#[test]
fn another_authority_is_refused() {
    let file = good().encode();
    assert_eq!(
        Package::open(&file, &signer(2).public_key()).unwrap_err(),
        PackageError::Authority
    );
}

#[test]
fn f6_a_package_of_another_station_election_or_older_serial_is_refused() {
    let file = |serial: u32, secret: u8| {
        let mut plain = good();
        plain.serial = serial;
        plain.sections[6].fill(secret);
        plain.encode()
    };
    let given = file(5, 6);
    let given = SignedHeader::open(&given, &signer(1).public_key()).unwrap();
    assert_eq!(accept(&given, 7, None), Ok(()));
    assert_eq!(
        accept(&given, 8, None),
        Err(PackageError::OtherStation { ours: 8, theirs: 7 })
    );
    let held = Held {
        serial: 5,
        package: given.hash,
        election: given.header.election,
        registered: true,
    };
    assert_eq!(accept(&given, 7, Some(&held)), Ok(()));
    assert_eq!(accept(&given, 7, Some(&Held { serial: 4, ..held })), Ok(()));
    assert_eq!(
        accept(&given, 7, Some(&Held { serial: 6, ..held })),
        Err(PackageError::Older { held: 6, given: 5 })
    );
    let again = file(5, 7);
    let again = SignedHeader::open(&again, &signer(1).public_key()).unwrap();
    assert_eq!(accept(&again, 7, Some(&held)), Err(PackageError::SameSerial(5)));
    let other = Held {
        election: [1; 32],
        ..held
    };
    assert_eq!(accept(&given, 7, Some(&other)), Err(PackageError::OtherElection));
    let unregistered = Held {
        registered: false,
        ..other
    };
    assert_eq!(accept(&given, 7, Some(&unregistered)), Ok(()));
}

proptest! {
    #[test]
    fn a_stream_in_any_pieces_agrees(chunk in 1usize..700) {
        prop_assert_eq!(stream(&good().encode(), chunk), Ok(()));
    }

    #[test]
    fn hostile_packages_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(open(&bytes).is_err());
        // Behind a true length the decoder sees the bytes.
        let framed = [&u32::try_from(bytes.len().min(MAX_HEADER)).unwrap().to_be_bytes()[..], &bytes, &[0; 64]].concat();
        prop_assert!(open(&framed).is_err());
    }
}
