//! The glass: a GT911 on I2C2, its interrupt line on PE5. All five places that it feels are read: more than one is a palm.
//!
//! The library starts the controller; places are read here, because its own reading of several ends the program when the controller says
//! more than five.

use embassy_stm32::exti::ExtiInput;
use embassy_stm32::i2c::{Error, I2c, Master};
use embassy_stm32::mode::Async;
use embassy_time::{Duration, Timer, with_timeout};
use gt911::Gt911;
use mcu::finger::{Finger, Hand};
use mcu::screen::Glass;

type Bus = I2c<'static, Async, Master>;

/// A finger that says nothing for so long has left: the controller reports every 10 ms while one is there, and its last word may be lost.
const SILENCE: Duration = Duration::from_millis(120);

/// Address on the bus.
const ADDRESS: u8 = 0x5D;
/// Register of the status; the places follow it. (GT911 programming guide: bit 7 something new, bit 6 a large area, bits 3 to 0 how many places.)
const STATUS: [u8; 2] = [0x81, 0x4E];
/// Places at once.
const PLACES: usize = 5;
/// Bytes of a place: number, x, y, size, one in reserve.
const PLACE: usize = 8;

/// The glass.
pub struct Touchpad {
    bus: Bus,
    controller: Gt911<Bus>,
    line: ExtiInput<'static, Async>,
    started: bool,
    hand: Hand,
    /// What was felt and not told yet.
    next: Option<Finger>,
    /// The display's switch and light, the display itself: they live as long as the glass.
    _lights: crate::display::Lights,
}

/// What the controller feels.
struct Felt {
    places: [(u16, u16); PLACES],
    count: usize,
    large: bool,
}

impl Felt {
    const NOTHING: Self = Self {
        places: [(0, 0); PLACES],
        count: 0,
        large: false,
    };
}

impl Touchpad {
    /// On this bus.
    pub fn new(bus: Bus, line: ExtiInput<'static, Async>, lights: crate::display::Lights) -> Self {
        Self {
            bus,
            controller: Gt911::default(),
            line,
            started: false,
            hand: Hand::default(),
            next: None,
            _lights: lights,
        }
    }

    /// What is new; `None` if nothing is.
    async fn feel(&mut self) -> Result<Option<Felt>, Error> {
        let mut read = [0; 1 + PLACES * PLACE];
        self.bus.write_read(ADDRESS, &STATUS, &mut read).await?;
        let [status, places @ ..] = read;
        if status & 0x80 == 0 {
            return Ok(None);
        }
        let [high, low] = STATUS;
        self.bus.write(ADDRESS, &[high, low, 0]).await?;
        let count = usize::from(status & 0x0F);
        let mut felt = Felt {
            // More than it can feel: a line that is disturbed, or another chip. Nothing of it is a finger.
            large: status & 0x40 != 0 || count > PLACES,
            count: count.min(PLACES),
            ..Felt::NOTHING
        };
        let (places, _) = places.as_chunks::<PLACE>();
        for (place, [_, x0, x1, y0, y1, ..]) in felt.places.iter_mut().zip(places) {
            *place = (u16::from_le_bytes([*x0, *x1]), u16::from_le_bytes([*y0, *y1]));
        }
        Ok(Some(felt))
    }
}

impl Glass for Touchpad {
    async fn next(&mut self) -> Finger {
        loop {
            if let Some(finger) = self.next.take() {
                return finger;
            }
            if !self.started {
                let mut buffer = [0; gt911::GET_TOUCH_BUF_SIZE];
                match self.controller.init(&mut self.bus, &mut buffer).await {
                    Ok(()) => self.started = true,
                    Err(_) => {
                        defmt::error!("the touch controller does not answer");
                        Timer::after_millis(1_000).await;
                        continue;
                    }
                }
            }
            let felt = match self.feel().await {
                Ok(Some(felt)) => felt,
                Ok(None) => {
                    let wait = self.line.wait_for_any_edge();
                    if !self.hand.touched() {
                        wait.await;
                        continue;
                    }
                    if with_timeout(SILENCE, wait).await.is_ok() {
                        continue;
                    }
                    Felt::NOTHING
                }
                Err(_) => {
                    // A broken line: whoever was pressing is not any more.
                    self.started = false;
                    Felt::NOTHING
                }
            };
            let places = felt.places.get(..felt.count).unwrap_or_default();
            let [first, second] = self.hand.felt(places, felt.large);
            self.next = second;
            if let Some(finger) = first {
                return finger;
            }
        }
    }
}

/// SCL PF1, SDA PF0, 400 kHz.
macro_rules! start {
    ($p:ident, $lights:ident) => {{
        let mut config = embassy_stm32::i2c::Config::default();
        config.frequency = embassy_stm32::time::Hertz(400_000);
        let bus = embassy_stm32::i2c::I2c::new($p.I2C2, $p.PF1, $p.PF0, $p.GPDMA1_CH2, $p.GPDMA1_CH3, Irqs, config);
        let line = embassy_stm32::exti::ExtiInput::new($p.PE5, $p.EXTI5, embassy_stm32::gpio::Pull::None, Irqs);
        crate::touch::Touchpad::new(bus, line, $lights)
    }};
}
pub(crate) use start;
