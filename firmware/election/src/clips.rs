//! Signed speech (SPEC.md, section 7, kind 9): clips that the desk has rendered, found by the hash of what they say.
//!
//! A kiosk never makes speech itself: a voice of its own could say another name than the one that was signed. Decoding takes a few
//! additions a sample and no memory, so that whoever has a loudspeaker can play a clip from flash.
//!
//! Must never know: which screen a text stands on, and how it sounds in any language.

use core::fmt;

use crate::hash::hash;

/// First bytes of the section.
pub const MAGIC: [u8; 4] = *b"IPA1";
/// Samples a second, one channel.
pub const RATE: u32 = 12_000;
/// Most clips.
pub const MAX_CLIPS: usize = 1 << 15;
/// Longest section in bytes: an hour and a half of speech.
pub const MAX_SECTION: usize = 32 << 20;
/// Longest clip in bytes: a minute and a half.
pub const MAX_CLIP: usize = 90 * RATE as usize / 2;
/// Bytes of an entry of the index.
const ENTRY: usize = 16;
/// Bytes before the index.
const HEAD: usize = 8;

/// Name of a clip: the first 8 bytes of `H("ippyo/1/clip", voice, text)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClipKey(pub [u8; 8]);

impl ClipKey {
    /// The name of what `voice` (a primary language subtag: `ja`, `en`) says for `text`.
    #[must_use]
    pub fn new(voice: &str, text: &str) -> Self {
        let digest = hash("ippyo/1/clip", &[voice.as_bytes(), text.as_bytes()]);
        let mut key = [0; 8];
        for (to, from) in key.iter_mut().zip(digest) {
            *to = from;
        }
        Self(key)
    }
}

/// Why a section is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipsError {
    /// Cut off, or not a section of clips.
    Malformed,
    /// More clips or bytes than there may be.
    TooLarge,
    /// Keys are not strictly ascending.
    Order,
    /// A clip is empty or too long, or clips do not lie one behind the other.
    Bounds,
}

impl fmt::Display for ClipsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it is cut off, or no section of clips",
            Self::TooLarge => "it has more clips or bytes than there may be",
            Self::Order => "its clips are not in the order of their keys",
            Self::Bounds => "a clip is empty, too long, or not where it should be",
        })
    }
}

impl core::error::Error for ClipsError {}

/// A section that holds its rules: a view over its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Clips<'a> {
    bytes: &'a [u8],
    index: &'a [[u8; ENTRY]],
    data: &'a [u8],
}

impl<'a> Clips<'a> {
    /// Checks a section: one walk over its index, none over its sound. Any nibbles are sound of some kind.
    ///
    /// # Errors
    /// [`ClipsError`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, ClipsError> {
        if bytes.len() > MAX_SECTION {
            return Err(ClipsError::TooLarge);
        }
        let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(ClipsError::Malformed)?;
        let [a, b, c, d, count @ ..] = *head;
        if [a, b, c, d] != MAGIC {
            return Err(ClipsError::Malformed);
        }
        let count = usize::try_from(u32::from_be_bytes(count)).unwrap_or(usize::MAX);
        if count > MAX_CLIPS {
            return Err(ClipsError::TooLarge);
        }
        let (index, data) = rest.split_at_checked(count * ENTRY).ok_or(ClipsError::Malformed)?;
        let (index, _) = index.as_chunks::<ENTRY>();
        let (mut before, mut at) = (None, 0_usize);
        for entry in index {
            let (key, offset, length) = split(entry);
            if before.is_some_and(|before| before >= key) {
                return Err(ClipsError::Order);
            }
            before = Some(key);
            if offset != at || length == 0 || length > MAX_CLIP {
                return Err(ClipsError::Bounds);
            }
            at = at.checked_add(length).ok_or(ClipsError::Bounds)?;
        }
        if at != data.len() {
            return Err(ClipsError::Bounds);
        }
        Ok(Self { bytes, index, data })
    }

    /// The section.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many clips there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.index.len()
    }

    /// Their names, ascending.
    pub fn keys(&self) -> impl Iterator<Item = ClipKey> + use<'a> {
        self.index.iter().map(|entry| split(entry).0)
    }

    /// A clip.
    #[must_use]
    pub fn find(&self, key: ClipKey) -> Option<Clip<'a>> {
        let place = self.index.binary_search_by(|entry| split(entry).0.cmp(&key)).ok()?;
        let (_, offset, length) = split(self.index.get(place)?);
        let bytes = self.data.get(offset..)?.get(..length)?;
        Some(Clip { bytes })
    }
}

