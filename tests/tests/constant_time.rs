//! Encryption takes the same way whatever was chosen (pitfall 24): counted under valgrind, and measured over many ballots.
//!
//! Both can fail: a variant with a branch on the choice has to be found by each.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use chacha20::ChaCha20Rng;
use election::ballot::{
    ContestShape, Election, Layout, PreparedSelection, PreparedSum, Secret, encrypt_prepared, prepare_contest,
};
use election::group::{Point, hash_to_curve};
use election::hash::hash;
use election::table::Table6;
use rand_core::{Rng as _, SeedableRng as _};
use tests::tree;

/// What valgrind's callgrind counts for one encryption: instructions, reads, writes, cache misses, branches and their misses.
fn events(program: &PathBuf, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--cache-sim=yes", "--branch-sim=yes"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(arguments)
        // What the environment holds lies on the stack and moves it.
        .env_clear()
        .output()
        .expect("valgrind is needed: tests/run tools installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(file).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("totals:") || line.starts_with("summary:"));
    line.expect("callgrind gives totals").to_owned()
}

#[test]
fn p24_no_instruction_branch_or_cache_line_depends_on_the_choice() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--locked",
            "-p",
            "election",
            "--example",
            "one_ballot",
            "--message-format=json",
        ])
        .current_dir(tree::root())
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let program = String::from_utf8(built.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the program");
    let blank = events(&program, &["000000", "none"]);
    for choice in ["100000", "000001", "101000", "000011"] {
        assert_eq!(events(&program, &[choice, "none"]), blank, "{choice}");
    }
    let nonces = events(&program, &["000000", "none", "1"]);
    for seed in ["2", "3", "4"] {
        assert_eq!(events(&program, &["000000", "none", seed]), nonces, "nonces {seed}");
    }
    assert_ne!(
        events(&program, &["000001", "leak"]),
        events(&program, &["000000", "leak"]),
        "a branch on the choice was not seen"
    );
}

/// Welch's t of two samples, each without its slowest tenth (interrupts).
fn welch(samples: [Vec<f64>; 2]) -> f64 {
    let [a, b] = samples.map(|mut sample| {
        sample.sort_by(f64::total_cmp);
        sample.truncate(sample.len() * 9 / 10);
        let count = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / count;
        let variance = sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    (a.0 - b.0) / (a.1 + b.1).sqrt()
}

/// t between "option 0" and a random choice, over so many ballots in random order (Reparaz, Balasch, Verbauwhede: dude, is my
/// code constant time?).
fn t(ballots: u32, seed: u8, leak: bool) -> f64 {
    let shapes = [ContestShape {
        contest: 0,
        options: 2,
        votes: 1,
    }];
    let layout = Layout::new(0, &shapes).unwrap();
    let joint = hash_to_curve(b"a key nobody knows", b"").unwrap();
    let (g, k) = (Box::new(Table6::new(&Point::GENERATOR)), Box::new(Table6::new(&joint)));
    let election = Election::new([1; 32], g.get().unwrap(), k.get().unwrap()).unwrap();
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    let mut slots: Vec<PreparedSelection> = (0..3).map(|_| PreparedSelection::EMPTY).collect();
    let mut sums = [PreparedSum::EMPTY];
    let mut secrets: Vec<Secret> = (0..3).map(|_| Secret::EMPTY).collect();
    let mut out = vec![0; layout.ballot_len()];
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..ballots {
        prepare_contest(&election, &shapes[0], &mut slots, &mut sums[0], &mut rng).unwrap();
        let class = usize::try_from(rng.next_u32() & 1).unwrap();
        let other = [0, 2][usize::try_from(rng.next_u32() & 1).unwrap()];
        let choice = [1, other][class];
        let start = Instant::now();
        encrypt_prepared(
            &election,
            1,
            &layout,
            &[choice],
            &mut rng,
            &mut slots,
            &mut sums,
            &mut out,
            &mut secrets,
        )
        .unwrap();
        if leak && choice == 1 {
            for _ in 0..4 {
                std::hint::black_box(hash("ippyo/1/leak", &[&out]));
            }
        }
        samples[class].push(start.elapsed().as_nanos() as f64);
    }
    welch(samples)
}

/// |t| above 10 is a leak beyond doubt, below 5 nothing was found. A busy machine widens both samples alike; three tries, because it
/// can also drift for a moment.
#[test]
fn p24_the_time_of_encryption_does_not_tell_the_choice() {
    let tries: Vec<f64> = (1..=3).map(|seed| t(3000, seed, false)).collect();
    assert!(tries.iter().any(|t| t.abs() < 5.0), "{tries:?}");
    let leaky: Vec<f64> = (1..=3).map(|seed| t(3000, seed, true)).collect();
    assert!(leaky.iter().any(|t| t.abs() > 10.0), "a leak was not found: {leaky:?}");
}
