//! A kiosk's side of the gateway: one connection, or several validators at once.
//!
//! Several, because one validator may be down, censor or lie: a transaction goes to all of them, and a proof counts from whichever it
//! comes, once it holds. Nothing else a gateway says is believed.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use election::hash::Digest;
use election::ledger::frame::{MAX_REPLY, Reply, Request, read_reply, read_request, write_request};
use election::ledger::{GenesisError, MAX_CHANGES, transaction_hash};
use election::merkle;

use crate::sets::Sets;

/// Requests that may wait for one gateway.
const QUEUE: usize = 4;
/// Transactions whose proofs may be asked for; older ones are asked for unchecked.
const REMEMBERED: usize = 1_024;

/// One connection to a gateway, made when it is first needed and again after every failure.
pub struct Connection {
    address: SocketAddr,
    patience: Duration,
    stream: Option<TcpStream>,
}

impl Connection {
    /// A connection to be made; `patience` is for connecting, sending and each answer.
    #[must_use]
    pub const fn new(address: SocketAddr, patience: Duration) -> Self {
        Self {
            address,
            patience,
            stream: None,
        }
    }

    /// One request, one reply.
    ///
    /// # Errors
    /// The network; the connection is closed then.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        let result = self.try_exchange(request);
        if result.is_err() {
            self.stream = None;
        }
        result
    }

    fn try_exchange(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect_timeout(&self.address, self.patience)?;
                stream.set_read_timeout(Some(self.patience))?;
                stream.set_write_timeout(Some(self.patience))?;
                stream.set_nodelay(true)?;
                none.insert(stream)
            }
        };
        let mut out = Vec::with_capacity(4 + request.len());
        out.extend_from_slice(&u32::try_from(request.len()).map_err(io::Error::other)?.to_be_bytes());
        out.extend_from_slice(request);
        stream.write_all(&out)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
        if length > MAX_REPLY {
            return Err(io::Error::other("the reply is longer than any reply may be"));
        }
        let mut reply = vec![0; length];
        stream.read_exact(&mut reply)?;
        Ok(reply)
    }
}

/// A question for one gateway, and where its answer goes.
struct Question {
    request: Arc<[u8]>,
    answer: Sender<Vec<u8>>,
    /// Gone when nobody waits for the answer any more. A transaction has none: it goes to every gateway, whoever answers first.
    asker: Option<Weak<()>>,
}

/// Several validators' gateways.
pub struct Gateways {
    sets: Sets,
    patience: Duration,
    workers: Vec<SyncSender<Question>>,
    /// Transaction hash and Merkle leaf of what was submitted.
    submitted: VecDeque<(Digest, Digest)>,
}

impl Gateways {
    /// Gateways of the chain with this genesis. `patience` bounds every wait.
    ///
    /// # Errors
    /// The genesis does not hold.
    pub fn new(genesis: &[u8], addresses: &[SocketAddr], patience: Duration) -> Result<Self, GenesisError> {
        let sets = Sets::new(genesis)?;
        let workers = addresses
            .iter()
            .filter_map(|address| {
                let (questions, inbox) = sync_channel::<Question>(QUEUE);
                let mut connection = Connection::new(*address, patience);
                std::thread::Builder::new()
                    .name("gateway client".into())
                    .stack_size(256 << 10)
                    .spawn(move || work(&mut connection, &inbox))
                    .ok()?;
                Some(questions)
            })
            .collect();
        Ok(Self {
            sets,
            patience,
            workers,
            submitted: VecDeque::new(),
        })
    }

