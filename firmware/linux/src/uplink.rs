//! The uplink: postcard frames over TCP to chain gateways, behind their length (u32, big-endian), as SPEC.md section 9 has them.
//!
//! Not encrypted and not authenticated: everything in a frame is public or signed, and no answer is believed without its proof. One gateway may
//! be down, keep batches to itself or lie: a transaction goes to all of them, and whoever has no proof to show is left for the next. A
//! statutory kiosk has no value of this type.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use election::ledger::frame::{MAX_REPLY, Reply, Request, read_reply, read_request};
use election::ledger::transaction_hash;
use kiosk::ports::{Uplink, UplinkError};

use crate::log::Log;
use crate::worker::Worker;

/// How long a gateway may take to take a connection.
const CONNECT: Duration = Duration::from_secs(4);
/// How long it may take for an answer.
const ANSWER: Duration = Duration::from_secs(15);
/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;
/// How long a gateway that did not answer is passed over, if there is another one.
const REST: Duration = Duration::from_secs(60);
/// Questions that may wait for one gateway; more are dropped there, and go to the others.
const QUEUE: usize = 2;

/// A question, and where its answer goes.
struct Question {
    request: Arc<[u8]>,
    answer: Sender<(usize, io::Result<Vec<u8>>)>,
}

/// One gateway, behind a thread of its own: one that hangs holds up nobody else.
struct Gateway {
    name: String,
    questions: SyncSender<Question>,
    failed: Option<Instant>,
}

struct Line {
    gateways: Vec<Gateway>,
    /// The gateway that is asked for proofs.
    current: usize,
    /// For each answer.
    patience: Duration,
    log: Log,
}

/// The port.
pub struct TcpUplink {
    worker: Worker<Line>,
}

impl TcpUplink {
    /// Gateways as `host:port`. Nothing is sent before the first question.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(gateways: &[String], log: Log) -> io::Result<Self> {
        Self::with(gateways, log, ANSWER)
    }

    fn with(gateways: &[String], log: Log, patience: Duration) -> io::Result<Self> {
        let gateways = gateways.iter().enumerate().map(|(index, name)| {
            let (questions, inbox) = sync_channel(QUEUE);
            let at = name.clone();
            std::thread::Builder::new()
                .name("gateway".into())
                .spawn(move || work(index, &at, patience, &inbox))?;
            Ok(Gateway {
                name: name.clone(),
                questions,
                failed: None,
            })
        });
        let line = Line {
            gateways: gateways.collect::<io::Result<_>>()?,
            current: 0,
            patience,
            log,
        };
        Ok(Self {
            worker: Worker::new("uplink", line)?,
        })
    }
}

impl Uplink for TcpUplink {
    async fn exchange(&mut self, request: &[u8], reply: &mut [u8]) -> Result<usize, UplinkError> {
        let request = request.to_vec();
        let answer = self.worker.run(move |line| line.ask(&request)).await;
        let answer = answer.flatten().ok_or(UplinkError)?;
        let place = reply.get_mut(..answer.len()).ok_or(UplinkError)?;
        place.copy_from_slice(&answer);
        Ok(answer.len())
    }
}

impl Line {
    fn ask(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        match read_request(request) {
            Ok(Request::Submit(transaction)) => self.submit(request, &transaction_hash(transaction.0)),
            asked => {
                let reply = self.ask_current(request)?;
                let good = match (asked, read_reply(&reply)) {
                    (Ok(Request::Proof(_)), reply) => matches!(reply, Ok(Reply::Proof(_))),
                    (Ok(Request::Change(_)), reply) => matches!(reply, Ok(Reply::Change { .. })),
                    _ => true,
                };
                if !good {
                    self.next();
                }
                Some(reply)
            }
        }
    }

