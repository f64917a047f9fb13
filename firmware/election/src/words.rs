//! What people write down and type: closing hashes as twelve words, tracking codes as groups of letters.
//!
//! Reading is forgiving about case, spaces and look-alikes, because witnesses copy by hand; it is never forgiving about content:
//! the words carry BIP 39's checksum, and what is shorter than the whole is refused.

use core::fmt;
use core::str::FromStr;

use bip39::{Language, Mnemonic};

use crate::hash::Digest;

/// Words of a closing hash.
pub const WORDS: usize = 12;

/// The first 16 bytes of a closing hash, as twelve words of the English BIP 39 list (SPEC.md, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClosingWords {
    entropy: [u8; 16],
}

/// Why typed words were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordsError {
    /// Not twelve words.
    Count {
        /// How many there are.
        found: usize,
    },
    /// A word that is not on the list.
    Unknown {
        /// Which, from 1.
        word: usize,
    },
    /// All are on the list, but they do not belong together: one is another word, or two changed places.
    Checksum,
}

impl fmt::Display for WordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { found } => write!(f, "there are {found} words; write all {WORDS}"),
            Self::Unknown { word } => write!(f, "word {word} is not on the list; look at its spelling"),
            Self::Checksum => f.write_str("the words do not belong together; compare each of them and their order"),
        }
    }
}

impl core::error::Error for WordsError {}

impl ClosingWords {
    /// The words of a closing hash.
    #[must_use]
    pub fn of(closing: &Digest) -> Self {
        let mut entropy = [0; 16];
        for (to, from) in entropy.iter_mut().zip(closing) {
            *to = *from;
        }
        Self { entropy }
    }

    /// The words in order.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + use<> {
        // 16 bytes are an entropy the library takes: twelve indices always.
        let mut indices = [0u16; WORDS];
        if let Ok(mnemonic) = Mnemonic::from_entropy_in(Language::English, &self.entropy) {
            for (to, from) in indices.iter_mut().zip(mnemonic.word_indices()) {
                *to = u16::try_from(from).unwrap_or(0);
            }
        }
        let list = Language::English.word_list();
        indices
            .into_iter()
            .filter_map(move |index| list.get(usize::from(index)).copied())
    }

    /// Whether these are the words of this closing hash.
    #[must_use]
    pub fn matches(&self, closing: &Digest) -> bool {
        *self == Self::of(closing)
    }
}

impl fmt::Display for ClosingWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl FromStr for ClosingWords {
    type Err = WordsError;

    fn from_str(typed: &str) -> Result<Self, WordsError> {
        let between = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '-' | '、' | '・');
        let found = || typed.split(between).filter(|word| !word.is_empty());
        let count = found().count();
        if count != WORDS {
            return Err(WordsError::Count { found: count });
        }
        // 11 bits a word: 132, of which 128 are the entropy and 4 the checksum.
        let mut entropy = [0u8; 16];
        let mut bits = 0u32;
        let mut held = 0u32;
        let mut out = entropy.iter_mut();
        for (index, word) in found().enumerate() {
            let number = find(word).ok_or(WordsError::Unknown {
                word: index.saturating_add(1),
            })?;
            held = (held << 11) | u32::from(number);
            bits += 11;
            while bits >= 8 {
                bits -= 8;
                if let Some(byte) = out.next() {
                    *byte = u8::try_from((held >> bits) & 255).unwrap_or(0);
                }
            }
            held &= (1 << bits) - 1;
        }
        let words = Self { entropy };
        // The checksum is in the last word: the encoder says what it must be.
        let last = found().last().unwrap_or("");
        if words.words().last().is_some_and(|word| word.eq_ignore_ascii_case(last)) {
            Ok(words)
        } else {
            Err(WordsError::Checksum)
        }
    }
}

