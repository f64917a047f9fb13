//! What the processes that one has started have used of this machine's processors, as Linux tells it.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// A second of what `/proc` counts in (`USER_HZ`).
const TICKS: u64 = 100;

/// Time in programs and in the kernel on behalf of all processes that this one has started and that run.
///
/// # Errors
/// There is none.
pub fn processor_time(parent: u32) -> Result<Duration> {
    let mut all = None;
    for entry in std::fs::read_dir("/proc")? {
        // What is no process, or has just ended, has no such file.
        let Ok(line) = std::fs::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        if let Some((of, ticks)) = read(&line)
            && of == u64::from(parent)
        {
            all = Some(all.unwrap_or(0) + ticks);
        }
    }
    let all: u64 = all.context("it has started no process that runs")?;
    Ok(Duration::from_millis(all * 1_000 / TICKS))
}

/// A process's parent, and the ticks it used.
fn read(line: &str) -> Option<(u64, u64)> {
    // Behind the name, which may hold anything: state, parent, nine others, time in programs, time in the kernel.
    let (_, line) = line.rsplit_once(')')?;
    let mut fields = line.split_whitespace().skip(1);
    let parent = fields.next()?.parse().ok()?;
    let mut times = fields.skip(9).map(|field| field.parse::<u64>().ok());
    Some((parent, times.next()?? + times.next()??))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_name_is() {
        let line = "23 (a (b) c) R 7 23 23 0 -1 4194304 100 0 0 0 250 31 0 0 20 0 1 0 1 2 3";
        assert_eq!(read(line), Some((7, 281)));
        assert_eq!(read("23 (a) R 7"), None);
    }

    #[test]
    fn a_busy_child_is_counted() {
        let shell = Command::new("sh")
            .args(["-c", "while :; do :; done & read -r _; kill $!"])
            .stdin(Stdio::piped())
            .spawn();
        let mut shell = shell.unwrap();
        // It is given some time in the end, however busy others are.
        while !processor_time(shell.id()).is_ok_and(|time| time > Duration::from_millis(50)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}
