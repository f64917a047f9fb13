//! A running board: its process, its lines, its memory, and whether it rests.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use mcu::stand::{End, Said, serial, word};
use tempfile::TempDir;

use super::counts::Counts;
use super::image::{Emulation, Measured, lock};
use super::memory::Memory;
use super::process::processor_time;
use crate::world::executor::{Look, Outside};
use crate::world::notify::Notify;
use crate::world::time::Timeline;

/// How long a board may compute before it is said to hang: real time, a hundred times what the longest takes.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the emulator may take to start.
const START: Duration = Duration::from_secs(60);
/// What wraps the emulator: it ends with us, whatever becomes of us, because its input closes then.
const WRAP: &str = "\"$@\" </dev/null & read -r _; kill -9 $!; wait";

/// What a board said, oldest first.
#[derive(Default)]
pub struct Heard {
    /// Screens, as [`mcu::sight`] writes them.
    pub screens: VecDeque<Vec<u8>>,
    /// Contacts of the card: bit 0 power, bit 1 reset.
    pub contacts: VecDeque<u8>,
    /// Bytes to the card.
    pub card: VecDeque<u8>,
    /// Bytes to the network.
    pub uplink: VecDeque<u8>,
    /// Lamp changes.
    pub lamps: VecDeque<u8>,
    /// Sounds.
    pub sounds: VecDeque<u8>,
    /// How its program ended; a program that fell starts again, and may end once more.
    pub ends: VecDeque<u8>,
    /// Of the line to us, what is not yet whole.
    host: Vec<u8>,
    rest: Option<u32>,
}

impl Heard {
    /// Takes apart what came on the line to us.
    fn understand(&mut self) {
        loop {
            let host = &self.host;
            let Some(letter) = host.first().copied() else { return };
            let length = match (letter, host.get(1..3)) {
                (letter, _) if letter == Said::Rest as u8 => 5,
                (letter, Some([low, high])) if letter == Said::Screen as u8 => {
                    3 + usize::from(u16::from_le_bytes([*low, *high]))
                }
                (letter, None) if letter == Said::Screen as u8 => return,
                _ => 2,
            };
            if host.len() < length {
                return;
            }
            let said: Vec<u8> = self.host.drain(..length).collect();
            let last = said.last().copied().unwrap_or(0);
            match letter {
                _ if letter == Said::Rest as u8 => {
                    self.rest = said
                        .get(1..5)
                        .and_then(|sum| Some(u32::from_le_bytes(sum.try_into().ok()?)));
                }
                _ if letter == Said::Screen as u8 => self.screens.push_back(said.get(3..).unwrap_or_default().to_vec()),
                _ if letter == Said::Contacts as u8 => self.contacts.push_back(last),
                _ if letter == Said::Lamp as u8 => self.lamps.push_back(last),
                _ if letter == Said::Sound as u8 => self.sounds.push_back(last),
                // What comes after it counts too: that it rests then, above all.
                _ if letter == Said::End as u8 => self.ends.push_back(last),
                // A word of another version: the rest of the line cannot be read any more.
                _ => self.host.clear(),
            }
        }
    }
}

/// A running board.
pub struct Guest {
    /// Its external memory.
    pub memory: Memory,
    /// What it said and nobody has taken yet.
    pub heard: RefCell<Heard>,
    /// Something was heard.
    pub changed: Notify,
    time: Rc<Timeline>,
    started: u64,
    settled: Cell<u64>,
    lines: Vec<Option<RefCell<UnixStream>>>,
    incoming: Receiver<(usize, Vec<u8>)>,
    sent: [Cell<u32>; serial::COUNT],
    received: [Cell<u32>; serial::COUNT],
    gone: Cell<bool>,
    /// Why it cannot go on, until somebody has asked.
    failed: RefCell<Option<String>>,
    /// Since when it has been computing while nobody waited for it.
    busy: Cell<Option<Instant>>,
    /// Who is to be woken when something comes.
    waker: Arc<Mutex<Option<Waker>>>,
    process: RefCell<Option<(Child, ChildStdin)>>,
    /// Log, memory and sockets lie here until the end.
    folder: TempDir,
    measured: Arc<Mutex<Measured>>,
    /// See [`Emulation::logs`].
    logs: Arc<Mutex<Vec<Vec<u8>>>>,
    counts: Option<Arc<Mutex<Counts>>>,
}

