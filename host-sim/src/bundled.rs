//! Election definitions that come with the simulator (NIST SP 1500-20, JSON).

use std::path::Path;

use anyhow::{Result, bail};
use staff::files;

/// A bundled definition.
pub struct Bundled {
    /// What to call it.
    pub name: &'static str,
    /// Another name.
    pub alias: Option<&'static str>,
    /// What it is.
    pub about: &'static str,
    /// The definition.
    pub json: &'static str,
}

/// All of them. The first is what a bare run plays.
pub const ALL: [Bundled; 3] = [
    Bundled {
        name: "kaga-consultation",
        alias: None,
        about: "three questions to the people of a town: up to 3 of 9, 1 of 3, yes or no",
        json: include_str!("../elections/kaga-consultation.json"),
    },
    Bundled {
        name: "tsukuba-2015-referendum",
        alias: None,
        about: "one question: for or against a sports park",
        json: include_str!("../elections/tsukuba-2015-referendum.json"),
    },
    Bundled {
        name: "physical_ballot_def_3",
        alias: Some("nist-county"),
        about: "a county's ballot of 25 contests, NIST's example (elections/NIST-NOTICE.md)",
        json: include_str!("../elections/physical_ballot_def_3.json"),
    },
];

/// Longest definition file.
const LONGEST: u64 = 16 << 20;

/// A definition by its bundled name, or from a file.
///
/// # Errors
/// Neither: the error lists the names there are.
pub fn load(name: &str) -> Result<Vec<u8>> {
    if let Some(found) = ALL.iter().find(|one| one.name == name || one.alias == Some(name)) {
        return Ok(found.json.as_bytes().to_vec());
    }
    let path = Path::new(name);
    if !path.exists() {
        let names: Vec<String> = ALL
            .iter()
            .map(|one| match one.alias {
                Some(alias) => format!("  {} (or {alias}): {}", one.name, one.about),
                None => format!("  {}: {}", one.name, one.about),
            })
            .collect();
        bail!(
            "there is no election and no file called {name:?}; give a NIST SP 1500-20 definition in JSON, or one of\n{}",
            names.join("\n")
        );
    }
    Ok(files::read(path, LONGEST)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_definitions_are_found_by_name_and_alias_and_an_unknown_one_lists_them() {
        for one in &ALL {
            assert_eq!(load(one.name).unwrap(), one.json.as_bytes());
        }
        assert_eq!(load("nist-county").unwrap(), load("physical_ballot_def_3").unwrap());
        let error = load("no-such-election").unwrap_err().to_string();
        assert!(ALL.iter().all(|one| error.contains(one.name)), "{error}");
    }
}