fn split(entry: &[u8; ENTRY]) -> (ClipKey, usize, usize) {
    let [a, b, c, d, e, f, g, h, o1, o2, o3, o4, l1, l2, l3, l4] = *entry;
    let number = |bytes| usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX);
    (
        ClipKey([a, b, c, d, e, f, g, h]),
        number([o1, o2, o3, o4]),
        number([l1, l2, l3, l4]),
    )
}

/// A clip: IMA ADPCM, two samples a byte.
#[derive(Clone, Copy, Debug)]
pub struct Clip<'a> {
    bytes: &'a [u8],
}

impl<'a> Clip<'a> {
    /// How many samples it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len() * 2
    }

    /// Whether there is nothing to hear; never of a clip that [`Clips::find`] gave.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its samples.
    pub fn samples(&self) -> impl Iterator<Item = i16> + use<'a> {
        let mut coder = Coder::default();
        let nibbles = self.bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]);
        nibbles.map(move |nibble| coder.decode(nibble))
    }
}

/// Writes a section; `clips` ascending by key, each with its bytes from [`encode`].
///
/// # Errors
/// What [`Clips::read`] would refuse, before anything is written; or the sink's error.
pub fn write<'c, E: From<ClipsError>>(
    clips: impl Iterator<Item = (ClipKey, &'c [u8])> + Clone,
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (mut count, mut at, mut before) = (0_usize, 0_usize, None);
    for (key, bytes) in clips.clone() {
        if before.is_some_and(|before| before >= key) {
            return Err(ClipsError::Order.into());
        }
        before = Some(key);
        if bytes.is_empty() || bytes.len() > MAX_CLIP {
            return Err(ClipsError::Bounds.into());
        }
        count += 1;
        at = at.saturating_add(bytes.len());
    }
    if count > MAX_CLIPS || HEAD + count * ENTRY + at > MAX_SECTION {
        return Err(ClipsError::TooLarge.into());
    }
    // Both are below 2^25 by the line above.
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes();
    sink(&MAGIC)?;
    sink(&number(count))?;
    let mut offset = 0;
    for (key, bytes) in clips.clone() {
        sink(&key.0)?;
        sink(&number(offset))?;
        sink(&number(bytes.len()))?;
        offset += bytes.len();
    }
    for (_, bytes) in clips {
        sink(bytes)?;
    }
    Ok(())
}

/// Encodes samples; an odd one out is followed by silence.
pub fn encode(samples: impl Iterator<Item = i16>) -> impl Iterator<Item = u8> {
    let (mut coder, mut samples) = (Coder::default(), samples);
    core::iter::from_fn(move || {
        let low = coder.encode(samples.next()?);
        let high = coder.encode(samples.next().unwrap_or(0));
        Some(low | high << 4)
    })
}

/// Steps of IMA ADPCM.
const STEPS: [i32; 89] = [
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107,
    118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796, 876, 963,
    1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894,
    6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794,
    32767,
];
/// How a nibble without its sign moves along [`STEPS`].
const MOVES: [i32; 8] = [-1, -1, -1, -1, 2, 4, 6, 8];

/// What encoder and decoder keep; both begin with nothing.
#[derive(Clone, Copy, Default)]
struct Coder {
    sample: i32,
    step: i32,
}

impl Coder {
    fn decode(&mut self, nibble: u8) -> i16 {
        let step = usize::try_from(self.step)
            .ok()
            .and_then(|at| STEPS.get(at))
            .copied()
            .unwrap_or(7);
        let mut change = step >> 3;
        for (bit, part) in [(4, step), (2, step >> 1), (1, step >> 2)] {
            if nibble & bit != 0 {
                change += part;
            }
        }
        let signed = if nibble & 8 == 0 { change } else { -change };
        self.sample = (self.sample + signed).clamp(i32::from(i16::MIN), i32::from(i16::MAX));
        self.step = (self.step + MOVES.get(usize::from(nibble & 7)).copied().unwrap_or(0)).clamp(0, 88);
        i16::try_from(self.sample).unwrap_or(0)
    }

