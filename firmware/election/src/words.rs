//! What witnesses write down and type: a closing hash as twelve words. (Tracking codes for people: `ballot::code`.)
//!
//! Reading is forgiving about case and spaces, because witnesses copy by hand; it is never forgiving about content:
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
        let last = found().next_back().unwrap_or("");
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::string::{String, ToString as _};

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

    proptest! {
        #[test]
        fn words_come_back(hash: [u8; 32], other: [u8; 32]) {
            let words = ClosingWords::of(&hash);
            let typed: ClosingWords = words.to_string().to_uppercase().parse().unwrap();
            prop_assert!(typed.matches(&hash));
            prop_assert_eq!(typed.matches(&other), hash[..16] == other[..16]);
        }

        #[test]
        fn anything_typed_is_read_without_a_panic(typed: String) {
            let _ = typed.parse::<ClosingWords>();
        }
    }
}
