//! The reader of `card`: a card is waited for, worked with, and loses its power however that ends.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use card::pcsc::{Reader, ReaderError};
use clap::Args;

use crate::problem::{Kind, Outcome, Problem};

/// Which reader.
#[derive(Args)]
pub(super) struct Where {
    /// Part of the reader's name; the first reader otherwise
    #[arg(long, value_name = "NAME")]
    pub(super) reader: Option<String>,
    /// How long to wait for a card
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(super) wait: u64,
}

pub(super) fn no_reader(error: ReaderError) -> Problem {
    Problem::new(Kind::Files, "reader", error).advice("plug the reader in, and see that pcscd runs: staff card list")
}

/// Waits for a card and works with it. It loses its power afterwards, however that ends.
pub(super) fn with_card<V>(at: &Where, work: impl AsyncFnOnce(&mut Reader) -> Outcome<V>) -> Outcome<V> {
    let mut reader = Reader::open(at.reader.as_deref()).map_err(no_reader)?;
    let deadline = Instant::now() + Duration::from_secs(at.wait.min(24 * 3600));
    let inserted = block_on(reader.wait_insert(), Instant::now() + Duration::from_millis(300));
    let inserted = match inserted {
        None => {
            eprintln!("put a card into the reader");
            block_on(reader.wait_insert(), deadline)
        }
        answer => answer,
    };
    match inserted {
        Some(Ok(())) => {}
        Some(Err(error @ ReaderError::Mute)) => return Err(Problem::new(Kind::Refused, "card", error)),
        Some(Err(error)) => return Err(no_reader(error)),
        None => {
            return Err(Problem::new(Kind::Files, "reader", "no card was put in")
                .advice("put a card in, or name the reader: --reader (staff card list shows them)"));
        }
    }
    // Steps with a card are bounded by themselves: commands in number, each by the reader.
    let far = Instant::now() + Duration::from_secs(24 * 3600);
    let result = block_on(work(&mut reader), far);
    block_on(reader.power_down(), far);
    result.unwrap_or_else(|| Err(Problem::new(Kind::Files, "reader", "does not answer")))
}

/// Runs a future on this thread, which sleeps until it is woken; `None` at the deadline.
fn block_on<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker: Waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}
