//! The day of a kiosk.

pub fn all() -> bool {
    true
}
