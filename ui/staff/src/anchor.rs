//! Anchoring: what a kiosk could not send itself leaves on its medium and is submitted here (statutory mode, a day without a
//! network), through a validator's gateway (SPEC.md, section 9, "Gateway frames").
//!
//! The desk adds nothing and can leave nothing out unseen: batches are numbered and signed by the kiosk. Nothing a gateway says is
//! believed but a commit proof that holds.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use election::hash::Digest;
use election::ledger::frame::{MAX_REPLY, MAX_REQUEST, Reply, Request, read_reply, write_request};
use election::ledger::{Followed, Genesis, ProofError, Raw, Refusal, Transaction, transaction_hash};
use serde::Serialize;

use crate::medium::Content;
use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{Counter, Progress};

/// How often a proof is asked for before the chain counts as stuck.
const TRIES: u32 = 30;
/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// Time a gateway on the network has for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A way to a validator's gateway: one request, one reply.
pub trait Gateway {
    /// Sends a request frame and gives the reply frame.
    ///
    /// # Errors
    /// The gateway does not answer.
    fn exchange(&mut self, request: &[u8]) -> Outcome<Vec<u8>>;
}

impl<F: FnMut(&[u8]) -> Outcome<Vec<u8>>> Gateway for F {
    fn exchange(&mut self, request: &[u8]) -> Outcome<Vec<u8>> {
        self(request)
    }
}

/// A gateway over TCP: frames behind their length (u32, big-endian). Not encrypted: everything in them is public.
pub struct Tcp {
    stream: TcpStream,
    address: String,
}

impl Tcp {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// Nobody answers there.
    pub fn connect(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        Ok(Self {
            stream: stream.map_err(|error| unreachable_gateway(address, &error))?,
            address: address.to_owned(),
        })
    }

    fn try_exchange(&mut self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let length = u32::try_from(request.len()).map_err(std::io::Error::other)?;
        self.stream.write_all(&length.to_be_bytes())?;
        self.stream.write_all(request)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_REPLY {
            return Err(std::io::Error::other("the reply is longer than any reply may be"));
        }
        let mut reply = vec![0; length];
        self.stream.read_exact(&mut reply)?;
        Ok(reply)
    }
}

impl Gateway for Tcp {
    fn exchange(&mut self, request: &[u8]) -> Outcome<Vec<u8>> {
        self.try_exchange(request)
            .map_err(|error| unreachable_gateway(&self.address, &error))
    }
}

fn unreachable_gateway(address: &str, error: &std::io::Error) -> Problem {
    Problem::new(Kind::Files, address, format!("the gateway does not answer ({error})"))
        .advice("check the address and the network, then run anchor again: what was accepted stays")
}

/// A transaction on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Anchored {
    /// Its hash.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub transaction: Digest,
    /// Height of its block, as its commit proof says.
    pub height: u64,
}

/// What anchoring did.
#[derive(Clone, Debug, Serialize)]
pub struct AnchorReport {
    /// Kiosk id.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub kiosk: Digest,
    /// Registrations, takeovers and revocations.
    pub staff_transactions: usize,
    /// Batches.
    pub batches: usize,
    /// Entries in them.
    pub entries: u64,
    /// Whether the closing batch is among them.
    pub closed: bool,
    /// Where they stand now.
    pub anchored: Vec<Anchored>,
}

