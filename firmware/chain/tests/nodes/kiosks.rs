//! Kiosks with outboxes: they send what they have, oldest first, and forget a batch only for a proof that they verified.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chain::Ledger;
use chain::gateway::client::Gateways;
use election::hash::Digest;
use election::ledger::frame::{Reply, Request, read_reply, write_request};
use election::ledger::{Raw, transaction_hash};
use election::sign::Signer;

use crate::fixture::{World, batch, key};

/// A proof that held: what it was for, and where it says that this is.
#[derive(Clone, Copy, Debug)]
pub struct Proven {
    pub transaction: Digest,
    pub height: u64,
    pub block: Digest,
}

/// What kiosks have in common.
#[derive(Default)]
pub struct Tally {
    pub proven: Mutex<Vec<Proven>>,
    pub waiting: AtomicUsize,
    pub times: Mutex<Vec<Duration>>,
    given_up: AtomicBool,
}

/// Kiosks at work, each a thread.
pub struct Kiosks {
    pub tally: Arc<Tally>,
    producing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Sends one transaction until a proof holds.
pub fn send(gateways: &mut Gateways, transaction: &[u8]) -> Option<Proven> {
    let hash = transaction_hash(transaction);
    let mut buffer = vec![0; transaction.len() + 16];
    let request = write_request(&Request::Submit(Raw(transaction)), &mut buffer).unwrap();
    gateways.exchange(request)?;
    let mut buffer = [0; 40];
    let request = write_request(&Request::Proof(hash), &mut buffer).unwrap();
    let reply = gateways.exchange(request)?;
    let Ok(Reply::Proof(proof)) = read_reply(&reply) else {
        return None;
    };
    gateways.sets().prove(&proof, transaction).then(|| Proven {
        transaction: hash,
        height: proof.header.height,
        block: proof.header.hash(),
    })
}

/// The same until it is proven, however slow the machine is.
pub fn send_surely(gateways: &mut Gateways, transaction: &[u8]) -> Proven {
    let patience = Instant::now();
    loop {
        if let Some(proven) = send(gateways, transaction) {
            return proven;
        }
        assert!(patience.elapsed() < Duration::from_secs(300), "no proof");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Kiosks {
    /// Registers so many kiosks (numbers from 1) and lets each make batches until [`Kiosks::finish`]: one every `pace`, of so many entries.
    pub fn start(world: &World, gateways: &[SocketAddr], count: u8, entries: usize, pace: Duration) -> Self {
        let tally = Arc::new(Tally::default());
        let producing = Arc::new(AtomicBool::new(true));
        let threads = (1..=count)
            .map(|number| {
                let kiosk = key(number);
                let register = world.register(&kiosk, 1);
                let genesis = world.genesis.clone();
                let gateways = gateways.to_vec();
                let (tally, producing) = (tally.clone(), producing.clone());
                std::thread::spawn(move || {
                    work(
                        &kiosk, number, register, &genesis, &gateways, entries, pace, &tally, &producing,
                    );
                })
            })
            .collect();
        Self {
            tally,
            producing,
            threads,
        }
    }

    pub fn proven(&self) -> usize {
        self.tally.proven.lock().unwrap().len()
    }

    /// Waits for so many more proofs.
    pub fn await_more(&self, count: usize) {
        let from = self.proven();
        let patience = Instant::now();
        while self.proven() < from + count {
            assert!(
                patience.elapsed() < Duration::from_secs(300),
                "the kiosks get no proofs"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends with what is in the outboxes, and waits for nothing.
    #[allow(dead_code)]
    pub fn give_up(self) {
        self.tally.given_up.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }

    /// No more new batches; waits until every outbox is empty, and gives every proof.
    pub fn finish(self) -> Vec<Proven> {
        self.producing.store(false, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        assert_eq!(self.tally.waiting.load(Ordering::SeqCst), 0, "an outbox is not empty");
        self.tally.proven.lock().unwrap().clone()
    }
}

#[allow(clippy::too_many_arguments)]
fn work(
    kiosk: &Signer,
    number: u8,
    register: Vec<u8>,
    genesis: &[u8],
    addresses: &[SocketAddr],
    entries: usize,
    pace: Duration,
    tally: &Tally,
    producing: &AtomicBool,
) {
    let mut gateways = Gateways::new(genesis, addresses, Duration::from_secs(2)).unwrap();
    let mut outbox = VecDeque::from([register]);
    tally.waiting.fetch_add(1, Ordering::SeqCst);
    let (mut next, mut previous) = (0, [0; 32]);
    let mut due = Instant::now();
    // Renewed by each proof: what ends a kiosk is a chain that stands still, never a slow machine.
    let mut patience = Instant::now();
    while !tally.given_up.load(Ordering::SeqCst) {
        if producing.load(Ordering::SeqCst) && Instant::now() >= due && outbox.len() < 1_000 {
            let names: Vec<String> = (0..entries).map(|entry| format!("{number} {next} {entry}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (bytes, hash) = batch(kiosk, next, previous, &names, None);
            outbox.push_back(bytes);
            tally.waiting.fetch_add(1, Ordering::SeqCst);
            (next, previous) = (next + 1, hash);
            due = Instant::now() + pace;
        }
        let Some(first) = outbox.front() else {
            patience = Instant::now();
            if !producing.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(
                due.saturating_duration_since(Instant::now())
                    .min(Duration::from_millis(20)),
            );
            continue;
        };
        let from = Instant::now();
        match send(&mut gateways, first) {
            Some(proven) => {
                patience = Instant::now();
                tally.times.lock().unwrap().push(from.elapsed());
                tally.proven.lock().unwrap().push(proven);
                outbox.pop_front();
                tally.waiting.fetch_sub(1, Ordering::SeqCst);
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
        assert!(
            patience.elapsed() < Duration::from_secs(300),
            "an outbox does not get empty"
        );
    }
}

/// That everything proven stands on this ledger where its proof said.
pub fn nothing_lost(ledger: &Ledger, proven: &[Proven]) {
    for proof in proven {
        let (height, _) = ledger
            .transaction(&proof.transaction)
            .expect("a transaction with a proof is not on the chain");
        assert_eq!(height, proof.height);
        assert_eq!(ledger.header(height).unwrap().hash(), proof.block);
    }
}
