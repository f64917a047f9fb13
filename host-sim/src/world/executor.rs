//! One thread, one queue, first come first served: futures are polled until all of them rest, then time moves on. The same
//! spawns in the same order give the same run.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use anyhow::{Result, bail};

use super::notify::Notify;
use super::time::{HOUR, Timeline};

/// Polls within one moment of virtual time after which a world is said not to come to rest. A whole ballot's
/// work is a few hundred; a kiosk that turns in a circle without time passing would otherwise hang the simulator.
const RESTLESS: u64 = 5_000_000;

/// Polls in one turn of real time.
const TURN: u32 = 10_000;

/// Virtual time after which a run is given up: somebody waits for what will not come, while others only wait and wait again.
const LONGEST: u64 = 30 * 24 * HOUR;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Something beside the world that computes on its own when it is sent something: a board in an emulator.
pub trait Outside {
    /// Waits, for real, until it rests; whether anything came of it.
    ///
    /// # Errors
    /// It hangs, or is gone.
    fn settle(&self) -> Result<bool>;

    /// The same without waiting; `waker` is woken when there is more to look at. One that hangs or is gone says so to whoever carries what it
    /// says, and rests.
    fn look(&self, waker: &Waker) -> Look;
}

/// What is found beside the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Something came of it.
    Heard,
    /// It computes: time stands still.
    Works,
    /// It rests.
    Rests,
}

/// The executor. Clones are the same one; tasks hold one to spawn others.
#[derive(Clone)]
pub struct Executor {
    inner: Rc<Inner>,
}

struct Inner {
    time: Rc<Timeline>,
    /// `None` while a task is being polled.
    tasks: RefCell<BTreeMap<u64, Option<Task>>>,
    ready: Arc<Queue>,
    beside: RefCell<Vec<Weak<dyn Outside>>>,
    serial: Cell<u64>,
}

#[derive(Default)]
struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    ready: VecDeque<Arc<Wakeup>>,
    /// Who turns the world in real time, to be told once when a task has something to do.
    turner: Option<Waker>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a waker does: puts its task into the queue, once. (The standard library's wakers must be able to travel
/// between threads; these never do.)
struct Wakeup {
    task: u64,
    queued: AtomicBool,
    queue: Arc<Queue>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            let queue = self.queue.clone();
            let mut waiting = queue.lock();
            waiting.ready.push_back(self);
            let turner = waiting.turner.take();
            drop(waiting);
            if let Some(turner) = turner {
                turner.wake();
            }
        }
    }
}

impl Executor {
    /// An empty world in which time passes by `time`.
    #[must_use]
    pub fn new(time: Rc<Timeline>) -> Self {
        Self {
            inner: Rc::new(Inner {
                time,
                tasks: RefCell::default(),
                ready: Arc::default(),
                beside: RefCell::default(),
                serial: Cell::new(0),
            }),
        }
    }

    /// Time.
    #[must_use]
    pub fn time(&self) -> &Rc<Timeline> {
        &self.inner.time
    }

    /// From now on time moves only when this rests too, until it is dropped.
    pub fn beside(&self, outside: &Rc<dyn Outside>) {
        self.inner.beside.borrow_mut().push(Rc::downgrade(outside));
    }

    fn all_beside(&self) -> Vec<Rc<dyn Outside>> {
        let mut beside = self.inner.beside.borrow_mut();
        beside.retain(|one| one.strong_count() > 0);
        beside.iter().filter_map(Weak::upgrade).collect()
    }

    /// Waits until all that is beside the world rests; whether anything came of it.
    fn settle(&self) -> Result<bool> {
        let mut any = false;
        for one in self.all_beside() {
            any |= one.settle()?;
        }
        Ok(any)
    }

    /// The same without waiting.
    fn look(&self, waker: &Waker) -> Look {
        let found = self.all_beside().into_iter().map(|one| one.look(waker));
        found.fold(Look::Rests, |all, one| match (all, one) {
            (Look::Heard, _) | (_, Look::Heard) => Look::Heard,
            (Look::Works, _) | (_, Look::Works) => Look::Works,
            (Look::Rests, Look::Rests) => Look::Rests,
        })
    }

