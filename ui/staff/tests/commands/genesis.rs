//! What an organisation that runs a validator takes from the desk.

use std::fs;
use std::path::Path;
use std::process::Command;

use election::manifest::Policy;

use crate::support::{KAGA, Town};
use crate::{node, path};

/// An organisation takes the genesis out of a kiosk's package, as DEPLOY.md says: only out of one that the authority has signed, and only if it
/// names the organisation's own key.
#[test]
fn a_validator_node_takes_the_genesis_of_a_signed_package() {
    if std::env::var_os("IPPYO_CHAIN_NODE").is_none() {
        eprintln!("not run: IPPYO_CHAIN_NODE names no validators' program; `tests/run chain` builds it and runs this");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path(folder.path(), name);
    let node = |arguments: &[&str]| {
        let output = Command::new(node::program()).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let town = Town::new(KAGA, Policy::First, 13);
    let checked = election::manifest::Manifest::parse(&town.manifest).unwrap();
    let roll = format!(
        "{},{}\n",
        hex::encode(town.staff[0].public_key()),
        checked.style(0).unwrap().id
    );
    let package = staff::package::build(
        &staff::package::Input {
            manifest: &town.manifest,
            keys: &town.key.keys,
            genesis: &town.genesis,
            secret: &election::tag::ElectionSecret::from_bytes([7; 32]).commitment(&town.election),
            station: 1,
            name: &vec![("ja".into(), "市役所".into()), ("en".into(), "City hall".into())],
            roll: &staff::roll::parse_csv(roll.as_bytes(), Path::new("."), &checked)
                .unwrap()
                .section(),
            authorities: &[vec![0x30, 0]],
            serial: 1,
            pictures: None,
            clips: None,
        },
        &town.authority,
    )
    .unwrap();
    fs::write(at("station.pkg"), &package).unwrap();
    let authority = hex::encode(town.authority.public_key());
    let take = |own: &str, package: &str, authority: &str| {
        node(&["init", &at(own), "--package", &at(package), "--authority", authority])
    };
    fs::create_dir(at("city")).unwrap();
    fs::write(at("city/validator.key"), hex::encode(*town.validator.to_bytes())).unwrap();
    let taken = || fs::read(at("city/genesis.bin")).ok();

    let (code, said) = node(&["init", &at("city"), "--package", &at("station.pkg")]);
    assert_eq!(code, Some(2), "without the authority's key: {said}");
    let (code, said) = take("city", "station.pkg", &hex::encode(town.staff[0].public_key()));
    assert_eq!(code, Some(3), "signed by somebody else");
    assert!(said.contains("station.pkg"), "{said}");
    let mut broken = package;
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    fs::write(at("broken.pkg"), broken).unwrap();
    assert_eq!(take("city", "broken.pkg", &authority).0, Some(3));
    assert_eq!(take("city", "none.pkg", &authority).0, Some(3));
    assert_eq!(take("city", "station.pkg", "12").0, Some(3));
    assert_eq!(taken(), None, "nothing is taken out of what does not hold");
    let (code, said) = take("stranger", "station.pkg", &authority);
    assert_eq!(code, Some(3), "a key that the genesis does not name");
    assert!(said.contains("does not name"), "{said}");

    for _ in 0..2 {
        let (code, said) = take("city", "station.pkg", &authority);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(taken(), Some(town.genesis.clone()));
    }
}
