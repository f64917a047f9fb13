//! Sizes in millimetres, turned into pixels of a panel (V2, V3): whatever the panel's size and resolution, a finger and an eye
//! are the same. Whole pixels, whole numbers; the same on every platform.

use core::fmt;

use crate::text::{CAPITAL, UNITS};

/// A panel: its pixels and its diagonal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The diagonal of the visible area in millimetres (10.1 inches are 257).
    pub diagonal_mm: u32,
}

/// The panels that stations have, and that everything must fit: 7 inches, twice 10.1, and 15.6.
pub const REFERENCE: [Config; 4] = [
    Config {
        width: 800,
        height: 480,
        diagonal_mm: 178,
    },
    Config {
        width: 1024,
        height: 600,
        diagonal_mm: 257,
    },
    Config {
        width: 1280,
        height: 800,
        diagonal_mm: 257,
    },
    Config {
        width: 1920,
        height: 1080,
        diagonal_mm: 396,
    },
];

/// The panel cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Below 100 mm of diagonal or 320 pixels: the PIN pad does not fit with keys for fingers.
    TooSmall,
    /// Above 1,500 mm or 8,192 pixels: surely a mistake.
    TooLarge,
    /// Fewer than 3 pixels a millimetre: text is not readable.
    TooCoarse,
    /// The graphics library has no window for it.
    NoWindow,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooSmall => "the panel is too small: at least 100 mm of diagonal and 320 pixels down are needed",
            Self::TooLarge => "the panel is larger than any there is: check its size in pixels and its diagonal",
            Self::TooCoarse => "the panel has fewer than 3 pixels a millimetre: check its diagonal",
            Self::NoWindow => "the graphics library gives no window: check the display, or run headless",
        })
    }
}

impl core::error::Error for ConfigError {}

/// A text size (V3), smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextSize {
    /// Capitals of 3.5 to 4.2 mm.
    Small,
    /// 4.8 to 5.6 mm: what a voter meets first.
    Normal,
    /// 6.4 to 7.1 mm.
    Large,
    /// 8.5 to 9.0 mm.
    Huge,
}

impl TextSize {
    /// All sizes.
    pub const ALL: [Self; 4] = [Self::Small, Self::Normal, Self::Large, Self::Huge];

    /// Height of a capital in micrometres: text, and what explains it (never under 3.5 mm).
    const fn capitals(self) -> (i64, i64) {
        match self {
            Self::Small => (3_850, 3_600),
            Self::Normal => (5_000, 3_900),
            Self::Large => (6_600, 5_000),
            Self::Huge => (8_600, 6_400),
        }
    }
}

/// A panel's numbers, all in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Width.
    pub width: i32,
    /// Height.
    pub height: i32,
    width_um: i64,
    /// Smallest side of a touch area (V2: 12.7 mm).
    pub touch: i32,
    /// Between two touch areas (V2: 2.54 mm), and around everything.
    pub gap: i32,
    /// A thin line.
    pub stroke: i32,
    /// How far a finger may slip (F9).
    pub slip: i32,
}

impl Metrics {
    /// Computes them.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let (width, height, diagonal) = (
            u64::from(config.width),
            u64::from(config.height),
            u64::from(config.diagonal_mm),
        );
        if width > 8_192 || height > 8_192 || diagonal > 1_500 {
            return Err(ConfigError::TooLarge);
        }
        if width < 320 || height < 320 || diagonal < 100 {
            return Err(ConfigError::TooSmall);
        }
        let width_um = diagonal * 1_000 * width / (width * width + height * height).isqrt();
        if width * 1_000 < width_um * 3 {
            return Err(ConfigError::TooCoarse);
        }
        let mut metrics = Self {
            // At most 8,192.
            width: i32::try_from(config.width).unwrap_or(0),
            height: i32::try_from(config.height).unwrap_or(0),
            width_um: i64::try_from(width_um).unwrap_or(1),
            touch: 0,
            gap: 0,
            stroke: 0,
            slip: 0,
        };
        metrics.touch = metrics.px(12_700);
        metrics.gap = metrics.px(2_540);
        metrics.stroke = metrics.px(350).max(2);
        metrics.slip = metrics.px(8_000);
        Ok(metrics)
    }

    /// Pixels of so many micrometres, rounded up.
    #[must_use]
    pub fn px(&self, micrometres: i64) -> i32 {
        let pixels = (micrometres * i64::from(self.width) + self.width_um - 1) / self.width_um;
        i32::try_from(pixels).unwrap_or(i32::MAX)
    }

    /// Micrometres of so many pixels.
    #[must_use]
    pub fn um(&self, pixels: i32) -> i64 {
        i64::from(pixels) * self.width_um / i64::from(self.width)
    }

    /// The em whose capitals are so high.
    fn em(&self, capital_um: i64) -> i32 {
        let micrometres = (capital_um * i64::from(UNITS) + i64::from(CAPITAL) - 1) / i64::from(CAPITAL);
        self.px(micrometres)
    }

    /// Height of the capitals of an em, in micrometres.
    #[must_use]
    pub fn capital_um(&self, em: i32) -> i64 {
        i64::from(em) * self.width_um * i64::from(CAPITAL) / (i64::from(UNITS) * i64::from(self.width))
    }

    /// The type of a text size.
    #[must_use]
    pub fn type_of(&self, size: TextSize) -> Type {
        let (body, small) = size.capitals();
        let em = self.em(body);
        Type {
            body: em,
            small: self.em(small),
            title: match size {
                TextSize::Small | TextSize::Normal => em + em / 6,
                TextSize::Large | TextSize::Huge => em,
            },
        }
    }
}

/// Ems in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    /// Text, names and buttons.
    pub body: i32,
    /// What explains: readings, parties, page numbers.
    pub small: i32,
    /// Titles.
    pub title: i32,
}

/// From one line to the next: the font fills its em, so that lines need air.
#[must_use]
pub const fn line_height(em: i32) -> i32 {
    em + (em * 2 + 4) / 5
}
