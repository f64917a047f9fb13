//! Software on trial that does not come up, and whose tries nobody counts: the loader would start it for ever, with the whole old software beside it.
//!
//! The loader counts by a rename. A cut in it can leave two names for one program, and where the second one is there already, or the firmware's own FAT
//! driver cannot rename, the loader says so and starts the program all the same. The initramfs does the same as this for software whose root does not
//! even open (`image/initramfs/give-way`); it is told by the loader whether tries are counted, and here the names tell.

use election::hash::Digest;
use kiosk::update::Refused;

use super::entries::{self, Entry};
use super::install::{LONGEST, NO_HEAD, Place, Target, disk};
use crate::image;

/// Whether the loader counts this software's tries: it has one name, which has been counted at least once.
#[must_use]
pub fn counted(programs: &[String], software: &Digest) -> bool {
    let mut own = programs.iter().filter(|name| entries::may_be(name, software));
    let (Some(name), None) = (own.next(), own.next()) else {
        return false;
    };
    Entry::read(name)
        .and_then(|entry| entry.tries)
        .is_some_and(|(_, done)| done > 0)
}

/// What runs gives way: its programs lose their first sector, so that the loader passes over them. Nothing is done, and `false` said, where it came up once
/// or no other software did; then a machine that is started again and again is the better one.
///
/// # Errors
/// [`Refused::Disk`].
pub fn give_way(target: &mut impl Target, running: &Digest) -> Result<bool, Refused> {
    let programs = target.programs().map_err(disk)?;
    let stands = |name: &String| {
        Entry::read(name).is_some_and(|entry| entry.tries.is_none() && entry.short != entries::short(running))
    };
    if !entries::on_trial(&programs, running) || !programs.iter().any(stands) {
        return Ok(false);
    }
    let mut gave = false;
    for name in programs.iter().filter(|name| entries::may_be(name, running)) {
        // A torn name is nobody's; what is in the file is.
        if entries::is_of(name, running) || holds(target, name, running) {
            target.head(name, &NO_HEAD).map_err(disk)?;
            gave = true;
        }
    }
    Ok(gave)
}

/// Whether a program is this software's by its content.
fn holds(target: &mut impl Target, name: &str, software: &Digest) -> bool {
    let mut bytes = Vec::new();
    let Ok(mut file) = target.read(Place::Program(name), LONGEST as u64) else {
        return false;
    };
    file.read_to_end(&mut bytes).is_ok() && image::named_in(&bytes) == Some(*software)
}