/// Submits what a medium holds, in its order. `first` are transactions kept elsewhere (the registration in the kiosk's memory),
/// submitted before. Each transaction is on the chain, with a proof that holds, before the next one is sent. What a kiosk that was replaced had not
/// sent before its spare came to the chain is left out: the chain takes nothing of it any more, and its votes leave in the spare's batches.
///
/// # Errors
/// A transaction is broken, the chain refuses one, or gives no proof.
pub fn anchor(
    content: &Content,
    first: &[Vec<u8>],
    genesis: &[u8],
    gateway: &mut dyn Gateway,
    progress: Progress<'_>,
) -> Outcome<AnchorReport> {
    let kiosk = content.label.kiosk;
    let at = format!("medium of kiosk {}", hex::encode(kiosk));
    let roster = Genesis::read(genesis).map_err(|error| Problem::new(Kind::Malformed, "genesis.bin", error))?;
    if roster.election != content.label.election {
        return Err(Problem::new(
            Kind::Refused,
            at,
            "this medium is of another election than genesis.bin",
        ));
    }
    let mut report = AnchorReport {
        kiosk,
        staff_transactions: 0,
        batches: 0,
        entries: 0,
        closed: false,
        anchored: Vec::new(),
    };
    let mut followed = Followed::new(&roster);
    let mut all: Vec<(&[u8], Transaction<'_>)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for bytes in first.iter().chain(&content.transactions) {
        let transaction = Transaction::read(bytes)
            .map_err(|error| Problem::new(Kind::Malformed, &at, error).advice("read the duplicate instead"))?;
        if !seen.insert(transaction_hash(bytes)) {
            continue;
        }
        all.push((bytes, transaction));
    }
    let counter = Counter::new("anchoring", all.len(), progress);
    for (number, (bytes, transaction)) in all.iter().enumerate() {
        let former = match transaction {
            Transaction::Batch(batch) => batch.header.kiosk != kiosk,
            Transaction::Takeover { body, .. } => body.new != kiosk,
            _ => false,
        };
        let height = submit(bytes, former, &mut followed, gateway).map_err(|mut problem| {
            problem.at = format!("{at}, transaction {number}: {}", problem.at)
                .trim_end_matches(": ")
                .to_owned();
            problem
        })?;
        let Some(height) = height else {
            counter.step();
            continue;
        };
        match transaction {
            Transaction::Batch(batch) => {
                report.batches += 1;
                report.entries += u64::from(batch.header.count);
                report.closed |= batch.header.closing.is_some();
            }
            _ => report.staff_transactions += 1,
        }
        report.anchored.push(Anchored {
            transaction: transaction_hash(bytes),
            height,
        });
        counter.step();
    }
    Ok(report)
}

/// Follows the next change of the validators, if the gateway proves one.
fn follow(followed: &mut Followed<'_>, gateway: &mut dyn Gateway) -> Outcome<bool> {
    let mut buffer = [0; 16];
    let number = followed.number().saturating_add(1);
    let Ok(request) = write_request(&Request::Change(number), &mut buffer) else {
        return Ok(false);
    };
    let reply = gateway.exchange(request)?;
    if let Ok(Reply::Change { transaction, proof }) = read_reply(&reply)
        && followed.follow(transaction.0, &proof).is_ok()
    {
        return Ok(true);
    }
    // The proof may be by an earlier set than the one followed to: from the genesis again.
    let again = followed.number() > 0;
    followed.restart();
    Ok(again)
}

/// Puts one transaction on the chain and gives the height of its block; `None` if it is a `former` kiosk's and comes too late.
fn submit(bytes: &[u8], former: bool, followed: &mut Followed<'_>, gateway: &mut dyn Gateway) -> Outcome<Option<u64>> {
    let wrong = |what: String| Problem::new(Kind::Refused, "", what);
    let id = transaction_hash(bytes);
    let mut buffer = vec![0; bytes.len() + 16];
    debug_assert!(buffer.len() <= MAX_REQUEST);
    let request = write_request(&Request::Submit(Raw(bytes)), &mut buffer).map_err(|error| wrong(error.to_string()))?;
    let reply = gateway.exchange(request)?;
    match read_reply(&reply).map_err(|error| wrong(format!("the gateway answers nonsense ({error})")))? {
        Reply::Accepted(_) => {}
        Reply::Refused(Refusal::TakenOver | Refusal::SpareInUse | Refusal::UnknownPredecessor) if former => {
            return Ok(None);
        }
        Reply::Refused(refusal) => {
            return Err(wrong(format!("the chain refuses it: {refusal}"))
                .advice("keep the medium; what was accepted before stays on the chain, run anchor again after the cause is mended"));
        }
        Reply::Unavailable => {
            return Err(
                Problem::new(Kind::Files, "", "the gateway cannot take it now").advice("run anchor again later")
            );
        }
        _ => return Err(wrong("the gateway gives the wrong kind of answer".into())),
    }
    let mut small = [0; 64];
    let request = write_request(&Request::Proof(id), &mut small)
        .map_err(|error| wrong(error.to_string()))?
        .to_vec();
    for _ in 0..TRIES {
        let reply = gateway.exchange(&request)?;
        match read_reply(&reply).map_err(|error| wrong(format!("the gateway answers nonsense ({error})")))? {
            Reply::Proof(proof) => {
                match proof.verify(followed.chain(), followed.validators(), bytes) {
                    Ok(()) => return Ok(Some(proof.header.height)),
                    // By other validators than those known: they may have changed.
                    Err(ProofError::Validators) if follow(followed, gateway)? => {}
                    Err(error) => return Err(wrong(format!("the commit proof does not hold: {error}"))),
                }
            }
            Reply::NotYet => std::thread::sleep(PAUSE),
            _ => return Err(wrong("the gateway gives the wrong kind of answer".into())),
        }
    }
    Err(
        Problem::new(Kind::Files, "", "the chain gives no proof that it has the transaction")
            .advice("ask the validators, then run anchor again"),
    )
}
