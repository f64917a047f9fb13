//! Cards made of a closure, for tests that are about bytes.
#![allow(dead_code, reason = "every test file uses another part of it")]

use card::{Transmit, TransmitError};

/// What a card says, or what a reader says in its place.
pub type Answer = Result<Vec<u8>, TransmitError>;

/// A card that answers what a function says, and remembers what it was sent.
pub struct Scripted<F> {
    pub answer: F,
    pub log: Vec<Vec<u8>>,
}

impl<F: FnMut(usize, &[u8]) -> Answer> Scripted<F> {
    pub fn new(answer: F) -> Self {
        Self { answer, log: vec![] }
    }
}

impl<F: FnMut(usize, &[u8]) -> Answer> Transmit for Scripted<F> {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        let index = self.log.len();
        self.log.push(command.to_vec());
        let answer = (self.answer)(index, command)?;
        response
            .get_mut(..answer.len())
            .ok_or(TransmitError::TooLong)?
            .copy_from_slice(&answer);
        Ok(answer.len())
    }
}

/// A card that answers one thing after another, and nothing after the last.
pub fn answers(list: &[&[u8]]) -> Scripted<impl FnMut(usize, &[u8]) -> Answer + use<>> {
    let list: Vec<Vec<u8>> = list.iter().map(|bytes| bytes.to_vec()).collect();
    Scripted::new(move |index, _: &[u8]| list.get(index).cloned().ok_or(TransmitError::Removed))
}

/// A BER-TLV element.
pub fn wrap(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    let mut bytes = vec![tag];
    match length {
        0..=0x7F => bytes.push(u8::try_from(length).unwrap()),
        _ => {
            bytes.push(0x82);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(value);
    bytes
}

/// `data` with the status word 90 00.
pub fn ok(data: &[u8]) -> Vec<u8> {
    [data, &[0x90, 0x00]].concat()
}
