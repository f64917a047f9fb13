//! From what a synthesiser gives to a clip: one rate, one loudness, no silence before it, a short one behind.

use std::f64::consts::PI;

use election::clips::{MAX_CLIP, RATE, encode};

/// How loud clips are: root mean square of what is not silence, of 32,768. About 18 dB under full scale, so that voices of both
/// synthesisers sound alike and peaks have room.
pub const LOUDNESS: f64 = 4_000.0;
/// Quieter than this part of the loudest sample is silence.
const SILENCE: f64 = 0.02;
/// Samples of silence that stay before and behind.
const BEFORE: usize = RATE as usize / 50;
const BEHIND: usize = RATE as usize / 8;
/// Zero crossings of the resampler's kernel, each way.
const CROSSINGS: f64 = 16.0;

/// Sound of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Samples a second.
    pub rate: u32,
    /// Samples.
    pub samples: Vec<i16>,
}

/// A clip's bytes; `None` for silence, and for what is longer than a clip may be.
#[must_use]
pub fn clip(sound: &Sound) -> Option<Vec<u8>> {
    let samples = resampled(sound);
    let loudest = samples
        .iter()
        .fold(0.0_f64, |loudest, sample| loudest.max(sample.abs()));
    let heard = |sample: &f64| sample.abs() > loudest * SILENCE;
    let first = samples.iter().position(heard)?.saturating_sub(BEFORE);
    let last = samples.iter().rposition(heard)?;
    let speech = samples.get(first..=last)?;
    let (mut power, mut count) = (0.0, 0.0);
    for sample in speech.iter().filter(|sample| heard(sample)) {
        power += sample * sample;
        count += 1.0;
    }
    if loudest < 1.0 || count < 1.0 {
        return None;
    }
    let gain = (LOUDNESS / (power / f64::max(count, 1.0)).sqrt()).min(30_000.0 / loudest);
    #[allow(clippy::cast_possible_truncation)] // Within 30,000 by the line above.
    let spoken = speech.iter().map(|sample| (sample * gain).round() as i16);
    let bytes: Vec<u8> = encode(spoken.chain(std::iter::repeat_n(0, BEHIND))).collect();
    (bytes.len() <= MAX_CLIP).then_some(bytes)
}

/// At [`RATE`]: a windowed sinc, low enough that nothing above half the rate is folded down.
fn resampled(sound: &Sound) -> Vec<f64> {
    let samples: Vec<f64> = sound.samples.iter().map(|sample| f64::from(*sample)).collect();
    if sound.rate == RATE || sound.rate == 0 {
        return samples;
    }
    let step = f64::from(sound.rate) / f64::from(RATE);
    // Of the input's rate.
    let cut = if step > 1.0 { 0.95 / step } else { 0.95 };
    let reach = CROSSINGS / cut;
    let kernel = |distance: f64| {
        let x = distance * cut * PI;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
        // Blackman.
        let at = PI * distance / reach;
        sinc * cut * (0.42 + 0.5 * at.cos() + 0.08 * (2.0 * at).cos())
    };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )] // Lengths of clips.
    let (length, last) = ((samples.len() as f64 / step) as usize, samples.len() as f64 - 1.0);
    (0..length)
        .map(|number| {
            #[allow(clippy::cast_precision_loss)]
            let at = number as f64 * step;
            let (from, to) = ((at - reach).ceil().max(0.0), (at + reach).floor().min(last));
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let range = from as usize..=to as usize;
            range
                .clone()
                .zip(samples.get(range).unwrap_or_default())
                .map(|(place, sample)| {
                    #[allow(clippy::cast_precision_loss)]
                    let distance = at - place as f64;
                    sample * kernel(distance)
                })
                .sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hertz: f64, loud: f64) -> Sound {
        let wave = |at: u32| (f64::from(at) * hertz * 2.0 * PI / f64::from(rate)).sin() * loud;
        Sound {
            rate,
            samples: (0..rate).map(|at| wave(at) as i16).collect(),
        }
    }

    #[test]
    fn v5_clips_are_equally_loud_whoever_speaks_them() {
        for (rate, loud) in [(48_000, 900.0), (22_050, 20_000.0), (12_000, 3_000.0)] {
            let mut sound = tone(rate, 300.0, loud);
            // A second of silence on both sides is none of it.
            let silent = vec![3_i16; rate as usize];
            sound.samples = [silent.clone(), sound.samples, silent].concat();
            let bytes = clip(&sound).unwrap();
            let key = election::clips::ClipKey::new("ja", "x");
            let mut section = Vec::new();
            election::clips::write(std::iter::once((key, bytes.as_slice())), |bytes| {
                section.extend_from_slice(bytes);
                Ok::<_, election::clips::ClipsError>(())
            })
            .unwrap();
            let heard: Vec<f64> = election::clips::Clips::read(&section)
                .unwrap()
                .find(key)
                .unwrap()
                .samples()
                .map(f64::from)
                .collect();
            let wanted = RATE as usize + BEFORE + BEHIND;
            assert!(
                heard.len().abs_diff(wanted) < 400,
                "{rate}: {} of {wanted}",
                heard.len()
            );
            let middle = &heard[2_000..8_000];
            let rms = (middle.iter().map(|sample| sample * sample).sum::<f64>() / 6_000.0).sqrt();
            assert!((rms / LOUDNESS - 1.0).abs() < 0.06, "{rate}: {rms}");
            let crossings = middle
                .windows(2)
                .filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0))
                .count();
            assert!((298..=302).contains(&crossings), "{rate}: {crossings}");
        }
    }

    #[test]
    fn what_cannot_be_heard_is_no_clip() {
        let silent = |samples| Sound { rate: 16_000, samples };
        assert!(clip(&silent(Vec::new())).is_none());
        assert!(clip(&silent(vec![0; 5_000])).is_none());
        assert!(
            clip(&tone(48_000, 12_000.0, 9_000.0)).is_none_or(|bytes| bytes.len() < 10_000),
            "above what the rate can carry"
        );
    }
}
