//! JSON against NIST's schemas, with messages that name the place.
//!
//! NIST's schemas are generated from a UML model and use a closed set of words: `$ref`, `type`, `enum`, `required`,
//! `properties`, `additionalProperties: false`, `items`, `minItems`, `maxLength`, `pattern`, `oneOf` over classes that tell
//! themselves apart by `@type`, and `format`. This module knows these words and refuses to run a schema that has others. (A
//! general validator answers a wrong `oneOf` with "not valid under any of the schemas"; choosing the branch by `@type`
//! lets the message say what is wrong inside it.) `format` is an annotation, as the drafts allow, but for `date`.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::problem::{Kind, Outcome, Problem};

/// How many violations a message lists.
const LISTED: usize = 8;
/// How deep a document may nest; the parser's own limit is 128.
const DEPTH: usize = 100;

/// NIST SP 1500-20 version 1: ballot definitions.
///
/// # Errors
/// The embedded schema is broken (a test reads it).
pub fn ballot_definition() -> Outcome<Schema> {
    Schema::parse(include_str!("../schemas/NIST_V1_ballot_definition.json"))
}

/// NIST SP 1500-100 version 2: election results.
///
/// # Errors
/// The embedded schema is broken (a test reads it).
pub fn election_results() -> Outcome<Schema> {
    Schema::parse(include_str!("../schemas/NIST_V2_election_results_reporting.json"))
}

/// A parsed schema.
pub struct Schema {
    root: Value,
    definitions: Map<String, Value>,
}

/// One violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON path from `$`.
    pub path: String,
    /// What is wrong there.
    pub what: String,
}

impl Schema {
    /// Reads a schema and refuses words it does not know.
    ///
    /// # Errors
    /// Not JSON, or not of the closed set of words.
    pub fn parse(text: &str) -> Outcome<Self> {
        let broken = |what: String| Problem::new(Kind::Schema, "embedded schema", what);
        let root: Value = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
        let definitions = root
            .get("definitions")
            .and_then(Value::as_object)
            .cloned()
            .ok_or_else(|| broken("no definitions".into()))?;
        for (name, definition) in &definitions {
            known_words(definition).map_err(|word| broken(format!("{name} uses the word {word:?}")))?;
        }
        Ok(Self { root, definitions })
    }

    /// All violations, in document order.
    #[must_use]
    pub fn violations(&self, value: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        if let Some(reference) = self.root.get("$ref") {
            self.walk(value, &serde_json::json!({ "$ref": reference }), "$", 0, &mut found);
        }
        found
    }

    /// Fine, or the first violations as one problem.
    ///
    /// # Errors
    /// [`Kind::Schema`] with path and violation.
    pub fn check(&self, value: &Value) -> Outcome<()> {
        let found = self.violations(value);
        let Some(first) = found.first() else { return Ok(()) };
        let mut what = first.what.clone();
        for more in found.iter().skip(1).take(LISTED - 1) {
            what.push_str(&format!("\n  also at {}: {}", more.path, more.what));
        }
        if found.len() > LISTED {
            what.push_str(&format!("\n  and {} more", found.len() - LISTED));
        }
        Err(Problem::new(Kind::Schema, &first.path, what).advice("correct the file so that it follows NIST's schema"))
    }