    /// A transaction to every gateway: the first that takes it answers for all, for nobody is believed before there is a proof. Proofs are asked
    /// for at another gateway than last time.
    fn submit(&mut self, request: &[u8], hash: &[u8; 32]) -> Option<Vec<u8>> {
        self.next();
        let (answer, answers) = channel();
        let all: Vec<usize> = (0..self.gateways.len()).collect();
        self.put(&all, request, &answer);
        drop(answer);
        let until = Instant::now() + CONNECT + self.patience;
        let mut best: Option<(u8, Vec<u8>)> = None;
        while let Ok((index, result)) = answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let Some(reply) = self.heard(index, result) else {
                continue;
            };
            let worth = match read_reply(&reply) {
                Ok(Reply::Accepted(taken)) if taken == *hash => return Some(reply),
                Ok(Reply::Refused(_)) => 2,
                Ok(Reply::Unavailable | Reply::Unreadable) => 1,
                // An answer to something else, or none that can be read.
                _ => continue,
            };
            if best.as_ref().is_none_or(|(other, _)| worth > *other) {
                best = Some((worth, reply));
            }
        }
        best.map(|(_, reply)| reply)
    }

    /// A question to one gateway; the next one goes to another gateway if it failed.
    fn ask_current(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let (answer, answers) = channel();
        let current = self.current;
        self.put(&[current], request, &answer);
        drop(answer);
        let reply = answers
            .recv_timeout(CONNECT + self.patience)
            .ok()
            .and_then(|(index, result)| self.heard(index, result));
        if reply.is_none() {
            if let Some(gateway) = self.gateways.get_mut(current) {
                gateway.failed = Some(Instant::now());
            }
            self.next();
        }
        reply
    }

    fn put(&self, to: &[usize], request: &[u8], answer: &Sender<(usize, io::Result<Vec<u8>>)>) {
        let request: Arc<[u8]> = request.into();
        for gateway in to.iter().filter_map(|index| self.gateways.get(*index)) {
            // A full queue belongs to one that does not answer.
            let _ = gateway.questions.try_send(Question {
                request: request.clone(),
                answer: answer.clone(),
            });
        }
    }

    fn heard(&mut self, index: usize, result: io::Result<Vec<u8>>) -> Option<Vec<u8>> {
        let gateway = self.gateways.get_mut(index)?;
        match result {
            Ok(reply) => {
                gateway.failed = None;
                self.log.say(&format!("gateway {} answers", gateway.name));
                Some(reply)
            }
            Err(error) => {
                gateway.failed = Some(Instant::now());
                self.log.say(&format!("gateway {}: {error}", gateway.name));
                None
            }
        }
    }

    /// Goes to the next gateway that has not just failed; to the very next one if all have.
    fn next(&mut self) {
        let count = self.gateways.len().max(1);
        let after = |step: usize| (self.current + step) % count;
        let rested = |index: &usize| {
            let gateway = self.gateways.get(*index);
            gateway.is_some_and(|one| one.failed.is_none_or(|at| at.elapsed() >= REST))
        };
        self.current = (1..=count).map(after).find(rested).unwrap_or_else(|| after(1));
    }
}

/// Answers questions one after the other, until nobody asks any more.
fn work(index: usize, gateway: &str, patience: Duration, inbox: &Receiver<Question>) {
    let mut stream = None;
    while let Ok(question) = inbox.recv() {
        let result = exchange(&mut stream, gateway, patience, &question.request);
        if result.is_err() {
            stream = None;
        }
        // Who asked may have its answer from another gateway.
        let _ = question.answer.send((index, result));
    }
}

