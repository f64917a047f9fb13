//! How large the display is that is connected, as it says itself: for a machine whose configuration cannot be read. Where one can be read, it says
//! so, because a display is often wrong about its millimetres.

use std::fs;
use std::path::Path;

use panel::Config;
use panel::metrics::Metrics;

/// Where the kernel lists displays.
const DISPLAYS: &str = "/sys/class/drm";
/// Names that are looked at.
const MOST: usize = 64;
/// A display that says nothing: 10.1 inches.
pub const USUAL: Config = Config {
    width: 1280,
    height: 800,
    diagonal_mm: 257,
};
/// Pixels a millimetre of one whose millimetres cannot be right.
const DENSITY: u32 = 5;

/// The display that is connected.
#[must_use]
pub fn connected() -> Config {
    find(Path::new(DISPLAYS)).unwrap_or(USUAL)
}

fn find(displays: &Path) -> Option<Config> {
    let mut names: Vec<_> = fs::read_dir(displays)
        .ok()?
        .take(MOST)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    names.sort();
    names.iter().find_map(|place| {
        let status = fs::read_to_string(place.join("status")).ok()?;
        (status.trim() == "connected").then_some(())?;
        let modes = fs::read_to_string(place.join("modes")).ok()?;
        of(&modes, &fs::read(place.join("edid")).unwrap_or_default())
    })
}

/// From a display's modes, of which the first is the one it likes best, and its own description (EDID).
#[must_use]
pub fn of(modes: &str, edid: &[u8]) -> Option<Config> {
    let (width, rest) = modes.lines().next()?.trim().split_once('x')?;
    let height = rest.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let (width, height): (u32, u32) = (width.parse().ok()?, height.parse().ok()?);
    let with = |diagonal_mm| Config {
        width,
        height,
        diagonal_mm,
    };
    let usable = |config: &Config| Metrics::new(*config).is_ok();
    let across = |a: u32, b: u32| {
        let square = |side: u32| u64::from(side).pow(2);
        u32::try_from((square(a) + square(b)).isqrt()).unwrap_or(u32::MAX)
    };
    let said = millimetres(edid).map(|(wide, high)| with(across(wide, high)));
    let guessed = with(across(width, height) / DENSITY);
    said.filter(usable).or_else(|| Some(guessed).filter(usable))
}

/// Width and height of the picture: of the first timing, else in whole centimetres (VESA E-EDID 1.4, 3.6.2 and 3.10.2).
fn millimetres(edid: &[u8]) -> Option<(u32, u32)> {
    let byte = |at: usize| edid.get(at).copied().map(u32::from);
    let both = byte(68)?;
    let fine = (byte(66)? | (both >> 4) << 8, byte(67)? | (both & 15) << 8);
    let rough = (byte(21)? * 10, byte(22)? * 10);
    [fine, rough].into_iter().find(|(wide, high)| *wide > 0 && *high > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edid(fine: (u8, u8, u8), rough: (u8, u8)) -> Vec<u8> {
        let mut bytes = vec![0; 128];
        (bytes[66], bytes[67], bytes[68]) = fine;
        (bytes[21], bytes[22]) = rough;
        bytes
    }

    #[test]
    fn v2_a_display_says_how_large_it_is_and_one_that_is_silent_or_wrong_is_guessed() {
        let diagonal =
            |modes: &str, edid: &[u8]| of(modes, edid).map(|config| (config.width, config.height, config.diagonal_mm));
        // 344 by 193 mm: 15.6 inches.
        let fifteen = edid((0x58, 0xC1, 0x10), (34, 19));
        assert_eq!(diagonal("1920x1080\n1280x720\n", &fifteen), Some((1920, 1080, 394)));
        assert_eq!(
            diagonal("1920x1080i\n", &edid((0, 0, 0), (34, 19))),
            Some((1920, 1080, 389))
        );
        // No description, one cut short, one that says 2 metres, one that says 1 cm.
        let guessed = Some((1280, 800, 301));
        assert_eq!(diagonal("1280x800\n", &[]), guessed);
        assert_eq!(diagonal("1280x800\n", &fifteen[..60]), guessed);
        assert_eq!(diagonal("1280x800\n", &edid((0xD0, 0xD0, 0x77), (0, 0))), guessed);
        assert_eq!(diagonal("1280x800\n", &edid((10, 6, 0), (0, 0))), guessed);
        for modes in ["", "\n", "wide", "99999999999x1", "64x48"] {
            assert_eq!(diagonal(modes, &fifteen), None, "{modes:?}");
        }
    }
}