    fn walk(&self, value: &Value, schema: &Value, path: &str, depth: usize, found: &mut Vec<Violation>) {
        let mut wrong = |what: String| {
            found.push(Violation {
                path: path.to_owned(),
                what,
            });
        };
        if depth > DEPTH {
            return wrong("is nested too deep".into());
        }
        let Some(schema) = schema.as_object() else { return };
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return match self.definition(reference) {
                Some(target) => self.walk(value, target, path, depth + 1, found),
                None => wrong(format!("the schema has no {reference}")),
            };
        }
        if let Some(branches) = schema.get("oneOf").and_then(Value::as_array) {
            return self.one_of(value, branches, path, depth, found);
        }
        if let Some(expected) = schema.get("type").and_then(Value::as_str)
            && !has_type(value, expected)
        {
            return wrong(format!(
                "must be {}, but is {}",
                with_article(expected),
                described(value)
            ));
        }
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            wrong(format!("is {}; allowed: {}", described(value), listed(allowed)));
        }
        match value {
            Value::String(text) => {
                if let Some(limit) = schema.get("maxLength").and_then(Value::as_u64)
                    && text.chars().count() as u64 > limit
                {
                    wrong(format!("is longer than {limit} characters"));
                }
                if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
                    && !matches(pattern, text)
                {
                    wrong(format!("{} does not have the form {pattern}", described(value)));
                }
                if schema.get("format").and_then(Value::as_str) == Some("date") && parse_date(text).is_none() {
                    wrong(format!("{} is not a date of the form YYYY-MM-DD", described(value)));
                }
            }
            Value::Array(items) => {
                if let Some(least) = schema.get("minItems").and_then(Value::as_u64)
                    && (items.len() as u64) < least
                {
                    wrong(format!("must have at least {least} item(s), but has {}", items.len()));
                }
                if let Some(item) = schema.get("items") {
                    for (index, value) in items.iter().enumerate() {
                        self.walk(value, item, &format!("{path}[{index}]"), depth + 1, found);
                    }
                }
            }
            Value::Object(members) => self.object(members, schema, path, depth, found),
            _ => {}
        }
    }

    fn object(
        &self,
        members: &Map<String, Value>,
        schema: &Map<String, Value>,
        path: &str,
        depth: usize,
        found: &mut Vec<Violation>,
    ) {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = name.as_str()
                && !members.contains_key(name)
            {
                found.push(Violation {
                    path: path.to_owned(),
                    what: format!("the required {name:?} is missing"),
                });
            }
        }
        for (name, value) in members {
            match properties.get(name) {
                Some(property) => self.walk(value, property, &format!("{path}.{name}"), depth + 1, found),
                None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => found.push(Violation {
                    path: format!("{path}.{name}"),
                    what: "is not a property that the schema knows here".into(),
                }),
                None => {}
            }
        }
    }

    fn one_of(&self, value: &Value, branches: &[Value], path: &str, depth: usize, found: &mut Vec<Violation>) {
        let class = value.get("@type").and_then(Value::as_str);
        let mut allowed = Vec::new();
        for branch in branches {
            let Some(name) = branch.get("$ref").and_then(Value::as_str).and_then(class_of) else {
                continue;
            };
            if class == Some(name) {
                return self.walk(value, branch, path, depth + 1, found);
            }
            allowed.push(name);
        }
        found.push(Violation {
            path: format!("{path}.@type"),
            what: match class {
                Some(class) => format!("is {class:?}; allowed here: {}", allowed.join(", ")),
                None => format!("is missing; allowed here: {}", allowed.join(", ")),
            },
        });
    }

    fn definition(&self, reference: &str) -> Option<&Value> {
        self.definitions.get(class_of(reference)?)
    }
}

/// `YYYY-MM-DD`, a day that exists, as the number YYYYMMDD.
#[must_use]
pub fn parse_date(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = text.get(range)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (year >= 1 && (1..=last).contains(&day)).then_some(year * 10_000 + month * 100 + day)
}

fn class_of(reference: &str) -> Option<&str> {
    reference.strip_prefix("#/definitions/")
}

