//! How loud and how fast (V5): steps that are the same on every platform.
//!
//! A kiosk cannot measure what comes out of somebody's headphones. So loudness is said relative to the loudest step, and one number of the
//! device's configuration says how loud that is with its headphones (dB SPL, measured once with a meter while a clip plays); from it
//! follows where a voter begins. A number that is wrong makes every step wrong by as much: nothing here claims to have measured anything.

/// Steps of loudness, 0 to this.
pub const VOLUMES: u8 = 10;
/// Decibels from a step to the next; V5 wants 10 or less.
pub const STEP_DB: u8 = 8;
/// Steps of speed in eighths of the speed at which clips are rendered: half of it (60 to 70 words a minute) to twice (240 to 250).
pub const RATES: [u8; 9] = [4, 5, 6, 7, 8, 10, 12, 14, 16];
/// The step that is as rendered.
const AS_RENDERED: u8 = 4;

/// A voter's loudness and speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// 0 to [`VOLUMES`].
    pub volume: u8,
    /// A place in [`RATES`].
    pub rate: u8,
}

impl Level {
    /// What a voter meets first.
    #[must_use]
    pub fn home(volume: u8) -> Self {
        Self {
            volume: volume.min(VOLUMES),
            rate: AS_RENDERED,
        }
    }

    /// A step louder or softer, as far as it goes.
    #[must_use]
    pub fn louder(self, up: bool) -> Self {
        let volume = if up {
            self.volume.saturating_add(1).min(VOLUMES)
        } else {
            self.volume.saturating_sub(1)
        };
        Self { volume, ..self }
    }

    /// A step faster or slower.
    #[must_use]
    pub fn faster(self, up: bool) -> Self {
        let most = u8::try_from(RATES.len()).unwrap_or(u8::MAX).saturating_sub(1);
        let rate = if up {
            self.rate.saturating_add(1).min(most)
        } else {
            self.rate.saturating_sub(1)
        };
        Self { rate, ..self }
    }

    /// Eighths of the speed of the clips.
    #[must_use]
    pub fn eighths(self) -> u8 {
        RATES.get(usize::from(self.rate)).copied().unwrap_or(8)
    }
}

/// What a sample is multiplied with at a step of volume, in 32,768ths: 10^(-8 n / 20) for n steps under the loudest.
#[must_use]
pub fn gain(volume: u8) -> i32 {
    const GAINS: [i32; 11] = [3, 8, 21, 52, 130, 328, 823, 2_068, 5_193, 13_045, 32_768];
    GAINS.get(usize::from(volume)).copied().unwrap_or(32_768)
}

/// The step that is between 60 and 70 dB SPL on headphones that give `full_db` at the loudest step (V5); the loudest or softest step if none is.
#[must_use]
pub fn home_volume(full_db: u8) -> u8 {
    (0..=VOLUMES)
        .rev()
        .find(|volume| i16::from(full_db) - i16::from(STEP_DB) * i16::from(VOLUMES - volume) <= 70)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v5_steps_of_loudness_are_at_most_ten_decibels_and_reach_eighty() {
        for volume in 0..VOLUMES {
            let step = 20.0 * (f64::from(gain(volume + 1)) / f64::from(gain(volume))).log10();
            assert!((6.5..=10.0).contains(&step), "{volume}: {step}");
        }
        let range = 20.0 * (f64::from(gain(VOLUMES)) / f64::from(gain(0))).log10();
        assert!(range >= 80.0, "{range}");
    }

    #[test]
    fn v5_a_voter_begins_between_60_and_70_decibels_by_the_number_of_the_device() {
        for full in 70..=140 {
            let db = i16::from(full) - i16::from(STEP_DB) * i16::from(VOLUMES - home_volume(full));
            assert!((60..=70).contains(&db), "{full}: {db}");
        }
        assert_eq!(home_volume(40), VOLUMES);
        assert_eq!(home_volume(255), 0);
    }

    #[test]
    fn v5_speed_goes_from_half_to_twice_and_back() {
        // 120 to 125 words a minute as rendered: the desk's tests measure that.
        let (mut slow, mut fast) = (Level::home(4), Level::home(4));
        for _ in 0..20 {
            slow = slow.faster(false);
            fast = fast.faster(true);
        }
        assert_eq!(u32::from(slow.eighths()) * 122 / 8, 61);
        assert_eq!(u32::from(fast.eighths()) * 122 / 8, 244);
        assert_eq!(Level::home(4).eighths(), 8);
        assert_eq!(Level::home(4).faster(true).faster(false), Level::home(4));
        assert_eq!(Level::home(0).louder(false).volume, 0);
        assert_eq!(Level::home(99).louder(true).volume, VOLUMES);
    }
}
