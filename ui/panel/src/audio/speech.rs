//! From words to clips: which texts are spoken for a [`Say`], in which voice, and how they are put together.
//!
//! A sentence with numbers in it is one clip where the desk has rendered just that sentence, because 「あと3つ」 does not sound like 「あと」, 「3」, 「つ」.
//! Otherwise it is said in pieces, which always are there: so a finite set of clips says everything, and what is usual sounds well.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use election::clips::ClipKey;

use super::Utterance;
use super::level::{RATES, VOLUMES};
use crate::words::{LANGUAGES, Language, READING, Say, Word};

/// Numbers up to this have a clip; larger ones are said digit by digit.
const NUMBERS: u32 = 60;

/// Something to be said, in no language yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speech {
    /// As it is read.
    Say(Say),
    /// Letter by letter: codes.
    Spell(String),
}

impl From<Word> for Speech {
    fn from(word: Word) -> Self {
        Self::Say(word.into())
    }
}

/// A text in a voice: what a clip says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// Primary language subtag: `ja`, `en`.
    pub voice: String,
    /// The text, as it is given to a speech synthesiser.
    pub text: String,
}

impl Piece {
    fn new(tag: &str, text: &str) -> Self {
        Self {
            voice: tag.split('-').next().unwrap_or(tag).to_ascii_lowercase(),
            text: spoken(text),
        }
    }

    /// Its clip's name.
    #[must_use]
    pub fn key(&self) -> ClipKey {
        ClipKey::new(&self.voice, &self.text)
    }

    /// Punctuation alone is not said.
    fn is_silent(&self) -> bool {
        !self.text.chars().any(char::is_alphanumeric)
    }
}

/// Without marks for line breaks; a break inside a Japanese label is none, elsewhere it is a space.
fn spoken(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().filter(|letter| *letter != '\u{200b}').peekable();
    while let Some(letter) = rest.next() {
        if letter != '\n' {
            out.push(letter);
        } else if !out.ends_with(|before| before > '\u{2e7f}') || rest.peek().is_some_and(|after| *after < '\u{2e80}') {
            out.push(' ');
        }
    }
    out.trim().to_string()
}

/// What is said, in order. `known` says which whole sentences there are; without it (`|_| false`) everything comes in its smallest pieces.
#[must_use]
pub fn pieces(speech: &Speech, language: &Language, known: &dyn Fn(&Piece) -> bool) -> Vec<Piece> {
    let mut out = Vec::new();
    match speech {
        Speech::Spell(text) => spell(text, language, &mut out),
        Speech::Say(say) => self::say(say, language, known, &mut out),
    }
    out.retain(|piece| !piece.is_silent());
    out
}

fn say(say: &Say, language: &Language, known: &dyn Fn(&Piece) -> bool, out: &mut Vec<Piece>) {
    match say {
        Say::Texts(texts) => out.extend(named(texts, language)),
        Say::Plain(text) => plain(text, language, out),
        Say::Word(word, values) => {
            let whole = Piece::new(language.tag, &say.text(language));
            if values.is_empty() || known(&whole) {
                out.push(whole);
                return;
            }
            let mut rest = language.word(*word);
            while let Some((before, after)) = rest.split_once('{') {
                out.push(Piece::new(language.tag, before));
                let (name, after) = after.split_once('}').unwrap_or((after, ""));
                if let Some((_, value)) = values.iter().find(|(own, _)| *own == name) {
                    self::say(value, language, known, out);
                }
                rest = after;
            }
            out.push(Piece::new(language.tag, rest));
        }
    }
}

/// A text of the manifest: by its reading where there is one, else in the voice of the language that it is in.
fn named(texts: &[(String, String)], language: &Language) -> Option<Piece> {
    let find = |tag: &str| texts.iter().find(|(own, text)| own == tag && !text.is_empty());
    let reading = language.furigana.then(|| find(READING)).flatten();
    let (tag, text) = reading
        .or_else(|| language.texts.iter().find_map(|tag| find(tag)))
        .or_else(|| texts.iter().find(|(tag, _)| tag != READING))
        .or_else(|| texts.first())?;
    Some(Piece::new(tag, text))
}

