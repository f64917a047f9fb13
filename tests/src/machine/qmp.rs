//! The emulator's line for questions and commands: JSON, a line each (QMP).

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The line.
pub struct Qmp {
    line: UnixStream,
    answers: BufReader<UnixStream>,
    /// Names of the events so far; the emulated machine sends few.
    pub events: Vec<String>,
}

impl Qmp {
    /// Opens it.
    pub fn open(path: &Path) -> Result<Self> {
        let line = UnixStream::connect(path).context("the emulator's line")?;
        line.set_read_timeout(Some(PATIENCE))?;
        let mut qmp = Self {
            answers: BufReader::new(line.try_clone()?),
            line,
            events: Vec::new(),
        };
        qmp.read()?;
        qmp.ask("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// One command of the monitor for people; what it says.
    pub fn say(&mut self, command: &str) -> Result<String> {
        let said = self.ask("human-monitor-command", &json!({"command-line": command}))?;
        Ok(said.as_str().unwrap_or_default().to_owned())
    }

    fn read(&mut self) -> Result<Value> {
        let mut text = String::new();
        ensure!(self.answers.read_line(&mut text)? > 0, "the emulator has ended");
        Ok(serde_json::from_str(&text)?)
    }

    /// One command; what it returns. Events between are kept by name.
    pub fn ask(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        writeln!(self.line, "{}", json!({"execute": command, "arguments": arguments}))?;
        loop {
            let mut answer = self.read()?;
            if let Some(error) = answer.get("error") {
                bail!("{command}: {error}");
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(event) = answer["event"].as_str() {
                self.events.push(event.to_owned());
            }
        }
    }
}
