//! Readers behind PC/SC (libpcsclite and its daemon).
//!
//! PC/SC calls block, and an APDU may take seconds. So one thread owns the context and the card ([`Reader::open`]), and what the kiosk sees is
//! async: requests go over a channel, answers come back through a waker. Any executor will do; nothing here polls, the thread sleeps in
//! `SCardGetStatusChange` until something happens.
//!
//! What is promised: the connection is exclusive, so that no other program acts with a verified PIN; a card is reset and loses its
//! power on every way out, also when this value is dropped; a reader that is unplugged and a daemon that dies are
//! [`ReaderError::Gone`], and both are found again when they come back.

use std::ffi::{CStr, CString};
use std::future::{Future, poll_fn};
use std::string::String;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;
use std::vec::Vec;

use pcsc::{Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State};
use zeroize::Zeroizing;

use crate::transmit::{Transmit, TransmitError};

/// Most readers that are looked at.
const MAX_READERS: usize = 16;

/// How long one wait for an event lasts. Not a poll for cards, which wake us: it closes the moment between deciding to wait and waiting,
/// in which an interruption would be missed.
const RECHECK: Duration = Duration::from_secs(1);

/// How long to wait before a daemon that is gone is asked for again. Not a poll for cards: while the daemon lives, it wakes us.
const DAEMON_PAUSE: Duration = Duration::from_millis(500);

/// How long a failed command waits for the slot to say that the card was pulled out. Longer than the daemon's own pace (0.4 s), and the
/// answer decides what a person reads: "insert it again", or "clean it".
const LEAVING: Duration = Duration::from_millis(700);

/// Why there is no card to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderError {
    /// Something is in the slot, but it does not answer.
    Mute,
    /// There is no reader of the wanted name, or no PC/SC daemon.
    Gone,
}

impl core::fmt::Display for ReaderError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Mute => "what is in the slot does not answer: take it out, check which way round it is",
            Self::Gone => "the card reader does not work: call staff, check its cable",
        })
    }
}

impl core::error::Error for ReaderError {}

/// The names of the readers there are.
///
/// # Errors
/// [`ReaderError::Gone`] if there is no daemon.
pub fn names() -> Result<Vec<String>, ReaderError> {
    let context = Context::establish(Scope::User).map_err(|_| ReaderError::Gone)?;
    let names = list(&context).map_err(|_| ReaderError::Gone)?;
    Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
}

/// What is in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Empty,
    /// A card that answers.
    Card,
    /// Something that does not answer.
    Mute,
    /// A card that another program holds.
    InUse,
    /// The reader itself is gone: unplugged, and not yet off the daemon's list.
    Unplugged,
}

/// The readers there are, and what is in them.
///
/// # Errors
/// [`ReaderError::Gone`] if there is no daemon.
pub fn slots() -> Result<Vec<(String, Content)>, ReaderError> {
    let context = Context::establish(Scope::User).map_err(|_| ReaderError::Gone)?;
    let names = list(&context).map_err(|_| ReaderError::Gone)?;
    let mut states: Vec<ReaderState> = names
        .into_iter()
        .map(|name| ReaderState::new(name, State::UNAWARE))
        .collect();
    if states.is_empty() {
        return Ok(Vec::new());
    }
    context
        .get_status_change(Duration::ZERO, &mut states)
        .map_err(|_| ReaderError::Gone)?;
    Ok(states
        .iter()
        .map(|state| {
            let now = state.event_state();
            let content = if now.intersects(State::UNKNOWN | State::UNAVAILABLE) {
                Content::Unplugged
            } else if !now.contains(State::PRESENT) {
                Content::Empty
            } else if now.contains(State::MUTE) {
                Content::Mute
            } else if now.intersects(State::EXCLUSIVE | State::INUSE) {
                Content::InUse
            } else {
                Content::Card
            };
            (state.name().to_string_lossy().into_owned(), content)
        })
        .collect())
}

