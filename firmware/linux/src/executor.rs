//! The kiosk's loop as one task of the graphics library's event loop, polled when somebody wakes it; from any thread.
//!
//! The library's own way to run a future keeps it alive when the event loop has ended. Here whoever holds [`Task`] drops it, and with
//! it go the card's power, the nonces and the PIN.

use std::cell::RefCell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use panel::slint;

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    static TASK: RefCell<Option<Boxed>> = const { RefCell::new(None) };
}

/// The running task. Dropping it drops the future.
pub struct Task(PhantomData<Rc<()>>);

impl Task {
    /// Runs `future` on this thread's event loop, once that runs. One at a time.
    pub fn start(future: impl Future<Output = ()> + 'static) -> Self {
        TASK.with_borrow_mut(|task| *task = Some(Box::pin(future)));
        Arc::new(Knock::default()).wake();
        Self(PhantomData)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // Out of the cell first: what is dropped may wake somebody.
        let task = TASK.take();
        drop(task);
    }
}

#[derive(Default)]
struct Knock {
    /// An event is on its way: several wakes are one poll.
    queued: AtomicBool,
}

impl Wake for Knock {
    fn wake(self: Arc<Self>) {
        if self.queued.swap(true, Ordering::SeqCst) {
            return;
        }
        let knock = self.clone();
        if slint::invoke_from_event_loop(move || poll(&knock)).is_err() {
            // The event loop has ended, and the task will be dropped.
            self.queued.store(false, Ordering::SeqCst);
        }
    }
}

fn poll(knock: &Arc<Knock>) {
    knock.queued.store(false, Ordering::SeqCst);
    let Some(mut task) = TASK.take() else { return };
    let waker = Waker::from(knock.clone());
    if task.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending {
        TASK.with_borrow_mut(|place| *place = Some(task));
    }
}
