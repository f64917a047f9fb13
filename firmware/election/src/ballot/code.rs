//! The tracking code and the ballot hash (SPEC.md, section 4).
//!
//! Codes are not chained to one another: a chain of codes would publish the order of casting.

use crate::ballot::BallotView;
use crate::hash::{Digest, Hasher, hash};

/// Characters of a code as people read it: eight groups of four and seven hyphens.
pub const CODE_TEXT_LEN: usize = 39;
/// A code as people read it.
pub type CodeText = heapless::String<CODE_TEXT_LEN>;

/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The tracking code of a ballot at a station: binds every ciphertext, fixed before cast or challenge is chosen.
#[must_use]
pub fn tracking_code(election: &Digest, station: u16, ballot: &BallotView<'_>) -> Digest {
    let mut hasher = Hasher::new("ippyo/1/code");
    hasher
        .part(election)
        .part(&station.to_be_bytes())
        .part(&ballot.layout().style().to_be_bytes())
        .part(ballot.id());
    // 512 selections of 66 bytes at most.
    let length = u32::try_from(ballot.layout().selections() * 66).unwrap_or(u32::MAX);
    hasher.begin_part(length);
    for selection in ballot.contests().flat_map(|contest| contest.selections()) {
        hasher.chunk(selection.alpha).chunk(selection.beta);
    }
    hasher.finish()
}

/// The hash of the whole ballot, which its leaf holds.
#[must_use]
pub fn ballot_hash(ballot: &[u8]) -> Digest {
    hash("ippyo/1/ballot", &[ballot])
}

/// The first 20 bytes of a code for people: `XXXX-XXXX-...`, eight groups.
#[must_use]
pub fn code_text(code: &Digest) -> CodeText {
    let mut text = CodeText::new();
    let (groups, _) = code.as_chunks::<5>();
    for (index, group) in groups.iter().take(4).enumerate() {
        let bits = group.iter().fold(0u64, |bits, byte| (bits << 8) | u64::from(*byte));
        for position in 0..8u32 {
            if position % 4 == 0 && (index, position) != (0, 0) {
                // 39 characters fit by construction.
                let _ = text.push('-');
            }
            let digit = usize::try_from((bits >> (35 - 5 * position)) & 31).unwrap_or(0);
            let _ = text.push(char::from(*ALPHABET.get(digit).unwrap_or(&b'0')));
        }
    }
    text
}

/// Reads what [`code_text`] wrote, as people type it: any case, hyphens and spaces anywhere, O for 0, I and L for 1.
/// Gives the first 20 bytes of the code.
#[must_use]
pub fn parse_code_text(text: &str) -> Option<[u8; 20]> {
    let mut code = [0u8; 20];
    let mut digits = text.chars().filter(|c| !matches!(c, '-' | ' '));
    let (groups, _) = code.as_chunks_mut::<5>();
    for group in groups {
        let mut bits = 0u64;
        for _ in 0..8 {
            let digit = match digits.next()?.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let value = ALPHABET.iter().position(|letter| char::from(*letter) == digit)?;
            bits = (bits << 5) | u64::try_from(value).ok()?;
        }
        let [_, _, _, bytes @ ..] = bits.to_be_bytes();
        *group = bytes;
    }
    digits.next().is_none().then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString as _;

    #[test]
    fn a_code_is_eight_groups_of_four() {
        assert_eq!(code_text(&[0; 32]), "0000-0000-0000-0000-0000-0000-0000-0000");
        assert_eq!(code_text(&[255; 32]), "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ");
        let mut code = [0; 32];
        code[0] = 0x08;
        code[19] = 1;
        assert_eq!(code_text(&code), "1000-0000-0000-0000-0000-0000-0000-0001");
    }

    proptest! {
        #[test]
        fn a_code_is_read_as_people_type_it(code: [u8; 32]) {
            let text = code_text(&code);
            prop_assert_eq!(text.len(), CODE_TEXT_LEN);
            let typed = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            for text in [text.to_string(), typed] {
                let read = parse_code_text(&text);
                prop_assert_eq!(read.as_ref().map(|read| &read[..]), Some(&code[..20]));
            }
            prop_assert_eq!(parse_code_text(&text[1..]), None);
            prop_assert_eq!(parse_code_text(&text.replace(text.chars().next().unwrap(), "U")), None);
        }
    }
}
