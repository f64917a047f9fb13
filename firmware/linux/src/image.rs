//! The image this program runs from: the root hash that the kernel was started with, by which dm-verity checks every block of the root.
//!
//! It is the *software hash* of registration and zero report. What it must never know: how an image is made (`firmware/linux/image`).

use election::hash::Digest;

/// The word of the kernel command line.
const WORD: &str = "ippyo.root=";
const CMDLINE: &str = "/proc/cmdline";
/// Longest command line: the kernel's.
const LINE: usize = 2048;

/// The kernel command line names a root hash that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// The root hash, 32 bytes; `None` on a machine that was not started from an image.
///
/// # Errors
/// [`Damaged`].
pub fn root_hash() -> Result<Option<Digest>, Damaged> {
    // Without a command line to read there is no image: the image always has one.
    parse(&std::fs::read_to_string(CMDLINE).unwrap_or_default())
}

/// The root hash that a command line names.
///
/// # Errors
/// [`Damaged`].
pub fn parse(line: &str) -> Result<Option<Digest>, Damaged> {
    let mut named = line.split_whitespace().filter_map(|word| word.strip_prefix(WORD));
    match (named.next(), named.next()) {
        (None, _) => Ok(None),
        (Some(text), None) => {
            let bytes = hex::decode(text).map_err(|_| Damaged)?;
            Digest::try_from(bytes).map(Some).map_err(|_| Damaged)
        }
        // Which of two was opened is not to be guessed.
        (Some(_), Some(_)) => Err(Damaged),
    }
}

/// The command line in a starting program: from the one place where it names the root hash to its end.
#[must_use]
pub fn line_of(program: &[u8]) -> Option<String> {
    let mut places = program
        .windows(WORD.len())
        .enumerate()
        .filter(|(_, window)| *window == WORD.as_bytes())
        .map(|(place, _)| place);
    let (place, None) = (places.next()?, places.next()) else {
        return None;
    };
    let line = program.get(place..)?.split(|byte| *byte == 0).next()?;
    let line = line.get(..line.len().min(LINE))?;
    String::from_utf8(line.to_vec()).ok()
}

/// The root hash that the command line in a starting program names.
#[must_use]
pub fn named_in(program: &[u8]) -> Option<Digest> {
    parse(&line_of(program)?).ok().flatten()
}

/// The word of the command line that says which version of the image this is.
const VERSION: &str = "ippyo.version=";

/// The image's version; 0 on a machine that was not started from one, or from one without.
#[must_use]
pub fn version() -> u32 {
    version_of(&std::fs::read_to_string(CMDLINE).unwrap_or_default())
}

/// The version that a command line names; 0 if it names none.
#[must_use]
pub fn version_of(line: &str) -> u32 {
    let mut named = line.split_whitespace().filter_map(|word| word.strip_prefix(VERSION));
    named.next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_hash_is_taken_from_one_whole_word() {
        let hash = "0a".repeat(32);
        assert_eq!(parse(&format!("ro {WORD}{hash} quiet\n")), Ok(Some([10; 32])));
        assert_eq!(parse(&format!("{WORD}{hash}")), Ok(Some([10; 32])));
        assert_eq!(parse("ro quiet\n"), Ok(None));
        assert_eq!(parse(""), Ok(None));
        assert_eq!(parse(&format!("x{WORD}{hash}")), Ok(None));
        for wrong in [
            format!("{WORD}{}", &hash[1..]),
            format!("{WORD}{hash}00"),
            WORD.to_string(),
            format!("{WORD}{hash} {WORD}{hash}"),
            format!("{WORD}{}", hash.replace('a', "g")),
        ] {
            assert_eq!(parse(&wrong), Err(Damaged), "{wrong}");
        }
    }

    #[test]
    fn the_version_is_a_number_or_the_oldest() {
        assert_eq!(version_of("ro ippyo.version=7 quiet"), 7);
        for line in ["ro quiet", "ippyo.version=", "ippyo.version=7x", "xippyo.version=7"] {
            assert_eq!(version_of(line), 0, "{line}");
        }
    }
}