    /// Starts a task. It goes on until it is done, or until [`Job::stop`].
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Job<T> {
        let end = Rc::new(End {
            value: RefCell::new(None),
            changed: Notify::default(),
        });
        let task = self.inner.serial.get();
        self.inner.serial.set(task + 1);
        let told = end.clone();
        let future: Task = Box::pin(async move {
            let value = future.await;
            *told.value.borrow_mut() = Some(value);
            told.changed.notify();
        });
        self.inner.tasks.borrow_mut().insert(task, Some(future));
        self.waker(task).wake();
        Job {
            task,
            end,
            executor: Rc::downgrade(&self.inner),
        }
    }

    /// Runs the world until `future` is done and gives its value.
    ///
    /// # Errors
    /// If everybody waits for something that will never come, or the world does not come to rest: both are defects of
    /// a simulated person or of the kiosk, and both would be a kiosk that hangs.
    pub fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Result<T> {
        self.run_with(future, || {})
    }

    /// The same, and calls `each` whenever time is about to move.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub fn run_with<T: 'static>(&self, future: impl Future<Output = T> + 'static, mut each: impl FnMut()) -> Result<T> {
        let main = self.spawn(future);
        let end = self.inner.time.now().saturating_add(LONGEST);
        loop {
            let mut polls = 0;
            while let Some(wakeup) = self.next() {
                self.poll(&wakeup);
                polls += 1;
                if polls > RESTLESS {
                    bail!("the world does not come to rest at {} ms", self.inner.time.now());
                }
                if let Some(value) = main.take() {
                    return Ok(value);
                }
            }
            if self.settle()? {
                continue;
            }
            each();
            if self.inner.time.now() > end {
                bail!("nothing comes of it in 30 days");
            }
            if !self.inner.time.advance() {
                bail!("everybody waits for ever since {} ms", self.inner.time.now());
            }
        }
    }

    /// Real time: runs everything that can run until the world's millisecond `now`, and gives the next moment for which somebody
    /// waits. `turner` is woken when a task has something to do before that. A world that is very busy gives `now` itself, so
    /// that whoever turns it can draw a picture in between.
    pub fn turn(&self, now: u64, turner: &Waker) -> Option<u64> {
        for _ in 0..TURN {
            match self.next() {
                Some(wakeup) => self.poll(&wakeup),
                None => {
                    let found = self.look(turner);
                    if found == Look::Heard || (found == Look::Rests && self.inner.time.pass(now)) {
                        continue;
                    }
                    self.inner.ready.lock().turner = Some(turner.clone());
                    // While something works, what it says wakes the turner, not a time.
                    return self.inner.time.next().filter(|_| found == Look::Rests);
                }
            }
        }
        Some(now)
    }

    fn next(&self) -> Option<Arc<Wakeup>> {
        self.inner.ready.lock().ready.pop_front()
    }

    fn poll(&self, wakeup: &Arc<Wakeup>) {
        wakeup.queued.store(false, Ordering::Relaxed);
        let taken = self
            .inner
            .tasks
            .borrow_mut()
            .get_mut(&wakeup.task)
            .and_then(Option::take);
        let Some(mut future) = taken else { return };
        let waker = Waker::from(wakeup.clone());
        let done = future.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(());
        let mut tasks = self.inner.tasks.borrow_mut();
        if done {
            tasks.remove(&wakeup.task);
        } else if let Some(place) = tasks.get_mut(&wakeup.task) {
            *place = Some(future);
            return;
        }
        // Done or stopped while it ran: what it drops may stop other tasks.
        drop(tasks);
        drop(future);
    }

    fn waker(&self, task: u64) -> Waker {
        Waker::from(Arc::new(Wakeup {
            task,
            queued: AtomicBool::new(false),
            queue: self.inner.ready.clone(),
        }))
    }
}

struct End<T> {
    value: RefCell<Option<T>>,
    changed: Notify,
}

/// A started task. Dropping the job lets the task go on.
pub struct Job<T> {
    task: u64,
    end: Rc<End<T>>,
    executor: Weak<Inner>,
}

