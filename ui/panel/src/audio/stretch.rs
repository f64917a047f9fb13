//! Faster and slower without higher and lower (V5): waveform similarity overlap-add (Verhelst and Roelands 1993), in whole numbers.
//!
//! Windows of 30 ms are taken from the clip at the wanted pace and laid 15 ms apart; each is moved by up to 7.5 ms to where it continues best
//! what was laid before. Our own because it is sixty lines of integers that run the same on every platform; clips at several speeds
//! from the desk would be five times the bytes for nine speeds, and rates between them would still be missing.

use alloc::vec::Vec;

use election::clips::RATE;

#[allow(clippy::cast_possible_truncation)] // 360.
const WINDOW: usize = (RATE * 30 / 1_000) as usize;
const HALF: usize = WINDOW / 2;
/// Furthest that a window is moved, either way.
const SLACK: usize = HALF / 2;
/// Every so many samples are compared when looking for the best place: speech has little above 2 kHz that decides it.
const COARSE: usize = 3;

/// A clip at `eighths` eighths of its speed (4 to 16). At 8 it is the clip itself. Time and memory grow with what comes out.
#[must_use]
pub fn stretch(samples: &[i16], eighths: u8) -> Vec<i16> {
    let pace = usize::from(eighths.clamp(2, 32));
    if pace == 8 || samples.len() < 2 * WINDOW {
        return samples.to_vec();
    }
    let mut out: Vec<i16> = Vec::with_capacity(samples.len() * 8 / pace + WINDOW);
    out.extend(samples.iter().take(HALF));
    // Where the last window was taken: what would follow it naturally is compared with.
    let mut taken = 0_usize;
    let mut number = 1_usize;
    loop {
        let wanted = number * HALF * pace / 8;
        if wanted + WINDOW + SLACK > samples.len() {
            break;
        }
        let natural = taken + HALF;
        let from = wanted.saturating_sub(SLACK);
        let best = (from..=wanted + SLACK)
            .step_by(2)
            .max_by_key(|at| likeness(samples, natural, *at))
            .unwrap_or(wanted);
        // The end of the last window fades into the beginning of this one.
        for at in 0..HALF {
            let sample = |place: usize| samples.get(place + at).map_or(0, |sample| i64::from(*sample));
            let (fade, half) = (i64::try_from(at).unwrap_or(0), i64::try_from(HALF).unwrap_or(1));
            let mixed = (sample(natural) * (half - fade) + sample(best) * fade) / half;
            out.push(i16::try_from(mixed).unwrap_or(0));
        }
        taken = best;
        number += 1;
    }
    // What is left is as it is: shorter than a window or two.
    out.extend(samples.iter().skip(taken + HALF));
    out
}

/// How well the window at `at` continues what follows naturally.
fn likeness(samples: &[i16], natural: usize, at: usize) -> i64 {
    let window = |place: usize| samples.get(place..).unwrap_or_default().iter().step_by(COARSE);
    window(natural)
        .zip(window(at))
        .take(HALF / COARSE)
        .map(|(a, b)| i64::from(*a) * i64::from(*b))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::RATES;
    use std::vec::Vec;

    fn tone(hertz: f64, seconds: f64) -> Vec<i16> {
        (0..(seconds * f64::from(RATE)) as u32)
            .map(|at| ((f64::from(at) * hertz * std::f64::consts::TAU / f64::from(RATE)).sin() * 8_000.0) as i16)
            .collect()
    }

    fn crossings(samples: &[i16]) -> f64 {
        let count = samples.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
        count as f64 / samples.len() as f64 * f64::from(RATE) / 2.0
    }

    #[test]
    fn v5_speed_changes_the_length_and_not_the_pitch() {
        for hertz in [110.0, 180.0, 430.0] {
            let clip = tone(hertz, 2.0);
            for eighths in RATES {
                let other = stretch(&clip, eighths);
                let wanted = clip.len() as f64 * 8.0 / f64::from(eighths);
                assert!(
                    (other.len() as f64 - wanted).abs() < 3.0 * WINDOW as f64,
                    "{hertz} at {eighths}: {}",
                    other.len()
                );
                assert!(
                    (crossings(&other) / hertz - 1.0).abs() < 0.03,
                    "{hertz} at {eighths}: {}",
                    crossings(&other)
                );
                let (loud, was) = (other.iter().max().unwrap(), clip.iter().max().unwrap());
                assert!(
                    (i32::from(*loud) - i32::from(*was)).abs() < 900,
                    "{hertz} at {eighths}: {loud}"
                );
            }
        }
    }

    #[test]
    fn v5_short_and_empty_clips_stay_as_they_are() {
        assert!(stretch(&[], 4).is_empty());
        let short = tone(200.0, 0.04);
        assert_eq!(stretch(&short, 16), short);
        let clip = tone(200.0, 1.0);
        assert_eq!(stretch(&clip, 8), clip);
    }
}