    /// Asks every gateway. The first answer that settles the matter counts: `Accepted` for a transaction, a proof that holds for a proof;
    /// else, when all have answered or the time is up, the most telling of the others. None if nobody answered.
    pub fn exchange(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let Ok(asked) = read_request(request) else {
            return None;
        };
        let leaf = match asked {
            Request::Submit(transaction) => {
                let hash = transaction_hash(transaction.0);
                if !self.submitted.iter().any(|(known, _)| *known == hash) {
                    if self.submitted.len() >= REMEMBERED {
                        self.submitted.pop_front();
                    }
                    self.submitted.push_back((hash, merkle::leaf(transaction.0)));
                }
                None
            }
            Request::Proof(hash) => self
                .submitted
                .iter()
                .find(|(known, _)| *known == hash)
                .map(|(_, leaf)| *leaf),
            Request::Tip | Request::Change(_) => None,
        };
        let waits = Arc::new(());
        let asker = (!matches!(asked, Request::Submit(_))).then(|| Arc::downgrade(&waits));
        let answers = self.ask(request, asker.as_ref());
        let mut deadline = Instant::now() + self.patience;
        let mut best: Option<(u8, Vec<u8>)> = None;
        let mut asked_for_changes = false;
        loop {
            match answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(reply) => {
                    if !asked_for_changes && self.names_unknown_validators(&reply) {
                        asked_for_changes = true;
                        self.follow();
                        deadline = Instant::now() + self.patience;
                    }
                    let worth = self.worth(&asked, &reply, leaf);
                    if worth == SETTLED {
                        return Some(reply);
                    }
                    if worth > 0 && best.as_ref().is_none_or(|(other, _)| worth > *other) {
                        best = Some((worth, reply));
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return best.map(|(_, reply)| reply),
            }
        }
    }

    /// The validators as far as this client has followed their changes.
    #[must_use]
    pub const fn sets(&self) -> &Sets {
        &self.sets
    }

    /// Asks for changes of the validators until there are no more. Each is believed for the proof by the set before.
    pub fn follow(&mut self) {
        for _ in 0..MAX_CHANGES {
            let mut buffer = [0; 16];
            let Ok(request) = write_request(&Request::Change(self.sets.changes().saturating_add(1)), &mut buffer)
            else {
                return;
            };
            let waits = Arc::new(());
            let answers = self.ask(request, Some(&Arc::downgrade(&waits)));
            let deadline = Instant::now() + self.patience;
            let mut taken = false;
            while !taken && let Ok(reply) = answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                taken = matches!(read_reply(&reply), Ok(Reply::Change { transaction, proof }) if self.sets.follow(transaction.0, &proof).is_ok());
            }
            if !taken {
                return;
            }
        }
    }

    fn ask(&self, request: &[u8], asker: Option<&Weak<()>>) -> Receiver<Vec<u8>> {
        let (answer, answers) = channel();
        let request: Arc<[u8]> = request.into();
        for worker in &self.workers {
            // A full queue belongs to a gateway that does not answer; the others go on.
            match worker.try_send(Question {
                request: request.clone(),
                answer: answer.clone(),
                asker: asker.cloned(),
            }) {
                Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
            }
        }
        answers
    }

    fn names_unknown_validators(&self, reply: &[u8]) -> bool {
        match read_reply(reply) {
            Ok(Reply::Proof(proof) | Reply::Change { proof, .. }) => self.sets.is_unknown(&proof),
            _ => false,
        }
    }

    /// How much a reply says about what was asked: nothing, if it answers something else.
    fn worth(&self, asked: &Request<'_>, reply: &[u8], leaf: Option<Digest>) -> u8 {
        let Ok(reply) = read_reply(reply) else { return 0 };
        match (asked, reply) {
            (Request::Submit(transaction), Reply::Accepted(hash)) if hash == transaction_hash(transaction.0) => SETTLED,
            (Request::Submit(_), Reply::Refused(_)) => 3,
            (Request::Proof(_), Reply::Proof(proof)) => match leaf {
                Some(leaf) if self.sets.holds(&proof, leaf) => SETTLED,
                Some(_) => 0,
                None => 4,
            },
            (Request::Change(_), Reply::Change { transaction, proof }) if self.sets.prove(&proof, transaction.0) => {
                SETTLED
            }
            (Request::Tip, Reply::Tip { .. }) => 3,
            (Request::Proof(_) | Request::Change(_), Reply::NotYet) => 2,
            (_, Reply::Unavailable | Reply::Unreadable) => 1,
            _ => 0,
        }
    }
}

/// An answer better than any other.
const SETTLED: u8 = 5;

/// Answers questions one after the other, until nobody asks any more.
fn work(connection: &mut Connection, inbox: &Receiver<Question>) {
    while let Ok(question) = inbox.recv() {
        // Answered by another gateway already: it keeps nobody waiting who asks now.
        if question.asker.is_some_and(|asker| asker.strong_count() == 0) {
            continue;
        }
        if let Ok(reply) = connection.exchange(&question.request) {
            // Who asked may have its answer from another gateway.
            let _ = question.answer.send(reply);
        }
    }
}
