//! tests/REQUIREMENTS.md agrees with the tests that exist, both ways.

use std::path::Path;

use tests::requirements::{LISTS, Row, Test, disagreements, line_of, rows, tests_of, updated};
use tests::tree;

/// Set to write the tests that exist into the table, instead of failing because they are not in it.
const UPDATE: &str = "IPPYO_UPDATE_TABLE";

#[test]
fn the_table_names_every_test_and_only_tests_that_exist() {
    let path = tree::root().join("tests/REQUIREMENTS.md");
    let tests: Vec<Test> = tree::texts(&["rs", "py"])
        .unwrap()
        .iter()
        .flat_map(|(path, text)| tests_of(path, text))
        .collect();
    assert!(
        tests
            .iter()
            .any(|t| t.is("tests::requirements::the_table_names_every_test_and_only_tests_that_exist"))
    );
    let mut table = std::fs::read_to_string(&path).unwrap();
    if std::env::var_os(UPDATE).is_some() {
        table = updated(&table, &tests);
        std::fs::write(&path, &table).unwrap();
    }
    let wrong = disagreements(&rows(&table), &tests);
    assert!(
        wrong.is_empty(),
        "{wrong:#?}\n{UPDATE}=1 cargo test -p tests --test requirements brings the table up to date"
    );
}

#[test]
fn an_update_adds_and_removes_tests_and_keeps_what_people_wrote() {
    let tests = [
        test("kiosk", &["session"], "a1_new"),
        test("kiosk", &["session"], "whole_day"),
    ];
    let table =
        "# Head\n\n| A1 | what | `kiosk::whole_day`<br>`kiosk::a1_gone` | not yet: panel |\n| A2 | x |  | - |\n";
    let wanted = "# Head\n\n| A1 | what | `kiosk::whole_day`<br>`kiosk::session::a1_new` | not yet: panel |\n| A2 | x |  | - |\n";
    assert_eq!(updated(table, &tests), wanted);
    assert_eq!(updated(wanted, &tests), wanted);
}

fn full(replace: &[(&str, &[&str], &str)]) -> Vec<Row> {
    let mut out = Vec::new();
    for (list, last) in LISTS {
        for number in 1..=*last {
            let id = format!("{list}{number}");
            let row = replace.iter().find(|(r, _, _)| *r == id);
            let (tests, open) = row.map_or((Vec::new(), "not yet: a room"), |(_, t, o)| {
                (t.iter().map(ToString::to_string).collect(), *o)
            });
            out.push(Row {
                id,
                tests,
                open: open.to_string(),
            });
        }
    }
    out
}

fn test(package: &str, modules: &[&str], name: &str) -> Test {
    Test {
        package: package.to_string(),
        modules: modules.iter().map(ToString::to_string).collect(),
        name: name.to_string(),
    }
}

#[test]
fn the_comparison_can_fail() {
    let tests = [test("kiosk", &["session", "tests"], "a1_no_second_vote")];
    let good = full(&[("A1", &["kiosk::session::a1_no_second_vote"], "")]);
    assert_eq!(disagreements(&good, &tests), Vec::<String>::new());
    let gone = full(&[("A1", &["kiosk::session::a1_no_second_vote"], "")]);
    assert_eq!(disagreements(&gone, &[]).len(), 1, "a test that is not there");
    assert_eq!(
        disagreements(&full(&[]), &tests).len(),
        1,
        "a test that is not in its row"
    );
    let elsewhere = full(&[("A2", &["kiosk::session::a1_no_second_vote"], "")]);
    assert_eq!(disagreements(&elsewhere, &tests).len(), 1, "a test in another row");
    assert_eq!(
        disagreements(&full(&[("A1", &[], "")]), &[]).len(),
        1,
        "neither test nor debt"
    );
    assert_eq!(disagreements(&good[1..], &[]).len(), 1, "no row");
}

#[test]
fn rows_and_names_are_read() {
    let table = "text\n| id | what | tests | still open |\n|---|---|---|---|\n| A1 | x | `a::b`, `c::d::e` | - |\n| U10 | y | | not yet: panel |\n| A22 | z | | |\n";
    let found = rows(table);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].tests, ["a::b", "c::d::e"]);
    assert_eq!((found[0].open.as_str(), found[1].open.as_str()), ("", "not yet: panel"));
    for (name, line) in [
        ("a1_x", Some("A1")),
        ("f04_x", Some("F4")),
        ("test_u7_a_lamp", Some("U7")),
        ("p04_x", None),
        ("v12_order", Some("V12")),
        ("a22_x", None),
        ("a_x", None),
        ("a1", None),
        ("vote_2_x", None),
    ] {
        assert_eq!(line_of(name).as_deref(), line, "{name}");
    }
}

#[test]
fn tests_are_found_where_they_stand() {
    let text = "#[test]\nfn a1_x() {}\nfn helper() {}\nmod inner {\n    proptest! {\n        #[test]\n        fn f2_y(a in 0..1) {}\n    }\n}\n";
    let found = tests_of(Path::new("firmware/kiosk/src/session/tests.rs"), text);
    assert_eq!(found.len(), 2);
    assert!(found[0].is("kiosk::session::tests::a1_x") && found[0].is("kiosk::a1_x"));
    assert!(!found[0].is("kiosk::admission::a1_x") && !found[0].is("card::a1_x") && !found[0].is("a1_x"));
    assert!(found[1].is("kiosk::session::tests::inner::f2_y"));
    let found = tests_of(Path::new("hardware/card/tests/piv.rs"), "#[test]\nfn u1_z() {}");
    assert!(found[0].is("card::piv::u1_z"));
    let found = tests_of(Path::new("tests/tests/arrows.rs"), "#[test]\nfn a1_z() {}");
    assert!(found[0].is("tests::arrows::a1_z"), "{found:?}");
    let found = tests_of(
        Path::new("tests/verifier/test_verify.py"),
        "class Books(Record):\n    def test_p18_x(self):\n",
    );
    assert!(found[0].is("verifier::test_verify::Books::test_p18_x"));
}
