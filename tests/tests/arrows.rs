//! The arrows between the rooms point down only (DESIGN.md, "Rooms"), read from `cargo metadata`.

use serde_json::{Value, json};
use tests::arrows::{Arrow, forbidden, of_metadata, reach, room};
use tests::tree;

/// A made-up package: its folder, and (folder, kind) of what it depends on.
type Package<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

/// A made-up workspace.
fn workspace(packages: &[Package<'_>]) -> Value {
    let packages: Vec<Value> = packages
        .iter()
        .map(|(folder, dependencies)| {
            let dependencies: Vec<Value> = dependencies
                .iter()
                .map(|(to, kind)| json!({"name": to, "kind": kind, "path": format!("/w/{to}"), "features": []}))
                .collect();
            json!({"name": folder, "manifest_path": format!("/w/{folder}/Cargo.toml"), "dependencies": dependencies})
        })
        .collect();
    json!({"workspace_root": "/w", "packages": packages})
}

fn judged(packages: &[Package<'_>]) -> Vec<String> {
    forbidden(&of_metadata(&workspace(packages)).unwrap())
}

#[test]
fn the_workspace_has_no_forbidden_arrow() {
    let arrows = of_metadata(&tree::metadata().unwrap()).unwrap();
    for expected in [("kiosk", "election"), ("chain", "election"), ("host-sim", "kiosk")] {
        assert!(
            arrows.iter().any(|a| (a.from.as_str(), a.to.as_str()) == expected),
            "{expected:?} should be there: is the metadata read at all?"
        );
    }
    let wrong = forbidden(&arrows);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_forbidden_arrow_is_found() {
    for (from, to) in [
        ("firmware/election", "hardware/card"),
        ("firmware/election", "firmware/kiosk"),
        ("hardware/card", "firmware/election"),
        ("firmware/kiosk", "hardware/media"),
        ("firmware/kiosk", "firmware/chain"),
        ("firmware/kiosk", "host-sim"),
        ("firmware/chain", "firmware/kiosk"),
        ("hardware/media", "firmware/chain"),
        ("ui/panel", "hardware/media"),
        ("ui/panel", "ui/staff"),
        ("ui/staff", "firmware/chain"),
        ("ui/staff", "host-sim"),
        ("firmware/linux", "firmware/chain"),
        ("firmware/linux", "firmware/mcu"),
        ("firmware/mcu", "hardware/media"),
        ("firmware/mcu-board", "firmware/mcu-other"),
        ("firmware/mcu-board", "firmware/linux"),
        ("host-sim", "firmware/mcu-board"),
        ("host-sim", "tests"),
        ("firmware/election", "tests"),
    ] {
        for kind in [None, Some("build"), Some("dev")] {
            let wrong = judged(&[(from, &[(to, kind)]), (to, &[])]);
            assert_eq!(wrong.len(), 1, "{from} -> {to} ({kind:?}): {wrong:?}");
            assert!(wrong[0].contains("must not depend"), "{wrong:?}");
            assert_eq!(wrong[0].contains("tests)"), kind == Some("dev"));
        }
    }
}

#[test]
fn an_allowed_arrow_and_what_it_leads_to_pass() {
    for (from, to) in [
        ("firmware/kiosk", "firmware/election"),
        ("hardware/media", "firmware/election"),
        ("ui/panel", "hardware/card"),
        ("firmware/mcu-board", "firmware/election"),
        ("firmware/mcu-board", "ui/panel"),
        ("firmware/linux", "hardware/media"),
        ("ui/staff", "ui/panel"),
        ("host-sim", "ui/staff"),
        ("host-sim", "firmware/linux"),
        ("tests", "host-sim"),
    ] {
        assert_eq!(
            judged(&[(from, &[(to, None)]), (to, &[])]),
            Vec::<String>::new(),
            "{from} -> {to}"
        );
    }
}

#[test]
fn a_package_may_name_itself_in_its_tests_only() {
    let own = |kind| judged(&[("hardware/card", &[("hardware/card", kind)])]);
    assert_eq!(own(Some("dev")), Vec::<String>::new());
    assert_eq!(own(None).len(), 1);
    let boards = judged(&[
        ("firmware/mcu-a", &[("firmware/mcu-b", Some("dev"))]),
        ("firmware/mcu-b", &[]),
    ]);
    assert_eq!(boards.len(), 1, "two boards are two packages");
}

#[test]
fn arrows_never_run_in_a_circle() {
    let names = [
        "election",
        "card",
        "kiosk",
        "panel",
        "media",
        "chain",
        "mcu",
        "board",
        "linux",
        "staff",
        "verify-page",
        "host-sim",
        "tests",
    ];
    for name in names {
        assert!(!reach(name).contains(name), "{name} leads back to itself");
    }
}

#[test]
fn rooms_are_known_by_their_folder() {
    assert_eq!(room("firmware/mcu-anything"), Some("board"));
    assert_eq!(room("firmware/mcu"), Some("mcu"));
    for none in [
        "",
        "firmware",
        "firmware/mcu-",
        "firmware/mcu-a/b",
        "firmware/other",
        "election",
        "ui/staff/x",
    ] {
        assert_eq!(room(none), None, "{none}");
    }
    assert!(of_metadata(&workspace(&[("firmware/other", &[])])).is_err());
}

#[test]
fn the_engine_stays_off_below_the_validator() {
    let arrow = |features: &[&str]| Arrow {
        from: "host-sim".to_string(),
        to: "chain".to_string(),
        dev: false,
        features: features.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(forbidden(&[arrow(&[])]), Vec::<String>::new());
    assert_eq!(forbidden(&[arrow(&["engine"])]).len(), 1);
}
