//! Packages: what is built opens, and nothing else does.

#[path = "support/key.rs"]
mod key;

use chacha20::ChaCha20Rng;
use election::ledger::role;
use election::manifest::{Manifest, election_hash};
use election::package::Package;
use election::sign::{PublicKey, Signer};
use election::tag::ElectionSecret;
use proptest::prelude::*;
use rand_core::SeedableRng as _;
use staff::genesis::{self, Staff};
use staff::import::{Options, import_bytes};
use staff::{Kind, package, roll};

const KAGA: &[u8] = include_bytes!("../../../host-sim/elections/kaga-consultation.json");

struct Desk {
    manifest: Vec<u8>,
    keys: Vec<u8>,
    genesis: Vec<u8>,
    roll: Vec<u8>,
    authority: Signer,
    election: [u8; 32],
}

fn public(rng: &mut ChaCha20Rng) -> PublicKey {
    Signer::generate(rng).public_key()
}

fn desk() -> Desk {
    let mut rng = ChaCha20Rng::from_seed([8; 32]);
    let manifest = import_bytes(KAGA, &Options::default()).unwrap().manifest;
    let joint = public(&mut rng);
    let keys = key::of_one_trustee(joint);
    let election = election_hash(&manifest, &joint);
    let staff: Vec<Staff> = (0..3)
        .map(|number| Staff {
            key: public(&mut rng),
            roles: role::POLLS | role::PROVISIONS,
            name: format!("staff {number}"),
        })
        .collect();
    let genesis = genesis::build(&election, &staff, &[public(&mut rng)]).unwrap();
    let roll = {
        let checked = Manifest::parse(&manifest).unwrap();
        let style = checked.style(0).unwrap().id;
        let csv: String = (0..5)
            .map(|_| format!("{},{style}\n", hex::encode(public(&mut rng))))
            .collect();
        roll::parse_csv(csv.as_bytes(), std::path::Path::new("."), &checked)
            .unwrap()
            .section()
    };
    Desk {
        manifest,
        keys,
        genesis,
        roll,
        authority: Signer::generate(&mut rng),
        election,
    }
}

fn build(desk: &Desk, serial: u32) -> staff::Outcome<Vec<u8>> {
    package::build(
        &package::Input {
            manifest: &desk.manifest,
            keys: &desk.keys,
            genesis: &desk.genesis,
            secret: &ElectionSecret::from_bytes([7; 32]).commitment(&desk.election),
            station: 3,
            name: &vec![("ja".into(), "市役所".into()), ("en".into(), "City hall".into())],
            roll: &desk.roll,
            authorities: &[vec![0x30, 0]],
            serial,
            pictures: None,
            clips: None,
        },
        &desk.authority,
    )
}

#[test]
fn a_package_says_what_went_into_it() {
    let desk = desk();
    let bytes = build(&desk, 4).unwrap();
    let shown = package::show(&bytes, &desk.authority.public_key()).unwrap();
    assert_eq!(
        (shown.station, shown.serial, shown.voters, shown.threshold),
        (3, 4, 5, 1)
    );
    assert_eq!(shown.election, desk.election);
    assert_eq!(package::claimed_authority(&bytes).unwrap(), desk.authority.public_key());
    // The same election in every reissue, another package.
    let again = package::show(&build(&desk, 5).unwrap(), &desk.authority.public_key()).unwrap();
    assert_eq!(again.election, shown.election);
    assert_ne!(again.package, shown.package);
}

#[test]
fn parts_that_do_not_fit_are_refused_by_name() {
    let mut other = desk();
    let good = desk();
    other.genesis = {
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let staff: Vec<Staff> = (0..2)
            .map(|number| Staff {
                key: public(&mut rng),
                roles: role::PROVISIONS,
                name: format!("{number}"),
            })
            .collect();
        genesis::build(&[1; 32], &staff, &[public(&mut rng)]).unwrap()
    };
    let problem = build(&other, 1).unwrap_err();
    assert!(problem.what.contains("another election"), "{problem}");
    let mut unsorted = desk();
    unsorted.roll.rotate_left(34);
    assert!(build(&unsorted, 1).unwrap_err().what.contains("roll"));
    let nobody = genesis::build(&good.election, &[], &[[2; 33]]).unwrap_err();
    assert_eq!(nobody.kind, Kind::Reference);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_or_cut_package_is_refused(position in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<bool>()) {
        static DESK: std::sync::OnceLock<(Vec<u8>, PublicKey)> = std::sync::OnceLock::new();
        let (good, authority) = DESK.get_or_init(|| {
            let desk = desk();
            (build(&desk, 1).unwrap(), desk.authority.public_key())
        });
        prop_assert!(Package::open(good, authority).is_ok());
        let mut bytes = good.clone();
        let position = position.index(bytes.len());
        if cut {
            bytes.truncate(position);
        } else {
            bytes[position] ^= 1 << bit;
        }
        prop_assert!(package::show(&bytes, authority).is_err());
    }
}

#[test]
fn f6_a_package_for_flash_is_what_a_kiosk_without_files_reads_and_fits() {
    let desk = desk();
    let bytes = build(&desk, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (package, out) = (folder.path().join("package.bin"), folder.path().join("flash.bin"));
    std::fs::write(&package, &bytes).unwrap();
    let run = |authority: &PublicKey, more: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_staff"))
            .args(["package", "flash", "--json", "--package"])
            .arg(&package)
            .args(["--authority", &hex::encode(authority), "--out"])
            .arg(&out)
            .args(more)
            .status()
            .unwrap()
            .code()
    };
    let authority = desk.authority.public_key();
    assert_eq!(run(&authority, &[]), Some(0));
    let flash = std::fs::read(&out).unwrap();
    let image = kiosk::flash_image::read(&flash).unwrap();
    assert_eq!((image.authority, image.package), (authority, &bytes[..]));
    assert_eq!(
        Package::open(image.package, &image.authority).unwrap().station.number,
        image.station
    );
    std::fs::remove_file(&out).unwrap();
    let short = (flash.len() - 1).to_string();
    assert_eq!(run(&authority, &["--room", &short]), Some(2), "no room");
    let other = Signer::generate(&mut ChaCha20Rng::from_seed([9; 32])).public_key();
    assert_eq!(run(&other, &[]), Some(1), "another authority");
    assert!(!out.exists(), "nothing is written that was refused");
}
