//! The updater: one program for one conversation, started by the service manager when the kiosk opens its socket. It runs as root, because it
//! writes the disk, and takes nothing from the kiosk but six fixed words and two signatures.

use std::io::{Read, Write};

use kiosk::update::{Refused, Said};

use super::entries;
use super::install::{self, Head, Target};
use super::offer::{About, Drive, Offered};
use super::wire::{self, Request};

/// Requests of one conversation, at most.
const REQUESTS: usize = 64;

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The kiosk has gone, or said something else than it may.
    Gone,
    /// A new image is in place, and staff want the machine to start again.
    Restart,
}

enum State {
    Nothing,
    Offered(Offered),
    Written(Offered, Box<Head>),
    Switched,
}

/// Holds one conversation. `nonce` gives 32 fresh random bytes, or nothing.
pub fn serve(
    from: &mut impl Read,
    to: &mut impl Write,
    about: &About,
    target: &mut impl Target,
    nonce: &mut dyn FnMut() -> Option<[u8; 32]>,
) -> End {
    let mut state = State::Nothing;
    for _ in 0..REQUESTS {
        let Ok(request) = wire::asked(from) else {
            return gone(&state);
        };
        let (next, said) = match (request, state) {
            // The next start is not the old software's any more: nothing is left to be asked for but that start.
            (Request::Look | Request::Install(_) | Request::Switch, State::Switched) => {
                (State::Switched, Err(Refused::Order))
            }
            (Request::Look, _) => match look(about, target, nonce) {
                Ok(offered) => {
                    let said = Said::Offer(offered.offer);
                    (State::Offered(offered), Ok(said))
                }
                Err(why) => (State::Nothing, Err(why)),
            },
            // Whatever comes of it, the same approval is not taken twice.
            (Request::Install(cards), State::Offered(offered)) => {
                match about
                    .approved(&offered.offer, cards)
                    .and_then(|()| write(to, about, target, &offered))
                {
                    Ok(head) => (State::Written(offered, Box::new(head)), Ok(Said::Written)),
                    Err(why) => (State::Nothing, Err(why)),
                }
            }
            // Writing took a while: polls may have been opened since by whoever says that it is the kiosk.
            (Request::Switch, State::Written(offered, head)) => {
                let switched = about
                    .not_open()
                    .and_then(|()| install::switch(target, &offered.image, &head));
                match switched {
                    Ok(()) => (State::Switched, Ok(Said::Switched)),
                    Err(why) => (State::Nothing, Err(why)),
                }
            }
            (Request::Restart, state) if matches!(state, State::Switched) || pending(about, target) => {
                // Whether the kiosk still listens changes nothing.
                let _ = wire::answer(to, Ok(Said::Switched));
                return End::Restart;
            }
            (Request::Up, state) => {
                let said = install::bless(target, &about.running).map(|()| Said::Switched);
                (state, said)
            }
            (Request::End, state) => {
                let _ = wire::answer(to, Ok(Said::Ended));
                return gone(&state);
            }
            (_, _) => (State::Nothing, Err(Refused::Order)),
        };
        state = next;
        if wire::answer(to, said).is_err() {
            return gone(&state);
        }
    }
    gone(&state)
}

/// The kiosk has gone, or nobody has touched anything for too long. After the switch the machine starts again all the same: its old software,
/// registered and opened now, would lose its keys at the next power cut.
const fn gone(state: &State) -> End {
    match state {
        State::Switched => End::Restart,
        _ => End::Gone,
    }
}

/// Whether the next start is another software's, from an earlier conversation.
fn pending(about: &About, target: &mut impl Target) -> bool {
    target
        .programs()
        .is_ok_and(|programs| entries::pending(&programs, &about.running).is_some())
}

fn look(
    about: &About,
    target: &mut impl Target,
    nonce: &mut dyn FnMut() -> Option<[u8; 32]>,
) -> Result<Offered, Refused> {
    let nonce = nonce().ok_or(Refused::Nobody)?;
    let offered = about.look(nonce)?;
    install::fits(target, &offered.image, &about.running)?;
    Ok(offered)
}

fn write(to: &mut impl Write, about: &About, target: &mut impl Target, offered: &Offered) -> Result<Head, Refused> {
    let image = &offered.image;
    let total = install::total(image).max(1);
    let mut told = None;
    let mut far = |done: u64| {
        let percent = u8::try_from(done.saturating_mul(100) / total).unwrap_or(100).min(100);
        if told == Some(percent) {
            return Ok(());
        }
        told = Some(percent);
        // A kiosk that has gone has nobody in front of it any more.
        wire::answer(to, Ok(Said::Writing(percent))).map_err(|_| Refused::Order)
    };
    far(0)?;
    // The drive may have been changed for another since: what is written is judged by what was approved, and not by what lies there now.
    install::install(target, &mut Drive(&about.exchange), image, &about.running, &mut far)
}
