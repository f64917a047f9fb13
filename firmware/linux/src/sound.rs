//! Headphones over ALSA: clips of the package, decoded, at the voter's speed and loudness, in a thread of their own, so that a sound device that
//! hangs leaves the panel alive.
//!
//! Nothing is kept or logged of what is said: it is somebody's choice.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use alsa::pcm::{Access, Format, HwParams, PCM};
use alsa::{Direction, ValueOr};
use election::clips::{ClipKey, Clips, RATE};
use panel::audio::{LONGEST, Level, Sound, Voice, gain, home_volume, stretch};

use crate::config::Audio;
use crate::log::Log;

/// Samples that are given to the device at once: 20 ms. A new order is noticed between two of these.
const CHUNK: usize = RATE as usize / 50;
/// Microseconds that the device holds: what is still heard when there is to be silence.
const HELD: u32 = 80_000;
/// So much silence behind the last clip, in chunks: longer than what the device holds.
const BEHIND: usize = 6;

/// What is to be played next; only the latest counts.
#[derive(Default)]
struct Order {
    /// Rises with every order: whatever plays for an older one stops.
    number: u64,
    clips: heapless::Vec<ClipKey, LONGEST>,
    level: Option<Level>,
    ended: bool,
}

struct Shared {
    order: Mutex<Order>,
    changed: Condvar,
    section: Mutex<Option<Arc<[u8]>>>,
    /// The device takes sound.
    works: Mutex<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The headphones. Dropping them is silence.
pub struct Headphones {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    home: u8,
}

impl Headphones {
    /// Starts the thread. A device that is not there is no error: it is said in the log and on the staff's menu, and tried again with every order.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(config: &Audio, log: Log) -> std::io::Result<Self> {
        let works = match open(&config.device) {
            Ok(_) => true,
            Err(error) => {
                log.say(&format!("no sound device {}: {error}", config.device));
                false
            }
        };
        let shared = Arc::new(Shared {
            order: Mutex::default(),
            changed: Condvar::new(),
            section: Mutex::default(),
            works: Mutex::new(works),
        });
        let (mine, device) = (shared.clone(), config.device.clone());
        let thread = std::thread::Builder::new()
            .name("headphones".into())
            .spawn(move || mine.run(&device, &log))?;
        Ok(Self {
            shared,
            thread: Some(thread),
            home: home_volume(config.full_db),
        })
    }

    fn order(&self, clips: &[ClipKey], level: Option<Level>) {
        let mut order = lock(&self.shared.order);
        order.number += 1;
        order.clips.clear();
        // The panel's utterances are as long as this at most.
        let _ = order.clips.extend_from_slice(clips);
        order.level = level;
        self.shared.changed.notify_one();
    }
}

