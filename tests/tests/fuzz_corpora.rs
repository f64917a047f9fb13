//! The laws of the fuzz targets (tests/fuzz) over the frozen vectors and what becomes of them by cutting, flipping, growing and splicing:
//! short, and the same every time.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tests::tree;

/// Every value of the vectors that is hex, as bytes, and every text.
fn corpus() -> Vec<Vec<u8>> {
    let folder = tree::root().join("tests/vectors/draft");
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
        for value in vectors.as_object().unwrap().values().filter_map(|value| value.as_str()) {
            out.push(value.as_bytes().to_vec());
            out.extend(hex::decode(value));
        }
    }
    out.sort();
    out.dedup();
    assert!(out.len() > 100, "the vectors are not there");
    out
}

fn mutate(seed: &[u8], other: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut out = seed.to_vec();
    let mut below = |bound: usize| usize::try_from(rng.next_u32()).unwrap() % bound.max(1);
    for _ in 0..=below(3) {
        let at = below(out.len());
        match below(6) {
            0 => out.truncate(at),
            1 if !out.is_empty() => out[at] ^= 1 << below(8),
            2 => out.insert(at, [0, 1, 0x7f, 0x80, 0xff][below(5)]),
            3 if !out.is_empty() => drop(out.remove(at)),
            4 if !out.is_empty() => out[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
            _ => out
                .splice(at.., other[below(other.len()).min(other.len())..].iter().copied())
                .for_each(drop),
        }
    }
    out
}

#[test]
fn no_bytes_break_a_law_of_a_decoder() {
    let corpus = corpus();
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    for (_, law) in fuzz::LAWS {
        for seed in corpus.iter().filter(|seed| seed.len() < 8192) {
            law(seed);
            for _ in 0..20 {
                let other = &corpus[usize::try_from(rng.next_u32()).unwrap() % corpus.len()];
                let mutated = mutate(seed, other, &mut rng);
                if mutated.len() < 8192 {
                    law(&mutated);
                }
            }
        }
    }
}

/// What fuzzing found to reach new code, one target a file (tests/fuzz/corpus.py): each input once, on its own target's law.
#[test]
fn no_input_that_fuzzing_found_breaks_its_law() {
    let folder = tree::root().join("tests/fuzz/corpus");
    for (name, law) in fuzz::LAWS {
        let text = std::fs::read_to_string(folder.join(format!("{name}.hex"))).unwrap();
        for line in text.lines() {
            law(&hex::decode(line).unwrap());
        }
        assert!(text.lines().count() > 3, "{name}: no corpus");
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), fuzz::LAWS.len());
}

/// A law that nothing in the corpus reaches shows nothing.
#[test]
fn the_vectors_reach_behind_the_decoders() {
    use election::{batch, ceremony, keys, ledger, manifest, opening, pictures, tally, wire};
    let corpus = corpus();
    let read = |what: &dyn Fn(&[u8]) -> bool| corpus.iter().any(|bytes| what(bytes));
    assert!(read(&|b| manifest::Manifest::parse(b).is_ok()));
    assert!(read(&|b| keys::Keys::read(b).is_ok()));
    assert!(read(&|b| pictures::Pictures::read(b).is_ok()));
    assert!(read(&|b| ceremony::Setup::read(b).is_ok()));
    assert!(read(&|b| opening::Opening::parse(b).is_ok()));
    assert!(read(&|b| batch::Batch::read(b).is_ok()));
    assert!(read(&|b| wire::decode::<ledger::Transaction<'_>>(b).is_ok()));
    assert!(read(&|b| wire::decode::<ledger::CommitProof<'_>>(b).is_ok()));
    assert!(read(&|b| wire::decode::<tally::Tally<'_>>(b).is_ok()));
}
