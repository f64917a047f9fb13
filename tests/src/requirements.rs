//! The table "requirement -> tests" (tests/REQUIREMENTS.md) and the tests that really are in the sources.
//!
//! A test that closes a line is named after it (`a1_...`, `v12_...`). The table is read both ways: a row's tests
//! exist, a test named after a line stands in that line's row, and every line has a row with tests or with the room that
//! still owes them.

use std::collections::BTreeSet;
use std::path::Path;

/// How many lines each list of the requirements has. (The pitfalls of ballot cryptography have a table of their own in SPEC.md.)
pub const LISTS: &[(char, u32)] = &[('A', 21), ('F', 10), ('U', 10), ('V', 13)];

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Its line, such as `A1`.
    pub id: String,
    /// The tests it names.
    pub tests: Vec<String>,
    /// What is still owed, and by which room; empty if nothing.
    pub open: String,
}

/// One test in the sources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    /// The package, or `verifier` for the Python one.
    pub package: String,
    /// Modules from file and folder names, and those inside the file.
    pub modules: Vec<String>,
    /// The function.
    pub name: String,
}

/// The rows of a Markdown table whose first column is an id.
#[must_use]
pub fn rows(markdown: &str) -> Vec<Row> {
    markdown
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line
                .trim()
                .strip_prefix('|')?
                .strip_suffix('|')?
                .split('|')
                .map(str::trim)
                .collect();
            let [id, _, tests, open] = cells.as_slice() else {
                return None;
            };
            parse_id(id)?;
            let tests = tests.split('`').skip(1).step_by(2).map(str::to_string).collect();
            let open = if *open == "-" {
                String::new()
            } else {
                (*open).to_string()
            };
            Some(Row {
                id: (*id).to_string(),
                tests,
                open,
            })
        })
        .collect()
}

fn parse_id(id: &str) -> Option<(char, u32)> {
    let mut chars = id.chars();
    let list = chars.next()?;
    let number = chars.as_str().parse().ok()?;
    let (_, last) = LISTS.iter().find(|(l, _)| *l == list)?;
    (1..=*last).contains(&number).then_some((list, number))
}

/// The line a test is named after: `a1_second_vote` -> `A1`.
#[must_use]
pub fn line_of(name: &str) -> Option<String> {
    let name = name.strip_prefix("test_").unwrap_or(name);
    let (head, rest) = name.split_once('_')?;
    let mut chars = head.chars();
    let list = chars.next()?.to_ascii_uppercase();
    let number = chars.as_str().trim_start_matches('0');
    let id = format!("{list}{number}");
    (!rest.is_empty() && parse_id(&id).is_some()).then_some(id)
}

/// The tests of one source file, by its path from the top and its text.
#[must_use]
pub fn tests_of(path: &Path, text: &str) -> Vec<Test> {
    let parts: Vec<&str> = path.iter().filter_map(|p| p.to_str()).collect();
    if parts.starts_with(&["tests", "verifier"]) {
        return python(&parts, text);
    }
    let Some(at) = parts
        .iter()
        .position(|p| *p == "src" || (*p == "tests" && parts.first() != Some(p)))
    else {
        return rust(&parts, 1, text);
    };
    rust(&parts, at, text)
}

/// `parts[..at]` is the package's folder; what follows `src` or `tests` are modules.
fn rust(parts: &[&str], at: usize, text: &str) -> Vec<Test> {
    let Some(package) = at.checked_sub(1).and_then(|i| parts.get(i)) else {
        return Vec::new();
    };
    let mut modules: Vec<String> = parts
        .iter()
        .skip(at + 1)
        .map(|p| p.trim_end_matches(".rs").to_string())
        .filter(|p| p != "mod" && p != "lib" && p != "main")
        .collect();
    let mut tests = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            modules.push(name.to_string());
        } else if line.starts_with("#[test]") {
            marked = true;
        } else if let Some(rest) = line
            .trim_start_matches("pub ")
            .trim_start_matches("async ")
            .strip_prefix("fn ")
        {
            if marked {
                let name = rest
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .unwrap_or_default();
                tests.push(name.to_string());
            }
            marked = false;
        }
    }
    let package = (*package).to_string();
    tests
        .into_iter()
        .map(|name| Test {
            package: package.clone(),
            modules: modules.clone(),
            name,
        })
        .collect()
}

fn python(parts: &[&str], text: &str) -> Vec<Test> {
    let file = parts.last().unwrap_or(&"").trim_end_matches(".py").to_string();
    let mut class = String::new();
    let mut tests = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("class ") {
            class = rest.split(['(', ':']).next().unwrap_or_default().to_string();
        } else if let Some(rest) = line.strip_prefix("    def test_") {
            let name = format!("test_{}", rest.split('(').next().unwrap_or_default());
            tests.push(Test {
                package: "verifier".to_string(),
                modules: vec![file.clone(), class.clone()],
                name,
            });
        }
    }
    tests
}

impl Test {
    /// True if `path` (`package::module::name`, modules may be left out) means this test.
    #[must_use]
    pub fn is(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split("::").collect();
        let [package, middle @ .., name] = parts.as_slice() else {
            return false;
        };
        let mut own = self.modules.iter();
        *package == self.package && *name == self.name && middle.iter().all(|m| own.any(|o| o == m))
    }
}

/// Everything that does not agree between table and sources, in words.
#[must_use]
pub fn disagreements(rows: &[Row], tests: &[Test]) -> Vec<String> {
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for row in rows {
        if !seen.insert(row.id.as_str()) {
            out.push(format!("{} has two rows", row.id));
        }
        if row.tests.is_empty() && !row.open.contains("not yet") {
            out.push(format!(
                "{} has neither a test nor a room that owes one (\"not yet: room\")",
                row.id
            ));
        }
        for path in &row.tests {
            if !tests.iter().any(|t| t.is(path)) {
                out.push(format!("{}: there is no test {path}", row.id));
            }
        }
    }
    for (list, last) in LISTS {
        for number in 1..=*last {
            let id = format!("{list}{number}");
            if !seen.contains(id.as_str()) {
                out.push(format!("{id} has no row"));
            }
        }
    }
    for test in tests {
        let Some(id) = line_of(&test.name) else { continue };
        let in_row = rows
            .iter()
            .any(|r| r.id == id && r.tests.iter().any(|path| test.is(path)));
        if !in_row {
            let modules = test.modules.join("::");
            out.push(format!(
                "row {id} does not name `{}::{modules}::{}`",
                test.package, test.name
            ));
        }
    }
    out
}

/// The table with the tests of each row brought up to date: names that are gone leave, tests named after the line come in, what
/// a person added (tests with other names, the last column) stays.
#[must_use]
pub fn updated(markdown: &str, tests: &[Test]) -> String {
    let mut out = String::new();
    for line in markdown.lines() {
        if let Some(row) = rows(line).pop() {
            let cells: Vec<&str> = line.split('|').collect();
            let mut names: Vec<String> = row.tests;
            names.retain(|path| tests.iter().any(|t| t.is(path)));
            for test in tests
                .iter()
                .filter(|t| line_of(&t.name).as_deref() == Some(row.id.as_str()))
            {
                if !names.iter().any(|path| test.is(path)) {
                    names.push(format!("{}::{}::{}", test.package, test.modules.join("::"), test.name));
                }
            }
            let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
            let cell = |i: usize| cells.get(i).copied().unwrap_or_default();
            out.push_str(&format!(
                "|{}|{}| {} |{}|",
                cell(1),
                cell(2),
                names.join("<br>"),
                cell(4)
            ));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}
