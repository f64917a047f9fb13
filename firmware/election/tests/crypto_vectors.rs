//! Frozen bytes: what one seed gives, today and always (tests/vectors/draft). If this fails, the format has changed.
//!
//! `IPPYO_WRITE_VECTORS=1` writes the files instead of comparing them.

mod crypto_support;

use std::fmt::Write as _;

use crypto_support::trustees::{Trustees, encoded};
use crypto_support::*;
use election::ballot::{BallotView, Layout, ballot_hash, code_text, verify};
use election::dlog::Dlog;
use election::group::{Scalar, hash_to_curve, scalar_bytes};
use election::hash::{hash, hash_to_scalar};
use election::opening;
use election::seal::SealingSecret;
use election::tag::{ElectionSecret, Pseudonym, jpki_message, piv_point};
use election::tally::{ContestTally, SelectionSum, SelectionTally, Statement, Tally, add_contest, open_sum};
use election::wire::{Bytes, Seq};

/// Writes or compares one file: a flat JSON object, one `"name": "value"` a line.
fn frozen(file: &str, entries: &[(&str, String)]) {
    let mut text = String::from("{\n");
    for (index, (name, value)) in entries.iter().enumerate() {
        let comma = if index + 1 == entries.len() { "" } else { "," };
        writeln!(text, "  \"{name}\": \"{value}\"{comma}").unwrap();
    }
    text.push_str("}\n");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors/draft")
        .join(file);
    if std::env::var_os("IPPYO_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    } else {
        let stored = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(text, stored, "{file}: the encoding has changed");
    }
}

#[test]
fn group_and_hashes() {
    let text = hex::encode::<&[u8]>;
    frozen(
        "group.json",
        &[
            ("hash label", "ippyo/1/test".into()),
            ("hash parts", "616263,,00".into()),
            ("hash", text(&hash("ippyo/1/test", &[b"abc", b"", &[0]]))),
            (
                "scalar",
                text(&scalar_bytes(&hash_to_scalar("ippyo/1/test", &[b"abc", b"", &[0]]))),
            ),
            (
                "hash to curve P256_XMD:SHA-256_SSWU_RO_ tag ippyo/1/test message abc",
                text(&hash_to_curve(b"ippyo/1/test", b"abc").unwrap().to_bytes()),
            ),
        ],
    );
}

#[test]
fn ballot_and_opening() {
    let world = World::with_key(Scalar::from(3u32), point(gen_times(3)), [0x11; 32]);
    let shapes = [shape(0, 2, 1), shape(4, 3, 2)];
    let layout = Layout::new(7, &shapes).unwrap();
    let choices = [0b10, 0b101];
    let cast = cast(&world, 5, &layout, &choices, 42);
    verify(&world.election(), layout, &cast.bytes).unwrap();
    let mut entries = vec![
        ("election hash", hex::encode(world.hash)),
        ("joint key (secret 3)", hex::encode(world.joint.to_bytes())),
        ("station", "5".into()),
        ("style", "7".into()),
        ("contests (index m n)", "0 2 1, 4 3 2".into()),
        ("choices", "option 1; options 0 and 2".into()),
        ("random: ChaCha20 with 12-byte nonce 0, seed", hex::encode([42; 32])),
        ("ballot", hex::encode(&cast.bytes)),
        ("ballot hash", hex::encode(ballot_hash(&cast.bytes))),
        ("code", hex::encode(cast.code)),
        ("code for people", code_text(&cast.code).to_string()),
    ];
    for (position, name) in [
        (0, "opening of the first contest"),
        (1, "opening of the second contest"),
    ] {
        let first = layout.first_selection(position).unwrap();
        let secrets = &cast.secrets[first..first + shapes[position].selections()];
        let mut out = vec![0; opening::opening_len(secrets.len())];
        opening::write(&cast.code, u8::try_from(position).unwrap(), secrets, &mut out).unwrap();
        entries.push((name, hex::encode(out)));
    }
    frozen("ballot.json", &entries);
}

