//! The desk's line on a board: frames in, [`kiosk::service`]'s answers out, for as long as the power is on. The kiosk does not run meanwhile.

use embedded_io_async::{Read, Write};
use kiosk::line::{Frames, wrap};
use kiosk::ports::Store;
use kiosk::service;

use crate::lent::Lent;

/// Answers for ever. What fails on the line is asked again by the desk.
pub async fn serve<S: Store, L: Read + Write>(store: &mut S, station: u16, line: &mut L, lent: &mut Lent) -> ! {
    let buffers = lent.lend();
    // A roll delta is the longest that comes; what leaves is shorter than an answer of the network.
    let (question, answer) = (buffers.delta, buffers.reply);
    let mut frames = Frames::default();
    loop {
        let mut byte = [0];
        if !matches!(line.read(&mut byte).await, Ok(1..)) {
            continue;
        }
        let [byte] = byte;
        let Some((number, length)) = frames.push(byte, question) else {
            continue;
        };
        let asked = question.get(..length).unwrap_or_default();
        let length = service::answer(store, station, asked, answer).await;
        // A sealed secret was in it.
        question.fill(0);
        let said = answer.get(..length).unwrap_or_default();
        if let Some((head, tail)) = wrap(number, said) {
            for part in [&head[..], said, &tail] {
                if line.write_all(part).await.is_err() {
                    break;
                }
            }
            let _ = line.flush().await;
        }
    }
}
