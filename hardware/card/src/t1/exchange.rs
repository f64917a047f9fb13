//! One command there, one response back (ISO/IEC 7816-3 section 11.6): the reader's side of the rules.
//!
//! The one liberty taken: after a resynchronisation the standard lets a reader begin again from the start; we do not. Nobody can know then
//! whether the card has seen the command, and a PIN sent twice costs two tries. The exchange fails, the next one starts clean.

use core::fmt;

use super::block::{Block, Flaw, Frame, Kind, MAX_INFORMATION, Request};

/// How often one block is tried before the reader resynchronises (section 11.6.3.2, rule 7.4.1: two more attempts).
pub const MAX_ATTEMPTS: u8 = 3;

/// How often the reader resynchronises before the card has to be reset (rule 7.4.3).
pub const MAX_RESYNCHS: u8 = 3;

/// How many extensions of the waiting time one exchange grants. Slow cards ask a few times for a signature.
pub const MAX_EXTENSIONS: u8 = 60;

/// How many blocks one exchange sends. A command and a response of 261 and 258 bytes in blocks of one byte are 519.
pub const MAX_BLOCKS: u16 = 640;

/// What one byte of IFSD tells the card: it may send blocks of the greatest length.
const IFSD: u8 = 254;

/// What is agreed with a card from one exchange to the next.
#[derive(Clone, Debug)]
pub struct Protocol {
    initial_ifsc: u8,
    ifsc: u8,
    /// N(S) of our next information block.
    ours: bool,
    /// N(S) of the card's next information block.
    theirs: bool,
    /// The card knows IFSD, or has shown that it does not want to.
    told: bool,
    /// What came last was cut off: nothing is certain before a resynchronisation.
    uncertain: bool,
}

impl Protocol {
    /// Right after an answer to reset with this IFSC.
    #[must_use]
    pub const fn new(ifsc: u8) -> Self {
        Self {
            initial_ifsc: ifsc,
            ifsc,
            ours: false,
            theirs: false,
            told: false,
            uncertain: false,
        }
    }

    /// An exchange was given up half-way: the next one resynchronises first.
    pub const fn cut_off(&mut self) {
        self.uncertain = true;
    }
}

/// What came after a block was sent.
#[derive(Clone, Copy)]
pub enum Heard<'a> {
    /// These bytes, as one block or what was to be one.
    Bytes(&'a [u8]),
    /// Bytes that the line itself says are wrong, whatever they look like: two flipped bits can leave a block's check as it was, never both parities.
    Flawed(Flaw),
    /// Nothing within the waiting time.
    Silence,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the frame, then wait so many block waiting times for an answer.
    Send {
        /// 1, or what the card asked for.
        waits: u8,
    },
    /// The response is whole and has so many bytes.
    Done {
        /// Bytes at the front of the response buffer.
        length: usize,
    },
}

/// Why an exchange ended without a response. Whether the card has carried out the command is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The card never said anything.
    Mute,
    /// Blocks were lost or garbled beyond repair: the card has to be reset.
    Lost,
    /// As [`Fault::Lost`], but the card is back in step for the next command.
    Resynchronised,
    /// The card ended the exchange.
    Aborted,
    /// The card asks for more time, or sends blocks, without end.
    Endless,
    /// The response is longer than its buffer.
    TooLong,
}

/// What was sent last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    Ask(Request),
    Command,
    /// A receipt within the card's chain, or a request to repeat.
    Receipt,
    Confirm(Request, Option<u8>),
}

/// One exchange under way. Dropped before its end it leaves the protocol uncertain, and the next exchange resynchronises.
pub struct Exchange<'p, 'c> {
    protocol: &'p mut Protocol,
    command: &'c [u8],
    /// Where the information of the block that was sent last begins and ends.
    from: usize,
    to: usize,
    sent: Sent,
    /// The command has begun to leave.
    begun: bool,
    /// The card's response has begun to come, so it has the whole command.
    answered: bool,
    received: usize,
    attempts: u8,
    resynchs: u8,
    extensions: u8,
    blocks: u16,
    heard_anything: bool,
}

impl<'p, 'c> Exchange<'p, 'c> {
    /// Begins with `command`; an empty one is sent as an empty block.
    #[must_use]
    pub const fn new(protocol: &'p mut Protocol, command: &'c [u8]) -> Self {
        Self {
            protocol,
            command,
            from: 0,
            to: 0,
            sent: Sent::Nothing,
            begun: false,
            answered: false,
            received: 0,
            attempts: 0,
            resynchs: 0,
            extensions: 0,
            blocks: 0,
            heard_anything: false,
        }
    }

