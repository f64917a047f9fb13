//! Lamp and buzzer: three lights behind transistors, a piezo that is switched.

use embassy_stm32::gpio::Output;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Timer;
use kiosk::ports::{Lamp, Signals, Sound};

static PLAYED: Signal<CriticalSectionRawMutex, Sound> = Signal::new();

/// The lights.
pub struct Lights {
    /// Green.
    pub ready: Output<'static>,
    /// Yellow.
    pub voting: Output<'static>,
    /// Red.
    pub fault: Output<'static>,
}

impl Signals for Lights {
    /// Green waits, yellow votes, green and yellow: take the card; red and yellow calls staff, red is out of order.
    fn lamp(&mut self, lamp: Lamp) {
        let (ready, voting, fault) = match lamp {
            Lamp::Off => (false, false, false),
            Lamp::Ready => (true, false, false),
            Lamp::Voting => (false, true, false),
            Lamp::Finished => (true, true, false),
            Lamp::Call => (false, true, true),
            Lamp::Fault => (false, false, true),
        };
        self.ready.set_level(ready.into());
        self.voting.set_level(voting.into());
        self.fault.set_level(fault.into());
    }

    fn sound(&mut self, sound: Sound) {
        PLAYED.signal(sound);
    }
}

/// Beeps: how many, and how long each is, in milliseconds.
#[embassy_executor::task]
pub async fn sound_task(mut buzzer: Output<'static>) {
    loop {
        let (beeps, length) = match PLAYED.wait().await {
            Sound::Done => (1, 600),
            Sound::Refused => (2, 120),
            Sound::Call => (3, 250),
            Sound::Fault => (5, 400),
        };
        for _ in 0..beeps {
            buzzer.set_high();
            Timer::after_millis(length).await;
            buzzer.set_low();
            Timer::after_millis(120).await;
        }
    }
}

/// Green PG14, yellow PG13, red PD4 (the board's own green LD3 is dark while it is on), buzzer PA3.
macro_rules! start {
    ($p:ident) => {{
        use embassy_stm32::gpio::{Level, Output, Speed};
        (
            crate::signals::Lights {
                ready: Output::new($p.PG14, Level::Low, Speed::Low),
                voting: Output::new($p.PG13, Level::Low, Speed::Low),
                fault: Output::new($p.PD4, Level::Low, Speed::Low),
            },
            Output::new($p.PA3, Level::Low, Speed::Low),
        )
    }};
}
pub(crate) use start;
