//! The card's end of a T=1 line (ISO/IEC 7816-3, section 11): blocks in, blocks out, a virtual chip behind.

use std::cell::RefCell;
use std::rc::Rc;

use card::t1::{Block, Frame, Kind, MAX_BLOCK, Request, length};

use crate::cards::Chip;

/// Answer to reset: T=1 at the default speed, blocks of 254 bytes, the longest waiting time, the LRC.
const ATR: [u8; 7] = [0x3B, 0x80, 0x81, 0x31, 0xFE, 0x95, 0x80 ^ 0x81 ^ 0x31 ^ 0xFE ^ 0x95];
/// Longest command: a short APDU with everything in it.
const MOST: usize = 261;

/// A powered card on a line.
pub struct CardEnd {
    chip: Rc<RefCell<dyn Chip>>,
    incoming: Vec<u8>,
    command: Vec<u8>,
    response: Vec<u8>,
    /// N(S) of our next information block, and of the reader's.
    ours: bool,
    theirs: bool,
    ifsd: usize,
    last: Vec<u8>,
}

impl CardEnd {
    /// After a reset: the card, and its answer.
    pub fn reset(chip: Rc<RefCell<dyn Chip>>) -> (Self, [u8; 7]) {
        chip.borrow_mut().reset();
        let end = Self {
            chip,
            incoming: Vec::new(),
            command: Vec::new(),
            response: Vec::new(),
            ours: false,
            theirs: false,
            ifsd: 32,
            last: Vec::new(),
        };
        (end, ATR)
    }

    /// Takes a byte; the block that answers the block it completes. A chip that is silent answers nothing.
    pub fn push(&mut self, byte: u8) -> Option<Vec<u8>> {
        self.incoming.push(byte);
        let whole = length(&self.incoming).unwrap_or(MAX_BLOCK);
        if self.incoming.len() < 3 || self.incoming.len() < whole {
            return None;
        }
        let bytes = std::mem::take(&mut self.incoming);
        let answer = self.answer(&bytes)?;
        self.last.clone_from(&answer);
        Some(answer)
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let block = match Block::read(bytes) {
            Ok(block) => block,
            Err(flaw) => return Some(self.receipt(flaw.code())),
        };
        match block.kind {
            Kind::Information { number, more } => {
                if number != self.theirs {
                    return Some(self.receipt(2));
                }
                self.theirs = !self.theirs;
                self.command.extend(block.information);
                if self.command.len() > MOST {
                    self.command.clear();
                    return Some(frame(Kind::Ask(Request::Abort), &[]));
                }
                if more {
                    return Some(self.receipt(0));
                }
                let command = std::mem::take(&mut self.command);
                self.response = self.chip.borrow_mut().apdu(&command).ok()?;
                Some(self.chunk())
            }
            Kind::Receipt { expects, .. } => {
                // Of the block we sent last (again), or of the one after it: the chain goes on.
                if expects == self.ours && !self.response.is_empty() {
                    Some(self.chunk())
                } else {
                    Some(self.last.clone())
                }
            }
            Kind::Ask(Request::Ifs) => {
                self.ifsd = block.information.first().map_or(32, |size| usize::from(*size));
                Some(frame(Kind::Confirm(Request::Ifs), block.information))
            }
            Kind::Ask(Request::Resynch) => {
                (self.ours, self.theirs) = (false, false);
                self.command.clear();
                self.response.clear();
                Some(frame(Kind::Confirm(Request::Resynch), &[]))
            }
            Kind::Ask(request) => Some(frame(Kind::Confirm(request), block.information)),
            Kind::Confirm(_) => Some(self.receipt(2)),
        }
    }

    /// The next piece of the response.
    fn chunk(&mut self) -> Vec<u8> {
        let take = self.response.len().min(self.ifsd);
        let piece: Vec<u8> = self.response.drain(..take).collect();
        let kind = Kind::Information {
            number: self.ours,
            more: !self.response.is_empty(),
        };
        self.ours = !self.ours;
        frame(kind, &piece)
    }

    fn receipt(&self, error: u8) -> Vec<u8> {
        let expects = self.theirs;
        frame(Kind::Receipt { expects, error }, &[])
    }
}

fn frame(kind: Kind, information: &[u8]) -> Vec<u8> {
    let mut frame = Frame::default();
    frame.set(kind, information);
    frame.bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use card::TransmitError;
    use card::t1::{Atr, Exchange, Heard, Protocol, Step};

    struct Mirror;
    impl Chip for Mirror {
        fn reset(&mut self) {}
        fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
            let mut answer: Vec<u8> = command.iter().rev().copied().collect();
            answer.extend([0x90, 0]);
            Ok(answer)
        }
    }

    /// Judged by the reader's side of hardware/card, with blocks garbled on their way.
    #[test]
    fn a_reader_of_this_house_gets_every_answer_also_on_a_noisy_line() {
        for noise in 0..6_usize {
            let (mut end, atr) = CardEnd::reset(Rc::new(RefCell::new(Mirror)));
            let atr = Atr::read(&atr).unwrap().unwrap();
            let mut protocol = Protocol::new(atr.ifsc);
            for length in [4, 5, 100, 254, 255, 261] {
                let command: Vec<u8> = (0..length).map(|index| index as u8).collect();
                let mut response = [0; 300];
                let mut frame = Frame::default();
                let mut exchange = Exchange::new(&mut protocol, &command);
                let mut step = exchange.start(&mut frame).unwrap();
                let mut blocks = 0;
                let count = loop {
                    match step {
                        Step::Done { length } => break length,
                        Step::Send { .. } => {
                            blocks += 1;
                            let mut sent = frame.bytes().to_vec();
                            if noise > 0 && blocks == noise {
                                let last = sent.len() - 1;
                                sent[last] ^= 1;
                            }
                            let answer = sent.into_iter().filter_map(|byte| end.push(byte)).last().unwrap();
                            step = exchange.next(Heard::Bytes(&answer), &mut frame, &mut response).unwrap();
                        }
                    }
                };
                let mut wanted: Vec<u8> = command.iter().rev().copied().collect();
                wanted.extend([0x90, 0]);
                assert_eq!(&response[..count], &wanted[..], "{length} bytes, noise at {noise}");
            }
        }
    }
}
