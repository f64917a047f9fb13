//! Names and texts of a definition: several languages, tidied white space, nothing invisible.

use std::collections::BTreeMap;

use crate::definition::Texts;
use crate::node::Node;
use crate::problem::{Kind, Outcome, Problem};

/// A text by language.
pub type ByLanguage = BTreeMap<String, String>;

/// Collapses white space (tabs, line ends, runs of blanks) and trims. A run that holds an ideographic space stays one:
/// it stands between family and given name.
///
/// # Errors
/// Control characters and direction overrides: they can make one name look like another on the screen.
pub fn tidy(text: &str, at: &Node<'_>) -> Outcome<String> {
    let mut out = String::with_capacity(text.len());
    let mut gap = None;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = match (gap, c) {
                (_, '\u{3000}') | (Some('\u{3000}'), _) => Some('\u{3000}'),
                _ => Some(' '),
            };
            continue;
        }
        if invisible(c) {
            return Err(at
                .problem(
                    Kind::Unsupported,
                    format!(
                        "has the invisible character U+{:04X}, which can disguise a name",
                        u32::from(c)
                    ),
                )
                .advice("remove the character"));
        }
        if let Some(gap) = gap.take()
            && !out.is_empty()
        {
            out.push(gap);
        }
        out.push(c);
    }
    Ok(out)
}

/// Controls, direction marks and overrides, zero-width characters but the joiners that scripts need.
fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// A language tag in its usual case: `ja`, `ja-Hira`, `en-US`.
///
/// # Errors
/// Not of the form of a tag.
pub fn language_tag(tag: &str, at: &Node<'_>) -> Outcome<String> {
    let tag = tag.trim();
    let parts: Vec<&str> = tag.split('-').collect();
    let well_formed = tag.len() <= 35
        && parts
            .iter()
            .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && parts
            .first()
            .is_some_and(|first| (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic()));
    if !well_formed {
        return Err(at
            .problem(Kind::Reference, format!("{tag:?} is not a language tag"))
            .advice("write a BCP 47 tag such as ja, en or ja-Hira"));
    }
    let cased = parts.iter().enumerate().map(|(index, part)| match (index, part.len()) {
        (0, _) => part.to_ascii_lowercase(),
        (_, 4) if part.bytes().all(|b| b.is_ascii_alphabetic()) => {
            let lower = part.to_ascii_lowercase();
            lower[..1].to_ascii_uppercase() + &lower[1..]
        }
        (_, 2) => part.to_ascii_uppercase(),
        _ => part.to_ascii_lowercase(),
    });
    Ok(cased.collect::<Vec<_>>().join("-"))
}

/// Reads an `InternationalizedText`.
///
/// # Errors
/// A language twice, a bad tag, an invisible character.
pub fn read(node: &Node<'_>) -> Outcome<ByLanguage> {
    let mut texts = ByLanguage::new();
    for item in node.items("Text") {
        let language = language_tag(item.need("Language")?, &item)?;
        let text = tidy(item.need("Content")?, &item)?;
        if text.is_empty() {
            continue;
        }
        if texts.insert(language.clone(), text).is_some() {
            return Err(item
                .problem(Kind::Reference, format!("gives the language {language} a second time"))
                .advice("keep one text a language"));
        }
    }
    Ok(texts)
}

/// Joins several texts in the languages that all of them have; other languages are dropped, so that no name is half there.
#[must_use]
pub fn join(parts: &[ByLanguage], between: &str) -> ByLanguage {
    let Some(first) = parts.first() else {
        return ByLanguage::new();
    };
    first
        .keys()
        .filter_map(|language| {
            let each: Option<Vec<&str>> = parts
                .iter()
                .map(|part| part.get(language).map(String::as_str))
                .collect();
            Some((language.clone(), each?.join(between)))
        })
        .collect()
}

/// In the manifest's order of languages.
///
/// # Errors
/// The fallback language is missing from a text that is not empty (only where `required`, or any text is there).
pub fn ordered(texts: &ByLanguage, languages: &[String], required: bool, at: &str) -> Outcome<Texts> {
    let fallback = languages.first().map(String::as_str).unwrap_or_default();
    if required && !texts.contains_key(fallback) {
        return Err(Problem::new(
            Kind::Reference,
            at,
            format!("has no text in the fallback language {fallback:?}"),
        )
        .advice(format!(
            "give every name a text in {fallback:?}, or give all of them one other language in common"
        )));
    }
    Ok(languages
        .iter()
        .filter_map(|language| texts.get(language).map(|text| (language.clone(), text.clone())))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tidied(text: &str) -> Outcome<String> {
        tidy(text, &Node::root(&json!(null)))
    }

    #[test]
    fn white_space_of_the_county_ballot_becomes_one_blank() {
        assert_eq!(
            tidied("\n\t\t\tFor Member of  County\n\t\t\tCouncil at Large\n").unwrap(),
            "For Member of County Council at Large"
        );
        assert_eq!(tidied("五十嵐\u{3000}立青 ").unwrap(), "五十嵐\u{3000}立青");
        assert_eq!(tidied("a \u{3000} b").unwrap(), "a\u{3000}b");
        assert_eq!(tidied(" \n").unwrap(), "");
    }

    #[test]
    fn a_name_cannot_be_disguised_by_invisible_characters() {
        for text in ["A\u{202e}B", "A\u{200b}B", "A\u{0}B", "\u{feff}A"] {
            assert_eq!(tidied(text).unwrap_err().kind, Kind::Unsupported);
        }
    }

    #[test]
    fn language_tags_have_one_case() {
        let value = json!(null);
        let at = Node::root(&value);
        assert_eq!(language_tag("JA-hira", &at).unwrap(), "ja-Hira");
        assert_eq!(language_tag("en-us", &at).unwrap(), "en-US");
        for bad in ["", "1", "en_US", "日本語", "a"] {
            assert!(language_tag(bad, &at).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_ticket_is_named_only_in_languages_all_its_people_have() {
        let a = ByLanguage::from([("en".into(), "A".into()), ("ja".into(), "あ".into())]);
        let b = ByLanguage::from([("en".into(), "B".into())]);
        assert_eq!(join(&[a, b], " / "), ByLanguage::from([("en".into(), "A / B".into())]));
    }
}