fn known_words(schema: &Value) -> Result<(), String> {
    const WORDS: [&str; 14] = [
        "$ref",
        "type",
        "enum",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "minItems",
        "maxLength",
        "pattern",
        "oneOf",
        "format",
        "refTypes",
        "description",
    ];
    let Some(members) = schema.as_object() else {
        return Ok(());
    };
    for (word, value) in members {
        if !WORDS.contains(&word.as_str()) {
            return Err(word.clone());
        }
        match (word.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                for property in properties.values() {
                    known_words(property)?;
                }
            }
            ("items", items) => known_words(items)?,
            ("oneOf", Value::Array(branches)) => {
                for branch in branches {
                    if branch.get("$ref").and_then(Value::as_str).and_then(class_of).is_none() {
                        return Err("oneOf without $ref".into());
                    }
                }
            }
            ("pattern", Value::String(pattern)) => {
                Regex::new(pattern).map_err(|_| format!("pattern {pattern}"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn has_type(value: &Value, expected: &str) -> bool {
    match expected {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// JSON Schema patterns are not anchored. Compiled ones are kept: there are four of them in all.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: OnceLock<Mutex<HashMap<String, Regex>>> = OnceLock::new();
    let mut compiled = match COMPILED.get_or_init(Mutex::default).lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    };
    if let Some(regex) = compiled.get(pattern) {
        return regex.is_match(text);
    }
    match Regex::new(pattern) {
        Ok(regex) => {
            let answer = regex.is_match(text);
            compiled.insert(pattern.to_owned(), regex);
            answer
        }
        Err(_) => false,
    }
}

fn with_article(kind: &str) -> String {
    match kind {
        "integer" | "array" | "object" => format!("an {kind}"),
        other => format!("a {other}"),
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let short: String = text.chars().take(60).collect();
            format!("{short:?}")
        }
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
        Value::Null => "null".into(),
        other => other.to_string(),
    }
}

fn listed(values: &[Value]) -> String {
    values
        .iter()
        .map(|value| value.as_str().unwrap_or("?").to_owned())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_embedded_schemas_use_only_known_words() {
        ballot_definition().unwrap();
        election_results().unwrap();
    }

    #[test]
    fn a_schema_with_a_word_that_is_not_known_is_refused() {
        let text = r##"{"$ref": "#/definitions/A", "definitions": {"A": {"type": "string", "minLength": 3}}}"##;
        assert!(Schema::parse(text).is_err());
    }

    #[test]
    fn each_word_of_the_schema_can_fail_and_names_its_place() {
        let schema = ballot_definition().unwrap();
        let good: Value =
            serde_json::from_str(include_str!("../../../host-sim/elections/tsukuba-2015-referendum.json")).unwrap();
        assert_eq!(schema.violations(&good), []);
        type Break = fn(&mut Value);
        let cases: [(Break, &str, &str); 10] = [
            (
                |v| {
                    v.as_object_mut().unwrap().remove("Issuer");
                },
                "$",
                "Issuer",
            ),
            (|v| v["Version"] = "2.0.0".into(), "$.Version", "1.0.0"),
            (|v| v["Colour"] = 1.into(), "$.Colour", "not a property"),
            (|v| v["SequenceStart"] = 1.5.into(), "$.SequenceStart", "an integer"),
            (|v| v["GeneratedDate"] = "yesterday".into(), "$.GeneratedDate", "form"),
            (
                |v| v["Election"][0]["StartDate"] = "2015-02-30".into(),
                "$.Election[0].StartDate",
                "date",
            ),
            (
                |v| v["Election"][0]["Contest"][0]["@type"] = "Contest".into(),
                "$.Election[0].Contest[0].@type",
                "allowed",
            ),
            (
                |v| v["Election"][0]["Name"]["Text"] = Value::Array(vec![]),
                "$.Election[0].Name.Text",
                "at least 1",
            ),
            (|v| v["Election"] = "one".into(), "$.Election", "an array"),
            (
                |v| v["Election"][0]["Contest"][0]["ContestOption"][0]["Selection"]["Text"][0]["Language"] = 5.into(),
                "$.Election[0].Contest[0].ContestOption[0].Selection.Text[0].Language",
                "a string",
            ),
        ];
        for (break_it, path, word) in cases {
            let mut bad = good.clone();
            break_it(&mut bad);
            let found = schema.violations(&bad);
            assert_eq!(found.len(), 1, "{path}: {found:?}");
            assert_eq!(found[0].path, path);
            assert!(found[0].what.contains(word), "{}", found[0].what);
        }
    }

    #[test]
    fn dates_that_do_not_exist_are_none() {
        assert_eq!(parse_date("2024-02-29"), Some(20_240_229));
        for text in [
            "2023-02-29",
            "2023-13-01",
            "2023-00-10",
            "2023-1-01",
            "20230101",
            "2023-01-0１",
            "+023-01-01",
            "",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