fn list(context: &Context) -> Result<Vec<CString>, Error> {
    match context.list_readers_owned() {
        Ok(names) => Ok(names.into_iter().take(MAX_READERS).collect()),
        Err(Error::NoReadersAvailable) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What the thread is asked.
enum Ask {
    Insert,
    Removed,
    Transmit(Zeroizing<Vec<u8>>),
    PowerDown,
    Look,
}

/// What it says.
enum Say {
    Inserted(Result<(), ReaderError>),
    Removed,
    Response(Result<Zeroizing<Vec<u8>>, TransmitError>),
    PoweredDown,
    Looked(Result<bool, ReaderError>),
}

/// Where an answer waits for whoever asked.
#[derive(Default)]
struct Letterbox {
    number: u64,
    answer: Option<Say>,
    waker: Option<Waker>,
}

/// The thread's side of what can be cancelled.
#[derive(Default)]
struct Shared {
    letterbox: Mutex<Letterbox>,
    /// The context, to interrupt a wait.
    context: Mutex<Option<Context>>,
    /// The newest question's number: an older one that still waits is not wanted any more.
    newest: core::sync::atomic::AtomicU64,
    closing: core::sync::atomic::AtomicBool,
}

impl Shared {
    fn letterbox(&self) -> std::sync::MutexGuard<'_, Letterbox> {
        self.letterbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn context(&self) -> std::sync::MutexGuard<'_, Option<Context>> {
        self.context.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unwanted(&self, number: u64) -> bool {
        use core::sync::atomic::Ordering::SeqCst;
        self.closing.load(SeqCst) || self.newest.load(SeqCst) != number
    }

    /// Ends a wait of the thread's.
    fn interrupt(&self) {
        if let Some(context) = self.context().as_ref() {
            // An error means that nothing waits, or that the daemon is gone and nothing can wait.
            let _ = context.cancel();
        }
    }
}

/// A reader, asked from async code. See the module for what it promises.
pub struct Reader {
    ask: Option<Sender<(u64, Ask)>>,
    shared: Arc<Shared>,
    next: u64,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// The reader whose name contains `name`, or the first one. It need not be there yet.
    ///
    /// # Errors
    /// [`ReaderError::Gone`] if the system gives no thread.
    pub fn open(name: Option<&str>) -> Result<Self, ReaderError> {
        let (ask, asked) = channel();
        let shared = Arc::new(Shared::default());
        let worker = Worker {
            name: name.map(String::from),
            shared: shared.clone(),
            found: None,
            card: None,
        };
        let thread = std::thread::Builder::new()
            .name("card reader".into())
            .spawn(move || worker.run(&asked))
            .map_err(|_| ReaderError::Gone)?;
        Ok(Self {
            ask: Some(ask),
            shared,
            next: 0,
            thread: Some(thread),
        })
    }

    /// Waits until a card is in and powered; at once if one is. May be dropped.
    ///
    /// # Errors
    /// [`ReaderError`]. Called again it waits for the reader to come back, or for another card.
    pub async fn wait_insert(&mut self) -> Result<(), ReaderError> {
        match self.call(Ask::Insert).await {
            Some(Say::Inserted(result)) => result,
            _ => Err(ReaderError::Gone),
        }
    }

    /// Waits until no card is in; at once if none is, or if the reader is gone. Works after [`Reader::power_down`]. May be dropped.
    pub async fn wait_removed(&mut self) {
        let _ = self.call(Ask::Removed).await;
    }

    /// Whether something is in the slot, as the daemon sees it: no card gets power. May be dropped; a daemon that hangs keeps it waiting.
    ///
    /// # Errors
    /// [`ReaderError`].
    pub async fn look(&mut self) -> Result<bool, ReaderError> {
        match self.call(Ask::Look).await {
            Some(Say::Looked(result)) => result,
            _ => Err(ReaderError::Gone),
        }
    }

    /// Resets the card and takes its power, so that it forgets everything. The slot is still watched.
    pub async fn power_down(&mut self) {
        let _ = self.call(Ask::PowerDown).await;
    }

    /// Asks the thread. If the future is dropped the question is withdrawn: a later one gets its own answer, never this one's.
    fn call(&mut self, ask: Ask) -> impl Future<Output = Option<Say>> + use<'_> {
        use core::sync::atomic::Ordering::SeqCst;
        self.next += 1;
        let number = self.next;
        self.shared.newest.store(number, SeqCst);
        *self.shared.letterbox() = Letterbox {
            number,
            answer: None,
            waker: None,
        };
        // The thread may still wait for the answer to an earlier question.
        self.shared.interrupt();
        let sent = self
            .ask
            .as_ref()
            .is_some_and(|channel| channel.send((number, ask)).is_ok());
        let shared = &self.shared;
        poll_fn(move |context| {
            if !sent {
                return Poll::Ready(None);
            }
            let mut letterbox = shared.letterbox();
            if let Some(answer) = letterbox.answer.take() {
                return Poll::Ready(Some(answer));
            }
            letterbox.waker = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

impl Transmit for Reader {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        match self.call(Ask::Transmit(Zeroizing::new(command.to_vec()))).await {
            Some(Say::Response(answer)) => {
                let answer = answer?;
                let place = response.get_mut(..answer.len()).ok_or(TransmitError::TooLong)?;
                place.copy_from_slice(&answer);
                Ok(answer.len())
            }
            _ => Err(TransmitError::Io),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.closing.store(true, core::sync::atomic::Ordering::SeqCst);
        self.ask = None;
        // The thread may be about to wait when it is interrupted: again until it has ended. It ends as soon as it looks.
        while let Some(thread) = &self.thread {
            if thread.is_finished() {
                break;
            }
            self.shared.interrupt();
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Why a card that is in the slot could not be connected to; `None` if it was taken out again meanwhile.
const fn refused(error: Error) -> Option<ReaderError> {
    match error {
        Error::NoSmartcard | Error::RemovedCard => None,
        // No answer to reset, no power, or an answer that nobody understands: the wrong way round, dirty, dead, or no such card.
        Error::UnresponsiveCard | Error::UnpoweredCard | Error::UnsupportedCard | Error::ProtoMismatch => {
            Some(ReaderError::Mute)
        }
        // Among them a card that another program holds: this kiosk's reader is not its own.
        _ => Some(ReaderError::Gone),
    }
}

/// What a command's failure means; `leaves` looks whether the slot is empty a moment later.
fn failed(error: Error, leaves: impl FnOnce() -> bool) -> TransmitError {
    match error {
        Error::RemovedCard | Error::NoSmartcard => TransmitError::Removed,
        Error::InsufficientBuffer => TransmitError::TooLong,
        Error::ResetCard
        | Error::UnresponsiveCard
        | Error::UnpoweredCard
        | Error::UnsupportedCard
        | Error::ProtoMismatch
        | Error::Timeout => TransmitError::Timeout,
        // Reader drivers say all of these for a card that was pulled out during a command, too: the slot knows better.
        _ if leaves() => TransmitError::Removed,
        Error::NotTransacted | Error::CommDataLost => TransmitError::Protocol,
        _ => TransmitError::Io,
    }
}

/// The thread.
struct Worker {
    name: Option<String>,
    shared: Arc<Shared>,
    /// The reader in use.
    found: Option<CString>,
    card: Option<pcsc::Card>,
}

/// How a wait ended.
enum Waited {
    /// The slot's state.
    State(State),
    /// Nobody waits for the answer any more.
    Unwanted,
    /// No reader, or no daemon.
    Gone,
}

impl Worker {
    fn run(mut self, asked: &Receiver<(u64, Ask)>) {
        while let Ok((number, ask)) = asked.recv() {
            let answer = match ask {
                Ask::Insert => self.insert(number).map(Say::Inserted),
                Ask::Removed => self.removed(number).map(|()| Say::Removed),
                // Withdrawn before it was sent: the card must not see it.
                Ask::Transmit(_) if self.shared.unwanted(number) => None,
                Ask::Transmit(command) => Some(Say::Response(self.transmit(&command))),
                Ask::PowerDown => {
                    self.power_down();
                    Some(Say::PoweredDown)
                }
                Ask::Look => Some(Say::Looked(self.look())),
            };
            if let Some(answer) = answer {
                let mut letterbox = self.shared.letterbox();
                if letterbox.number == number {
                    letterbox.answer = Some(answer);
                    if let Some(waker) = letterbox.waker.take() {
                        drop(letterbox);
                        waker.wake();
                    }
                }
            }
        }
        self.power_down();
    }

    /// `None` if nobody waits any more.
    fn insert(&mut self, number: u64) -> Option<Result<(), ReaderError>> {
        if let Some(card) = &self.card {
            match card.status2_owned() {
                Ok(_) => return Some(Ok(())),
                Err(_) => self.power_down(),
            }
        }
        // Ends: each round waits for an event, which people cause, or for the daemon.
        loop {
            match self.wait(number, |state| state.contains(State::PRESENT)) {
                Waited::Unwanted => return None,
                Waited::Gone => return Some(Err(ReaderError::Gone)),
                Waited::State(state) if state.contains(State::MUTE) => return Some(Err(ReaderError::Mute)),
                Waited::State(_) => {}
            }
            match self.connect() {
                Ok(()) => return Some(Ok(())),
                Err(error) => match refused(error) {
                    None => {}
                    Some(ReaderError::Mute) => return Some(Err(ReaderError::Mute)),
                    Some(ReaderError::Gone) => {
                        self.lost();
                        return Some(Err(ReaderError::Gone));
                    }
                },
            }
        }
    }

    fn look(&mut self) -> Result<bool, ReaderError> {
        let (context, name) = self.find().ok_or(ReaderError::Gone)?;
        let mut states = [ReaderState::new(name, State::UNAWARE)];
        context
            .get_status_change(Duration::ZERO, &mut states)
            .map_err(|_| ReaderError::Gone)?;
        let now = states
            .iter()
            .fold(State::empty(), |all, state| all | state.event_state());
        if now.intersects(State::UNKNOWN | State::UNAVAILABLE | State::IGNORE) {
            Err(ReaderError::Gone)
        } else if now.contains(State::MUTE) {
            Err(ReaderError::Mute)
        } else {
            Ok(now.contains(State::PRESENT))
        }
    }

    fn connect(&mut self) -> Result<(), Error> {
        let context = self.shared.context().clone().ok_or(Error::NoService)?;
        let name = self.found.as_deref().ok_or(Error::UnknownReader)?;
        let mut card = context.connect(name, ShareMode::Exclusive, Protocols::T0 | Protocols::T1)?;
        // Another program may have left a PIN verified: a cold reset first.
        card.reconnect(
            ShareMode::Exclusive,
            Protocols::T0 | Protocols::T1,
            Disposition::UnpowerCard,
        )?;
        self.card = Some(card);
        Ok(())
    }

    fn removed(&mut self, number: u64) -> Option<()> {
        let waited = self.wait(number, |state| !state.contains(State::PRESENT));
        match waited {
            Waited::Unwanted => None,
            Waited::Gone | Waited::State(_) => {
                self.power_down();
                Some(())
            }
        }
    }

    /// Waits for a state of the slot. With no daemon or no reader: once around, then [`Waited::Gone`].
    fn wait(&mut self, number: u64, wanted: impl Fn(State) -> bool) -> Waited {
        loop {
            if self.shared.unwanted(number) {
                return Waited::Unwanted;
            }
            let Some((context, name)) = self.find() else {
                self.lost();
                std::thread::sleep(DAEMON_PAUSE);
                return Waited::Gone;
            };
            match self.watch(&context, &name, number, &wanted) {
                Ok(Some(waited)) => return waited,
                Ok(None) => {}
                Err(_) => {
                    self.lost();
                    return Waited::Gone;
                }
            }
        }
    }

    /// `Ok(None)`: look again.
    fn watch(
        &self,
        context: &Context,
        name: &CStr,
        number: u64,
        wanted: &impl Fn(State) -> bool,
    ) -> Result<Option<Waited>, Error> {
        let mut states = [ReaderState::new(name, State::UNAWARE)];
        loop {
            match context.get_status_change(RECHECK, &mut states) {
                Ok(()) => {}
                Err(Error::Cancelled) if self.shared.unwanted(number) => return Ok(Some(Waited::Unwanted)),
                Err(Error::Cancelled) => return Ok(None),
                Err(Error::Timeout) if self.shared.unwanted(number) => return Ok(Some(Waited::Unwanted)),
                Err(Error::Timeout) => continue,
                Err(error) => return Err(error),
            }
            for state in &mut states {
                let now = state.event_state();
                if now.intersects(State::UNKNOWN | State::UNAVAILABLE | State::IGNORE) {
                    return Ok(Some(Waited::Gone));
                }
                if wanted(now) {
                    return Ok(Some(Waited::State(now)));
                }
                state.sync_current_state();
            }
            if self.shared.unwanted(number) {
                return Ok(Some(Waited::Unwanted));
            }
        }
    }

    /// The context and the reader's name, found again if need be.
    fn find(&mut self) -> Option<(Context, CString)> {
        let mut held = self.shared.context();
        if let Some(context) = held.as_ref().filter(|context| context.is_valid().is_err()) {
            let _ = context;
            *held = None;
        }
        if held.is_none() {
            *held = Some(Context::establish(Scope::User).ok()?);
        }
        let context = held.clone()?;
        drop(held);
        let names = list(&context).ok()?;
        let wanted = |name: &CString| match (&self.found, &self.name) {
            (Some(found), _) if self.card.is_some() => name == found,
            (_, Some(part)) => name.to_string_lossy().contains(part.as_str()),
            (_, None) => true,
        };
        let name = names.into_iter().find(wanted)?;
        self.found = Some(name.clone());
        Some((context, name))
    }

    fn lost(&mut self) {
        self.power_down();
        *self.shared.context() = None;
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, TransmitError> {
        let card = self.card.as_ref().ok_or(TransmitError::Removed)?;
        // One byte more than a response may have, so that a longer one is noticed and not cut.
        let mut buffer = Zeroizing::new([0; crate::apdu::MAX_RESPONSE + 1]);
        let error = match card.transmit(command, buffer.as_mut_slice()) {
            // Less than a status word is no answer: some drivers say so for a card that was pulled out during a command.
            Ok(answer) if answer.len() < 2 => Error::NotTransacted,
            Ok(answer) if answer.len() <= crate::apdu::MAX_RESPONSE => return Ok(Zeroizing::new(answer.to_vec())),
            Ok(_) => return Err(TransmitError::TooLong),
            Err(error) => error,
        };
        Err(failed(error, || self.leaves()))
    }

    /// Whether the slot is empty, or is found to be within [`LEAVING`]: the daemon looks at its slots a few times a second, and a command
    /// fails before it has looked.
    fn leaves(&self) -> bool {
        let context = self.shared.context().clone();
        let (Some(context), Some(name)) = (context, &self.found) else {
            return false;
        };
        let mut states = [ReaderState::new(name.as_c_str(), State::UNAWARE)];
        let start = std::time::Instant::now();
        // Ends: each round but the last waits for an event, until LEAVING is over.
        loop {
            let left = LEAVING.saturating_sub(start.elapsed());
            if context.get_status_change(left, &mut states).is_err() {
                return false;
            }
            if states.iter().all(|state| state.event_state().contains(State::EMPTY)) {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            for state in &mut states {
                state.sync_current_state();
            }
        }
    }

    fn power_down(&mut self) {
        if let Some(card) = self.card.take()
            && let Err((card, _)) = card.disconnect(Disposition::UnpowerCard)
        {
            // What drops a card asks for a reset: less, but all that is left to ask for.
            drop(card);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cards without an answer to reset cannot be put into a virtual reader; what PC/SC says of them can be put here.
    #[test]
    fn f8_a_card_without_an_answer_is_mute_however_pcsc_says_it() {
        for error in [
            Error::UnresponsiveCard,
            Error::UnpoweredCard,
            Error::UnsupportedCard,
            Error::ProtoMismatch,
        ] {
            assert_eq!(refused(error), Some(ReaderError::Mute), "{error:?}");
            // In the middle of a visit: the same screen (`kiosk::admission` calls it mute, too), without a look at the slot.
            let failed = failed(error, || panic!("the slot is not asked"));
            assert_eq!(failed, TransmitError::Timeout, "{error:?}");
        }
    }

    #[test]
    fn f8_a_pulled_card_is_no_broken_reader_and_a_broken_reader_no_pulled_card() {
        for error in [Error::NoSmartcard, Error::RemovedCard] {
            assert_eq!(refused(error), None);
            assert_eq!(failed(error, || false), TransmitError::Removed);
        }
        for error in [
            Error::NoService,
            Error::ServiceStopped,
            Error::ReaderUnavailable,
            Error::UnknownReader,
            Error::NoReadersAvailable,
            Error::SharingViolation,
            Error::CommError,
            Error::InternalError,
        ] {
            assert_eq!(refused(error), Some(ReaderError::Gone), "{error:?}");
            assert_eq!(failed(error, || false), TransmitError::Io, "{error:?}");
            assert_eq!(failed(error, || true), TransmitError::Removed, "{error:?}");
        }
        for error in [Error::NotTransacted, Error::CommDataLost] {
            assert_eq!(failed(error, || false), TransmitError::Protocol, "{error:?}");
            assert_eq!(failed(error, || true), TransmitError::Removed, "{error:?}");
        }
        assert_eq!(failed(Error::InsufficientBuffer, || false), TransmitError::TooLong);
    }
}
