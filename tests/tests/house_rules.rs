//! Rules of the house that no compiler checks: names of boards, lints, licence, the top level, marks of unfinished work.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tests::tree;

/// Source files with their text; the words looked for are put together here so that this file does not name them.
fn sources(extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let found = tree::texts(extensions).unwrap();
    assert!(found.len() > 3, "no sources found");
    found
}

fn read(path: &str) -> String {
    std::fs::read_to_string(tree::root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Lines that hold one of the words, as `file:line`.
fn lines_with(files: &[(PathBuf, String)], words: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for (path, text) in files {
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            if let Some(word) = words.iter().find(|w| line.contains(w.as_str())) {
                out.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    out
}

fn board_words() -> Vec<String> {
    [
        ["mp", "s2"],
        ["an", "505"],
        ["stm", "32"],
        ["u5g", "9"],
        ["nrf", "52"],
        ["rp", "2350"],
        ["rasp", "berry"],
    ]
    .iter()
    .map(|w| w.concat())
    .collect()
}

#[test]
fn no_board_is_named_outside_its_package() {
    let outside = |p: &Path| {
        !p.starts_with("firmware") || !p.iter().nth(1).is_some_and(|d| d.to_string_lossy().starts_with("mcu-"))
    };
    let mut files: Vec<_> = sources(&["rs", "toml", "slint", "x", "py"])
        .into_iter()
        .filter(|(p, _)| outside(p))
        .collect();
    for (path, text) in &mut files {
        if path == Path::new("Cargo.toml") {
            // The list of members names the packages, and nothing else.
            *text = text
                .lines()
                .filter(|l| !l.trim().starts_with("\"firmware/mcu-"))
                .collect::<Vec<_>>()
                .join("\n");
        }
    }
    assert_eq!(lines_with(&files, &board_words()), Vec::<String>::new());
    let made_up = [(
        PathBuf::from("x.rs"),
        format!("fn f() {{}}\n// {}", board_words()[2].to_uppercase()),
    )];
    assert_eq!(
        lines_with(&made_up, &board_words()).len(),
        1,
        "the search has to find one"
    );
}

#[test]
fn unfinished_work_is_not_marked_in_the_sources() {
    let words: Vec<String> = [
        ["to", "do!"],
        ["to", "do:"],
        ["fix", "me"],
        ["unimple", "mented!"],
        ["#[ig", "nore"],
    ]
    .iter()
    .map(|w| w.concat())
    .collect();
    let files = sources(&["rs", "toml", "slint", "py"]);
    assert_eq!(lines_with(&files, &words), Vec::<String>::new());
}

#[test]
fn no_path_of_a_machine_is_in_the_sources() {
    let words: Vec<String> = [["/ro", "ot/"], ["/ho", "me/"], ["/wo", "rk/"]]
        .iter()
        .map(|w| w.concat())
        .collect();
    let files = sources(&["rs", "toml", "slint", "py", "md", "json"]);
    assert_eq!(lines_with(&files, &words), Vec::<String>::new());
}

#[test]
fn firmware_and_card_refuse_to_panic() {
    let lints = [
        "unwrap_used",
        "expect_used",
        "panic",
        "unreachable",
        "indexing_slicing",
        "cast_possible_truncation",
        "cast_sign_loss",
    ];
    for room in ["firmware/election", "firmware/kiosk", "hardware/card"] {
        let text = read(&format!("{room}/src/lib.rs"));
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        assert!(compact.contains("#![no_std]"), "{room} is no_std");
        let start = compact
            .find("#![cfg_attr(not(test),deny(")
            .unwrap_or_else(|| panic!("{room} lacks the strict lints"));
        let rest = &compact[start..];
        let list = &rest[..rest.find("))]").unwrap()];
        for lint in lints {
            assert!(
                list.contains(&format!("clippy::{lint}")),
                "{room} does not deny clippy::{lint}"
            );
        }
    }
}

#[test]
fn nothing_switches_the_strict_lints_off_in_firmware() {
    let strict = [
        "unwrap_used",
        "expect_used",
        "clippy::panic",
        "unreachable",
        "indexing_slicing",
        "unsafe_code",
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources(&["rs"]) {
        if !["firmware/election/src", "firmware/kiosk/src", "hardware/card/src"]
            .iter()
            .any(|r| path.starts_with(r))
        {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let allows = line.contains("allow(") || line.contains("expect(clippy");
            if allows && strict.iter().any(|s| line.contains(s)) {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Rooms with Slint's generated code, which holds unsafe blocks: `forbid` would refuse it, so they deny unsafe code in a table
/// of their own and allow it for the module of the generated code alone.
const GENERATED: [&str; 2] = ["panel", "host-sim"];

/// The modules of a source text that allow unsafe code, and whether nothing is in them but the line that includes what was generated.
fn allowed_unsafe(text: &str) -> Vec<bool> {
    text.match_indices(&["unsafe", "_code"].concat())
        .map(|(at, _)| {
            let rest = &text[at..];
            let module = rest
                .find("mod ")
                .and_then(|start| Some(&rest[start..start + rest[start..].find('}')?]));
            module.is_some_and(|module| {
                let body: Vec<&str> = module
                    .lines()
                    .skip(1)
                    .map(str::trim)
                    .filter(|l| !l.is_empty())
                    .collect();
                body == ["slint::include_modules!();"]
            })
        })
        .collect()
}

#[test]
fn unsafe_code_is_forbidden_outside_boards() {
    let top = read("Cargo.toml");
    assert!(top.contains("unsafe_code = \"forbid\""));
    for package in tree::metadata().unwrap()["packages"].as_array().unwrap() {
        let manifest = package["manifest_path"].as_str().unwrap();
        if manifest.contains("/firmware/mcu") {
            continue;
        }
        let text = std::fs::read_to_string(manifest).unwrap();
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if GENERATED.contains(&package["name"].as_str().unwrap()) && !compact.contains("[lints]workspace=true") {
            // Every other lint is the workspace's.
            let lints = |text: &str, table: &str| -> BTreeSet<String> {
                text.split(table)
                    .nth(1)
                    .unwrap_or_default()
                    .lines()
                    .skip(1)
                    .take_while(|line| !line.starts_with('['))
                    .filter(|line| line.contains(" = "))
                    .map(|line| line.replace("forbid", "deny"))
                    .collect()
            };
            assert_eq!(
                lints(&text, "[lints.rust]"),
                lints(&top, "[workspace.lints.rust]"),
                "{manifest}"
            );
            assert_eq!(
                lints(&text, "[lints.clippy]"),
                lints(&top, "[workspace.lints.clippy]"),
                "{manifest}"
            );
            continue;
        }
        assert!(
            compact.contains("[lints]workspace=true"),
            "{manifest} does not take the workspace's lints"
        );
    }
}

#[test]
fn unsafe_code_is_allowed_for_generated_code_alone() {
    let rooms = ["ui/panel", "host-sim"];
    let mut found = 0;
    for (path, text) in sources(&["rs"]) {
        if !rooms.iter().any(|room| path.starts_with(room)) {
            continue;
        }
        for generated in allowed_unsafe(&text) {
            assert!(
                generated,
                "{}: unsafe code is allowed for more than generated code",
                path.display()
            );
            found += 1;
        }
    }
    assert!(found > 0, "the search has to find the panel's");
    let word = ["unsafe", "_code"].concat();
    let made_up = |body: &str| allowed_unsafe(&format!("#[allow({word})]\npub mod ui {{\n    {body}\n}}\n"));
    assert_eq!(made_up("slint::include_modules!();"), [true]);
    assert_eq!(made_up("slint::include_modules!();\n    fn own() {"), [false]);
    assert_eq!(allowed_unsafe(&format!("#![allow({word})]\nfn f() {{}}")), [false]);
}

#[test]
fn overflow_is_checked_in_release() {
    let top = read("Cargo.toml");
    let release = top
        .split("[profile.release]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    assert!(release.contains("overflow-checks = true"));
}

#[test]
fn every_package_is_gpl_3_only() {
    let metadata = tree::metadata().unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() >= 8);
    for package in packages {
        assert_eq!(package["license"].as_str(), Some("GPL-3.0-only"), "{}", package["name"]);
    }
    assert!(read("LICENSE").trim_start().starts_with("GNU GENERAL PUBLIC LICENSE"));
    assert!(read("tests/no-heap/Cargo.toml").contains("license = \"GPL-3.0-only\""));
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    let allowed: BTreeSet<&str> = [
        ".ci",
        ".gitignore",
        ".rustfmt.toml",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "firmware",
        "hardware",
        "host-sim",
        "rust-toolchain.toml",
        "tests",
        "ui",
    ]
    .into();
    let found: BTreeSet<String> = tree::files()
        .unwrap()
        .iter()
        .filter_map(|p| p.iter().next().map(|n| n.to_string_lossy().into_owned()))
        .collect();
    let strange: Vec<_> = found.iter().filter(|n| !allowed.contains(n.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    let silent: Vec<_> = sources(&["rs"])
        .into_iter()
        // A file of a line or two, such as the entry of a fuzz target, says it in what it calls.
        .filter(|(_, text)| text.lines().count() > 3)
        // Attributes of the whole file may stand before it.
        .filter(|(_, text)| {
            !text
                .lines()
                .find(|l| !l.starts_with("#!["))
                .is_some_and(|l| l.starts_with("//!"))
        })
        .map(|(p, _)| p.display().to_string())
        .collect();
    assert_eq!(silent, Vec::<String>::new());
}

/// The packages of a lock file with their versions.
fn locked(path: &str) -> BTreeSet<(String, String)> {
    let value = |line: &str, key: &str| {
        line.strip_prefix(key)
            .and_then(|v| v.strip_prefix(" = \""))
            .and_then(|v| v.strip_suffix('"'))
            .map(str::to_string)
    };
    let text = read(path);
    let names = text.lines().filter_map(|l| value(l, "name"));
    let versions = text
        .lines()
        .skip_while(|l| !l.starts_with("[[package]]"))
        .filter_map(|l| value(l, "version"));
    names.zip(versions).collect()
}

#[test]
fn the_binary_without_a_heap_links_the_versions_that_ship() {
    let (ship, bare) = (locked("Cargo.lock"), locked("tests/no-heap/Cargo.lock"));
    assert!(bare.iter().any(|(name, _)| name == "p256"), "{bare:?}");
    let strange: Vec<_> = bare.iter().filter(|p| p.0 != "no-heap" && !ship.contains(*p)).collect();
    assert!(strange.is_empty(), "{strange:?}: copy the versions of Cargo.lock");
}

/// A10: what is not in the image cannot be switched on. The kernel's drivers for radios are modules; these are parts of the names of all its families.
#[test]
fn a10_the_image_has_no_driver_for_a_radio() {
    const RADIOS: [&str; 26] = [
        "80211",
        "802154",
        "wlan",
        "wifi",
        "bluetooth",
        "btusb",
        "hci_",
        "nfc",
        "wwan",
        "qmi",
        "mbim",
        "ath",
        "iwl",
        "brcm",
        "b43",
        "rtw",
        "rtl8",
        "rt2",
        "mt76",
        "mwifi",
        "wilc",
        "wl1",
        "carl",
        "zd12",
        "ipw",
        "rsi",
    ];
    let list = read("firmware/linux/image/modules.list");
    let modules: Vec<&str> = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    assert!(modules.len() > 10, "no list of modules");
    let radio = |module: &&&str| {
        RADIOS
            .iter()
            .any(|part| module.starts_with(part) || module.contains("80211"))
    };
    let found: Vec<_> = modules.iter().filter(radio).collect();
    assert!(found.is_empty(), "the image could use a radio: {found:?}");
    assert!(radio(&&"iwlwifi") && radio(&&"mac80211") && !radio(&&"virtio_gpu"));
}