/// The number of a word on the list, in either case.
fn find(word: &str) -> Option<u16> {
    // The longest word of the list has 8 letters.
    let mut lower = heapless::String::<8>::new();
    for c in word.chars() {
        lower.push(c.to_ascii_lowercase()).ok()?;
    }
    Language::English.find_word(&lower)
}

/// Bytes of a tracking code that people see.
pub const CODE_PREFIX: usize = 20;
const CODE_CHARACTERS: usize = CODE_PREFIX * 8 / 5;
/// Bytes of a tracking code's text: eight groups of four, a hyphen between two groups.
pub const CODE_TEXT: usize = CODE_CHARACTERS + 7;
/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The first 20 bytes of a tracking code, as people see it: eight groups of four in Crockford's base 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortCode(pub [u8; CODE_PREFIX]);

/// Why a typed code was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// Not 32 characters, spaces and hyphens not counted.
    Length {
        /// How many there are.
        found: usize,
    },
    /// A character that no code has.
    Character {
        /// The character.
        found: char,
    },
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found } => write!(f, "the code has {found} characters; write all {CODE_CHARACTERS}"),
            Self::Character { found } => write!(f, "a tracking code has no {found:?}"),
        }
    }
}

impl core::error::Error for CodeError {}

impl ShortCode {
    /// The part of a tracking code that people see.
    #[must_use]
    pub fn of(code: &Digest) -> Self {
        let mut prefix = [0; CODE_PREFIX];
        for (to, from) in prefix.iter_mut().zip(code) {
            *to = *from;
        }
        Self(prefix)
    }

    /// Whether this is what people see of `code`.
    #[must_use]
    pub fn matches(&self, code: &Digest) -> bool {
        *self == Self::of(code)
    }

    /// The text, without an allocation.
    #[must_use]
    pub fn text(&self) -> heapless::String<CODE_TEXT> {
        let mut text = heapless::String::new();
        // It has exactly the room: eight groups of four and seven hyphens.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{self}"));
        text
    }
}

impl fmt::Display for ShortCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = 0u32;
        // 5 bytes give 8 characters.
        for group in self.0.chunks(5) {
            let value = group.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
            for place in (0..8u32).rev() {
                if written > 0 && written.is_multiple_of(4) {
                    fmt::Write::write_char(f, '-')?;
                }
                let index = usize::try_from((value >> (5 * place)) & 31).unwrap_or(0);
                fmt::Write::write_char(f, char::from(*ALPHABET.get(index).unwrap_or(&b'0')))?;
                written += 1;
            }
        }
        Ok(())
    }
}

impl FromStr for ShortCode {
    type Err = CodeError;

    fn from_str(typed: &str) -> Result<Self, CodeError> {
        let typed = || {
            typed
                .chars()
                .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '‐' | '−' | 'ー'))
        };
        if let Some(found) = typed().find(|c| value(*c).is_none()) {
            return Err(CodeError::Character { found });
        }
        let found = typed().count();
        if found != CODE_CHARACTERS {
            return Err(CodeError::Length { found });
        }
        let mut prefix = [0; CODE_PREFIX];
        let mut values = typed().filter_map(value);
        for group in prefix.chunks_mut(5) {
            let bits = (0..8).fold(0u64, |bits, _| bits << 5 | u64::from(values.next().unwrap_or(0)));
            for (byte, place) in group.iter_mut().zip([32, 24, 16, 8, 0]) {
                *byte = u8::try_from((bits >> place) & 255).unwrap_or(0);
            }
        }
        Ok(Self(prefix))
    }
}

