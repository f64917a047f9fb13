//! Frozen bytes of the formats: tests/vectors/draft/formats.json and record.json, hex.
//!
//! If a test here fails, the format has changed: that needs a reason and a new draft (IPPYO_WRITE_VECTORS=1 writes it).
//! formats.json is compared byte by byte; record.json is a published record that must go on verifying, with the same result.

mod record_support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use election::batch::{self, Draft, Entry, Kind, cast_leaf, spoiled_leaf};
use election::closing::{ClosingHasher, ClosingHead, Counters, staff_close_message, staff_open_message};
use election::hash::Digest;
use election::manifest::{Manifest, Policy, Text};
use election::package::{self, PackageError, Parts, Station};
use election::pictures::{Picture, Pictures, pack};
use election::record::{FileName, ReceptionCount};
use election::roll::{self, Delta, DeltaEntry};
use election::signed::Signed;
use election::wire::Seq;
use election::words::ClosingWords;
use record_support::memory::verified;
use record_support::{AUTHORITY, ByHand, Owned, bytes_of, seq_of, signer};

type Values = BTreeMap<String, String>;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors/draft")
        .join(name)
}

fn write(name: &str, values: &Values) {
    let lines: Vec<String> = values
        .iter()
        .map(|(key, value)| format!("  \"{key}\": \"{value}\""))
        .collect();
    std::fs::write(path(name), format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
}

/// One flat object of strings, as `write` makes it; neither names nor values hold a quote.
fn read(name: &str) -> Values {
    let text = std::fs::read_to_string(path(name)).expect("the vectors are part of the repository");
    let quoted: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
    let (pairs, rest) = quoted.as_chunks::<2>();
    assert!(rest.is_empty());
    pairs
        .iter()
        .map(|[key, value]| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn writing() -> bool {
    std::env::var_os("IPPYO_WRITE_VECTORS").is_some()
}

/// Two pictures: a small one, and one with runs of every length.
fn pictures() -> Vec<u8> {
    let mut pixels = vec![0_u8; 40 * 30];
    for (place, pixel) in pixels.iter_mut().enumerate() {
        let (x, y) = (place % 40, place / 40);
        *pixel = match (x, y) {
            (4..8, 3..27) | (30..33, 3..27) => 15,
            (8..30, 14..17) => u8::try_from(x % 16).unwrap(),
            _ => 0,
        };
    }
    let mut packed = Vec::new();
    pack(&pixels, 40, |byte| packed.push(byte));
    let picture = |cluster, (width, height), packed| Picture {
        cluster,
        font: u8::from(width > 2),
        x: 14,
        y: 25,
        width,
        height,
        packed,
    };
    let (fonts, pictures) = (
        seq_of([[1_u8; 32], [2; 32]]),
        seq_of([
            picture("\u{8fbb}\u{e0100}", (2, 2), &[0xf0, 0x02]),
            picture("\u{20bb7}", (40, 30), &packed),
        ]),
    );
    bytes_of(&Pictures {
        version: 1,
        fonts: Seq::from_bytes(&fonts),
        pictures: Seq::from_bytes(&pictures),
    })
}

fn formats() -> Values {
    let e = ByHand::new(Policy::Last);
    let mut values = Values::new();
    let mut put = |name: &str, bytes: &[u8]| {
        let old = values.insert(name.to_owned(), hex::encode(bytes));
        assert!(old.is_none());
    };
    // Not the ceremony's keys, whose nonces are drawn: a joint key from a fixed seed.
    let joint = signer(30).public_key();
    let keys = bytes_of(&election::keys::Keys {
        threshold: 1,
        joint: election::wire::Bytes(joint),
        trustees: Seq::from_bytes(&bytes_of(&election::keys::TrusteeKey {
            name: "Akagi",
            share: election::wire::Bytes(joint),
        })),
    });
    let election = election::manifest::election_hash(&e.manifest, &joint);
    put("manifest", &e.manifest);
    put("keys", &keys);
    put("election_hash", &election);

    let code = |number: u8| -> Digest { election::hash::hash("ippyo/1/test/code", &[&[number]]) };
    let (cast, spoiled) = (
        cast_leaf(1, &code(1), &[2; 32], &[3; 32]),
        spoiled_leaf(1, &code(2), &[4; 32]),
    );
    put("cast_leaf", &cast);
    put("spoiled_leaf", &spoiled);
    let mut entries = vec![
        Entry {
            kind: Kind::Cast,
            code: code(1),
            leaf: cast,
        },
        Entry {
            kind: Kind::Spoiled,
            code: code(2),
            leaf: spoiled,
        },
    ];
    entries.sort_by_key(|entry| entry.code);
    let head = ClosingHead {
        election,
        package: [5; 32],
        kiosk: batch::kiosk_id(&signer(2).public_key()),
        epoch: 1,
    };
    let mut hasher = ClosingHasher::new(&head, 1, 1).unwrap();
    hasher.cast(&cast).unwrap();
    hasher.spoiled(&code(2)).unwrap();
    let counters = Counters {
        admitted: 300,
        recorded: 1,
        abandoned: 298,
        interrupted: 1,
        spoiled: 1,
        void: 2,
    };
    let closing = hasher.finish(&counters, &[6; 32]).unwrap();
    put("kiosk_id", &head.kiosk);
    put("closing_hash", &closing);
    put("closing_words", ClosingWords::of(&closing).to_string().as_bytes());
    put("code_text", election::ballot::code_text(&code(1)).as_bytes());
    put("staff_close_message", &staff_close_message(&election, &head.kiosk, 1));
    put(
        "staff_open_message",
        &staff_open_message(&election, &head.kiosk, 1, &[7; 32]),
    );
    put("reception_message", &ReceptionCount::message(&election, 3, 1, 70_000));

    let draft = Draft {
        election,
        epoch: 1,
        number: 200,
        previous: [8; 32],
        audit: [6; 32],
        closing: Some(closing),
    };
    let mut out = vec![0; batch::max_len(2)];
    let (bytes, hash) = batch::build(&draft, entries.into_iter(), &signer(2), &mut out).unwrap();
    put("batch", bytes);
    put("batch_hash", &hash);

    let name = seq_of([Text {
        language: "en",
        text: "Town hall",
    }]);
    let mut entry = roll::piv_entry(&joint).to_vec();
    put("roll_entry_piv", &entry);
    put("roll_entry_jpki", &roll::jpki_entry(b"an RSA key"));
    entry.extend([0, 1]);
    let genesis = bytes_of(&election::ledger::Genesis {
        election,
        ..election::ledger::Genesis::read(&e.genesis).unwrap()
    });
    let station = bytes_of(&Station {
        number: 3,
        name: Seq::from_bytes(&name),
    });
    let certificates = seq_of([election::ledger::Raw(b"certificate")]);
    let mut file = Vec::new();
    let parts = Parts {
        serial: 2,
        election,
        station: 3,
        sections: [&e.manifest, &keys, &station, &entry, &certificates, &genesis, &[9; 32]],
        pictures: None,
        clips: None,
    };
    let package_hash = package::write::<PackageError>(&parts, &signer(AUTHORITY), |bytes| {
        file.extend_from_slice(bytes);
        Ok(())
    })
    .unwrap();
    package::Package::open(&file, &signer(AUTHORITY).public_key()).unwrap();
    put("package", &file);
    put("package_hash", &package_hash);
    let pictures = pictures();
    Pictures::read(&pictures).unwrap();
    let mut file = Vec::new();
    let parts = Parts {
        pictures: Some(&pictures),
        ..parts
    };
    package::write::<PackageError>(&parts, &signer(AUTHORITY), |bytes| {
        file.extend_from_slice(bytes);
        Ok(())
    })
    .unwrap();
    package::Package::open(&file, &signer(AUTHORITY).public_key()).unwrap();
    put("pictures", &pictures);
    put("package_with_pictures", &file);
    let changes = seq_of([
        DeltaEntry {
            entry: [1; 32],
            style: Some(0),
        },
        DeltaEntry {
            entry: [2; 32],
            style: None,
        },
    ]);
    let body = bytes_of(&Delta {
        election,
        station: 3,
        serial: 3,
        entries: Seq::from_bytes(&changes),
    });
    put(
        "delta",
        &bytes_of(&Signed::new(&body, roll::LABEL_DELTA, &signer(AUTHORITY)).unwrap()),
    );
    values
}

#[test]
fn encodings_hashes_and_signatures_are_frozen() {
    let values = formats();
    if writing() {
        write("formats.json", &values);
    }
    assert_eq!(values, read("formats.json"));
}

/// What the record comes to, in words.
fn outcome(e: &ByHand, owned: &Owned) -> Values {
    verified(e, owned, |checked| {
        let mut values = Values::new();
        for row in checked.ballots() {
            let code = row.code.first_chunk().unwrap();
            values.insert(
                format!("code {}", hex::encode(row.code)),
                format!("{:?}", checked.status(code)),
            );
        }
        for row in checked.spoiled() {
            values.insert(format!("code {}", hex::encode(row.code)), "Spoiled".to_owned());
        }
        for contest in checked.tally()?.contests.iter().map(Result::unwrap) {
            let totals: Vec<u32> = contest.selections.iter().map(|s| s.unwrap().total).collect();
            values.insert(format!("contest {}", contest.contest), format!("{totals:?}"));
        }
        values.insert("height".to_owned(), checked.height().to_string());
        values.insert("unclosed entries".to_owned(), checked.unclosed_entries().to_string());
        Ok(values)
    })
    .unwrap()
}

#[test]
fn a_frozen_record_goes_on_verifying() {
    let mut e = ByHand::new(Policy::Last);
    if writing() {
        let (a, b) = (e.register(1), e.register(2));
        e.seal();
        let first = [e.cast(a, 0, 0, 1, &[0b01, 0b011]), e.cast(a, 0, 0, 2, &[0b10, 0b100])];
        e.spoil(a, 1, 0, &[0b110]);
        e.batch(a, 0, &first, None);
        let again = e.cast(b, 0, 1, 1, &[0b10, 0b001]);
        e.cast(b, 1, 1, 3, &[0]);
        e.cast(b, 1, 1, 3, &[0b001]);
        let spare = e.register(2);
        e.batch(b, 1, &[again], None);
        e.take_over(b, spare);
        e.seal();
        e.close(a, 0);
        e.close(spare, 1);
        e.seal();
        let owned = e.record();
        let mut values = outcome(&e, &owned);
        for (file, bytes) in &owned.files {
            values.insert(format!("file {file}"), hex::encode(bytes));
        }
        write("record.json", &values);
    }
    let mut values = read("record.json");
    let mut files = BTreeMap::new();
    for file in FileName::ALL {
        if let Some(bytes) = values.remove(&format!("file {file}")) {
            files.insert(file, hex::decode(bytes).unwrap());
        }
    }
    assert_eq!(files.len(), 12);
    Manifest::parse(&files[&FileName::Manifest]).unwrap();
    e.read_keys(&files[&FileName::Manifest], &files[&FileName::Keys]);
    let owned = Owned {
        election: e.election,
        files,
    };
    assert_eq!(outcome(&e, &owned), values);
}
