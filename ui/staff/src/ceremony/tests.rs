//! A ceremony whose power goes at every write: whatever stands then, the step run again ends it.

use std::path::PathBuf;

use chacha20::ChaCha20Rng;
use election::ceremony::verify_transcript;
use election::keys::Keys;
use rand_core::SeedableRng as _;

use super::*;
use crate::files::power;

/// Runs a step; if the power goes in it, once more afterwards, as another process. Gives whether it went.
fn step(root: &Path, mut run: impl FnMut() -> Outcome<StepReport>) -> bool {
    let first = run();
    let gone = power::is_gone();
    assert!(gone || first.is_ok(), "{first:?}");
    if gone {
        power::goes_after(None);
        for folder in ["shared", "p1", "p2"].map(|name| root.join(name)) {
            for name in files::list(&folder).unwrap_or_default() {
                if let Some(whole) = name.strip_suffix(&format!(".{}.part", std::process::id())) {
                    std::fs::rename(folder.join(&name), folder.join(format!("{whole}.1.part"))).unwrap();
                }
            }
        }
        run().unwrap();
    }
    gone
}

/// A whole ceremony, 2 of 2, with a power cut after so many boundaries; gives whether it fell into the ceremony.
fn ceremony(cut: u32) -> bool {
    let root = tempfile::tempdir().unwrap();
    let shared = root.path().join("shared");
    let private: Vec<PathBuf> = (1..=2).map(|number| root.path().join(format!("p{number}"))).collect();
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let mut fell = false;
    power::goes_after(Some(cut));
    for (number, private) in (1..).zip(&private) {
        fell |= step(root.path(), || {
            join(&shared, private, number, &format!("T{number}"), &mut rng)
        });
    }
    fell |= step(root.path(), || new(&shared, 2, 2, &mut rng));
    for private in &private {
        fell |= step(root.path(), || commit(&shared, private, &mut rng));
    }
    for private in &private {
        fell |= step(root.path(), || reveal(&shared, private));
    }
    for private in &private {
        fell |= step(root.path(), || share(&shared, private, &mut rng));
    }
    for private in &private {
        fell |= step(root.path(), || accept(&shared, private));
    }
    fell |= step(root.path(), || finish(&shared));
    power::goes_after(None);
    // The key stands, all hold their parts of it, and no polynomial is left, not even under another name.
    let keys = files::read(&shared.join(KEYS), LONGEST).unwrap();
    let transcript = files::read(&shared.join(TRANSCRIPT), LONGEST).unwrap();
    assert!(verify_transcript(&transcript, &keys).is_ok(), "{cut}");
    let keys = Keys::read(&keys).unwrap();
    for (number, private) in (1..).zip(&private) {
        assert_eq!(read_share(private, &keys).unwrap().trustee(), number, "{cut}");
        let names = files::list(private).unwrap();
        let left = names.iter().find(|name| name.starts_with(POLYNOMIAL));
        assert_eq!(left, None, "{cut}: a polynomial is left");
    }
    fell
}

#[test]
fn f2_the_power_may_go_at_every_write_of_a_ceremony() {
    let cuts = (1..).take_while(|cut| ceremony(*cut)).count();
    assert!(cuts > 40, "{cuts} boundaries: some writes were not seen");
}