/// The value of a typed character: either case, and the look-alikes that Crockford allows.
fn value(c: char) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let index = ALPHABET.iter().position(|letter| char::from(*letter) == c)?;
    u8::try_from(index).ok()
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString as _};
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// BIP 39's own vectors (trezor/python-mnemonic, vectors.json) for 16 bytes.
    #[test]
    fn words_are_bip_39() {
        let mut hash = [0; 32];
        assert_eq!(
            ClosingWords::of(&hash).to_string(),
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
        );
        hash[..16].fill(0x7f);
        assert_eq!(
            ClosingWords::of(&hash).to_string(),
            "legal winner thank year wave sausage worth useful legal winner thank yellow"
        );
        hash[..16].fill(0xff);
        assert_eq!(
            ClosingWords::of(&hash).to_string(),
            "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong"
        );
    }

    #[test]
    fn wrong_words_are_refused_with_what_to_look_at() {
        let right = "legal winner thank year wave sausage worth useful legal winner thank yellow";
        let parsed: ClosingWords =
            "  LEGAL winner\tthank\u{3000}year, wave sausage - worth useful legal winner THANK yellow\n"
                .parse()
                .unwrap();
        assert_eq!(parsed.to_string(), right);
        let parse = |typed: &str| typed.parse::<ClosingWords>().unwrap_err();
        assert_eq!(parse(""), WordsError::Count { found: 0 });
        assert_eq!(parse(&right[..right.len() - 7]), WordsError::Count { found: 11 });
        assert_eq!(parse(&right.replace("wave", "wawe")), WordsError::Unknown { word: 5 });
        assert_eq!(
            parse(&right.replace("wave", "wavewavewave")),
            WordsError::Unknown { word: 5 }
        );
        assert_eq!(parse(&right.replace("yellow", "zoo")), WordsError::Checksum);
    }

    /// Crockford's own page gives the alphabet; the value here was made with Python's integers.
    #[test]
    fn a_code_is_crockford_base_32() {
        let mut code = [0; 32];
        for (index, byte) in (0u8..).zip(code.iter_mut()) {
            *byte = index.wrapping_mul(37).wrapping_add(11);
        }
        let short = ShortCode::of(&code);
        let integer = short
            .0
            .chunks(4)
            .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
            .collect::<Vec<_>>();
        // Most significant 5 bits first, over the five words as one number.
        let bit = |index: usize| integer[index / 32] >> (31 - index % 32) & 1;
        let expected: Vec<String> = (0..32)
            .map(|character| {
                let value = (0..5).fold(0, |value, place| value << 1 | bit(character * 5 + place));
                char::from(ALPHABET[value as usize]).to_string()
            })
            .collect();
        let expected: Vec<String> = expected.chunks(4).map(|group| group.concat()).collect();
        assert_eq!(short.to_string(), expected.join("-"));
        assert_eq!(short.text().len(), CODE_TEXT);
    }

    #[test]
    fn a_code_is_read_with_look_alikes_and_refused_when_cut() {
        let code = [0x08; 32];
        let text = ShortCode::of(&code).to_string();
        let sloppy = text
            .to_lowercase()
            .replace('-', " ")
            .replace('0', "o")
            .replace('1', "l");
        assert!(sloppy.parse::<ShortCode>().unwrap().matches(&code));
        assert_eq!(text[1..].parse::<ShortCode>(), Err(CodeError::Length { found: 31 }));
        assert_eq!(
            text.replacen(|c: char| c != '-', "U", 1).parse::<ShortCode>(),
            Err(CodeError::Character { found: 'U' })
        );
    }

    proptest! {
        #[test]
        fn words_and_codes_come_back(hash: [u8; 32], other: [u8; 32]) {
            let words = ClosingWords::of(&hash);
            let typed: ClosingWords = words.to_string().to_uppercase().parse().unwrap();
            prop_assert!(typed.matches(&hash));
            prop_assert_eq!(typed.matches(&other), hash[..16] == other[..16]);
            let code: ShortCode = ShortCode::of(&hash).text().parse().unwrap();
            prop_assert!(code.matches(&hash));
            prop_assert_eq!(code.matches(&other), hash[..20] == other[..20]);
        }

        #[test]
        fn anything_typed_is_read_without_a_panic(typed: String) {
            let _ = typed.parse::<ClosingWords>();
            let _ = typed.parse::<ShortCode>();
        }
    }
}