impl Guest {
    /// Starts a board on a memory that `prepare` has filled.
    ///
    /// # Errors
    /// The emulator does not start.
    pub fn start(
        emulation: &Emulation,
        time: Rc<Timeline>,
        prepare: impl FnOnce(&Memory) -> Result<()>,
    ) -> Result<Rc<Self>> {
        // Memory that is a file is quick in memory; anywhere else it works too.
        let folder =
            tempfile::Builder::new()
                .prefix("ippyo-board-")
                .tempdir_in(if PathBuf::from("/dev/shm").is_dir() {
                    PathBuf::from("/dev/shm")
                } else {
                    std::env::temp_dir()
                })?;
        let place = |name: &str| folder.path().join(name);
        let memory = Memory::create(&place("memory"))?;
        memory.set(word::KEPT, 1)?;
        memory.set(word::COUNT, u32::from(emulation.counts.is_some()))?;
        memory.set_long(word::ALARM, u64::MAX)?;
        prepare(&memory)?;
        let names = ["", "touch", "card", "uplink", "host"];
        let mut listeners = Vec::new();
        for name in names.iter().skip(serial::TOUCH) {
            listeners.push(UnixListener::bind(place(name))?);
        }
        let fill = |argument: &String| {
            let mut argument = argument.replace("{image}", &emulation.image.display().to_string());
            for name in ["memory", "log", "touch", "card", "uplink", "host"] {
                argument = argument.replace(&format!("{{{name}}}"), &place(name).display().to_string());
            }
            argument
        };
        let mut child = Command::new("sh")
            .args(["-c", WRAP, "sh"])
            .args(emulation.arguments.iter().map(fill))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(place("errors"))?)
            .spawn()
            .context("the emulator does not start")?;
        let input = child.stdin.take().context("no way to end the emulator")?;
        let (give, incoming) = channel();
        let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
        let mut lines = vec![None];
        for (line, listener) in (serial::TOUCH..).zip(listeners) {
            let stream =
                accept(&listener).with_context(|| std::fs::read_to_string(place("errors")).unwrap_or_default())?;
            let mut from = stream.try_clone()?;
            let (give, waker) = (give.clone(), waker.clone());
            std::thread::Builder::new().name("board line".into()).spawn(move || {
                let mut bytes = [0; 4096];
                // Ends when the emulator does, or when nobody listens any more.
                while let Ok(length) = from.read(&mut bytes)
                    && length > 0
                    && give.send((line, bytes[..length].to_vec())).is_ok()
                {
                    if let Some(waker) = lock(&waker).take() {
                        waker.wake();
                    }
                }
            })?;
            lines.push(Some(RefCell::new(stream)));
        }
        Ok(Rc::new(Self {
            memory,
            heard: RefCell::default(),
            changed: Notify::default(),
            started: time.now(),
            settled: Cell::new(0),
            time,
            lines,
            incoming,
            sent: Default::default(),
            received: Default::default(),
            gone: Cell::new(false),
            failed: RefCell::default(),
            busy: Cell::new(None),
            waker,
            process: RefCell::new(Some((child, input))),
            folder,
            measured: emulation.measured.clone(),
            logs: emulation.logs.clone(),
            counts: emulation.counts.clone(),
        }))
    }

    /// Sends bytes on a line. What time it is goes with them.
    ///
    /// # Errors
    /// The board is gone.
    pub fn send(&self, line: usize, bytes: &[u8]) -> Result<()> {
        if self.gone.get() || bytes.is_empty() {
            return Ok(());
        }
        self.memory
            .set_long(word::NOW, (self.time.now() - self.started) * 1_000)?;
        let sent = self.sent.get(line).context("there is no such line")?;
        sent.set(sent.get().wrapping_add(u32::try_from(bytes.len())?));
        // The number first: a board that has read less than that does not rest.
        self.memory.set(word::SENT + 4 * line, sent.get())?;
        let stream = self
            .lines
            .get(line)
            .and_then(Option::as_ref)
            .context("nothing is sent on this line")?;
        stream
            .borrow_mut()
            .write_all(bytes)
            .context("the board does not listen any more")
    }

    /// Rings: look at the control page, and at the time.
    ///
    /// # Errors
    /// As [`Guest::send`].
    pub fn ring(&self) -> Result<()> {
        self.send(serial::HOST, b"!")
    }

    /// Waits, for real, until its program ends like this; what it says before that is thrown away.
    ///
    /// # Errors
    /// It does not.
    pub fn wait_for_end(&self, end: End) -> Result<()> {
        loop {
            while let Some(ended) = self.heard.borrow_mut().ends.pop_front() {
                if ended == end as u8 {
                    return Ok(());
                }
            }
            let (line, bytes) = self
                .incoming
                .recv_timeout(PATIENCE)
                .context("the board says nothing any more")?;
            self.take(line, &bytes);
        }
    }

    /// Waits until the board has come to rest once more.
    pub async fn rested(&self) {
        let before = self.settled.get();
        self.changed
            .wait_for(|| (self.settled.get() != before).then_some(()))
            .await;
    }

    /// The world's millisecond until which the board rests, if it waits for any.
    ///
    /// # Errors
    /// What the file system says.
    pub fn alarm(&self) -> Result<Option<u64>> {
        let micros = self.memory.long(word::ALARM)?;
        Ok((micros != u64::MAX).then(|| self.started.saturating_add(micros.div_ceil(1_000))))
    }

    /// The board's log, as far as it goes.
    ///
    /// # Errors
    /// What the file system says.
    pub fn log(&self) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.folder.path().join("log"))?)
    }

    fn take(&self, line: usize, bytes: &[u8]) {
        let mut heard = self.heard.borrow_mut();
        if let Some(count) = self.received.get(line) {
            count.set(count.get().wrapping_add(u32::try_from(bytes.len()).unwrap_or(0)));
        }
        match line {
            serial::CARD => heard.card.extend(bytes),
            serial::UPLINK => heard.uplink.extend(bytes),
            serial::HOST => {
                heard.host.extend(bytes);
                heard.understand();
            }
            _ => {}
        }
    }

    /// Whether it has read all we sent, says that it rests, and we have read all it sent.
    fn rests(&self) -> Result<bool> {
        let sum = self.sent.iter().fold(0_u32, |sum, sent| sum.wrapping_add(sent.get()));
        if self.heard.borrow().rest != Some(sum) {
            return Ok(false);
        }
        for line in [serial::CARD, serial::UPLINK] {
            let spoken = self.memory.word(word::HEARD + 4 * line)?;
            if self.received.get(line).map(Cell::get) != Some(spoken) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until it cannot go on, and says why.
    pub async fn failed(&self) -> String {
        self.changed.wait_for(|| self.failed.borrow_mut().take()).await
    }

    /// Takes what has come and was not looked at; whether anything had. For whoever runs a board that keeps its own time, and so never says that it
    /// rests.
    pub fn collect(&self) -> bool {
        let mut any = false;
        while let Ok((line, bytes)) = self.incoming.try_recv() {
            self.take(line, &bytes);
            any = true;
        }
        any
    }

    fn came(&self) {
        self.settled.set(self.settled.get() + 1);
        self.changed.notify();
    }

    /// Whether nothing more will come by itself: it rests, or there is no power.
    fn is_still(&self) -> Result<bool> {
        let dark = self.heard.borrow().ends.contains(&(End::Fuse as u8));
        Ok(self.gone.get() || dark || self.rests()?)
    }

    fn stuck(&self) -> Result<String> {
        Ok(format!(
            "the board does not come to rest: {}",
            self.panic_message()?.unwrap_or_else(|| "it hangs".into())
        ))
    }

    /// Ends it at once, as if its plug were pulled, and keeps what it measured.
    pub fn kill(&self) {
        self.gone.set(true);
        let Some((mut child, input)) = self.process.borrow_mut().take() else {
            return;
        };
        drop(input);
        // The wrap waits for the emulator: from here on nobody writes the memory.
        let _ = child.wait();
        lock(&self.logs).push(self.log().unwrap_or_default());
        let pair = |words: [usize; 2]| words.map(|word| self.memory.word(word).unwrap_or(0));
        lock(&self.measured).add(&Measured {
            stack: pair(word::STACK),
            screens: pair(word::SCREENS),
            certificates: pair(word::CERTIFICATES),
            frames: self.memory.word(word::FRAMES).unwrap_or(0),
            restarts: self.memory.word(word::RESTARTS).unwrap_or(0),
            starts: 1,
        });
        if let Some(counts) = &self.counts {
            let counted = self.memory.word(word::COUNTED).unwrap_or(0);
            let records = self.memory.read(mcu::stand::COUNTS, mcu::stand::COUNTS_LEN);
            lock(counts).add(counted, &records.unwrap_or_default());
        }
    }

    /// What the emulator has used of this machine's processors since it started.
    ///
    /// # Errors
    /// It is gone.
    pub fn processor_time(&self) -> Result<Duration> {
        let process = self.process.borrow();
        let (wrap, _) = process.as_ref().context("the emulator has ended")?;
        processor_time(wrap.id())
    }

    /// The last panic's message, if there was one.
    ///
    /// # Errors
    /// What the file system says.
    pub fn panic_message(&self) -> Result<Option<String>> {
        let length = self.memory.word(word::MESSAGE_LEN)? as usize;
        let bytes = self
            .memory
            .read(mcu::stand::CONTROL + word::MESSAGE, length.min(word::MESSAGE_MOST))?;
        Ok((length > 0).then(|| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

impl Outside for Guest {
    fn settle(&self) -> Result<bool> {
        let mut any = false;
        let begun = Instant::now();
        loop {
            any |= self.collect();
            if self.is_still()? {
                break;
            }
            match self.incoming.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
                Ok((line, bytes)) => {
                    self.take(line, &bytes);
                    any = true;
                }
                Err(_) => bail!("{}", self.stuck()?),
            }
        }
        if any {
            self.came();
        }
        Ok(any)
    }

    fn look(&self, waker: &Waker) -> Look {
        // First the waker: what comes after we have looked wakes.
        *lock(&self.waker) = Some(waker.clone());
        let any = self.collect();
        let still = self.is_still();
        if any {
            self.busy.set(None);
            // On its way to rest it may say more than one thing.
            if matches!(still, Ok(true)) {
                self.came();
            } else {
                self.changed.notify();
            }
            return Look::Heard;
        }
        if matches!(still, Ok(true)) {
            self.busy.set(None);
            return Look::Rests;
        }
        let since = self.busy.get().unwrap_or_else(Instant::now);
        self.busy.set(Some(since));
        if still.is_ok() && since.elapsed() < PATIENCE {
            return Look::Works;
        }
        // Whoever carries what it says ends with this.
        *self.failed.borrow_mut() = Some(match still {
            Err(error) => format!("{error:#}"),
            Ok(_) => self.stuck().unwrap_or_default(),
        });
        self.gone.set(true);
        self.came();
        Look::Heard
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.kill();
    }
}

fn accept(listener: &UnixListener) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let begun = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && begun.elapsed() < START => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(error).context("the emulator does not come to its lines"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also what comes in one piece with its end: a board that rested then was waited for until a bell rang.
    #[test]
    fn what_a_board_says_is_understood_however_it_is_cut_up() {
        let said = [
            &b"L\x03S\x02\x00hiP\x03R\x04\x00\x00\x00N\x01X\x02"[..],
            b"X\x04R\x05\x00\x00\x00",
        ]
        .concat();
        for cut in 0..said.len() {
            let mut heard = Heard::default();
            for part in [&said[..cut], &said[cut..]] {
                heard.host.extend(part);
                heard.understand();
            }
            assert_eq!(heard.screens, [b"hi".to_vec()]);
            assert_eq!(
                (heard.lamps, heard.contacts, heard.sounds),
                ([3].into(), [3].into(), [1].into())
            );
            assert_eq!((heard.rest, heard.ends), (Some(5), [2, 4].into()));
        }
    }
}
