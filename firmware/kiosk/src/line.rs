//! Frames on a serial line, the network's and the desk's: "IU", a number, the length (4 bytes, big-endian), the frame, its CRC-32 (4 bytes, big-endian, over
//! number, length and frame). An answer carries its question's number, so that a late one is not taken for another's.
//!
//! What is in a frame (SPEC.md, section 9, or [`crate::service`]) is nobody's business here.

use crc::{CRC_32_ISO_HDLC, Crc};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const MARK: [u8; 2] = *b"IU";
/// Bytes before a frame.
pub const HEAD: usize = 7;
/// Bytes after it.
pub const TAIL: usize = 4;

/// What comes before and after a frame; `None` if it is longer than a length can say.
#[must_use]
pub fn wrap(number: u8, frame: &[u8]) -> Option<([u8; HEAD], [u8; TAIL])> {
    let [a, b, c, d] = u32::try_from(frame.len()).ok()?.to_be_bytes();
    let [m0, m1] = MARK;
    let head = [m0, m1, number, a, b, c, d];
    let mut digest = CRC.digest();
    digest.update(&[number, a, b, c, d]);
    digest.update(frame);
    Some((head, digest.finalize().to_be_bytes()))
}

/// Collects frames from bytes as they come.
#[derive(Default)]
pub struct Frames {
    head: [u8; HEAD],
    tail: [u8; TAIL],
    at: usize,
}

impl Frames {
    /// Takes a byte; `out` holds the frame that is being read, the same at each call. Gives number and length of the frame that it completes.
    /// One that does not fit into `out`, or whose check does not, is passed over.
    pub fn push(&mut self, byte: u8, out: &mut [u8]) -> Option<(u8, usize)> {
        if let Some(place) = self.head.get_mut(self.at) {
            *place = byte;
            let [m0, m1, ..] = self.head;
            if (self.at == 0 && byte != MARK[0]) || (self.at == 1 && [m0, m1] != MARK) {
                self.at = usize::from(byte == MARK[0]);
                return None;
            }
            self.at += 1;
            if self.at == HEAD && self.length() > out.len() {
                self.at = 0;
            }
            return None;
        }
        let length = self.length();
        let inside = self.at - HEAD;
        self.at += 1;
        if let Some(place) = out.get_mut(..length).and_then(|out| out.get_mut(inside)) {
            *place = byte;
            return None;
        }
        let after = inside.saturating_sub(length);
        if let Some(place) = self.tail.get_mut(after) {
            *place = byte;
        }
        if after + 1 < TAIL {
            return None;
        }
        self.at = 0;
        let [_, _, number, ..] = self.head;
        let frame = out.get(..length)?;
        let (_, tail) = wrap(number, frame)?;
        (tail == self.tail).then_some((number, length))
    }

    /// Whatever has begun is forgotten.
    pub fn clear(&mut self) {
        self.at = 0;
    }

    fn length(&self) -> usize {
        let [_, _, _, a, b, c, d] = self.head;
        usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn framed(number: u8, frame: &[u8]) -> Vec<u8> {
        let (head, tail) = wrap(number, frame).unwrap();
        [&head[..], frame, &tail].concat()
    }

    proptest! {
        #[test]
        fn f1_a_frame_comes_through_after_any_garbage_and_nothing_else_does(
            garbage in proptest::collection::vec(any::<u8>(), 0..64),
            number: u8,
            frame in proptest::collection::vec(any::<u8>(), 0..200),
            flip in 0..1_000_usize,
        ) {
            let mut frames = Frames::default();
            let mut out = [0; 200];
            let mut heard = Vec::new();
            for byte in garbage.iter().copied().chain([0; 256]) {
                prop_assert!(frames.push(byte, &mut out).is_none(), "garbage with a right check is not to be expected");
            }
            frames.clear();
            for byte in framed(number, &frame) {
                heard.extend(frames.push(byte, &mut out));
            }
            prop_assert_eq!(&heard, &[(number, frame.len())]);
            prop_assert_eq!(&out[..frame.len()], &frame[..]);
            let mut broken = framed(number, &frame);
            let place = flip % broken.len();
            broken[place] ^= 0x10;
            frames.clear();
            for byte in broken {
                prop_assert!(frames.push(byte, &mut out).is_none());
            }
        }
    }

    #[test]
    fn a_frame_longer_than_its_place_is_passed_over() {
        let mut frames = Frames::default();
        let mut out = [0; 4];
        assert!(
            framed(1, b"12345")
                .into_iter()
                .all(|byte| frames.push(byte, &mut out).is_none())
        );
        let heard: Vec<_> = framed(2, b"1234")
            .into_iter()
            .filter_map(|byte| frames.push(byte, &mut out))
            .collect();
        assert_eq!(heard, [(2, 4)]);
    }
}