    /// The first block to send.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn start(&mut self, frame: &mut Frame) -> Result<Step, Fault> {
        if self.protocol.uncertain {
            self.resynchronise(frame)
        } else {
            self.protocol.uncertain = true;
            self.advance(frame)
        }
    }

    /// What follows from what was heard. The response grows at the front of `response`; pass the same buffer each time.
    ///
    /// # Errors
    /// [`Fault`]; then the exchange is over.
    pub fn next(&mut self, heard: Heard<'_>, frame: &mut Frame, response: &mut [u8]) -> Result<Step, Fault> {
        let block = match heard {
            Heard::Silence => return self.repeat(Flaw::Form, frame),
            Heard::Flawed(flaw) => Err(flaw),
            Heard::Bytes(bytes) => Block::read(bytes),
        };
        self.heard_anything = true;
        let block = match block {
            Ok(block) => block,
            Err(flaw) => return self.repeat(flaw, frame),
        };
        match self.sent {
            Sent::Nothing => Err(Fault::Lost),
            Sent::Ask(request) if block.kind == Kind::Confirm(request) => self.confirmed(request, &block, frame),
            Sent::Ask(_) => self.repeat(Flaw::Form, frame),
            // The card has ended its chain or ours; what it says now completes nothing.
            Sent::Confirm(Request::Abort, _) => Err(Fault::Aborted),
            Sent::Command | Sent::Receipt | Sent::Confirm(..) => match block.kind {
                Kind::Ask(request) => self.asked(request, &block, frame),
                Kind::Receipt { expects, error } => self.receipt(expects, error, frame),
                Kind::Information { number, more } => self.information(number, more, &block, frame, response),
                // It repeats its confirmation from before the command, so it has nothing of the command (a block it had, it would refuse the
                // second time for its number).
                Kind::Confirm(_) if !self.answered => self.command_again(frame),
                Kind::Confirm(_) => self.repeat(Flaw::Form, frame),
            },
        }
    }

    /// An answer to a request of ours.
    fn confirmed(&mut self, request: Request, block: &Block<'_>, frame: &mut Frame) -> Result<Step, Fault> {
        match request {
            Request::Resynch => {
                let fresh = Protocol::new(self.protocol.initial_ifsc);
                // A card that was lost over the IFS request is not asked again.
                let told = self.resynchs > 1 || (!self.begun && self.protocol.told);
                *self.protocol = Protocol { told, ..fresh };
                if self.begun {
                    return Err(Fault::Resynchronised);
                }
                self.protocol.uncertain = true;
                self.attempts = 0;
                self.advance(frame)
            }
            Request::Ifs if block.information == [IFSD] => {
                self.protocol.told = true;
                self.attempts = 0;
                self.advance(frame)
            }
            Request::Ifs | Request::Abort | Request::Wtx => self.repeat(Flaw::Form, frame),
        }
    }

    /// A request of the card's.
    fn asked(&mut self, request: Request, block: &Block<'_>, frame: &mut Frame) -> Result<Step, Fault> {
        let value = block.information.first().copied();
        match (request, value) {
            (Request::Wtx, Some(_)) => {
                if self.extensions == MAX_EXTENSIONS {
                    return Err(Fault::Endless);
                }
                self.extensions += 1;
            }
            (Request::Ifs, Some(ifsc)) => self.protocol.ifsc = ifsc,
            (Request::Abort, _) => {}
            // Only readers ask for a resynchronisation.
            _ => return self.repeat(Flaw::Form, frame),
        }
        self.attempts = 0;
        self.send(Sent::Confirm(request, value), frame)
    }

    /// A receipt: the card wants the next block of our chain, or one again.
    fn receipt(&mut self, expects: bool, error: u8, frame: &mut Frame) -> Result<Step, Fault> {
        if self.answered || matches!(self.sent, Sent::Confirm(..)) && error != 0 {
            // The card did not understand our receipt or confirmation; it has the block before.
            return self.again(frame);
        }
        if expects == self.protocol.ours {
            // It does not have this one (rules 7.1 and 7.6); it says so itself, so this is no second command.
            return self.command_again(frame);
        }
        if self.to < self.command.len() {
            self.attempts = 0;
            self.protocol.ours = !self.protocol.ours;
            self.from = self.to;
            return self.advance(frame);
        }
        // A receipt for the last block is no answer to it.
        self.repeat(Flaw::Form, frame)
    }

    fn information(
        &mut self,
        number: bool,
        more: bool,
        block: &Block<'_>,
        frame: &mut Frame,
        response: &mut [u8],
    ) -> Result<Step, Fault> {
        // An answer before the whole command, or a block that was here already.
        if self.to < self.command.len() || number != self.protocol.theirs {
            return self.repeat(Flaw::Form, frame);
        }
        let end = self.received + block.information.len();
        let Some(place) = response.get_mut(self.received..end) else {
            return Err(Fault::TooLong);
        };
        place.copy_from_slice(block.information);
        self.received = end;
        self.attempts = 0;
        self.protocol.theirs = !self.protocol.theirs;
        if !self.answered {
            self.answered = true;
            self.protocol.ours = !self.protocol.ours;
        }
        if more {
            self.error(0, frame)
        } else {
            self.protocol.uncertain = false;
            Ok(Step::Done { length: end })
        }
    }

    /// The next thing to say when all is well: IFSD first (rule 1), then the command block by block.
    fn advance(&mut self, frame: &mut Frame) -> Result<Step, Fault> {
        if !self.protocol.told {
            return self.send(Sent::Ask(Request::Ifs), frame);
        }
        self.begun = true;
        let most = usize::from(self.protocol.ifsc).clamp(1, MAX_INFORMATION);
        self.to = self.command.len().min(self.from + most);
        self.send(Sent::Command, frame)
    }

    /// Nothing usable came. Requests are repeated, everything else is asked for with an R-block (rules 7.1 to 7.3).
    fn repeat(&mut self, flaw: Flaw, frame: &mut Frame) -> Result<Step, Fault> {
        if let Some(step) = self.count(frame)? {
            return Ok(step);
        }
        match self.sent {
            Sent::Ask(_) => self.send(self.sent, frame),
            Sent::Confirm(Request::Abort, _) => Err(Fault::Aborted),
            _ => self.error(flaw.code(), frame),
        }
    }

    /// The card did not understand what was sent last.
    fn again(&mut self, frame: &mut Frame) -> Result<Step, Fault> {
        match self.count(frame)? {
            Some(step) => Ok(step),
            None if self.sent == Sent::Receipt => self.error(0, frame),
            None => self.send(self.sent, frame),
        }
    }

    /// The block of the command that was sent last, once more.
    fn command_again(&mut self, frame: &mut Frame) -> Result<Step, Fault> {
        match self.count(frame)? {
            Some(step) => Ok(step),
            None => self.send(Sent::Command, frame),
        }
    }

    /// Counts an attempt; after the last one, what resynchronises.
    fn count(&mut self, frame: &mut Frame) -> Result<Option<Step>, Fault> {
        self.attempts += 1;
        if self.attempts < MAX_ATTEMPTS {
            return Ok(None);
        }
        self.attempts = 0;
        if self.resynchs == MAX_RESYNCHS || (self.resynchs > 0 && self.sent == Sent::Ask(Request::Resynch)) {
            return Err(if self.heard_anything { Fault::Lost } else { Fault::Mute });
        }
        self.resynchronise(frame).map(Some)
    }

    fn resynchronise(&mut self, frame: &mut Frame) -> Result<Step, Fault> {
        self.protocol.uncertain = true;
        self.resynchs += 1;
        if self.sent == Sent::Ask(Request::Ifs) {
            self.protocol.told = true;
        }
        self.send(Sent::Ask(Request::Resynch), frame)
    }

    fn error(&mut self, error: u8, frame: &mut Frame) -> Result<Step, Fault> {
        self.bounded()?;
        self.sent = Sent::Receipt;
        frame.set(
            Kind::Receipt {
                expects: self.protocol.theirs,
                error,
            },
            &[],
        );
        Ok(Step::Send { waits: 1 })
    }

    fn send(&mut self, what: Sent, frame: &mut Frame) -> Result<Step, Fault> {
        self.bounded()?;
        self.sent = what;
        let mut waits = 1;
        match what {
            Sent::Nothing | Sent::Receipt => return self.error(0, frame),
            Sent::Ask(Request::Ifs) => frame.set(Kind::Ask(Request::Ifs), &[IFSD]),
            Sent::Ask(request) => frame.set(Kind::Ask(request), &[]),
            Sent::Command => {
                let information = self.command.get(self.from..self.to).unwrap_or_default();
                let more = self.to < self.command.len();
                frame.set(
                    Kind::Information {
                        number: self.protocol.ours,
                        more,
                    },
                    information,
                );
            }
            Sent::Confirm(request, Some(value)) => {
                if request == Request::Wtx {
                    waits = value;
                }
                frame.set(Kind::Confirm(request), &[value]);
            }
            Sent::Confirm(request, None) => frame.set(Kind::Confirm(request), &[]),
        }
        Ok(Step::Send { waits })
    }

    fn bounded(&mut self) -> Result<(), Fault> {
        if self.blocks == MAX_BLOCKS {
            return Err(Fault::Endless);
        }
        self.blocks += 1;
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mute => "the card does not answer",
            Self::Lost => "the card cannot be understood: reset it",
            Self::Resynchronised => "the answer was lost: try again",
            Self::Aborted => "the card broke off",
            Self::Endless => "the card never finishes",
            Self::TooLong => "the card's answer is too long",
        })
    }
}

impl core::error::Error for Fault {}
