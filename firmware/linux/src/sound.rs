//! Headphones over ALSA: clips of the package, decoded, at the voter's speed and loudness, in a thread of their own, so that a sound device that
//! hangs leaves the panel alive: nothing here waits for it without an end, neither while it speaks nor when the program ends, and staff read that
//! there is no sound.
//!
//! Nothing is kept or logged of what is said: it is somebody's choice.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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

/// Milliseconds that one wait for room in the device lasts at most.
const WAIT: u32 = 100;
/// Waits, recoveries and writes of nothing in a row after which a device does not work: a device that works takes a chunk every 20 ms.
const STALLS: u32 = 20;
/// A device in whose calls the thread has been for so long hangs, whatever it may say later. Longer than all waits above.
const HANGS: Duration = Duration::from_secs(5);
/// How often a device that is not used is asked whether it is there: staff read how it is, not how it was when somebody last listened.
const PROBE: Duration = Duration::from_secs(15);
/// How long the start waits for the device to open, and the end for the thread.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is to be played next; only the latest counts.
#[derive(Default)]
struct Order {
    /// Rises with every order: whatever plays for an older one stops.
    number: u64,
    clips: heapless::Vec<ClipKey, LONGEST>,
    level: Option<Level>,
    ended: bool,
}

/// The package's clips, and which there are: asked for many times a screen.
struct Section {
    bytes: Vec<u8>,
    keys: BTreeSet<ClipKey>,
}

struct Shared {
    order: Mutex<Order>,
    changed: Condvar,
    section: Mutex<Option<Arc<Section>>>,
    /// The device takes sound.
    works: Mutex<bool>,
    /// Since when the thread has been in a call of the device's.
    inside: Mutex<Option<Instant>>,
}

/// A device that takes samples. Calls may take long, or never end.
trait Out {
    /// Takes some from the front; 0: there is no room now.
    fn write(&mut self, samples: &[i16]) -> Result<usize, alsa::Error>;
    /// Waits for room, [`WAIT`] at most.
    fn wait(&mut self) -> Result<(), alsa::Error>;
    /// After an error: so that it goes on.
    fn recover(&mut self, error: alsa::Error) -> Result<(), alsa::Error>;
    /// Forgets what it holds.
    fn silence(&mut self) -> Result<(), alsa::Error>;
}

/// How a device is opened.
type Open = dyn FnMut() -> Result<Box<dyn Out>, alsa::Error> + Send;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The headphones. Dropping them is silence.
pub struct Headphones {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Nothing comes; it closes when the thread has ended.
    ended: Receiver<()>,
    home: u8,
}

