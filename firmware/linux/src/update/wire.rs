//! What kiosk and updater say to each other over their socket: a kind, a length (u16, big end first), so many bytes. Nothing longer than
//! [`LONGEST`] is read, and whoever sends something else is not answered.

use std::io::{self, Read, Write};

use election::hash::Digest;
use election::ledger::{PAIR, StaffSignature};
use election::wire::Bytes;
use kiosk::update::{Offer, Refused, Said};

/// Longest content.
pub const LONGEST: usize = 256;

/// What the kiosk sends.
#[derive(Clone, Copy)]
pub enum Request {
    /// Is there an image?
    Look,
    /// Two cards have approved it.
    Install([StaffSignature; 2]),
    /// Start it from the next start on.
    Switch,
    /// Start the machine again.
    Restart,
    /// What runs has come up.
    Up,
    /// Staff went back: nothing more comes.
    End,
}

fn bad() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn send(to: &mut impl Write, kind: u8, content: &[u8]) -> io::Result<()> {
    let length = u16::try_from(content.len()).map_err(|_| bad())?;
    let mut frame = Vec::with_capacity(content.len().saturating_add(3));
    frame.push(kind);
    frame.extend(length.to_be_bytes());
    frame.extend(content);
    to.write_all(&frame)?;
    to.flush()
}

fn receive(from: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 3];
    from.read_exact(&mut head)?;
    let [kind, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(bad());
    }
    let mut content = vec![0; length];
    from.read_exact(&mut content)?;
    Ok((kind, content))
}

/// Sends a request.
///
/// # Errors
/// The socket's.
pub fn ask(to: &mut impl Write, request: Request) -> io::Result<()> {
    match request {
        Request::Look => send(to, 1, &[]),
        Request::Install([one, two]) => {
            let parts = [&one.key.0[..], &one.signature.0, &two.key.0, &two.signature.0];
            send(to, 2, &parts.concat())
        }
        Request::Switch => send(to, 3, &[]),
        Request::Restart => send(to, 4, &[]),
        Request::Up => send(to, 5, &[]),
        Request::End => send(to, 6, &[]),
    }
}

/// Reads a request.
///
/// # Errors
/// The socket's; [`io::ErrorKind::InvalidData`] if it is none.
pub fn asked(from: &mut impl Read) -> io::Result<Request> {
    let (kind, content) = receive(from)?;
    match (kind, content.len()) {
        (1, 0) => Ok(Request::Look),
        (2, PAIR) => pair(&content).map(Request::Install).ok_or_else(bad),
        (3, 0) => Ok(Request::Switch),
        (4, 0) => Ok(Request::Restart),
        (5, 0) => Ok(Request::Up),
        (6, 0) => Ok(Request::End),
        _ => Err(bad()),
    }
}

fn pair(content: &[u8]) -> Option<[StaffSignature; 2]> {
    let card = |bytes: &[u8]| {
        let (key, signature) = bytes.split_first_chunk::<33>()?;
        Some(StaffSignature {
            key: Bytes(*key),
            signature: Bytes(signature.try_into().ok()?),
        })
    };
    let (one, two) = content.split_at_checked(PAIR / 2)?;
    Some([card(one)?, card(two)?])
}

/// Sends an answer.
///
/// # Errors
/// The socket's.
pub fn answer(to: &mut impl Write, said: Result<Said, Refused>) -> io::Result<()> {
    match said {
        Ok(Said::Offer(offer)) => {
            let mut content = Vec::with_capacity(LONGEST);
            content.extend(offer.version.to_be_bytes());
            content.extend(offer.running.to_be_bytes());
            for hash in [offer.software, offer.image, offer.nonce] {
                content.extend(hash);
            }
            send(to, 1, &content)
        }
        Ok(Said::Writing(percent)) => send(to, 2, &[percent]),
        Ok(Said::Written) => send(to, 3, &[]),
        Ok(Said::Switched) => send(to, 4, &[]),
        Err(why) => send(to, 5, &[why.number()]),
        Ok(Said::Ended) => send(to, 6, &[]),
    }
}

/// Reads an answer.
///
/// # Errors
/// The socket's; [`io::ErrorKind::InvalidData`] if it is none.
pub fn answered(from: &mut impl Read) -> io::Result<Result<Said, Refused>> {
    let (kind, content) = receive(from)?;
    let read = match (kind, content.as_slice()) {
        (1, content) => offer(content).map(|offer| Ok(Said::Offer(offer))),
        (2, [percent]) => Some(Ok(Said::Writing(*percent))),
        (3, []) => Some(Ok(Said::Written)),
        (4, []) => Some(Ok(Said::Switched)),
        (5, [number]) => Refused::of(*number).map(Err),
        (6, []) => Some(Ok(Said::Ended)),
        _ => None,
    };
    read.ok_or_else(bad)
}

fn offer(content: &[u8]) -> Option<Offer> {
    let (version, rest) = content.split_first_chunk::<4>()?;
    let (running, rest) = rest.split_first_chunk::<4>()?;
    let (hashes, rest) = rest.as_chunks::<32>();
    let ([software, image, nonce], []): (&[Digest], &[u8]) = (hashes, rest) else {
        return None;
    };
    Some(Offer {
        version: u32::from_be_bytes(*version),
        running: u32::from_be_bytes(*running),
        software: *software,
        image: *image,
        nonce: *nonce,
    })
}
