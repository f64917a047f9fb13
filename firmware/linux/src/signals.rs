//! Lamp and buzzer on output pins (U6, U7): three lamps and a buzzer, each of them optional.
//!
//! | state | green | yellow | red |
//! |---|---|---|---|
//! | waits for a voter | on | | |
//! | somebody is voting | | on | |
//! | take your card | on | on | |
//! | staff are called | | | blinks, once a second |
//! | out of order | | | on |
//!
//! Sounds: done is one long tone, refused two short ones, call three, a fault five.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use embedded_hal::digital::OutputPin;
use kiosk::ports::{Lamp, Signals, Sound};

/// Sounds that wait at most.
const QUEUE: usize = 2;
/// Half a period of the blinking lamp.
const BLINK: Duration = Duration::from_millis(500);

/// The pins; a machine without one of them leaves it out.
pub struct Pins<O> {
    /// Green.
    pub ready: Option<O>,
    /// Yellow.
    pub voting: Option<O>,
    /// Red.
    pub fault: Option<O>,
    /// Buzzer.
    pub buzzer: Option<O>,
}

enum Tell {
    /// The lamp has changed: look.
    Lamp,
    Sound(Sound),
}

/// The port. Without pins it does nothing.
pub struct PinSignals {
    lamp: Arc<Mutex<Lamp>>,
    tell: Option<SyncSender<Tell>>,
}

impl PinSignals {
    /// No lamp and no buzzer.
    #[must_use]
    pub fn none() -> Self {
        Self {
            lamp: Arc::new(Mutex::new(Lamp::Off)),
            tell: None,
        }
    }

    /// Lamp and buzzer on these pins, driven by a thread of their own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new<O: OutputPin + Send + 'static>(pins: Pins<O>) -> std::io::Result<Self> {
        let lamp = Arc::new(Mutex::new(Lamp::Off));
        let (tell, told) = sync_channel(QUEUE);
        let shown = lamp.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || run(pins, &shown, &told))?;
        Ok(Self { lamp, tell: Some(tell) })
    }

    fn send(&self, what: Tell) {
        if let Some(tell) = &self.tell {
            // A full queue drops a sound; the lamp is looked at in any case.
            let _ = tell.try_send(what);
        }
    }
}

impl Signals for PinSignals {
    fn lamp(&mut self, lamp: Lamp) {
        *self.lamp.lock().unwrap_or_else(PoisonError::into_inner) = lamp;
        self.send(Tell::Lamp);
    }

    fn sound(&mut self, sound: Sound) {
        self.send(Tell::Sound(sound));
    }

    fn celsius(&mut self) -> Option<i16> {
        crate::health::warmest(std::path::Path::new("/sys/class"))
    }
}

/// Green, yellow, red.
const fn lights(lamp: Lamp, blink: bool) -> [bool; 3] {
    match lamp {
        Lamp::Off => [false, false, false],
        Lamp::Ready => [true, false, false],
        Lamp::Voting => [false, true, false],
        Lamp::Finished => [true, true, false],
        Lamp::Call => [false, false, blink],
        Lamp::Fault => [false, false, true],
    }
}

/// How often, how long, with what pause: milliseconds.
const fn tones(sound: Sound) -> (u8, u64, u64) {
    match sound {
        Sound::Done => (1, 700, 0),
        Sound::Refused => (2, 120, 120),
        Sound::Call => (3, 200, 200),
        Sound::Fault => (5, 400, 200),
    }
}

fn run<O: OutputPin>(mut pins: Pins<O>, lamp: &Mutex<Lamp>, told: &Receiver<Tell>) {
    let mut blink = true;
    loop {
        let now = *lamp.lock().unwrap_or_else(PoisonError::into_inner);
        let [ready, voting, fault] = lights(now, blink);
        set(&mut pins.ready, ready);
        set(&mut pins.voting, voting);
        set(&mut pins.fault, fault);
        match told.recv_timeout(BLINK) {
            Ok(Tell::Lamp) => {}
            Ok(Tell::Sound(sound)) => {
                let (times, long, pause) = tones(sound);
                for _ in 0..times {
                    set(&mut pins.buzzer, true);
                    std::thread::sleep(Duration::from_millis(long));
                    set(&mut pins.buzzer, false);
                    std::thread::sleep(Duration::from_millis(pause));
                }
            }
            Err(RecvTimeoutError::Timeout) => blink = !blink,
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // No lamp goes on promising anything when the kiosk has ended.
    for pin in [&mut pins.ready, &mut pins.voting, &mut pins.fault, &mut pins.buzzer] {
        set(pin, false);
    }
}

/// A lamp that fails is no reason to stop an election.
fn set<O: OutputPin>(pin: &mut Option<O>, on: bool) {
    if let Some(pin) = pin {
        let _ = pin.set_state(on.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    type History = Arc<Mutex<Vec<(&'static str, bool)>>>;

    /// Notes its changes.
    struct Pin {
        name: &'static str,
        on: bool,
        history: History,
    }

    impl embedded_hal::digital::ErrorType for Pin {
        type Error = std::convert::Infallible;
    }

    impl OutputPin for Pin {
        fn set_low(&mut self) -> Result<(), Self::Error> {
            if std::mem::replace(&mut self.on, false) {
                self.history.lock().unwrap().push((self.name, false));
            }
            Ok(())
        }

        fn set_high(&mut self) -> Result<(), Self::Error> {
            if !std::mem::replace(&mut self.on, true) {
                self.history.lock().unwrap().push((self.name, true));
            }
            Ok(())
        }
    }

    fn wait(history: &History, wanted: &[(&'static str, bool)]) {
        let start = Instant::now();
        loop {
            let now = history.lock().unwrap().clone();
            if now.len() >= wanted.len() {
                assert_eq!(now, wanted);
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{now:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn u6_u7_lamp_and_sound_follow_the_voter_and_end_with_the_kiosk() {
        let history = History::default();
        let pin = |name| {
            Some(Pin {
                name,
                on: false,
                history: history.clone(),
            })
        };
        let mut signals = PinSignals::new(Pins {
            ready: pin("green"),
            voting: pin("yellow"),
            fault: None,
            buzzer: pin("buzzer"),
        })
        .unwrap();
        let mut wanted = vec![("green", true)];
        signals.lamp(Lamp::Ready);
        wait(&history, &wanted);
        signals.lamp(Lamp::Voting);
        wanted.extend([("green", false), ("yellow", true)]);
        wait(&history, &wanted);
        signals.sound(Sound::Done);
        wanted.extend([("buzzer", true), ("buzzer", false)]);
        wait(&history, &wanted);
        signals.lamp(Lamp::Finished);
        wanted.push(("green", true));
        wait(&history, &wanted);
        drop(signals);
        wanted.extend([("green", false), ("yellow", false)]);
        wait(&history, &wanted);
    }
}