    fn encode(&mut self, sample: i16) -> u8 {
        let step = usize::try_from(self.step)
            .ok()
            .and_then(|at| STEPS.get(at))
            .copied()
            .unwrap_or(7);
        let mut rest = i32::from(sample) - self.sample;
        let mut nibble = 0;
        if rest < 0 {
            nibble = 8;
            rest = -rest;
        }
        for (bit, part) in [(4, step), (2, step >> 1), (1, step >> 2)] {
            if rest >= part {
                nibble |= bit;
                rest -= part;
            }
        }
        let _ = self.decode(nibble);
        nibble
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn section(clips: &[(ClipKey, Vec<u8>)]) -> Result<Vec<u8>, ClipsError> {
        let mut out = Vec::new();
        write(clips.iter().map(|(key, bytes)| (*key, bytes.as_slice())), |bytes| {
            out.extend_from_slice(bytes);
            Ok::<_, ClipsError>(())
        })?;
        Ok(out)
    }

    fn good() -> Vec<(ClipKey, Vec<u8>)> {
        let mut clips: Vec<_> = (1_u8..5)
            .map(|number| {
                (
                    ClipKey::new("ja", std::format!("{number}").as_str()),
                    std::vec![number; 3],
                )
            })
            .collect();
        clips.sort();
        clips
    }

    #[test]
    fn a17_a_clip_is_found_by_what_it_says() {
        let clips = good();
        let bytes = section(&clips).unwrap();
        let read = Clips::read(&bytes).unwrap();
        assert_eq!(read.count(), 4);
        for (key, content) in &clips {
            assert_eq!(read.find(*key).unwrap().len(), content.len() * 2);
        }
        assert!(read.find(ClipKey::new("en", "1")).is_none());
        assert!(read.find(ClipKey::new("ja1", "")).is_none());
        assert!(Clips::read(&section(&[]).unwrap()).unwrap().keys().next().is_none());
    }

    #[test]
    fn hostile_sections_are_refused() {
        let bytes = section(&good()).unwrap();
        for cut in 0..bytes.len() {
            assert!(Clips::read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        // Every byte of head and index means something; the bytes of sound are covered by the section's hash.
        for bit in 0..(HEAD + 4 * ENTRY) * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 0x80 >> (bit % 8);
            let key = (HEAD * 8..).contains(&bit) && (bit / 8 - HEAD) % ENTRY < 8;
            assert!(key || Clips::read(&changed).is_err(), "bit {bit}");
        }
        let mut twice = good();
        twice[1].0 = twice[0].0;
        assert_eq!(section(&twice), Err(ClipsError::Order));
        let mut empty = good();
        empty[2].1.clear();
        assert_eq!(section(&empty), Err(ClipsError::Bounds));
    }

    #[test]
    fn speech_survives_its_coding() {
        // Two tones that come and go, as loud as speech.
        let wave = |at: u32, hertz: f64| (f64::from(at) * hertz * std::f64::consts::TAU / f64::from(RATE)).sin();
        let samples: Vec<i16> = (0..RATE)
            .map(|at| {
                let loud = 6_000.0 * (wave(at, 3.0).abs());
                (loud * (wave(at, 220.0) + 0.5 * wave(at, 1_300.0))) as i16
            })
            .collect();
        let bytes: Vec<u8> = encode(samples.iter().copied()).collect();
        assert_eq!(bytes.len() * 2, samples.len());
        let heard: Vec<i16> = Clip { bytes: &bytes }.samples().collect();
        let power = |list: &mut dyn Iterator<Item = f64>| list.map(|value| value * value).sum::<f64>();
        let signal = power(&mut samples.iter().map(|sample| f64::from(*sample)));
        let noise = power(&mut samples.iter().zip(&heard).map(|(a, b)| f64::from(*a) - f64::from(*b)));
        assert!(
            10.0 * (signal / noise).log10() > 20.0,
            "{}",
            10.0 * (signal / noise).log10()
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_read_to_their_end(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for (to, from) in bytes.iter_mut().zip(MAGIC) { *to = from; }
            if let Ok(clips) = Clips::read(&bytes) {
                for key in clips.keys() {
                    prop_assert!(clips.find(key).unwrap().samples().count() > 0);
                }
            }
        }

        #[test]
        fn what_is_written_is_read(contents in proptest::collection::btree_map(any::<[u8; 8]>(), proptest::collection::vec(any::<u8>(), 1..40), 0..20)) {
            let clips: Vec<_> = contents.into_iter().map(|(key, bytes)| (ClipKey(key), bytes)).collect();
            let bytes = section(&clips).unwrap();
            let read = Clips::read(&bytes).unwrap();
            prop_assert_eq!(read.keys().collect::<Vec<_>>(), clips.iter().map(|(key, _)| *key).collect::<Vec<_>>());
        }
    }
}