impl Headphones {
    /// Starts the thread. A device that is not there is no error: it is said in the log and on the staff's menu, and tried again with every order.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(config: &Audio, log: Log) -> std::io::Result<Self> {
        let device = config.device.clone();
        let open = move || Alsa::open(&device).map(|alsa| Box::new(alsa) as Box<dyn Out>);
        Self::start(&config.device, Box::new(open), config.full_db, PROBE, log)
    }

    fn start(device: &str, mut open: Box<Open>, full_db: u8, probe: Duration, log: Log) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            order: Mutex::default(),
            changed: Condvar::new(),
            section: Mutex::default(),
            works: Mutex::new(false),
            inside: Mutex::default(),
        });
        let (lives, ended) = sync_channel(0);
        let (tell, opened) = sync_channel(1);
        let (mine, notes) = (shared.clone(), log.clone());
        let thread = std::thread::Builder::new().name("headphones".into()).spawn(move || {
            let _lives: SyncSender<()> = lives;
            let first = mine.within(&mut open).map(drop);
            *lock(&mine.works) = first.is_ok();
            // Nobody listens any more if it took too long.
            let _ = tell.try_send(first);
            mine.run(&mut open, probe, &notes);
        })?;
        match opened.recv_timeout(PATIENCE) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log.say(&format!("no sound device {device}: {error}")),
            Err(_) => log.say(&format!("the sound device {device} does not answer")),
        }
        Ok(Self {
            shared,
            thread: Some(thread),
            ended,
            home: home_volume(full_db),
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
        // A thread that is in a device that hangs is left there: it holds nothing that the kiosk needs, and ends with the process.
        let over = self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected);
        if let (true, Some(thread)) = (over, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

impl Sound for Headphones {
    fn clips(&mut self, clips: Option<&Clips<'_>>) {
        let section = clips.map(|clips| Section {
            bytes: clips.bytes().to_vec(),
            keys: clips.keys().collect(),
        });
        *lock(&self.shared.section) = section.map(Arc::new);
    }

    fn voice(&self) -> Voice {
        let hangs = lock(&self.shared.inside).is_some_and(|since| since.elapsed() > HANGS);
        if hangs || !*lock(&self.shared.works) {
            Voice::NoDevice
        } else if lock(&self.shared.section).is_none() {
            Voice::NoClips
        } else {
            Voice::Ready
        }
    }

    fn has(&self, key: ClipKey) -> bool {
        lock(&self.shared.section)
            .as_ref()
            .is_some_and(|section| section.keys.contains(&key))
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
    fn run(&self, open: &mut Open, probe: Duration, log: &Log) {
        let mut done = 0;
        loop {
            let (number, clips, level) = {
                let mut order = lock(&self.order);
                if order.number == done && !order.ended {
                    let waited = self.changed.wait_timeout(order, probe);
                    order = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                if order.ended {
                    return;
                }
                if order.number == done {
                    drop(order);
                    let opened = self.within(|| open().map(drop));
                    self.found(opened, log);
                    continue;
                }
                (order.number, order.clips.clone(), order.level)
            };
            done = number;
            let (Some(level), Some(section)) = (level, lock(&self.section).clone()) else {
                continue;
            };
            let played = self.play(open, &section.bytes, &clips, level, number);
            self.found(played, log);
        }
    }

    /// Notes how the device was found, and says what is new.
    fn found(&self, outcome: Result<(), alsa::Error>, log: &Log) {
        let works = outcome.is_ok();
        if *lock(&self.works) != works {
            log.say(&match outcome {
                Ok(()) => "the sound device is back".to_owned(),
                Err(error) => format!("the sound device fails: {error}"),
            });
            *lock(&self.works) = works;
        }
    }

    fn stale(&self, number: u64) -> bool {
        lock(&self.order).number != number
    }

    /// Calls the device, and notes meanwhile since when.
    fn within<R>(&self, call: impl FnOnce() -> R) -> R {
        *lock(&self.inside) = Some(Instant::now());
        let result = call();
        *lock(&self.inside) = None;
        result
    }

    fn play(
        &self,
        open: &mut Open,
        section: &[u8],
        clips: &[ClipKey],
        level: Level,
        number: u64,
    ) -> Result<(), alsa::Error> {
        let Ok(read) = Clips::read(section) else { return Ok(()) };
        let mut out = self.within(open)?;
        for clip in clips.iter().filter_map(|key| read.find(*key)) {
            let samples: Vec<i16> = clip.samples().collect();
            let volume = gain(level.volume);
            let loud = |sample: i16| i16::try_from(i32::from(sample) * volume / 32_768).unwrap_or(0);
            let samples: Vec<i16> = stretch(&samples, level.eighths()).into_iter().map(loud).collect();
            if !self.give(&mut *out, &samples, number)? {
                return Ok(());
            }
        }
        // When all of the silence is in, the device holds nothing else: what was said has been heard, and the rest may go.
        if self.give(&mut *out, &[0; CHUNK * BEHIND], number)? {
            self.within(|| out.silence())?;
        }
        // Closing is a call of the device's, too.
        self.within(move || drop(out));
        Ok(())
    }

    /// Gives samples to the device; `false` if another order came. Ends whatever the device does, as long as its calls do.
    fn give(&self, out: &mut dyn Out, samples: &[i16], number: u64) -> Result<bool, alsa::Error> {
        for chunk in samples.chunks(CHUNK) {
            let mut rest = chunk;
            let mut stalls = 0;
            while !rest.is_empty() {
                if self.stale(number) {
                    self.within(|| out.silence())?;
                    return Ok(false);
                }
                let failed = match self.within(|| out.write(rest)) {
                    Ok(0) => self.within(|| out.wait()).err(),
                    Ok(written) => {
                        rest = rest.get(written..).unwrap_or_default();
                        stalls = 0;
                        continue;
                    }
                    Err(error) => Some(error),
                };
                stalls += 1;
                if stalls > STALLS {
                    return Err(failed.unwrap_or(alsa::Error::unsupported("a device that takes no sound")));
                }
                if let Some(error) = failed {
                    // Too late with the next chunk: a gap is heard, and it goes on.
                    self.within(|| out.recover(error))?;
                }
            }
        }
        Ok(true)
    }
}

/// A device of ALSA's, never waited for in a call of its own.
struct Alsa(PCM);

/// "Try again": there is no room now.
const AGAIN: i32 = 11;

impl Alsa {
    fn open(device: &str) -> Result<Self, alsa::Error> {
        // Not blocking: one that is in use, or does not take what it is given, says so.
        let pcm = PCM::new(device, Direction::Playback, true)?;
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
        Ok(Self(pcm))
    }
}

impl Out for Alsa {
    fn write(&mut self, samples: &[i16]) -> Result<usize, alsa::Error> {
        match self.0.io_i16()?.writei(samples) {
            Err(error) if error.errno().abs() == AGAIN => Ok(0),
            other => other,
        }
    }

    fn wait(&mut self) -> Result<(), alsa::Error> {
        self.0.wait(Some(WAIT)).map(|_| ())
    }

    fn recover(&mut self, error: alsa::Error) -> Result<(), alsa::Error> {
        self.0.try_recover(error, true)
    }

    fn silence(&mut self) -> Result<(), alsa::Error> {
        self.0.drop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

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

    /// A device that does at each write what the function says.
    struct Odd<F>(F);

    impl<F: FnMut(&[i16]) -> Result<usize, alsa::Error>> Out for Odd<F> {
        fn write(&mut self, samples: &[i16]) -> Result<usize, alsa::Error> {
            (self.0)(samples)
        }
        fn wait(&mut self) -> Result<(), alsa::Error> {
            Ok(())
        }
        fn recover(&mut self, _: alsa::Error) -> Result<(), alsa::Error> {
            Ok(())
        }
        fn silence(&mut self) -> Result<(), alsa::Error> {
            Ok(())
        }
    }

    fn shared() -> Shared {
        Shared {
            order: Mutex::default(),
            changed: Condvar::new(),
            section: Mutex::default(),
            works: Mutex::new(true),
            inside: Mutex::default(),
        }
    }

    /// F10: a device that always fails and always says that it has recovered, or takes nothing for ever, is given up; one that stumbles is not.
    #[test]
    fn f10_a_sound_device_that_recovers_for_ever_is_given_up() {
        let samples = [7; 3 * CHUNK];
        let broken = || alsa::Error::new("test", -32);
        let failed = shared().give(&mut Odd(|_: &[i16]| Err(broken())), &samples, 0);
        assert!(failed.is_err());
        assert!(shared().give(&mut Odd(|_: &[i16]| Ok(0)), &samples, 0).is_err());
        let (mut calls, mut taken) = (0, 0);
        let mut stumbling = Odd(|samples: &[i16]| {
            calls += 1;
            match calls % 3 {
                0 => Err(broken()),
                1 => Ok(0),
                _ => {
                    let some = samples.len().min(50);
                    taken += some;
                    Ok(some)
                }
            }
        });
        assert!(shared().give(&mut stumbling, &samples, 0).unwrap());
        assert_eq!(taken, samples.len());
        // Another order ends it at once.
        assert!(!shared().give(&mut Odd(|_: &[i16]| Ok(1)), &samples, 1).unwrap());
    }

    /// F10: a device whose very calls never come back costs the kiosk its sound and nothing else: neither start nor end waits for it.
    #[test]
    fn f10_a_sound_device_that_hangs_does_not_hang_the_kiosk() {
        let (keys, section) = section();
        for hangs_at in [1, 2] {
            let (release, hung) = channel::<()>();
            let (inside, entered) = channel();
            let mut opened = 0;
            let open = Box::new(move || {
                opened += 1;
                if opened == hangs_at {
                    let _ = inside.send(());
                    let _ = hung.recv();
                }
                Ok(Box::new(Odd(|samples: &[i16]| Ok(samples.len()))) as Box<dyn Out>)
            });
            let mut headphones = Headphones::start("test", open, 100, PROBE, Log::silent()).unwrap();
            headphones.clips(Some(&Clips::read(&section).unwrap()));
            let voice = if hangs_at == 1 { Voice::NoDevice } else { Voice::Ready };
            assert_eq!(headphones.voice(), voice);
            headphones.say(&keys, Level::home(5));
            entered.recv().unwrap();
            headphones.stop();
            drop(headphones);
            // Only now may it go on: until here it has hung.
            drop(release);
        }
    }

    /// U8: a device that is pulled, and put in again, while nobody listens: the staff's menu says so each time.
    #[test]
    fn u8_staff_read_how_the_sound_device_is_and_not_how_it_was() {
        let there = Arc::new(Mutex::new(true));
        let asked = there.clone();
        let open = Box::new(move || match *lock(&asked) {
            true => Ok(Box::new(Odd(|samples: &[i16]| Ok(samples.len()))) as Box<dyn Out>),
            false => Err(alsa::Error::unsupported("pulled")),
        });
        let mut headphones = Headphones::start("test", open, 100, Duration::from_millis(1), Log::silent()).unwrap();
        headphones.clips(Some(&Clips::read(&section().1).unwrap()));
        for (is_there, voice) in [(true, Voice::Ready), (false, Voice::NoDevice), (true, Voice::Ready)] {
            *lock(&there) = is_there;
            let start = Instant::now();
            while headphones.voice() != voice {
                assert!(
                    start.elapsed() < Duration::from_secs(60),
                    "it still says {:?}",
                    headphones.voice()
                );
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