fn exchange(stream: &mut Option<TcpStream>, gateway: &str, patience: Duration, request: &[u8]) -> io::Result<Vec<u8>> {
    let stream = match stream {
        Some(stream) => stream,
        none => none.insert(connect(gateway, patience)?),
    };
    let length = u32::try_from(request.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_REPLY {
        return Err(io::Error::other("an answer longer than any may be"));
    }
    let mut reply = vec![0; length];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

fn connect(gateway: &str, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::other("no such host");
    for address in gateway.to_socket_addrs()?.take(ADDRESSES) {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use election::ledger::frame::{write_reply, write_request};
    use election::ledger::{BlockHeader, CommitProof, Raw};
    use election::wire::Seq;
    use embassy_futures::block_on;
    use std::net::TcpListener;
    use std::sync::Mutex;

    /// A gateway that answers each question with what `answer` makes of it, and hangs up after that many.
    fn gateway(questions: usize, answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in 0..questions {
                let mut length = [0; 4];
                if stream.read_exact(&mut length).is_err() {
                    return;
                }
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut request).unwrap();
                stream.write_all(&answer(&request)).unwrap();
            }
        });
        address
    }

    fn framed(bytes: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        frame.extend(bytes);
        frame
    }

    #[test]
    fn f1_a_dead_gateway_is_passed_over_for_the_next_one() {
        let dead = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().to_string()
        };
        let live = gateway(2, |request| framed(&[request, b"!"].concat()));
        let mut uplink = TcpUplink::new(&[dead, live], Log::silent()).unwrap();
        let mut reply = [0; 16];
        assert_eq!(block_on(uplink.exchange(b"one", &mut reply)), Err(UplinkError));
        assert_eq!(block_on(uplink.exchange(b"two", &mut reply)), Ok(4));
        assert_eq!(&reply[..4], b"two!");
        assert_eq!(block_on(uplink.exchange(b"three", &mut reply)), Ok(6));
        // It has hung up: an error, and no hang.
        assert_eq!(block_on(uplink.exchange(b"four", &mut reply)), Err(UplinkError));
    }

    #[test]
    fn an_answer_without_end_or_without_room_is_refused() {
        let endless = gateway(1, |_| u32::MAX.to_be_bytes().to_vec());
        let mut uplink = TcpUplink::new(&[endless], Log::silent()).unwrap();
        assert_eq!(block_on(uplink.exchange(b"x", &mut [0; 16])), Err(UplinkError));
        let long = gateway(1, |_| framed(&[0; 100]));
        let mut uplink = TcpUplink::new(&[long], Log::silent()).unwrap();
        assert_eq!(block_on(uplink.exchange(b"x", &mut [0; 16])), Err(UplinkError));
    }

    fn request(request: &Request<'_>) -> Vec<u8> {
        let mut out = vec![0; 1_000];
        write_request(request, &mut out).unwrap().to_vec()
    }

    fn reply(reply: &Reply<'_>) -> Vec<u8> {
        let mut out = vec![0; 1_000];
        framed(write_reply(reply, &mut out).unwrap())
    }

    /// One that takes everything, orders nothing, and never hangs up.
    fn liar() -> String {
        gateway(usize::MAX, |bytes| match read_request(bytes) {
            Ok(Request::Submit(transaction)) => reply(&Reply::Accepted(transaction_hash(transaction.0))),
            _ => reply(&Reply::NotYet),
        })
    }

    #[test]
    fn f1_a_gateway_that_takes_everything_and_proves_nothing_is_left_for_one_that_does() {
        let proof = CommitProof {
            header: BlockHeader {
                version: 1,
                chain: [1; 32],
                height: 7,
                previous: [2; 32],
                transactions: [3; 32],
                validators: [4; 32],
            },
            round: 0,
            signatures: Seq::from_bytes(&[]),
            index: 0,
            count: 1,
            path: Seq::from_bytes(&[]),
        };
        let proven = reply(&Reply::Proof(proof));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let honest = gateway(usize::MAX, move |bytes| match read_request(bytes) {
            Ok(Request::Submit(transaction)) => {
                noted.lock().unwrap().push(transaction_hash(transaction.0));
                reply(&Reply::Accepted(transaction_hash(transaction.0)))
            }
            Ok(Request::Proof(hash)) if noted.lock().unwrap().contains(&hash) => proven.clone(),
            _ => reply(&Reply::NotYet),
        });
        // One that takes connections and says nothing at all.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let gateways = [liar(), silent.local_addr().unwrap().to_string(), liar(), honest];
        let mut uplink = TcpUplink::with(&gateways, Log::silent(), Duration::from_secs(2)).unwrap();
        let mut out = vec![0; MAX_REPLY];
        for number in 0..3u8 {
            let transaction = [number; 100];
            let hash = transaction_hash(&transaction);
            let mut answered = |asked: &Request<'_>| {
                let used = block_on(uplink.exchange(&request(asked), &mut out)).unwrap_or(0);
                let read = read_reply(&out[..used]);
                (
                    matches!(read, Ok(Reply::Accepted(taken)) if taken == hash),
                    matches!(read, Ok(Reply::Proof(_))),
                )
            };
            assert!(answered(&Request::Submit(Raw(&transaction))).0);
            let asked = (0..8).position(|_| answered(&Request::Proof(hash)).1);
            assert!(asked.is_some(), "transaction {number} is never proven");
        }
        assert_eq!(seen.lock().unwrap().len(), 3, "a transaction goes to all");
    }

    #[test]
    fn f1_a_refusal_counts_only_if_nobody_takes_the_transaction() {
        let refusing = || {
            gateway(usize::MAX, |_| {
                reply(&Reply::Refused(election::ledger::Refusal::Revoked))
            })
        };
        let ask = |gateways: &[String]| {
            let mut uplink = TcpUplink::new(gateways, Log::silent()).unwrap();
            let mut out = vec![0; MAX_REPLY];
            let used = block_on(uplink.exchange(&request(&Request::Submit(Raw(b"x"))), &mut out)).unwrap();
            read_reply(&out[..used]) == Ok(Reply::Accepted(transaction_hash(b"x")))
        };
        assert!(ask(&[refusing(), liar(), refusing()]));
        assert!(!ask(&[refusing(), refusing()]));
    }
}