fn plain(text: &str, language: &Language, out: &mut Vec<Piece>) {
    // The name of a language is said in that language.
    if let Some(own) = LANGUAGES.iter().find(|own| own.name == text) {
        out.push(Piece::new(own.tag, text));
        return;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let number = text.chars().all(|letter| letter.is_ascii_digit() || letter == ',');
    match digits.parse::<u32>() {
        Ok(value) if number && value <= NUMBERS => out.push(Piece::new(language.tag, &digits)),
        _ => spell(text, language, out),
    }
}

fn spell(text: &str, language: &Language, out: &mut Vec<Piece>) {
    let mut letter = [0; 4];
    out.extend(
        text.chars()
            .filter(|letter| letter.is_alphanumeric())
            .map(|one| Piece::new(language.tag, one.to_ascii_uppercase().encode_utf8(&mut letter))),
    );
}

/// Everything that the desk renders for this speech: the whole sentence and the pieces it could come in.
#[must_use]
pub fn wanted(speech: &Speech, language: &Language) -> Vec<Piece> {
    let mut out = pieces(speech, language, &|_| true);
    out.extend(pieces(speech, language, &|_| false));
    out
}

/// What the keys themselves say, whatever is on the screen; and letters and numbers, which everything may need.
#[must_use]
pub fn own_words() -> Vec<Speech> {
    let number = |word, most: u8| (0..=most).map(move |n| Speech::Say(Say::with(word, &[("n", i64::from(n))])));
    let rates = u8::try_from(RATES.len()).unwrap_or(u8::MAX);
    let mut out: Vec<Speech> = OWN.iter().map(|word| (*word).into()).collect();
    out.extend(number(Word::AudioVolume, VOLUMES));
    out.extend(number(Word::AudioRate, rates));
    let place = [("n", 1), ("m", i64::from(NUMBERS))];
    out.push(Speech::Say(Say::with(Word::AudioPlace, &place)));
    out.extend((0..=NUMBERS).map(|n| Speech::Say(Say::number(i64::from(n)))));
    out.push(Speech::Spell("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".into()));
    out
}

const OWN: [Word; 12] = [
    Word::AudioHelp,
    Word::AudioButton,
    Word::AudioChosen,
    Word::AudioNowChosen,
    Word::AudioNowUnchosen,
    Word::AudioFirst,
    Word::AudioLast,
    Word::AudioBlank,
    Word::AudioShown,
    Word::AudioAnyKey,
    Word::AudioAgain,
    Word::AudioStaff,
];

/// The clips of some speech, as far as there are clips: the desk has made sure that there are ([`wanted`]).
#[must_use]
pub fn utterance(speech: &[Speech], language: &Language, has: &dyn Fn(ClipKey) -> bool) -> Utterance {
    let mut out = Utterance::new();
    for one in speech {
        for piece in pieces(one, language, &|piece| has(piece.key())) {
            let key = piece.key();
            if has(key) && out.push(key).is_err() {
                return out;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(tag: &str) -> &'static Language {
        LANGUAGES.iter().find(|language| language.tag == tag).unwrap()
    }

    fn texts(speech: &Speech, tag: &str, known: &dyn Fn(&Piece) -> bool) -> Vec<String> {
        pieces(speech, language(tag), known)
            .into_iter()
            .map(|piece| alloc::format!("{}:{}", piece.voice, piece.text))
            .collect()
    }

    #[test]
    fn a17_a_sentence_with_a_number_is_whole_where_it_was_rendered_and_in_pieces_elsewhere() {
        let left = Speech::Say(Say::with(Word::ContestLeft, &[("n", 3)]));
        assert_eq!(texts(&left, "ja", &|_| true), ["ja:あと3つ選べます"]);
        assert_eq!(texts(&left, "ja", &|_| false), ["ja:あと", "ja:3", "ja:つ選べます"]);
        let many = Speech::Say(Say::number(12_345));
        assert_eq!(texts(&many, "en", &|_| true), ["en:1", "en:2", "en:3", "en:4", "en:5"]);
        assert_eq!(
            texts(&Speech::Spell("7Q-4".into()), "en", &|_| true),
            ["en:7", "en:Q", "en:4"]
        );
    }

    #[test]
    fn a17_names_are_said_by_their_reading_and_in_a_voice_that_can() {
        let name = Say::Texts(
            [("ja", "髙橋﨑"), ("ja-Hira", "たかはしざき"), ("en", "Takahashizaki")]
                .map(|(tag, text)| (tag.to_string(), text.to_string()))
                .into(),
        );
        let name = Speech::Say(name);
        assert_eq!(texts(&name, "ja", &|_| true), ["ja:たかはしざき"]);
        assert_eq!(texts(&name, "ja-easy", &|_| true), ["ja:たかはしざき"]);
        assert_eq!(texts(&name, "pt", &|_| true), ["en:Takahashizaki"]);
        let own = Speech::Say(Say::plain(language("pt").name));
        assert_eq!(texts(&own, "ja", &|_| true), ["pt:Português"]);
    }

    #[test]
    fn a17_marks_for_line_breaks_are_not_heard() {
        assert_eq!(spoken("投票しないで\n終了する"), "投票しないで終了する");
        assert_eq!(spoken("あ\u{200b}い"), "あい");
        assert_eq!(spoken("End without\nvoting"), "End without voting");
    }
}
