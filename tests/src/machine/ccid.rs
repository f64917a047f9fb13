//! The card in the emulated USB reader: the emulator asks over a socket what a card would answer. Frames are three big-endian words (kind, reader,
//! length) and that many bytes.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use host_sim::cards::Chip as _;

use crate::station::AnyCard;

const INIT: u32 = 1;
const READER_ADD: u32 = 3;
const ATR: u32 = 5;
const CARD_REMOVE: u32 = 6;
const APDU: u32 = 7;
const FLUSH: u32 = 8;
const FLUSH_DONE: u32 = 9;
/// The reader, before the emulator has given it a number.
const ANY: u32 = u32::MAX;
/// What the reader says of every card, as one does that makes up an answer for contactless ones: T=0 first, then T=1. The emulated one speaks T=0
/// alone, and would take a card for mute that offers nothing but T=1, as My Number cards with contacts do.
const ANSWER_TO_RESET: &[u8] = &[0x3B, 0x80, 0x80, 0x01, 0x01];
/// More than any command has.
const LONGEST: usize = 1 << 17;

type Slot = Arc<Mutex<Option<AnyCard>>>;

/// The reader's slot.
pub struct Reader {
    line: UnixStream,
    slot: Slot,
}

impl Reader {
    /// Connects to the emulator and offers an empty slot.
    pub fn open(path: &Path) -> Result<Self> {
        let line = UnixStream::connect(path).context("the emulated reader")?;
        let slot = Slot::default();
        // Magic word, version 2, one word of capabilities.
        let mut hello = b"VSCD".to_vec();
        hello.extend([0, 2, 0, 0]);
        hello.splice(4..8, 2_u32.to_be_bytes());
        hello.extend([0; 4]);
        send(&line, INIT, ANY, &hello)?;
        let (own, cards) = (line.try_clone()?, slot.clone());
        std::thread::Builder::new().name("card".into()).spawn(move || {
            // Ends with the emulator.
            while serve(&own, &cards).is_ok() {}
        })?;
        Ok(Self { line, slot })
    }

    /// A card into the slot.
    pub fn insert(&mut self, mut card: AnyCard) -> Result<()> {
        card.reset();
        let before = self.slot.lock().unwrap_or_else(PoisonError::into_inner).replace(card);
        ensure!(before.is_none(), "there was a card in the slot");
        send(&self.line, ATR, 0, ANSWER_TO_RESET)
    }

    /// The card out of the slot.
    pub fn pull(&mut self) -> Result<AnyCard> {
        send(&self.line, CARD_REMOVE, 0, &[])?;
        self.take()
    }

    /// The card out of the slot of a machine that is off.
    pub fn take(&mut self) -> Result<AnyCard> {
        let mut card = self
            .slot
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .context("no card in the slot")?;
        card.reset();
        Ok(card)
    }
}

fn serve(line: &UnixStream, slot: &Slot) -> Result<()> {
    let mut line = line;
    let mut head = [0; 12];
    line.read_exact(&mut head)?;
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (kind, reader, length) = (word(0), word(4), word(8) as usize);
    ensure!(length <= LONGEST, "a frame of {length} bytes");
    let mut bytes = vec![0; length];
    line.read_exact(&mut bytes)?;
    match kind {
        INIT => send(line, READER_ADD, ANY, b"ippyo\0"),
        APDU => {
            let mut card = slot.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = card.as_mut().and_then(|card| card.apdu(&bytes).ok());
            // No card any more, or one that is silent: what a reader would say.
            let answer = answer.unwrap_or_else(|| vec![0x6F, 0x00]);
            drop(card);
            send(line, APDU, reader, &answer)
        }
        FLUSH => send(line, FLUSH_DONE, reader, &[]),
        _ => Ok(()),
    }
}

fn send(mut line: &UnixStream, kind: u32, reader: u32, bytes: &[u8]) -> Result<()> {
    let mut frame = Vec::with_capacity(12 + bytes.len());
    for word in [kind, reader, u32::try_from(bytes.len())?] {
        frame.extend(word.to_be_bytes());
    }
    frame.extend(bytes);
    Ok(line.write_all(&frame)?)
}
