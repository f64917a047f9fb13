//! The table of pitfalls in firmware/election/SPEC.md names exactly the tests that carry their numbers, and each has one.

use std::collections::{BTreeMap, BTreeSet};

use tests::requirements::tests_of;
use tests::tree;

const PITFALLS: u32 = 27;

type Table = BTreeMap<u32, BTreeSet<String>>;

/// The numbers a test carries in front: `p06_p17_a_source` -> 6, 17.
fn numbers(name: &str) -> Vec<u32> {
    let name = name.strip_prefix("test_").unwrap_or(name);
    let number = |part: &str| part.strip_prefix('p').filter(|digits| digits.len() == 2)?.parse().ok();
    name.split('_').map_while(number).collect()
}

/// The rows `| 6 | pitfall | where | `test`, `test` |` after the table's heading.
fn table(spec: &str) -> Table {
    let (_, rows) = spec.split_once("## 13. The 27 pitfalls").expect("the section");
    rows.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let ["", number, _, _, tests, ""] = cells.as_slice() else {
                return None;
            };
            let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            Some((number.parse().ok()?, tests))
        })
        .collect()
}

/// What does not agree, in words.
fn disagreements(table: &Table, tests: &BTreeSet<String>) -> Vec<String> {
    let mut out = Vec::new();
    for number in 1..=PITFALLS {
        let of: BTreeSet<String> = tests
            .iter()
            .filter(|name| numbers(name).contains(&number))
            .cloned()
            .collect();
        let row = table.get(&number).cloned().unwrap_or_default();
        if of.is_empty() {
            out.push(format!("pitfall {number} is closed by no test"));
        }
        out.extend(
            of.difference(&row)
                .map(|name| format!("row {number} does not name {name}")),
        );
        out.extend(
            row.difference(&of)
                .map(|name| format!("row {number}: there is no test {name} of this number")),
        );
    }
    out
}

#[test]
fn every_pitfall_is_closed_by_tests_and_the_table_lists_exactly_those() {
    let spec = std::fs::read_to_string(tree::root().join("firmware/election/SPEC.md")).unwrap();
    let tests: BTreeSet<String> = tree::texts(&["rs", "py"])
        .unwrap()
        .iter()
        .flat_map(|(path, text)| tests_of(path, text))
        .map(|test| test.name)
        .collect();
    let table = table(&spec);
    assert!(table.keys().copied().eq(1..=PITFALLS), "{:?}", table.keys());
    let wrong = disagreements(&table, &tests);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_missing_test_a_missing_name_and_an_invented_name_are_found() {
    let name = |number: u32| format!("p{number:02}_x");
    let tests: BTreeSet<String> = (1..=PITFALLS).map(name).collect();
    let full: Table = (1..=PITFALLS).map(|number| (number, [name(number)].into())).collect();
    assert_eq!(disagreements(&full, &tests), Vec::<String>::new());
    let without: BTreeSet<String> = tests.iter().filter(|test| **test != name(7)).cloned().collect();
    assert_eq!(disagreements(&full, &without).len(), 2);
    let mut table = full.clone();
    table.remove(&9);
    assert_eq!(disagreements(&table, &tests).len(), 1);
    let mut table = full;
    table.entry(3).or_default().insert("p04_x".into());
    assert_eq!(disagreements(&table, &tests).len(), 1);
    assert_eq!(numbers("p06_p17_a_source"), [6, 17]);
    assert_eq!(numbers("test_p01_to_p09_bent"), [1]);
    assert!(numbers("a1_second").is_empty() && numbers("p4_short").is_empty());
}
