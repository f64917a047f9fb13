//! What stands between strangers and the pages of [`super::http`]: so many connections, so much silence, so many pages at a time, so many
//! bytes of answers. Consensus, the gateway and the public share one process: what is open here must not use up what the others need.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::Listener;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::node::SharedNode;

/// Silence after which a connection ends, and its longest life.
const SILENCE: Duration = Duration::from_secs(10);
const LIFE: Duration = Duration::from_secs(60);
/// Pages made at a time, and how long one waits for its turn.
const TURNS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(5);
/// KiB of answers on their way to slow readers, in all.
const ANSWERS: usize = 32 << 10;

/// A page, or the status and words for why not.
pub(super) type Page = Result<Value, (StatusCode, &'static str)>;

/// Makes pages, a few at a time, on threads that the engine does not need.
#[derive(Clone)]
pub(super) struct Desk {
    node: SharedNode,
    turns: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn new(node: SharedNode) -> Self {
        Self {
            node,
            turns: Arc::new(Semaphore::new(TURNS)),
            answers: Arc::new(Semaphore::new(ANSWERS)),
        }
    }

    /// Makes a page when it is its turn; 503 if that does not come, or too many answers are on their way.
    pub(super) async fn page(self, make: impl FnOnce(&SharedNode) -> Page + Send + 'static) -> Response {
        let busy = || {
            answer(
                StatusCode::SERVICE_UNAVAILABLE,
                Body::from("{\"error\":\"too many ask at once\"}\n"),
            )
        };
        let Ok(Ok(turn)) = tokio::time::timeout(PATIENCE, self.turns.acquire_owned()).await else {
            return busy();
        };
        let node = self.node;
        let made = tokio::task::spawn_blocking(move || {
            let (status, value) = match make(&node) {
                Ok(value) => (StatusCode::OK, value),
                Err((status, what)) => (status, json!({ "error": what })),
            };
            let text = format!("{value}\n");
            drop(turn);
            (status, text)
        });
        let Ok((status, text)) = made.await else {
            return answer(StatusCode::INTERNAL_SERVER_ERROR, Body::empty());
        };
        let size = u32::try_from(text.len() >> 10).unwrap_or(u32::MAX).saturating_add(1);
        match self.answers.try_acquire_many_owned(size) {
            Ok(room) => answer(status, Body::from(Bytes::from_owner(Held { text, _room: room }))),
            Err(_) => busy(),
        }
    }
}

/// An answer, and its share of the bytes on their way: given back when it is sent or its reader is gone.
struct Held {
    text: String,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn answer(status: StatusCode, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}

/// A listener with so many places: who comes later waits until one is free.
pub(super) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(listener: TcpListener, places: usize) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(places)),
        }
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let Ok(place) = self.places.clone().acquire_owned().await else {
            // Nobody closes it.
            return std::future::pending().await;
        };
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let end = Instant::now() + LIFE;
                    let silence = Box::pin(tokio::time::sleep(SILENCE));
                    let guest = Guest {
                        stream,
                        silence,
                        end,
                        _place: place,
                    };
                    return (guest, address);
                }
                // The peer is gone again, or file descriptors are short.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends by itself.
pub(super) struct Guest {
    stream: TcpStream,
    silence: Pin<Box<Sleep>>,
    end: Instant,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    /// Does something with the stream, if its time is not over; what succeeds breaks the silence.
    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        act: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.silence.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let done = ready!(act(Pin::new(&mut self.stream), context));
        let until = (Instant::now() + SILENCE).min(self.end);
        self.silence.as_mut().reset(until);
        Poll::Ready(done)
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(context, |stream, context| stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
