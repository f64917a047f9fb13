//! What a kiosk without files is told by the desk, as it lies in its flash: for which station it is, whom it believes, and the package.
//!
//! ```text
//! "IPKI" [4] || version u16 = 1 || station u16 || authority [33] || zero [19] || length u32 || package
//! ```
//! big-endian, 64 bytes before the package. It is not signed: whoever can write there can also write the program. The package is, and it names its
//! station.

use core::fmt;

/// Bytes before the package.
pub const HEADER: usize = 64;
const MAGIC: [u8; 4] = *b"IPKI";
const VERSION: u16 = 1;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashImage<'a> {
    /// Station.
    pub station: u16,
    /// The election authority's key, compressed.
    pub authority: [u8; 33],
    /// The package.
    pub package: &'a [u8],
}

/// Why there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashImageError {
    /// Nothing was ever put there.
    Empty,
    /// Something else, or of another version.
    Unknown,
    /// The package is longer than the place.
    TooLong,
}

impl fmt::Display for FlashImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => {
                "no package was put into this kiosk's flash: make one with `staff package flash` and write it there"
            }
            Self::Unknown => "what lies in the place of the package is none that this program knows: write it again",
            Self::TooLong => "the package in flash is cut off: write it again",
        })
    }
}

impl core::error::Error for FlashImageError {}

/// The header for a package of this length; `None` if it is longer than a length can say.
#[must_use]
pub fn header(station: u16, authority: &[u8; 33], length: usize) -> Option<[u8; HEADER]> {
    let length = u32::try_from(length).ok()?;
    let mut header = [0; HEADER];
    let mut rest = &mut header[..];
    for part in [
        &MAGIC[..],
        &VERSION.to_be_bytes(),
        &station.to_be_bytes(),
        authority,
        &[0; 19],
        &length.to_be_bytes(),
    ] {
        let (place, after) = rest.split_at_mut_checked(part.len())?;
        place.copy_from_slice(part);
        rest = after;
    }
    Some(header)
}

/// Reads a place in flash.
///
/// # Errors
/// [`FlashImageError`].
pub fn read(bytes: &[u8]) -> Result<FlashImage<'_>, FlashImageError> {
    let (head, rest) = bytes.split_first_chunk::<HEADER>().ok_or(FlashImageError::TooLong)?;
    if head.iter().all(|byte| *byte == 0xFF) {
        return Err(FlashImageError::Empty);
    }
    let unknown = FlashImageError::Unknown;
    let (magic, after) = head.split_first_chunk::<4>().ok_or(unknown)?;
    let (version, after) = after.split_first_chunk::<2>().ok_or(unknown)?;
    let (station, after) = after.split_first_chunk::<2>().ok_or(unknown)?;
    let (authority, after) = after.split_first_chunk::<33>().ok_or(unknown)?;
    let (zeros, length) = after.split_first_chunk::<19>().ok_or(unknown)?;
    let length = length.first_chunk::<4>().ok_or(unknown)?;
    if *magic != MAGIC || u16::from_be_bytes(*version) != VERSION || *zeros != [0; 19] {
        return Err(unknown);
    }
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| FlashImageError::TooLong)?;
    Ok(FlashImage {
        station: u16::from_be_bytes(*station),
        authority: *authority,
        package: rest.get(..length).ok_or(FlashImageError::TooLong)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn f6_what_was_put_is_found_and_anything_else_is_named() {
        let (authority, package) = ([3; 33], [7; 100]);
        let mut place: Vec<u8> = header(12, &authority, package.len()).unwrap().to_vec();
        place.extend(package);
        place.extend([0xFF; 50]);
        let expected = FlashImage {
            station: 12,
            authority,
            package: &package,
        };
        assert_eq!(read(&place), Ok(expected));
        assert_eq!(read(&[0xFF; 200]), Err(FlashImageError::Empty));
        for length in 0..HEADER + package.len() {
            assert_eq!(read(&place[..length]), Err(FlashImageError::TooLong), "{length}");
        }
        for index in (0..6).chain(41..60) {
            let mut other = place.clone();
            other[index] ^= 1;
            assert_eq!(read(&other), Err(FlashImageError::Unknown), "{index}");
        }
        let mut longer = place.clone();
        longer[60] = 1;
        assert_eq!(read(&longer), Err(FlashImageError::TooLong));
    }
}
