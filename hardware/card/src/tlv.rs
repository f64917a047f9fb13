//! A small strict reader of BER-TLV (ISO 7816-4 section 5.2.2), as cards wrap their objects in it.
//!
//! Accepted: tags of one to three bytes, definite lengths of up to two length bytes (65,535). Refused:
//! indefinite lengths, longer tags and lengths, lengths beyond the end. The certificates inside are
//! DER and are judged as such elsewhere; this only unwraps them.

/// One element: a tag, its value, and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The tag's bytes as a big-endian number: `0x53`, `0x7F49`, `0x5FC105`.
    pub tag: u32,
    /// The value.
    pub value: &'a [u8],
    /// What follows the element.
    pub rest: &'a [u8],
}

/// The first element of `bytes`; `None` if there is no well-formed one.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Element<'_>> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut tag = u32::from(first);
    if first & 0x1F == 0x1F {
        let (&second, after) = rest.split_first()?;
        tag = tag << 8 | u32::from(second);
        rest = after;
        if second & 0x80 != 0 {
            let (&third, after) = rest.split_first()?;
            if third & 0x80 != 0 {
                return None;
            }
            tag = tag << 8 | u32::from(third);
            rest = after;
        }
    }
    let (length, rest) = match rest {
        [short @ 0..=0x7F, rest @ ..] => (usize::from(*short), rest),
        [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some(Element { tag, value, rest })
}

/// The value of the one element `bytes` consists of; `None` if it has another tag or bytes follow it.
#[must_use]
pub fn only(bytes: &[u8], tag: u32) -> Option<&[u8]> {
    let element = read(bytes)?;
    (element.tag == tag && element.rest.is_empty()).then_some(element.value)
}

/// The value of the element `tag` among the elements `bytes` consists of: `Ok(None)` if it is absent.
///
/// # Errors
/// [`Untidy`] if `bytes` is not a sequence of elements to its very end, or holds `tag` twice (a
/// second one would let two readers see two different objects).
pub fn find(mut bytes: &[u8], tag: u32) -> Result<Option<&[u8]>, Untidy> {
    let mut found = None;
    // Ends: every element takes at least two bytes.
    while !bytes.is_empty() {
        let element = read(bytes).ok_or(Untidy)?;
        if element.tag == tag && found.replace(element.value).is_some() {
            return Err(Untidy);
        }
        bytes = element.rest;
    }
    Ok(found)
}

/// The bytes are not a sequence of distinct well-formed elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untidy;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Untidy, find, only, read};
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn tags_and_lengths_of_every_admitted_form() {
        assert_eq!(only(&[0x53, 0], 0x53), Some(&[][..]));
        assert_eq!(only(&[0x5F, 0xC1, 0x05, 1, 9], 0x005F_C105), Some(&[9][..]));
        assert_eq!(only(&[0x7F, 0x49, 0x81, 1, 9], 0x7F49), Some(&[9][..]));
        let long = [&[0x70, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        assert_eq!(only(&long, 0x70), Some(&[7; 256][..]));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for bad in [
            &[][..],
            &[0x53],
            &[0x53, 1],
            &[0x53, 0x80, 0, 0],
            &[0x53, 0x81],
            &[0x53, 0x82, 1],
            &[0x53, 0x83, 0, 0, 0],
            &[0x53, 0x82, 0xFF, 0xFF, 1],
            &[0x5F],
            &[0x5F, 0xC1],
            &[0x5F, 0xC1, 0x85, 1, 0],
        ] {
            assert_eq!(read(bad), None, "{bad:02X?}");
        }
        assert_eq!(only(&[0x53, 0, 0], 0x53), None);
        assert_eq!(only(&[0x53, 0], 0x70), None);
        assert_eq!(find(&[0x70, 0, 0x70, 0], 0x70), Err(Untidy));
        assert_eq!(find(&[0x70, 0, 0x71], 0x70), Err(Untidy));
        assert_eq!(find(&[0x71, 1, 0, 0xFE, 0], 0x70), Ok(None));
    }

    proptest! {
        #[test]
        fn f8_any_bytes_are_read_without_panic_and_within_them(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(element) = read(&bytes) {
                prop_assert!(element.value.len() + element.rest.len() + 2 <= bytes.len());
                let _ = find(&bytes, element.tag);
            }
        }

        #[test]
        fn what_was_wrapped_is_unwrapped(value in prop::collection::vec(any::<u8>(), 0..600)) {
            let n = u16::try_from(value.len()).unwrap().to_be_bytes();
            let wrapped: Vec<u8> = [vec![0x53, 0x82, n[0], n[1]], value.clone()].concat();
            prop_assert_eq!(only(&wrapped, 0x53), Some(&value[..]));
        }
    }
}
