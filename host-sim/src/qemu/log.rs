//! What boards logged (defmt frames of UART0), as text: read by the program in host-sim/board-log, which is built for it. That is a package of
//! its own, because the decoder's features are not to be everybody's.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::image::build;

/// The program that reads logs, built where need be.
///
/// # Errors
/// It does not build.
pub fn reader() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("board-log");
    build("the reader of the board's log", &folder, &[])
}

fn run(reader: &Path, image: &Path, option: Option<&str>, log: &[u8]) -> Result<String> {
    let mut child = Command::new(reader)
        .arg(image)
        .args(option)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("the reader of the board's log does not start")?;
    let mut input = child.stdin.take().context("the reader takes no log")?;
    let log = log.to_vec();
    // Beside reading what it says: neither waits for the other. One that ends early says why itself.
    let writer = std::thread::spawn(move || input.write_all(&log));
    let out = child.wait_with_output()?;
    let _ = writer.join();
    if !out.status.success() {
        bail!("the board's log: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The log of one start as text, a line an event: seconds since the start, level, what happened.
///
/// # Errors
/// A frame cannot be read.
pub fn read(reader: &Path, image: &Path, log: &[u8]) -> Result<String> {
    run(reader, image, None, log)
}

/// Everything that a firmware can ever log, as its image says.
///
/// # Errors
/// It logs nothing at all.
pub fn formats(reader: &Path, image: &Path) -> Result<Vec<String>> {
    let list = run(reader, image, Some("--formats"), &[])?;
    Ok(list.lines().map(str::to_owned).collect())
}

/// The logs of all starts as one text.
///
/// # Errors
/// A frame cannot be read.
pub fn read_all(reader: &Path, image: &Path, starts: &[Vec<u8>]) -> Result<String> {
    let mut text = String::new();
    for (number, log) in (1..).zip(starts) {
        text.push_str(&format!("-- start {number}\n"));
        text.push_str(&read(reader, image, log).with_context(|| format!("start {number}"))?);
    }
    Ok(text)
}
