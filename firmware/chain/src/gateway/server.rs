//! The gateway over TCP: request frames behind their length (`u32`, big-endian), one reply frame each, likewise.
//!
//! Not encrypted and not authenticated: everything in the frames is public and signed by those whom it concerns. One thread a connection,
//! everything bounded by [`Limits`]: who sends too slowly, too much or too long is disconnected, who asks too often is told so
//! (`Unavailable`), and neither costs the others more than their share. When all places are taken, whoever has been silent for longest
//! makes room: silence is no way to keep kiosks out.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use election::hash::Digest;
use election::ledger::Transaction;
use election::ledger::frame::{MAX_REPLY, MAX_REQUEST, Reply, Request, read_request, write_reply};

use super::Desk;
use super::limits::{Buckets, Limits};

/// Bytes received at a time: memory follows what was sent, never what was announced.
const PIECE: usize = 16 << 10;

/// What a gateway counted since its start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests answered.
    pub answered: AtomicU64,
    /// Requests over a rate.
    pub limited: AtomicU64,
    /// Connections refused, or ended for being too slow or too long.
    pub dropped: AtomicU64,
}

/// A running gateway. It ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    limits: Limits,
    stop: AtomicBool,
    counters: Counters,
    receiving: Mutex<Receiving>,
    connections: Mutex<Connections>,
    addresses: Mutex<Buckets<IpAddr>>,
    kiosks: Mutex<Buckets<Digest>>,
}

#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, Open>,
}

struct Open {
    peer: IpAddr,
    stream: TcpStream,
    /// A frame is on its way, or being answered.
    busy: bool,
    /// Since when it is as it is.
    since: Instant,
}

/// Bytes being received, in all and by address.
#[derive(Default)]
struct Receiving {
    all: usize,
    by: HashMap<IpAddr, usize>,
}

impl Server {
    /// Starts a gateway on a bound listener.
    ///
    /// # Errors
    /// The listener has no address, or no thread can be started.
    pub fn start<D: Desk>(listener: TcpListener, desk: Arc<D>, limits: Limits) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            limits,
            stop: AtomicBool::new(false),
            counters: Counters::default(),
            receiving: Mutex::default(),
            connections: Mutex::default(),
            addresses: Mutex::new(Buckets::new(limits.requests)),
            kiosks: Mutex::new(Buckets::new(limits.batches)),
        });
        let accepting = {
            let shared = shared.clone();
            thread("gateway")?.spawn(move || accept(&listener, &desk, &shared))?
        };
        Ok(Self {
            address,
            shared,
            accepting: Some(accepting),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.shared.connections).open.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for open in lock(&self.shared.connections).open.values() {
            let _ = open.stream.shutdown(Shutdown::Both);
        }
        // A connection of our own wakes the thread that accepts.
        let mut address = self.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _ = accepting.join();
        }
    }
}

