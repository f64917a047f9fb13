//! Names of starting programs on the first partition, with systemd-boot's count of tries (its "automatic boot assessment"):
//! `ippyo-1a2b3c4d5e6f7081+3.efi` has three tries left, the loader renames it `+2-1` before it starts it, and with `+0-3` it comes last.
//! A name without a count is one that came up.

/// Tries that a new image has before the machine goes back to the old one.
pub const TRIES: u8 = 3;
const PREFIX: &str = "ippyo-";
const SUFFIX: &str = ".efi";
/// Hex digits of the software hash in a name.
const DIGITS: usize = 16;

/// The name of a starting program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The first digits of its software hash.
    pub short: String,
    /// Tries left and tries done; `None` if it came up once.
    pub tries: Option<(u8, u8)>,
}

/// What names call a software hash.
#[must_use]
pub fn short(software: &[u8; 32]) -> String {
    hex::encode(software).chars().take(DIGITS).collect()
}

impl Entry {
    /// Reads a file's name; `None` if it is none of ours.
    #[must_use]
    pub fn read(name: &str) -> Option<Self> {
        let middle = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let (short, count) = match middle.split_once('+') {
            None => (middle, None),
            Some((short, count)) => (short, Some(count)),
        };
        if short.len() != DIGITS || !short.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let tries = match count.map(|count| count.split_once('-').unwrap_or((count, "0"))) {
            None => None,
            Some((left, done)) => Some((left.parse().ok()?, done.parse().ok()?)),
        };
        Some(Self {
            short: short.to_ascii_lowercase(),
            tries,
        })
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> String {
        let count = match self.tries {
            None => String::new(),
            Some((left, 0)) => format!("+{left}"),
            Some((left, done)) => format!("+{left}-{done}"),
        };
        format!("{PREFIX}{}{count}{SUFFIX}", self.short)
    }
}

/// Name of a new image's starting program.
#[must_use]
pub fn fresh(software: &[u8; 32]) -> String {
    Entry {
        short: short(software),
        tries: Some((TRIES, 0)),
    }
    .name()
}

/// Its name once it has come up.
#[must_use]
pub fn blessed(software: &[u8; 32]) -> String {
    Entry {
        short: short(software),
        tries: None,
    }
    .name()
}

/// Whether a name is this software's.
#[must_use]
pub fn is_of(name: &str, software: &[u8; 32]) -> bool {
    Entry::read(name).is_some_and(|entry| entry.short == short(software))
}

/// Whether a name may be this software's: its own, or one that a cut has torn and that is nobody's.
#[must_use]
pub fn may_be(name: &str, software: &[u8; 32]) -> bool {
    Entry::read(name).is_none_or(|entry| entry.short == short(software))
}

/// Whether this software, which runs, is on trial: no program has its name without a count.
#[must_use]
pub fn on_trial(programs: &[String], software: &[u8; 32]) -> bool {
    !programs.contains(&blessed(software))
}

/// The name of another software that the loader starts next: one with tries left. Software that failed has none, and what came up has no count.
#[must_use]
pub fn pending<'a>(names: &'a [String], software: &[u8; 32]) -> Option<&'a String> {
    let short = short(software);
    names.iter().find(|name| {
        Entry::read(name).is_some_and(|entry| entry.short != short && entry.tries.is_some_and(|(left, _)| left > 0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_others_are_not_ours() {
        let short = "1a2b3c4d5e6f7081".to_owned();
        for (name, tries) in [
            ("ippyo-1a2b3c4d5e6f7081.efi", None),
            ("ippyo-1a2b3c4d5e6f7081+3.efi", Some((3, 0))),
            ("ippyo-1a2b3c4d5e6f7081+2-1.efi", Some((2, 1))),
            ("ippyo-1a2b3c4d5e6f7081+0-3.efi", Some((0, 3))),
        ] {
            let entry = Entry::read(name).unwrap();
            assert_eq!(
                entry,
                Entry {
                    short: short.clone(),
                    tries
                }
            );
            assert_eq!(entry.name(), name);
        }
        for other in [
            "update.new",
            "ippyo-.efi",
            "ippyo-1a2b3c4d5e6f708.efi",
            "ippyo-1a2b3c4d5e6f7081+.efi",
            "ippyo-1a2b3c4d5e6f7081+x.efi",
            "ippyo-1a2b3c4d5e6f7081+1-.efi",
            "ippyo-1a2b3c4d5e6f708g.efi",
            "ippyo-1a2b3c4d5e6f7081.efi.new",
            "other-1a2b3c4d5e6f7081.efi",
        ] {
            assert_eq!(Entry::read(other), None, "{other}");
        }
    }

    #[test]
    fn only_another_software_with_tries_left_is_what_starts_next() {
        let mut software = [0; 32];
        software[..8].copy_from_slice(&[0x1a, 0x2b, 0x3c, 0x4d, 0x5e, 0x6f, 0x70, 0x81]);
        for (name, starts) in [
            ("ippyo-0000000000000000+3.efi", true),
            ("ippyo-0000000000000000+1-2.efi", true),
            // A fallback, a blessed one, what runs, and what the loader does not look at.
            ("ippyo-0000000000000000+0-3.efi", false),
            ("ippyo-0000000000000000.efi", false),
            ("ippyo-1a2b3c4d5e6f7081+2-1.efi", false),
            ("ippyo-0000000000000000+3.new", false),
        ] {
            let names = ["ippyo-1a2b3c4d5e6f7081.efi".to_owned(), name.to_owned()];
            assert_eq!(pending(&names, &software), starts.then_some(&names[1]), "{name}");
        }
    }

    #[test]
    fn software_is_on_trial_until_it_has_a_name_without_tries() {
        let mut software = [0; 32];
        software[..8].copy_from_slice(&[0x1a, 0x2b, 0x3c, 0x4d, 0x5e, 0x6f, 0x70, 0x81]);
        let other = "ippyo-0000000000000000.efi".to_owned();
        let tried = "ippyo-1a2b3c4d5e6f7081+2-1.efi".to_owned();
        let done = "ippyo-1a2b3c4d5e6f7081.efi".to_owned();
        let torn = "IPPYO-~1.EFI".to_owned();
        assert_eq!(fresh(&software), "ippyo-1a2b3c4d5e6f7081+3.efi");
        assert_eq!(blessed(&software), done);
        for (names, trial) in [
            (vec![&other, &tried], true),
            (vec![&torn], true),
            (vec![], true),
            (vec![&tried, &done], false),
            (vec![&other, &done], false),
        ] {
            let names: Vec<String> = names.into_iter().cloned().collect();
            assert_eq!(on_trial(&names, &software), trial, "{names:?}");
        }
        for (name, own, perhaps) in [(&other, false, false), (&tried, true, true), (&torn, false, true)] {
            assert_eq!(
                (is_of(name, &software), may_be(name, &software)),
                (own, perhaps),
                "{name}"
            );
        }
    }
}
