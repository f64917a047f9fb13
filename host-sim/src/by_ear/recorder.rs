//! Headphones that remember: everything that a kiosk says goes to a WAV file as it would be heard (cut off where it is interrupted, with the silence
//! between), and to a list of clips in the order in which they begin. The list is what a listener of the simulator hears with.
//!
//! It holds what was in somebody's ears, labels of keys included. A simulator's PINs are made up; a kiosk's own program keeps no such list.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use election::clips::{ClipKey, Clips, RATE};
use panel::audio::{Level, Piece, Sound, Voice, gain, home_volume, stretch};
use serde::Serialize;
use staff::speak::Script;

/// Samples of a millisecond.
const MS: u64 = RATE as u64 / 1_000;
/// Longest silence that is written.
const SILENCE: u64 = RATE as u64;
/// What the pretended headphones give at the loudest step, dB SPL.
const FULL_DB: u8 = 100;

/// Something that was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// Milliseconds since the world began, when it began.
    pub at: u64,
    /// In whose voice.
    pub voice: String,
    /// What.
    pub text: String,
    /// Step of loudness.
    pub volume: u8,
    /// Eighths of the usual speed.
    pub eighths: u8,
}

/// The headphones. Clones are the same ones.
#[derive(Clone)]
pub struct Recorder {
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    section: Option<Vec<u8>>,
    texts: BTreeMap<ClipKey, Piece>,
    clock: Box<dyn Fn() -> u64>,
    now: u64,
    queue: VecDeque<Playing>,
    heard: Vec<Heard>,
    wav: Option<Wav>,
    list: Option<BufWriter<File>>,
    failed: Option<std::io::Error>,
}

struct Playing {
    key: ClipKey,
    level: Level,
    samples: Vec<i16>,
    at: usize,
}

impl Recorder {
    /// Headphones whose clips say what stands in `script`. `clock` gives milliseconds.
    ///
    /// # Errors
    /// The files cannot be written. The list is beside the WAV file, with `.jsonl` for its ending: one object a clip.
    pub fn new(script: &Script, wav: Option<&Path>, clock: impl Fn() -> u64 + 'static) -> Result<Self> {
        let list = wav.map(|path| path.with_extension("jsonl"));
        let create = |path: &Path| File::create(path).with_context(|| path.display().to_string());
        let inner = Inner {
            section: None,
            texts: script.keys().map(|piece| (piece.key(), piece.clone())).collect(),
            now: clock(),
            clock: Box::new(clock),
            queue: VecDeque::new(),
            heard: Vec::new(),
            wav: wav
                .map(|path| Ok::<_, anyhow::Error>(Wav::new(create(path)?)?))
                .transpose()?,
            list: list.as_deref().map(create).transpose()?.map(BufWriter::new),
            failed: None,
        };
        Ok(Self {
            inner: Rc::new(RefCell::new(inner)),
        })
    }

    /// What has begun to be heard since the last call.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        let mut inner = self.inner.borrow_mut();
        inner.advance();
        std::mem::take(&mut inner.heard)
    }

    /// Milliseconds until it is silent.
    #[must_use]
    pub fn rest(&self) -> u64 {
        let mut inner = self.inner.borrow_mut();
        inner.advance();
        let samples: usize = inner.queue.iter().map(|clip| clip.samples.len() - clip.at).sum();
        (samples as u64).div_ceil(MS)
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// What could not be written, now or before.
    pub fn finish(&self) -> Result<()> {
        let mut inner = self.inner.borrow_mut();
        inner.advance();
        if let Some(wav) = &mut inner.wav {
            wav.finish()?;
        }
        if let Some(list) = &mut inner.list {
            list.flush()?;
        }
        match inner.failed.take() {
            Some(error) => Err(error).context("what was heard cannot be written"),
            None => Ok(()),
        }
    }
}

impl Inner {
    /// Lets the time pass that has passed.
    fn advance(&mut self) {
        let now = (self.clock)();
        let mut left = now.saturating_sub(self.now) * MS;
        let mut moment = self.now;
        self.now = now;
        while left > 0 {
            let Some(clip) = self.queue.front_mut() else {
                let silence = vec![0; usize::try_from(left.min(SILENCE)).unwrap_or(0)];
                self.write(&silence);
                return;
            };
            if clip.at == 0 {
                let (key, level) = (clip.key, clip.level);
                self.begins(key, level, moment);
            }
            let Some(clip) = self.queue.front_mut() else { return };
            let count = (clip.samples.len() - clip.at).min(usize::try_from(left).unwrap_or(usize::MAX));
            let now = clip.samples.get(clip.at..clip.at + count).unwrap_or_default().to_vec();
            clip.at += count;
            if clip.at >= clip.samples.len() {
                self.queue.pop_front();
            }
            left -= count as u64;
            moment += count as u64 / MS;
            self.write(&now);
        }
    }

