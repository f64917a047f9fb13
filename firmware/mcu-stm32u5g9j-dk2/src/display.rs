//! Clocks, and the display: LTDC reads the picture from memory, the panel's renderer writes it there.
//!
//! Clock and panel figures are those of ST's own configuration of the board (16 MHz crystal, 160 MHz core, 25 MHz pixels).

use core::mem::MaybeUninit;

use embassy_stm32::Config;
use embassy_stm32::ltdc::{LtdcConfiguration, LtdcLayer, LtdcLayerConfig, PixelFormat, PolarityActive, PolarityEdge};
use embassy_stm32::rcc;
use embassy_stm32::time::Hertz;
use mcu::pixel::Pixel;

/// Pixels across.
pub const WIDTH: usize = 800;
/// Pixels down.
pub const HEIGHT: usize = 480;

static mut PIXELS: MaybeUninit<[Pixel; WIDTH * HEIGHT]> = MaybeUninit::zeroed();

/// The picture, for whoever draws it: the screen's task, and once more a panic, after which nobody draws.
pub fn pixels() -> &'static mut [Pixel] {
    // Zeros are pixels; the display only reads.
    let place = &raw mut PIXELS;
    unsafe { (*place).assume_init_mut() }
}

/// Where the display reads.
pub fn address() -> *const () {
    (&raw const PIXELS).cast()
}

/// 160 MHz from the crystal, 25 MHz for pixels, 16 MHz for the card's line, 48 MHz for the random source.
pub fn clocks() -> Config {
    let mut config = Config::default();
    config.rcc.hse = Some(rcc::Hse {
        freq: Hertz(16_000_000),
        mode: rcc::HseMode::Oscillator,
    });
    config.rcc.pll1 = Some(rcc::Pll {
        source: rcc::PllSource::HSE,
        prediv: rcc::PllPreDiv::DIV4,
        mul: rcc::PllMul::MUL80,
        divp: None,
        divq: None,
        divr: Some(rcc::PllDiv::DIV2),
    });
    config.rcc.sys = rcc::Sysclk::PLL1_R;
    config.rcc.pll3 = Some(rcc::Pll {
        source: rcc::PllSource::HSE,
        prediv: rcc::PllPreDiv::DIV4,
        mul: rcc::PllMul::MUL125,
        divp: None,
        divq: None,
        divr: Some(rcc::PllDiv::DIV20),
    });
    config.rcc.mux.ltdcsel = rcc::mux::Ltdcsel::PLL3_R;
    config.rcc.hsi = true;
    config.rcc.mux.usart2sel = rcc::mux::Usartsel::HSI;
    config.rcc.hsi48 = Some(rcc::Hsi48Config::default());
    config
}

/// The panel's timing.
pub const TIMING: LtdcConfiguration = LtdcConfiguration {
    active_width: WIDTH as u16,
    active_height: HEIGHT as u16,
    h_back_porch: 8,
    h_front_porch: 8,
    v_back_porch: 8,
    v_front_porch: 14,
    h_sync: 5,
    v_sync: 5,
    // All four bits 0, as in ST's own drivers of the board, which drive data enable by the controller, too. (RM0456: 0 in DEPOL is "not data
    // enable" active low: the line is high while pixels come.) Examples that keep PD6 low have the others the other way round.
    h_sync_polarity: PolarityActive::ActiveLow,
    v_sync_polarity: PolarityActive::ActiveLow,
    data_enable_polarity: PolarityActive::ActiveLow,
    pixel_clock_polarity: PolarityEdge::RisingEdge,
};

/// The one layer: the whole display.
pub const LAYER: LtdcLayerConfig = LtdcLayerConfig {
    layer: LtdcLayer::Layer1,
    pixel_format: PixelFormat::RGB565,
    window_x0: 0,
    window_x1: WIDTH as u16,
    window_y0: 0,
    window_y1: HEIGHT as u16,
};

/// Starts it: the pins (UM3223), then the light when there is a picture. Gives the pins of switch and light, which have to live.
macro_rules! start {
    ($p:ident) => {{
        use embassy_stm32::gpio::{Level, Output, Speed};
        use embassy_stm32::ltdc::{Ltdc, LtdcLayer};
        let mut on = Output::new($p.PE4, Level::Low, Speed::High);
        let mut light = Output::new($p.PE6, Level::Low, Speed::High);
        // Data enable (PD6) is driven by hand in this release of the library.
        let mut enable = embassy_stm32::gpio::Flex::new($p.PD6);
        enable.set_as_af_unchecked(
            8,
            embassy_stm32::gpio::AfType::output(embassy_stm32::gpio::OutputType::PushPull, Speed::VeryHigh),
        );
        let mut ltdc = Ltdc::new_with_pins(
            $p.LTDC, Irqs, $p.PD3, $p.PE0, $p.PD13, $p.PB9, $p.PB2, $p.PD14, $p.PD15, $p.PD0, $p.PD1, $p.PE7, $p.PE8,
            $p.PC8, $p.PC9, $p.PE9, $p.PE10, $p.PE11, $p.PE12, $p.PE13, $p.PE14, $p.PC6, $p.PC7, $p.PE15, $p.PD8,
            $p.PD9, $p.PD10, $p.PD11, $p.PD12,
        );
        ltdc.init(&crate::display::TIMING);
        ltdc.init_layer(&crate::display::LAYER, None);
        if ltdc
            .set_buffer(LtdcLayer::Layer1, crate::display::address())
            .await
            .is_err()
        {
            defmt::error!("the display does not read its picture");
        }
        on.set_high();
        light.set_high();
        (ltdc, on, light, enable)
    }};
}
pub(crate) use start;

/// What [`start!`] gives.
pub type Lights = (
    embassy_stm32::ltdc::Ltdc<'static, embassy_stm32::peripherals::LTDC>,
    embassy_stm32::gpio::Output<'static>,
    embassy_stm32::gpio::Output<'static>,
    embassy_stm32::gpio::Flex<'static>,
);
