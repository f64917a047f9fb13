//! The machine's own log, for whoever repairs it: bounded in size and in pace, on standard error (where a service manager keeps it) and in a file
//! where one is configured.
//!
//! Never in it: anything about voters or cards, a PIN, a key, a choice. A log that names card events with their times is the order of voting.
//! What staff do and what the box holds is the audit log on the media, which is another thing.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Lines a minute; more are counted and not written.
const LINES: u32 = 60;
/// Characters of a line.
const LONGEST: usize = 400;

/// The log. Clones write to the same one.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    file: Option<(File, PathBuf, u64)>,
    /// Half of what the two files together may hold.
    limit: u64,
    terminal: bool,
    last: String,
    again: u32,
    minute: Instant,
    lines: u32,
    left_out: u32,
}

impl Log {
    /// A log on standard error, and in a file of at most `limit` bytes with one older one beside it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(file: Option<(&Path, u64)>) -> std::io::Result<Self> {
        let limit = file.map_or(0, |(_, limit)| limit);
        let file = file
            .map(|(path, _)| {
                let file = OpenOptions::new().create(true).append(true).open(path)?;
                let length = file.metadata()?.len();
                Ok::<_, std::io::Error>((file, path.to_path_buf(), length))
            })
            .transpose()?;
        Ok(Self::of(file, limit, true))
    }

    /// A log that nobody reads.
    #[must_use]
    pub fn silent() -> Self {
        Self::of(None, 0, false)
    }

    fn of(file: Option<(File, PathBuf, u64)>, limit: u64, terminal: bool) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                file,
                limit,
                terminal,
                last: String::new(),
                again: 0,
                minute: Instant::now(),
                lines: 0,
                left_out: 0,
            })),
        }
    }

    /// Writes a line. The same line again is counted, and said when another one comes.
    pub fn say(&self, text: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.last == text {
            inner.again = inner.again.saturating_add(1);
            return;
        }
        let again = std::mem::take(&mut inner.again);
        text.clone_into(&mut inner.last);
        if again > 0 {
            inner.line(&format!("(the line before {again} times more)"));
        }
        inner.line(text);
    }
}

impl Inner {
    fn line(&mut self, text: &str) {
        if self.minute.elapsed() > Duration::from_secs(60) {
            self.minute = Instant::now();
            self.lines = 0;
            let left_out = std::mem::take(&mut self.left_out);
            if left_out > 0 {
                self.write(&format!("({left_out} lines were left out)"));
            }
        }
        self.lines = self.lines.saturating_add(1);
        if self.lines > LINES {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.write(text);
    }

    fn write(&mut self, text: &str) {
        // One line, whatever a device calls itself.
        let text: String = text
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .take(LONGEST)
            .collect();
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let line = format!("{seconds} {text}\n");
        if self.terminal {
            // A log that cannot be written stops nobody from voting.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
        let bytes = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if let Some((file, path, length)) = &mut self.file {
            if length.saturating_add(bytes) > self.limit {
                let _ = std::fs::rename(&*path, path.with_extension("old"));
                if let Ok(fresh) = OpenOptions::new().create(true).write(true).truncate(true).open(&*path) {
                    *file = fresh;
                    *length = 0;
                }
            }
            if *length < self.limit && file.write_all(line.as_bytes()).is_ok() {
                *length = length.saturating_add(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f10_the_log_stays_within_its_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kiosk.log");
        let log = Log::new(Some((&path, 2_000))).unwrap();
        log.inner.lock().unwrap().terminal = false;
        for number in 0..10_000 {
            // Another line each time, and another minute every 50.
            if number % 50 == 0 {
                log.inner.lock().unwrap().lines = 0;
            }
            log.say(&format!("line {number} {}\nnot a second one", "x".repeat(number % 900)));
        }
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&path) <= 2_000 && size(&path.with_extension("old")) <= 2_000);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().all(|line| line.contains(" line ")), "{text}");
    }

    #[test]
    fn repeated_lines_are_counted_and_a_flood_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kiosk.log");
        let log = Log::new(Some((&path, 1 << 20))).unwrap();
        log.inner.lock().unwrap().terminal = false;
        for _ in 0..500 {
            log.say("the reader is not there");
        }
        for number in 0..500 {
            log.say(&number.to_string());
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("499 times more"), "{text}");
        assert!(text.lines().count() <= 60);
    }
}
