//! The texts of this room in all its languages: one file a language in lang/, compiled in. Adding a language is adding a file;
//! the build stops at a key that is missing. Knows no screens.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use election::manifest::Texts;

/// A language as it is offered to voters.
pub struct Language {
    /// Its tag, the name of its file.
    pub tag: &'static str,
    /// Its name in itself.
    pub name: &'static str,
    /// Which languages of the manifest it shows, best first.
    pub texts: &'static [&'static str],
    /// Whether readings (`ja-Hira`) stand above names.
    pub furigana: bool,
    words: [&'static str; WORDS],
}

include!(concat!(env!("OUT_DIR"), "/words.rs"));

/// The manifest's tag for readings in hiragana.
pub const READING: &str = "ja-Hira";

impl Language {
    /// A text.
    #[must_use]
    pub fn word(&self, word: Word) -> &'static str {
        self.words.get(word as usize).copied().unwrap_or("")
    }

    /// All texts, for tests of coverage.
    pub fn all(&self) -> impl Iterator<Item = &'static str> {
        self.words.iter().copied()
    }
}

/// Something to say, in no language yet: the language may change while it stands on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// A text of this room, with what goes into its placeholders.
    Word(Word, Vec<(&'static str, Say)>),
    /// A text of the manifest in its languages: tag and text.
    Texts(Vec<(String, String)>),
    /// The same in all languages: numbers, codes.
    Plain(String),
}

impl From<Word> for Say {
    fn from(word: Word) -> Self {
        Self::Word(word, Vec::new())
    }
}

impl From<Texts<'_>> for Say {
    fn from(texts: Texts<'_>) -> Self {
        Self::Texts(
            texts
                .iter()
                .map_while(Result::ok)
                .map(|text| (text.language.to_string(), tidy(text.text)))
                .collect(),
        )
    }
}

impl Say {
    /// A text with numbers in its placeholders.
    #[must_use]
    pub fn with(word: Word, numbers: &[(&'static str, i64)]) -> Self {
        Self::Word(
            word,
            numbers
                .iter()
                .map(|(name, number)| (*name, Self::number(*number)))
                .collect(),
        )
    }

    /// A number, with separators from 10,000 on.
    #[must_use]
    pub fn number(number: i64) -> Self {
        let digits = number.unsigned_abs().to_string();
        let mut text = String::new();
        if number < 0 {
            text.push('-');
        }
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && digits.len() > 4 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        Self::Plain(text)
    }

    /// A fixed text.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        Self::Plain(text.to_string())
    }

    /// The text in a language. Of the manifest's: the first of the language's own list that is there, else the first there is
    /// but readings.
    #[must_use]
    pub fn text(&self, language: &Language) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Texts(texts) => {
                let find = |tag: &str| texts.iter().find(|(own, _)| own == tag);
                language
                    .texts
                    .iter()
                    .find_map(|tag| find(tag))
                    .or_else(|| texts.iter().find(|(tag, _)| tag != READING))
                    .or_else(|| texts.first())
                    .map_or_else(String::new, |(_, text)| text.clone())
            }
            Self::Word(word, values) => {
                let mut text = String::new();
                let mut rest = language.word(*word);
                while let Some((before, after)) = rest.split_once('{') {
                    text.push_str(before);
                    let (name, after) = after.split_once('}').unwrap_or((after, ""));
                    if let Some((_, value)) = values.iter().find(|(own, _)| *own == name) {
                        text.push_str(&value.text(language));
                    }
                    rest = after;
                }
                text.push_str(rest);
                text
            }
        }
    }

    /// The reading of a name, if the language shows readings, the definition has one, and it says more than the name.
    #[must_use]
    pub fn reading(&self, language: &Language) -> Option<String> {
        let Self::Texts(texts) = self else { return None };
        let reading = texts.iter().find(|(tag, _)| tag == READING).map(|(_, text)| text)?;
        (language.furigana && !reading.is_empty() && *reading != self.text(language)).then(|| reading.clone())
    }

    /// What the eye has to tell texts apart by in a language. White space and marks for pauses tell nobody anything: they are seen as a
    /// little more or less air, or not at all.
    #[must_use]
    pub fn looks(&self, language: &Language) -> String {
        without_air(&self.text(language))
    }

    /// What the ear has, which hears a reading instead of the name where the language has readings.
    #[must_use]
    pub fn sounds(&self, language: &Language) -> String {
        self.reading(language)
            .map_or_else(|| self.looks(language), |reading| without_air(&reading))
    }

    /// Whether somebody can take one for the other: in some language they look the same as they are shown there, or sound the same.
    #[must_use]
    pub fn shares(&self, other: &Self) -> bool {
        LANGUAGES.iter().any(|language| {
            self.looks(language) == other.looks(language) || self.sounds(language) == other.sounds(language)
        })
    }

    /// Whether there is nothing to say in a language.
    #[must_use]
    pub fn is_empty(&self, language: &Language) -> bool {
        self.text(language).is_empty()
    }
}

fn without_air(text: &str) -> String {
    let ink = |letter: &char| !letter.is_whitespace() && *letter != '\u{200b}';
    text.chars().filter(ink).collect()
}

/// Untidy white space of imported texts: one space for any run, one line break for any run with a line break in it.
fn tidy(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(first);
        for word in words {
            out.push(' ');
            out.push_str(word);
        }
    }
    out
}