impl<T> Job<T> {
    /// The task's value, once, when it is done.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        self.end.value.borrow_mut().take()
    }

    /// Looks at the task's value, if it is done and the value was not taken.
    pub fn peek<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.end.value.borrow().as_ref().map(look)
    }

    /// Waits until the task is done. For ever if it is stopped.
    pub async fn wait(&self) -> T {
        self.end.changed.wait_for(|| self.take()).await
    }

    /// Drops the task's future at the await point where it stands: that is what a power cut is.
    pub fn stop(&self) {
        if let Some(inner) = self.executor.upgrade() {
            let task = inner.tasks.borrow_mut().remove(&self.task);
            drop(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_only_when_everybody_rests() {
        let world = Executor::new(Timeline::new());
        let order = Rc::new(RefCell::new(Vec::new()));
        for delay in [30, 10, 20, 10] {
            let (time, order) = (world.time().clone(), order.clone());
            let _ = world.spawn(async move {
                time.sleep(delay).await;
                order.borrow_mut().push((time.now(), delay));
            });
        }
        let time = world.time().clone();
        let end = world.run(async move {
            time.sleep(40).await;
            time.now()
        });
        assert_eq!(end.unwrap(), 40);
        assert_eq!(*order.borrow(), [(10, 10), (10, 10), (20, 20), (30, 30)]);
    }

    /// A board that computes: time stands still until it rests, and whoever turns the world is woken by it.
    #[test]
    fn time_stands_still_while_something_beside_the_world_works() {
        struct Beside(Cell<Look>, Notify);
        impl Outside for Beside {
            fn settle(&self) -> Result<bool> {
                unreachable!("a window never waits")
            }
            fn look(&self, _: &Waker) -> Look {
                let now = self.0.get();
                if now == Look::Heard {
                    self.1.notify();
                    self.0.set(Look::Rests);
                }
                now
            }
        }
        let world = Executor::new(Timeline::new());
        let board = Rc::new(Beside(Cell::new(Look::Works), Notify::default()));
        let outside: Rc<dyn Outside> = board.clone();
        world.beside(&outside);
        let time = world.time().clone();
        let job = world.spawn(async move {
            time.sleep(10).await;
            time.now()
        });
        let turner = Waker::noop();
        assert_eq!(world.turn(50, turner), None);
        assert_eq!((world.time().now(), job.take()), (0, None));
        board.0.set(Look::Heard);
        assert_eq!(world.turn(60, turner), None);
        assert_eq!((world.time().now(), job.take()), (60, Some(10)));
        // Gone: nobody asks it any more.
        board.0.set(Look::Works);
        drop((board, outside));
        world.turn(70, turner);
        assert_eq!(world.time().now(), 70);
    }

    #[test]
    fn a_stopped_task_is_dropped_where_it_stands() {
        struct Told(Rc<Cell<bool>>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        let world = Executor::new(Timeline::new());
        let dropped = Rc::new(Cell::new(false));
        let (time, told) = (world.time().clone(), Told(dropped.clone()));
        let job = world.spawn(async move {
            time.sleep(100).await;
            drop(told);
            unreachable!("stopped at 50");
        });
        let time = world.time().clone();
        world
            .run(async move {
                time.sleep(50).await;
                job.stop();
                time.sleep(100).await;
            })
            .unwrap();
        assert!(dropped.get());
    }

    #[test]
    fn real_time_passes_as_far_as_it_is_turned_and_no_further() {
        struct Told(AtomicBool);
        impl Wake for Told {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let told = Arc::new(Told(AtomicBool::new(false)));
        let turner = Waker::from(told.clone());
        let world = Executor::new(Timeline::new());
        let notes = Rc::new(RefCell::new(Vec::new()));
        let bell = Rc::new(Notify::default());
        let rung = Rc::new(Cell::new(false));
        let (time, written, heard, ring) = (world.time().clone(), notes.clone(), bell.clone(), rung.clone());
        let _ = world.spawn(async move {
            time.sleep(10).await;
            written.borrow_mut().push(time.now());
            heard.wait_for(|| ring.get().then_some(())).await;
            time.sleep(1_000).await;
            written.borrow_mut().push(time.now());
        });
        assert_eq!(world.turn(5, &turner), Some(10));
        assert_eq!(world.turn(25, &turner), None);
        assert_eq!((*notes.borrow()).clone(), [10]);
        // Waking it for nothing costs a turn; not waking it for what comes from outside would let the world stand still.
        told.0.store(false, Ordering::Relaxed);
        rung.set(true);
        bell.notify();
        assert!(told.0.load(Ordering::Relaxed), "whoever turns the world is told");
        assert_eq!(world.turn(40, &turner), Some(1_025));
        assert_eq!(world.turn(2_000, &turner), None);
        assert_eq!((*notes.borrow()).clone(), [10, 1_025]);
    }

    #[test]
    fn a_world_in_which_everybody_waits_is_an_error_not_a_hang() {
        let world = Executor::new(Timeline::new());
        assert!(world.run(std::future::pending::<()>()).is_err());
    }
}