impl Drop for Headphones {
    fn drop(&mut self) {
        let mut order = lock(&self.shared.order);
        order.number += 1;
        order.ended = true;
        self.shared.changed.notify_one();
        drop(order);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Sound for Headphones {
    fn clips(&mut self, clips: Option<&Clips<'_>>) {
        *lock(&self.shared.section) = clips.map(|clips| clips.bytes().into());
    }

    fn voice(&self) -> Voice {
        if !*lock(&self.shared.works) {
            Voice::NoDevice
        } else if lock(&self.shared.section).is_none() {
            Voice::NoClips
        } else {
            Voice::Ready
        }
    }

    fn has(&self, key: ClipKey) -> bool {
        let section = lock(&self.shared.section).clone();
        let clips = section.as_deref().and_then(|bytes| Clips::read(bytes).ok());
        clips.is_some_and(|clips| clips.find(key).is_some())
    }

    fn say(&mut self, clips: &[ClipKey], level: Level) {
        self.order(clips, Some(level));
    }

    fn stop(&mut self) {
        self.order(&[], None);
    }

    fn home(&self) -> u8 {
        self.home
    }
}

impl Shared {
    fn run(&self, device: &str, log: &Log) {
        let mut done = 0;
        loop {
            let (number, clips, level) = {
                let mut order = lock(&self.order);
                while order.number == done && !order.ended {
                    order = self.changed.wait(order).unwrap_or_else(PoisonError::into_inner);
                }
                if order.ended {
                    return;
                }
                (order.number, order.clips.clone(), order.level)
            };
            done = number;
            let (Some(level), Some(section)) = (level, lock(&self.section).clone()) else {
                continue;
            };
            let played = self.play(device, &section, &clips, level, number);
            let works = played.is_ok();
            if *lock(&self.works) != works {
                log.say(&match played {
                    Ok(()) => "the sound device is back".to_owned(),
                    Err(error) => format!("the sound device fails: {error}"),
                });
                *lock(&self.works) = works;
            }
        }
    }

    fn stale(&self, number: u64) -> bool {
        lock(&self.order).number != number
    }

    fn play(
        &self,
        device: &str,
        section: &[u8],
        clips: &[ClipKey],
        level: Level,
        number: u64,
    ) -> Result<(), alsa::Error> {
        let Ok(read) = Clips::read(section) else { return Ok(()) };
        let pcm = open(device)?;
        let io = pcm.io_i16()?;
        let give = |samples: &[i16]| -> Result<bool, alsa::Error> {
            for chunk in samples.chunks(CHUNK) {
                if self.stale(number) {
                    pcm.drop()?;
                    return Ok(false);
                }
                let mut rest = chunk;
                while !rest.is_empty() {
                    match io.writei(rest) {
                        Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                        // Too late with the next chunk: a gap is heard, and it goes on.
                        Err(error) => pcm.try_recover(error, true)?,
                    }
                }
            }
            Ok(true)
        };
        for clip in clips.iter().filter_map(|key| read.find(*key)) {
            let samples: Vec<i16> = clip.samples().collect();
            let volume = gain(level.volume);
            let loud = |sample: i16| i16::try_from(i32::from(sample) * volume / 32_768).unwrap_or(0);
            let samples: Vec<i16> = stretch(&samples, level.eighths()).into_iter().map(loud).collect();
            if !give(&samples)? {
                return Ok(());
            }
        }
        if give(&[0; CHUNK * BEHIND])? {
            pcm.drain()?;
        }
        Ok(())
    }
}

fn open(device: &str) -> Result<PCM, alsa::Error> {
    let pcm = PCM::new(device, Direction::Playback, false)?;
    {
        let parameters = HwParams::any(&pcm)?;
        parameters.set_rate_resample(true)?;
        parameters.set_access(Access::RWInterleaved)?;
        parameters.set_format(Format::s16())?;
        // A device that has two channels gets the same on both by ALSA's own conversion ("default", "plughw:...").
        parameters.set_channels(1)?;
        parameters.set_rate(RATE, ValueOr::Nearest)?;
        parameters.set_buffer_time_near(HELD, ValueOr::Nearest)?;
        pcm.hw_params(&parameters)?;
    }
    Ok(pcm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn section() -> (Vec<ClipKey>, Vec<u8>) {
        let mut clips: Vec<(ClipKey, Vec<u8>)> = (1..4_u8)
            .map(|number| {
                let key = ClipKey::new("ja", &number.to_string());
                let wave = (0..4_000_i32).map(|at| i16::try_from(at * i32::from(number) * 7 % 900 * 8).unwrap());
                (key, election::clips::encode(wave).collect())
            })
            .collect();
        clips.sort();
        let mut out = Vec::new();
        election::clips::write(clips.iter().map(|(key, bytes)| (*key, bytes.as_slice())), |bytes| {
            out.extend_from_slice(bytes);
            Ok::<_, election::clips::ClipsError>(())
        })
        .unwrap();
        (clips.into_iter().map(|(key, _)| key).collect(), out)
    }

    /// Through ALSA itself, whose device writes to a file: what is heard are the clips that were asked for, in their order, at their loudness.
    #[test]
    fn u8_what_is_asked_for_comes_out_of_the_sound_device() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("heard.raw");
        let audio = Audio {
            device: format!("file:'{}',raw", file.display()),
            full_db: 100,
            keypad: None,
            jack: None,
        };
        let (keys, section) = section();
        let clips = Clips::read(&section).unwrap();
        let mut headphones = Headphones::new(&audio, Log::silent()).unwrap();
        assert_eq!(headphones.voice(), Voice::NoClips);
        headphones.clips(Some(&clips));
        assert_eq!(headphones.voice(), Voice::Ready);
        assert!(headphones.has(keys[0]) && !headphones.has(ClipKey::new("ja", "4")));
        let level = Level { volume: 9, rate: 4 };
        let order = [keys[2], keys[0]];
        headphones.say(&order, level);
        let wanted: Vec<i16> = order
            .iter()
            .flat_map(|key| clips.find(*key).unwrap().samples())
            .map(|sample| i16::try_from(i32::from(sample) * gain(9) / 32_768).unwrap())
            .collect();
        let start = Instant::now();
        loop {
            let bytes = std::fs::read(&file).unwrap_or_default();
            let (pairs, _) = bytes.as_chunks::<2>();
            let heard: Vec<i16> = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
            if heard.len() >= wanted.len() {
                assert_eq!(heard[..wanted.len()], wanted);
                break;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{} of {}",
                heard.len(),
                wanted.len()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(headphones.voice(), Voice::Ready);
    }

    /// F10: a machine without a sound device says so, takes orders all the same, and ends.
    #[test]
    fn f10_without_a_sound_device_the_kiosk_goes_on() {
        let audio = Audio {
            device: "hw:CARD=nowhere".into(),
            full_db: 100,
            keypad: None,
            jack: None,
        };
        let (keys, section) = section();
        let mut headphones = Headphones::new(&audio, Log::silent()).unwrap();
        headphones.clips(Some(&Clips::read(&section).unwrap()));
        assert_eq!(headphones.voice(), Voice::NoDevice);
        headphones.say(&keys, Level::home(5));
        headphones.stop();
        assert_eq!(headphones.voice(), Voice::NoDevice);
    }
}