#[test]
fn pseudonyms_and_tags() {
    let election = [0x11; 32];
    let secret = ElectionSecret::from_bytes([0x22; 32]);
    let point_p = piv_point(&election).unwrap();
    let answer = point(point_p.projective() * Scalar::from(9u32));
    let kiosk = SealingSecret::from_bytes(&scalar_bytes(&Scalar::from(5u32))).unwrap();
    let sealed = secret
        .seal(&election, &[0x33; 32], &kiosk.public_key(), &mut rng(42))
        .unwrap();
    frozen(
        "tag.json",
        &[
            ("election hash", hex::encode(election)),
            ("point asked of a PIV card", hex::encode(point_p.to_bytes())),
            ("answer of the card with secret 9", hex::encode(answer.to_bytes())),
            ("election secret E", hex::encode([0x22; 32])),
            ("commitment of E", hex::encode(secret.commitment(&election))),
            (
                "tag of that PIV card",
                hex::encode(secret.tag(&Pseudonym::piv(&answer))),
            ),
            ("message a JPKI card signs", hex::encode(jpki_message(&election))),
            (
                "tag of a JPKI card that answers 010203",
                hex::encode(secret.tag(&Pseudonym::jpki(&[1, 2, 3]))),
            ),
            ("kiosk id", hex::encode([0x33; 32])),
            ("E sealed to the key 5", hex::encode(sealed)),
        ],
    );
}

#[test]
fn ceremony_and_tally() {
    let trustees = Trustees::new(2, 3, 42);
    let run = trustees.run(43);
    let keys = &run.outcome.keys;
    let (transcript, key_bytes) = (run.transcript(&trustees), run.keys(&trustees));
    election::ceremony::verify_transcript(&transcript, &key_bytes).unwrap();
    frozen(
        "ceremony.json",
        &[
            ("ceremony", hex::encode(&trustees.bytes)),
            ("transcript", hex::encode(&transcript)),
            ("transcript hash", hex::encode(run.outcome.transcript)),
            ("keys", hex::encode(&key_bytes)),
            ("share of trustee 1", hex::encode(*run.secrets[0].to_bytes())),
            ("share of trustee 2", hex::encode(*run.secrets[1].to_bytes())),
            ("share of trustee 3", hex::encode(*run.secrets[2].to_bytes())),
        ],
    );

    let world = World::with_key(Scalar::ZERO, keys.joint, [0x11; 32]);
    let layout = Layout::new(0, &TINY).unwrap();
    let mut sums = [SelectionSum::EMPTY; 3];
    let mut ballots = Vec::new();
    for (seed, choice) in [(1, 1), (2, 2), (3, 1), (4, 0)] {
        let bytes = cast(&world, 5, &layout, &[choice], seed).bytes;
        add_contest(&mut sums, &BallotView::new(layout, &bytes).unwrap().contest(0).unwrap()).unwrap();
        ballots.push(hex::encode(bytes));
    }
    let mut selections = Vec::new();
    let mut totals = Vec::new();
    for (selection, sum) in (0u8..).zip(&sums) {
        let (a, b) = sum.points().unwrap();
        let statement = Statement {
            election: &world.hash,
            contest: 0,
            selection,
            a,
            b,
        };
        let parts = [0, 2].map(|index: usize| {
            let secret = &run.secrets[index];
            secret.decrypt(&statement, &mut rng(44)).unwrap()
        });
        let opened = open_sum(keys, &statement, &parts).unwrap();
        let total = Dlog::new(&keys.joint, &mut []).find(&opened, 4).unwrap();
        totals.push(total);
        let decryptions: Vec<u8> = parts.iter().flat_map(encoded).collect();
        selections.extend(encoded(&SelectionTally {
            a: Bytes(a.to_bytes()),
            b: Bytes(b.to_bytes()),
            total,
            decryptions: Seq::from_bytes(&decryptions),
        }));
    }
    assert_eq!(totals, [2, 1, 1]);
    let contest = encoded(&ContestTally {
        contest: 0,
        ballots: 4,
        selections: Seq::from_bytes(&selections),
    });
    let tally = encoded(&Tally {
        election: world.hash,
        ballots: 4,
        contests: Seq::from_bytes(&contest),
    });
    frozen(
        "tally.json",
        &[
            ("election hash", hex::encode(world.hash)),
            ("keys", hex::encode(&key_bytes)),
            ("contests (index m n)", "0 2 1".into()),
            ("ballot 1", ballots[0].clone()),
            ("ballot 2", ballots[1].clone()),
            ("ballot 3", ballots[2].clone()),
            ("ballot 4", ballots[3].clone()),
            ("totals", "2 1 1".into()),
            ("tally", hex::encode(&tally)),
        ],
    );
}

fn gen_times(factor: u32) -> election::group::ProjectivePoint {
    election::group::ProjectivePoint::GENERATOR * Scalar::from(factor)
}
