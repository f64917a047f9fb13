//! The bundled font, for hosts: its bytes, and what it cannot show. A universal-design face under the SIL Open Font License
//! (fonts/OFL.txt), the same on all platforms, never taken from the machine.

pub use crate::text::missing;

/// BIZ UDPGothic Regular, unmodified.
pub static BYTES: &[u8] = include_bytes!("../fonts/BIZUDPGothic-Regular.ttf");

/// Its family, as Slint names it.
pub const FAMILY: &str = "BIZ UDPGothic";
