//! A medium is looked at, and a pair is checked.

use std::fs;

use election::batch::Kind as EntryKind;
use election::manifest::Policy;

use crate::support::{KAGA, Town};
use crate::{files_of_a_kiosk, json, path, staff};

/// A medium says whose it is; a pair is checked place by place; what is damaged, swapped or somebody else's is refused by name.
#[test]
fn f6_a_medium_is_inspected_and_a_pair_checked() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path(folder.path(), name);
    let mut town = Town::new(KAGA, Policy::First, 12);
    let kiosk = town.kiosk(1, 0);
    for voter in 1..4 {
        town.vote(kiosk, EntryKind::Cast, &[1, 1, 1], voter);
    }
    town.vote(kiosk, EntryKind::Spoiled, &[2, 2, 2], 0);
    town.batch(kiosk, None);
    town.close(kiosk);
    files_of_a_kiosk::write(&folder.path().join("original"), &town.content(kiosk, 0));
    files_of_a_kiosk::write(&folder.path().join("duplicate"), &town.content(kiosk, 1));
    let shown = json(&staff(&["medium", "inspect", &at("duplicate"), "--json"]));
    assert_eq!(shown["role"], "duplicate");
    assert_eq!((&shown["station"], &shown["state"]), (&1.into(), &"closed".into()));
    assert_eq!(
        (
            &shown["holds"]["votes"],
            &shown["holds"]["challenged"],
            &shown["holds"]["void"]
        ),
        (&3.into(), &1.into(), &0.into())
    );
    let status = |arguments: &[&str]| staff(arguments).status.code();
    assert_eq!(status(&["medium", "check", &at("original"), &at("duplicate")]), Some(0));
    assert_eq!(
        status(&["medium", "check", &at("duplicate"), &at("original")]),
        Some(1),
        "swapped"
    );
    assert_eq!(
        status(&["medium", "check", &at("original"), &at("original")]),
        Some(1),
        "twice"
    );
    assert_eq!(status(&["medium", "inspect", &at("nothing")]), Some(2));
    fs::write(at("stray"), vec![0; 1 << 20]).unwrap();
    assert_eq!(status(&["medium", "inspect", &at("stray")]), Some(1));
    // While polls are open a medium says nothing of what it holds (A14).
    let mut open = town.content(kiosk, 0);
    open.closing = None;
    files_of_a_kiosk::write(&folder.path().join("new"), &open);
    assert_eq!(
        json(&staff(&["medium", "inspect", &at("new"), "--json"]))["state"],
        "new"
    );
    // One byte of a vote on the duplicate.
    let mut bytes = fs::read(at("duplicate")).unwrap();
    let place = bytes.windows(4).position(|piece| piece == b"IPPB").unwrap();
    bytes[place + 200] ^= 1;
    fs::write(at("duplicate"), bytes).unwrap();
    let checked = staff(&["medium", "check", &at("original"), &at("duplicate"), "--json"]);
    assert_eq!(checked.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((&report[1]["void"], &report[1]["lacks"]), (&1.into(), &1.into()));
    assert_eq!((&report[0]["void"], &report[0]["lacks"]), (&0.into(), &0.into()));
}
