//! A device on a thread of its own: what blocks there does not block the panel. Jobs go in over a queue of [`QUEUE`] places, answers come
//! back through a waker.
//!
//! It must never know what a device does.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::{future::Future, pin::Pin};

/// Jobs that wait at most. The loop asks one thing at a time; more than that are answers nobody waits for any more.
pub const QUEUE: usize = 4;

type Job<D> = Box<dyn FnOnce(&mut D) + Send>;

/// A thread that owns a device.
pub struct Worker<D> {
    jobs: Option<SyncSender<Job<D>>>,
    thread: Option<JoinHandle<()>>,
}

/// Where an answer waits.
struct Place<R> {
    answer: Option<R>,
    waker: Option<Waker>,
    /// The job is gone, done or not.
    over: bool,
}

impl<D: Send + 'static> Worker<D> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(name: &str, mut device: D) -> io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job<D>>(QUEUE);
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            while let Ok(job) = queue.recv() {
                job(&mut device);
            }
        })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Has `job` done. `None` if the device does not keep up (the queue is full) or its thread has died. A future that is dropped leaves the job
    /// to be done all the same: that is what a power cut looks like to whoever asked.
    pub fn run<R: Send + 'static>(&self, job: impl FnOnce(&mut D) -> R + Send + 'static) -> Answer<R> {
        let place = Arc::new(Mutex::new(Place {
            answer: None,
            waker: None,
            over: false,
        }));
        let done = Done(place.clone());
        let job: Job<D> = Box::new(move |device| done.put(job(device)));
        // Refused: the job is dropped, and with it goes `done`, which says so.
        if let Some(jobs) = &self.jobs {
            let _ = jobs.try_send(job);
        }
        Answer(place)
    }
}

impl<D> Drop for Worker<D> {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // What was begun is finished: a write in the middle is no way to end.
            let _ = thread.join();
        }
    }
}

/// Answers even if the job never runs.
struct Done<R>(Arc<Mutex<Place<R>>>);

impl<R> Done<R> {
    fn put(self, answer: R) {
        lock(&self.0).answer = Some(answer);
    }
}

impl<R> Drop for Done<R> {
    fn drop(&mut self) {
        let waker = {
            let mut place = lock(&self.0);
            place.over = true;
            place.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn lock<R>(place: &Mutex<Place<R>>) -> std::sync::MutexGuard<'_, Place<R>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The answer to a job.
pub struct Answer<R>(Arc<Mutex<Place<R>>>);

impl<R> Future for Answer<R> {
    type Output = Option<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut place = lock(&self.0);
        if place.over {
            return Poll::Ready(place.answer.take());
        }
        place.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embassy_futures::block_on;
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_are_done_in_order_and_answered() {
        let worker = Worker::new("test", Vec::<u8>::new()).unwrap();
        for number in 0..3 {
            let length = block_on(worker.run(move |list| {
                list.push(number);
                list.len()
            }));
            assert_eq!(length, Some(usize::from(number) + 1));
        }
    }

    #[test]
    fn a_device_that_hangs_refuses_more_than_its_queue_and_the_rest_is_done_when_it_goes_on() {
        let worker = Worker::new("test", 0_u32).unwrap();
        let (go, wait) = channel::<()>();
        let (inside, entered) = channel::<()>();
        let first = worker.run(move |_| {
            inside.send(()).unwrap();
            wait.recv().unwrap();
        });
        entered.recv().unwrap();
        let mut waiting: Vec<_> = (0..QUEUE + 3).map(|_| worker.run(|count| *count += 1)).collect();
        let refused = waiting.split_off(QUEUE);
        for answer in refused {
            assert_eq!(block_on(answer), None);
        }
        go.send(()).unwrap();
        assert_eq!(block_on(first), Some(()));
        for answer in waiting {
            assert_eq!(block_on(answer), Some(()));
        }
        assert_eq!(block_on(worker.run(|count| *count)), Some(QUEUE as u32));
    }

    #[test]
    fn a_dropped_question_is_carried_out_and_the_end_waits_for_it() {
        let (said, heard) = channel();
        let worker = Worker::new("test", ()).unwrap();
        drop(worker.run(move |()| said.send(7)));
        drop(worker);
        assert_eq!(heard.recv(), Ok(7));
    }
}
