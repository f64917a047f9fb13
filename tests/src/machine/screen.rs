//! The display and the touch panel of a machine, through the emulator's line.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::qmp::Qmp;
use super::{LOOK, TAP};
use crate::hands::{Glass, PANEL};
use crate::xvfb::Picture;

/// The display and the touch panel of a machine.
pub struct Screen {
    pub(super) line: Qmp,
    pub(super) dump: PathBuf,
    pub(super) seen: Picture,
    pub(super) looked: Instant,
}

impl Screen {
    fn look(&mut self) -> Result<()> {
        std::thread::sleep(LOOK.saturating_sub(self.looked.elapsed()));
        self.looked = Instant::now();
        let file = self.dump.display().to_string();
        self.line.ask("screendump", &json!({ "filename": file }))?;
        if let Some(picture) = decoded(&fs::read(&self.dump)?) {
            self.seen = picture;
        }
        Ok(())
    }

    fn pointer(&mut self, events: &serde_json::Value) -> Result<()> {
        self.line.ask("input-send-event", &json!({ "events": events }))?;
        Ok(())
    }
}

impl Glass for Screen {
    fn picture(&mut self) -> Result<&Picture> {
        self.look()?;
        Ok(&self.seen)
    }

    fn press(&mut self, x: i32, y: i32) -> Result<()> {
        // The tablet's own units, from one edge to the other.
        let scaled = |at: i32, size: u32| (i64::from(at) * 2 + 1) * 0x7FFF / (i64::from(size) * 2);
        // From a little beside it: the kernel says nothing of a place where the tablet is already, and a kiosk that has just started would not
        // know where that is. A finger never comes down on exactly the same spot.
        for x in [x - 1, x] {
            self.pointer(&json!([
                {"type": "abs", "data": {"axis": "x", "value": scaled(x, PANEL.width)}},
                {"type": "abs", "data": {"axis": "y", "value": scaled(y, PANEL.height)}},
            ]))?;
        }
        self.pointer(&json!([{"type": "btn", "data": {"down": true, "button": "left"}}]))
    }

    fn release(&mut self) -> Result<()> {
        self.pointer(&json!([{"type": "btn", "data": {"down": false, "button": "left"}}]))
    }

    fn touch(&mut self, x: i32, y: i32, long: Duration) -> Result<()> {
        self.press(x, y)?;
        std::thread::sleep(long.max(TAP));
        self.release()
    }
}

/// A picture in the emulator's format (PPM), if it is one of the panel's size.
fn decoded(bytes: &[u8]) -> Option<Picture> {
    let head = format!("P6\n{} {}\n255\n", PANEL.width, PANEL.height);
    let pixels = bytes.strip_prefix(head.as_bytes())?;
    let (width, height) = (PANEL.width as usize, PANEL.height as usize);
    let pixels: Vec<u32> = pixels
        .as_chunks::<3>()
        .0
        .iter()
        .map(|[red, green, blue]| u32::from_be_bytes([0, *red, *green, *blue]))
        .collect();
    (pixels.len() == width * height).then_some(Picture { width, height, pixels })
}
