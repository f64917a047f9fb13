//! Options of one contest that a voter cannot tell apart: by eye that is a lost vote and refused, by ear a warning. What looks and sounds
//! alike is judged by the panel, in its languages: its review says more of the same options.

use std::collections::{BTreeMap, BTreeSet};

use panel::words::{LANGUAGES, Language, READING, Say};

use crate::definition::{Choice, Contest, Texts};
use crate::problem::{Kind, Outcome, Problem};

/// Looks at the options of every contest, in every language of the panel. Gives warnings for a person to read: options that only
/// their second line tells apart, and options that sound alike.
///
/// # Errors
/// Two options of a contest have the same name and no second line that tells them apart.
pub fn check(contests: &[Contest]) -> Outcome<Vec<String>> {
    let mut warnings = Vec::new();
    for contest in contests {
        // A pair is named once, in the first language in which it is one.
        let (mut by_eye, mut by_ear) = (BTreeSet::new(), BTreeSet::new());
        // A language that shows readings as names shows what is heard in another: there it is warned of, and nothing is refused.
        for language in LANGUAGES
            .iter()
            .filter(|language| language.texts.first() != Some(&READING))
        {
            let tag = language.tag;
            let seen = |texts: &Texts| say(texts).looks(language);
            let heard = |texts: &Texts| say(texts).sounds(language);
            let same = pairs(contest, |choice| (seen(&choice.name), seen(&choice.party)));
            if let Some((one, other)) = same.first() {
                return Err(Problem::new(
                    Kind::Refused,
                    format!("contest {}, options {} and {}", contest.id, one.id, other.id),
                    format!(
                        "are both \"{}\" in the language \"{tag}\", and no second line tells them apart",
                        shown(&one.name, language)
                    ),
                )
                .advice("give each what voters know it by: a fuller name, an age, a party, a place"));
            }
            for (one, other) in pairs(contest, |choice| seen(&choice.name)) {
                if !by_eye.insert((&one.id, &other.id)) {
                    continue;
                }
                warnings.push(format!(
                    "contest {}, options {} and {}: both are \"{}\" in the language \"{tag}\"; only the line under the name tells them apart",
                    contest.id,
                    one.id,
                    other.id,
                    shown(&one.name, language)
                ));
            }
            for (one, other) in pairs(contest, |choice| (heard(&choice.name), heard(&choice.party))) {
                if !by_ear.insert((&one.id, &other.id)) {
                    continue;
                }
                warnings.push(format!(
                    "contest {}, options {} and {}: \"{}\" and \"{}\" are both read aloud as \"{}\" in the language \"{tag}\"; a voter who listens cannot tell them apart",
                    contest.id,
                    one.id,
                    other.id,
                    shown(&one.name, language),
                    shown(&other.name, language),
                    spoken(&one.name, language)
                ));
            }
        }
    }
    Ok(warnings)
}

/// Options whose key an earlier option of the contest has, with that one.
fn pairs<K: Ord>(contest: &Contest, key: impl Fn(&Choice) -> K) -> Vec<(&Choice, &Choice)> {
    let mut known: BTreeMap<K, &Choice> = BTreeMap::new();
    let mut out = Vec::new();
    for choice in &contest.options {
        match known.entry(key(choice)) {
            std::collections::btree_map::Entry::Occupied(first) => out.push((*first.get(), choice)),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(choice);
            }
        }
    }
    out
}

fn say(texts: &Texts) -> Say {
    Say::Texts(texts.clone())
}

/// What stands on a screen in a language.
fn shown(texts: &Texts, language: &Language) -> String {
    say(texts).text(language)
}

/// What is said: in Japanese the reading, where there is one.
fn spoken(texts: &Texts, language: &Language) -> String {
    say(texts).reading(language).unwrap_or_else(|| shown(texts, language))
}

#[cfg(test)]
mod tests {
    use super::*;
    use election::manifest::Kind as ContestKind;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs
            .iter()
            .map(|(tag, text)| ((*tag).into(), (*text).into()))
            .collect()
    }

    fn contest(options: &[(&[(&str, &str)], &str)]) -> Contest {
        Contest {
            id: "mayor".into(),
            kind: ContestKind::Candidates,
            votes: 1,
            name: texts(&[("ja", "市長")]),
            text: Texts::new(),
            options: options
                .iter()
                .enumerate()
                .map(|(number, (name, party))| Choice {
                    id: format!("o{number}"),
                    name: texts(name),
                    party: if party.is_empty() {
                        Texts::new()
                    } else {
                        texts(&[("ja", party)])
                    },
                })
                .collect(),
        }
    }

    fn checked(options: &[(&[(&str, &str)], &str)]) -> Outcome<Vec<String>> {
        check(&[contest(options)])
    }

    #[test]
    fn u3_the_same_name_twice_is_refused_by_name_whatever_air_is_in_it() {
        for twin in ["山田 太郎", "山田\u{3000}太郎", "山田\u{200b}太郎", "山田太郎"] {
            let problem = checked(&[
                (&[("ja", "山田太郎")], ""),
                (&[("ja", "佐藤")], ""),
                (&[("ja", twin)], ""),
            ])
            .unwrap_err();
            assert_eq!(problem.kind, Kind::Refused);
            let text = problem.to_string();
            for part in ["contest mayor", "options o0 and o2", "山田太郎", "\"ja\""] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
        // The same in one of the languages is enough: who reads English cannot choose.
        let english = [("ja", "山田太郎"), ("en", "Taro Yamada")];
        let other = [("ja", "山田太朗"), ("en", "Taro Yamada")];
        let problem = checked(&[(&english, ""), (&other, "")]).unwrap_err();
        assert!(problem.to_string().contains("\"en\""), "{problem}");
        // English falls back to what there is, as on the panel.
        let fallen = [("ja", "Taro Yamada")];
        let problem = checked(&[(&english, ""), (&fallen, "")]).unwrap_err();
        assert!(problem.to_string().contains("\"en\""), "{problem}");
        // The same party does not tell them apart.
        assert!(checked(&[(&[("ja", "山田")], "市民の会"), (&[("ja", "山田")], "市民の会")]).is_err());
    }

    #[test]
    fn u3_a_second_line_tells_them_apart_and_is_said_to_be_all_that_does() {
        let warnings = checked(&[(&[("ja", "山田")], "市民の会"), (&[("ja", "山田")], "")]).unwrap();
        assert!(
            warnings
                .iter()
                .any(|text| text.contains("only the line under the name")),
            "{warnings:?}"
        );
        assert!(!warnings.iter().any(|text| text.contains("aloud")), "{warnings:?}");
        // Once, and not in each language that falls back to Japanese.
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }

    #[test]
    fn a17_names_that_sound_alike_are_warned_of() {
        let taro = [("ja", "山田太郎"), (READING, "やまだ たろう")];
        let tarou = [("ja", "山田太朗"), (READING, "やまだたろう")];
        let warnings = checked(&[(&taro, ""), (&tarou, "")]).unwrap();
        assert!(
            warnings
                .iter()
                .any(|text| text.contains("o0 and o1") && text.contains("やまだ たろう") && text.contains("aloud")),
            "{warnings:?}"
        );
        // With a party it can be heard who is meant.
        assert_eq!(
            checked(&[(&taro, "市民の会"), (&tarou, "無所属")]).unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(
            checked(&[(&[("ja", "賛成")], ""), (&[("ja", "反対")], "")]).unwrap(),
            Vec::<String>::new()
        );
    }
}