fn thread(name: &str) -> io::Result<std::thread::Builder> {
    // A reply and a piece lie on the stack, the rest on the heap.
    Ok(std::thread::Builder::new().name(name.to_owned()).stack_size(256 << 10))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept<D: Desk>(listener: &TcpListener, desk: &Arc<D>, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, or the peer is gone again.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        let Some(id) = admit(shared, &stream, peer.ip()) else {
            shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let (desk, guest) = (desk.clone(), shared.clone());
        let started = thread("gateway connection").and_then(|builder| {
            builder.spawn(move || {
                if converse(&stream, id, peer.ip(), &*desk, &guest).is_err() {
                    guest.counters.dropped.fetch_add(1, Ordering::Relaxed);
                }
                let _ = stream.shutdown(Shutdown::Both);
                lock(&guest.connections).open.remove(&id);
            })
        });
        if started.is_err() {
            lock(&shared.connections).open.remove(&id);
        }
    }
}

/// Notes a connection, if there is room for one more from there, or somebody there is silent.
fn admit(shared: &Shared, stream: &TcpStream, peer: IpAddr) -> Option<u64> {
    let mut connections = lock(&shared.connections);
    let limits = &shared.limits;
    let same = connections.open.values().filter(|open| open.peer == peer).count();
    if same >= limits.per_address {
        connections.make_room(limits, |open| open.peer == peer)?;
        shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
    } else if connections.open.len() >= limits.connections {
        connections.make_room(limits, |_| true)?;
        shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
    }
    stream.set_nodelay(true).ok()?;
    stream.set_write_timeout(Some(limits.frame_time)).ok()?;
    let clone = stream.try_clone().ok()?;
    let id = connections.next;
    connections.next = id.wrapping_add(1);
    let open = Open {
        peer,
        stream: clone,
        busy: false,
        since: Instant::now(),
    };
    connections.open.insert(id, open);
    Some(id)
}

impl Connections {
    /// Ends the connection that has been silent for longest, of those that may be ended; if none is silent, the one whose frame has been on its
    /// way for longest, if that is long.
    fn make_room(&mut self, limits: &Limits, may: impl Fn(&Open) -> bool) -> Option<()> {
        let slow = limits.frame_time / 4;
        let all = self.open.iter().filter(|(_, open)| may(open));
        let (_, _, id) = all
            .filter(|(_, open)| !open.busy || open.since.elapsed() >= slow)
            .map(|(id, open)| (open.busy, open.since, *id))
            .min()?;
        let open = self.open.remove(&id)?;
        let _ = open.stream.shutdown(Shutdown::Both);
        Some(())
    }
}

/// Notes that a connection is busy from now on, or silent.
fn note(shared: &Shared, id: u64, busy: bool) {
    if let Some(open) = lock(&shared.connections).open.get_mut(&id) {
        (open.busy, open.since) = (busy, Instant::now());
    }
}

/// Answers one connection until it ends.
fn converse<D: Desk>(stream: &TcpStream, id: u64, peer: IpAddr, desk: &D, shared: &Shared) -> io::Result<()> {
    let mut reply = Box::new([0; MAX_REPLY]);
    while let Some(frame) = receive(stream, id, peer, shared)? {
        let used = match limited(&frame.bytes, peer, desk, shared) {
            true => {
                shared.counters.limited.fetch_add(1, Ordering::Relaxed);
                write_reply(&Reply::Unavailable, &mut *reply).map_or(0, <[u8]>::len)
            }
            false => desk.answer(&frame.bytes, &mut reply),
        };
        drop(frame);
        send(stream, reply.get(..used).unwrap_or_default())?;
        note(shared, id, false);
        shared.counters.answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Whether this request is over a rate: of its address, or, for a batch, of the kiosk that signed it.
fn limited<D: Desk>(request: &[u8], peer: IpAddr, desk: &D, shared: &Shared) -> bool {
    let now = Instant::now();
    if !lock(&shared.addresses).take(&peer, now) {
        return true;
    }
    let Ok(Request::Submit(transaction)) = read_request(request) else {
        return false;
    };
    desk.signer(transaction.0)
        .is_some_and(|kiosk| !lock(&shared.kiosks).take_many(&kiosk, weight(transaction.0), now))
}

/// What a batch costs its kiosk: validators keep every entry in memory for as long as the chain goes on.
fn weight(transaction: &[u8]) -> u32 {
    match Transaction::read(transaction) {
        Ok(Transaction::Batch(batch)) => 1 + batch.header.count / 64,
        _ => 1,
    }
}

/// A request, and its share of the bytes being received.
struct Frame<'s> {
    bytes: Vec<u8>,
    taken: usize,
    peer: IpAddr,
    budget: &'s Mutex<Receiving>,
}

impl Frame<'_> {
    /// Takes room for a piece more.
    fn grow(&mut self, bytes: usize, limits: &Limits) -> io::Result<()> {
        let mut budget = lock(self.budget);
        let by = budget.by.entry(self.peer).or_default();
        *by = by.saturating_add(bytes);
        let here = *by;
        budget.all = budget.all.saturating_add(bytes);
        self.taken = self.taken.saturating_add(bytes);
        if budget.all > limits.receiving || here > limits.receiving_per_address {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "too much is being received",
            ));
        }
        Ok(())
    }
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        let mut budget = lock(self.budget);
        budget.all = budget.all.saturating_sub(self.taken);
        if let Some(by) = budget.by.get_mut(&self.peer) {
            *by = by.saturating_sub(self.taken);
            if *by == 0 {
                budget.by.remove(&self.peer);
            }
        }
    }
}

/// Receives a frame: patient before its first byte, strict after it. None if the peer ends between frames.
fn receive<'s>(stream: &TcpStream, id: u64, peer: IpAddr, shared: &'s Shared) -> io::Result<Option<Frame<'s>>> {
    let limits = &shared.limits;
    let mut head = [0; 4];
    stream.set_read_timeout(Some(limits.idle_time))?;
    let (first, rest) = head.split_at_mut(1);
    if (&mut &*stream).read(first)? == 0 {
        return Ok(None);
    }
    note(shared, id, true);
    let deadline = Instant::now() + limits.frame_time;
    fill(stream, rest, deadline)?;
    let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if length > MAX_REQUEST {
        // The rest is not read: nothing can be understood on this connection any more.
        let mut reply = [0; 16];
        send(stream, write_reply(&Reply::Unreadable, &mut reply).unwrap_or_default())?;
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = Frame {
        bytes: Vec::new(),
        taken: 0,
        peer,
        budget: &shared.receiving,
    };
    while frame.bytes.len() < length {
        let at = frame.bytes.len();
        let piece = PIECE.min(length.saturating_sub(at));
        frame.grow(piece, limits)?;
        frame.bytes.resize(at.saturating_add(piece), 0);
        fill(stream, frame.bytes.get_mut(at..).unwrap_or_default(), deadline)?;
    }
    Ok(Some(frame))
}

fn fill(stream: &TcpStream, mut out: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !out.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match (&mut &*stream).read(out) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => out = out.get_mut(read..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn send(mut stream: impl Write, reply: &[u8]) -> io::Result<()> {
    // One write, one packet.
    let mut out = Vec::with_capacity(4 + reply.len());
    out.extend_from_slice(&u32::try_from(reply.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(reply);
    stream.write_all(&out)?;
    stream.flush()
}

/// Answers one kiosk on a line of its own (a serial port) until the line ends: the same frames behind the same length. A frame's length is
/// bounded, and nothing else: the line is as fast as it is, and one kiosk's. The line's own read timeout is what ends a frame that stops in the middle.
///
/// # Errors
/// The line; a frame longer than any request, after which nothing on the line can be understood.
pub fn line<D: Desk>(mut line: impl Read + Write, desk: &D) -> io::Result<()> {
    let mut reply = Box::new([0; MAX_REPLY]);
    loop {
        let mut head = [0; 4];
        match line.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let length = u32::from_be_bytes(head);
        if usize::try_from(length).is_ok_and(|length| length > MAX_REQUEST) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut request = Vec::new();
        (&mut line).take(u64::from(length)).read_to_end(&mut request)?;
        if u64::try_from(request.len()).is_ok_and(|got| got < u64::from(length)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let used = desk.answer(&request, &mut reply);
        send(&mut line, reply.get(..used).unwrap_or_default())?;
    }
}
