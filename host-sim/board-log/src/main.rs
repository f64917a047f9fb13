//! A board's log as text: defmt frames on standard input, read by the table in the firmware's image; a line an event on standard output.
//!
//! `board-log IMAGE` reads; `board-log IMAGE --formats` lists everything that this image can ever log, a line each. A last frame that is cut off
//! is what a power cut leaves; a frame that cannot be read is an error.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, Result, bail};
use defmt_decoder::{DecodeError, Table};

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let image = arguments.next().context("board-log IMAGE [--formats] < LOG")?;
    let elf = std::fs::read(&image).with_context(|| image.display().to_string())?;
    let table = Table::parse(&elf)?.context("this image logs nothing")?;
    let mut out = std::io::stdout().lock();
    match arguments.next() {
        None => {}
        Some(what) if what == "--formats" => {
            let mut formats: Vec<&str> = table.raw_symbols().collect();
            formats.sort_unstable();
            for format in formats {
                writeln!(out, "{format}")?;
            }
            return Ok(());
        }
        Some(what) => bail!("board-log does not know {}", what.display()),
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let mut decoder = table.new_stream_decoder();
    decoder.received(&bytes);
    let mut broken = 0;
    loop {
        match decoder.decode() {
            Ok(frame) => {
                let time = frame
                    .display_timestamp()
                    .map(|time| time.to_string())
                    .unwrap_or_default();
                let level = frame.level().map_or("", |level| level.as_str());
                writeln!(out, "{time:>12} {level:<5} {}", frame.display_message())?;
            }
            Err(DecodeError::UnexpectedEof) => break,
            Err(DecodeError::Malformed) if table.encoding().can_recover() => broken += 1,
            Err(DecodeError::Malformed) => bail!("the log cannot be read from here on"),
        }
    }
    if broken > 0 {
        bail!("{broken} frames of the log cannot be read");
    }
    Ok(())
}