    fn begins(&mut self, key: ClipKey, level: Level, at: u64) {
        let Some(piece) = self.texts.get(&key) else { return };
        let heard = Heard {
            at,
            voice: piece.voice.clone(),
            text: piece.text.clone(),
            volume: level.volume,
            eighths: level.eighths(),
        };
        if let Some(list) = &mut self.list {
            let line = serde_json::to_string(&heard).unwrap_or_default();
            // At once: somebody may be reading along.
            if let Err(error) = writeln!(list, "{line}").and_then(|()| list.flush()) {
                self.failed.get_or_insert(error);
            }
        }
        self.heard.push(heard);
    }

    fn write(&mut self, samples: &[i16]) {
        if let Some(wav) = &mut self.wav
            && let Err(error) = wav.write(samples)
        {
            self.failed.get_or_insert(error);
        }
    }
}

impl Sound for Recorder {
    fn clips(&mut self, clips: Option<&Clips<'_>>) {
        self.inner.borrow_mut().section = clips.map(|clips| clips.bytes().to_vec());
    }

    fn voice(&self) -> Voice {
        if self.inner.borrow().section.is_some() {
            Voice::Ready
        } else {
            Voice::NoClips
        }
    }

    fn has(&self, key: ClipKey) -> bool {
        let inner = self.inner.borrow();
        let clips = inner.section.as_deref().and_then(|bytes| Clips::read(bytes).ok());
        clips.is_some_and(|clips| clips.find(key).is_some())
    }

    fn say(&mut self, clips: &[ClipKey], level: Level) {
        let mut inner = self.inner.borrow_mut();
        inner.advance();
        inner.queue.clear();
        let Some(section) = inner.section.take() else { return };
        if let Ok(read) = Clips::read(&section) {
            for (key, clip) in clips.iter().filter_map(|key| Some((*key, read.find(*key)?))) {
                let samples: Vec<i16> = clip.samples().collect();
                let loud = |sample: i16| i16::try_from(i32::from(sample) * gain(level.volume) / 32_768).unwrap_or(0);
                let samples = stretch(&samples, level.eighths()).into_iter().map(loud).collect();
                inner.queue.push_back(Playing {
                    key,
                    level,
                    samples,
                    at: 0,
                });
            }
        }
        inner.section = Some(section);
    }

    fn stop(&mut self) {
        let mut inner = self.inner.borrow_mut();
        inner.advance();
        inner.queue.clear();
    }

    fn home(&self) -> u8 {
        home_volume(FULL_DB)
    }
}

/// A WAV file as it grows.
struct Wav {
    file: BufWriter<File>,
    samples: u32,
}

impl Wav {
    fn new(file: File) -> std::io::Result<Self> {
        let mut wav = Self {
            file: BufWriter::new(file),
            samples: 0,
        };
        wav.head()?;
        Ok(wav)
    }

    fn head(&mut self) -> std::io::Result<()> {
        let bytes = self.samples.saturating_mul(2);
        self.file.write_all(b"RIFF")?;
        self.file.write_all(&bytes.saturating_add(36).to_le_bytes())?;
        self.file.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x01\0")?;
        self.file.write_all(&RATE.to_le_bytes())?;
        self.file.write_all(&(RATE * 2).to_le_bytes())?;
        self.file.write_all(b"\x02\0\x10\0data")?;
        self.file.write_all(&bytes.to_le_bytes())
    }

    fn write(&mut self, samples: &[i16]) -> std::io::Result<()> {
        for sample in samples {
            self.file.write_all(&sample.to_le_bytes())?;
        }
        self.samples = self
            .samples
            .saturating_add(u32::try_from(samples.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    /// Puts the length into the head; more may follow.
    fn finish(&mut self) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.head()?;
        self.file.seek(SeekFrom::End(0))?;
        self.file.flush()
    }
}
