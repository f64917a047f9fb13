//! The glass: a GT911 on I2C2, its interrupt line on PE5. Only the first finger counts; a second one is the panel's to refuse.

use embassy_stm32::exti::ExtiInput;
use embassy_stm32::i2c::{I2c, Master};
use embassy_stm32::mode::Async;
use embassy_time::{Duration, Timer, with_timeout};
use gt911::{Error, Gt911};
use mcu::finger::{Finger, Phase};
use mcu::screen::Glass;

type Bus = I2c<'static, Async, Master>;

/// A finger that says nothing for so long has left: the controller reports every 10 ms while one is there, and its last word may be lost.
const SILENCE: Duration = Duration::from_millis(120);

/// The glass.
pub struct Touchpad {
    bus: Bus,
    controller: Gt911<Bus>,
    line: ExtiInput<'static, Async>,
    started: bool,
    down: Option<(u16, u16)>,
    /// The display's switch and light, the display itself: they live as long as the glass.
    _lights: crate::display::Lights,
}

impl Touchpad {
    /// On this bus.
    pub fn new(bus: Bus, line: ExtiInput<'static, Async>, lights: crate::display::Lights) -> Self {
        Self {
            bus,
            controller: Gt911::default(),
            line,
            started: false,
            down: None,
            _lights: lights,
        }
    }

    fn finger(&mut self, place: Option<(u16, u16)>) -> Option<Finger> {
        let finger = match (self.down, place) {
            (None, Some((x, y))) => Finger {
                phase: Phase::Down,
                x,
                y,
            },
            (Some(before), Some((x, y))) if before != (x, y) => Finger {
                phase: Phase::Move,
                x,
                y,
            },
            (Some((x, y)), None) => Finger { phase: Phase::Up, x, y },
            _ => return None,
        };
        self.down = place;
        Some(finger)
    }
}

impl Glass for Touchpad {
    async fn next(&mut self) -> Finger {
        loop {
            let mut buffer = [0; gt911::GET_TOUCH_BUF_SIZE];
            if !self.started {
                match self.controller.init(&mut self.bus, &mut buffer).await {
                    Ok(()) => self.started = true,
                    Err(_) => {
                        defmt::error!("the touch controller does not answer");
                        Timer::after_millis(1_000).await;
                        continue;
                    }
                }
            }
            let place = match self.controller.get_touch(&mut self.bus, &mut buffer).await {
                Ok(point) => point.map(|point| (point.x, point.y)),
                Err(Error::NotReady) => {
                    let wait = self.line.wait_for_any_edge();
                    if self.down.is_none() {
                        wait.await;
                        continue;
                    }
                    if with_timeout(SILENCE, wait).await.is_ok() {
                        continue;
                    }
                    None
                }
                Err(_) => {
                    // A broken line: whoever was pressing is not any more.
                    self.started = false;
                    None
                }
            };
            if let Some(finger) = self.finger(place) {
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
