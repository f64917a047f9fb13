//! The public's view of the chain: read-only JSON over HTTP, documented in the room's README. Everything in it is public and verifiable;
//! the bytes a verifier needs (transaction, commit proof, genesis) are in it as hex. And the operator's metrics, on an address of their own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use election::batch::Kind;
use election::hash::Digest;
use election::ledger::{Block, Decided, Raw, Transaction, transaction_hash};
use election::wire;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::door::{Desk, Door, Page};
use super::node::SharedNode;
use crate::gateway::server::Server;

/// Most headers or batches in one answer.
const MOST: u64 = 100;
/// Most places of one code in an answer, and bytes of their transactions beyond the first.
const PLACES: usize = 16;
const PLACES_BYTES: usize = 1 << 20;

type Wrong = (StatusCode, &'static str);

fn digest(text: &str) -> Result<Digest, Wrong> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest)
        .map_err(|_| (StatusCode::BAD_REQUEST, "write the hash as 64 hex digits"))?;
    Ok(digest)
}

const fn missing(what: &'static str) -> Wrong {
    (StatusCode::NOT_FOUND, what)
}

const fn broken() -> Wrong {
    (StatusCode::INTERNAL_SERVER_ERROR, "the node cannot read its database")
}

/// The public's interface.
pub fn public(node: SharedNode) -> Router {
    Router::new()
        .route("/v1/status", get(|State(desk): At| desk.page(status)))
        .route("/v1/genesis", get(|State(desk): At| desk.page(genesis)))
        .route("/v1/validators", get(|State(desk): At| desk.page(validators)))
        .route(
            "/v1/headers",
            get(|State(desk): At, Query(range)| desk.page(move |node| headers(node, &range))),
        )
        .route(
            "/v1/blocks/{height}",
            get(|State(desk): At, Path(height)| desk.page(move |node| block(node, height))),
        )
        .route(
            "/v1/transactions/{hash}",
            get(|State(desk): At, Path(hash): Path<String>| desk.page(move |node| transaction(node, &hash))),
        )
        .route("/v1/kiosks", get(|State(desk): At| desk.page(kiosks)))
        .route(
            "/v1/batches",
            get(|State(desk): At, Query(query)| desk.page(move |node| batches(node, &query))),
        )
        .route(
            "/v1/batches/{hash}",
            get(|State(desk): At, Path(hash): Path<String>| desk.page(move |node| batch(node, &hash))),
        )
        .route(
            "/v1/codes/{code}",
            get(|State(desk): At, Path(at): Path<String>| desk.page(move |node| code(node, &at))),
        )
        .route("/v1/evidence", get(|State(desk): At| desk.page(evidence)))
        .fallback(|State(desk): At| desk.page(|_| Err(missing("there is no such page; see firmware/chain/README.md"))))
        .with_state(Desk::new(node))
}

type At = State<Desk>;

/// The operator's metrics.
pub fn metrics(node: SharedNode, gateway: Arc<Option<Server>>) -> Router {
    Router::new().route(
        "/metrics",
        get(move || async move { render(&node, (*gateway).as_ref()) }),
    )
}

/// Starts serving, so many connections at a time.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(at: SocketAddr, places: usize, router: Router) -> std::io::Result<JoinHandle<()>> {
    let listener = tokio::net::TcpListener::bind(at).await?;
    tracing::info!(address = %listener.local_addr()?, "http is open");
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(Door::new(listener, places), router).await {
            tracing::error!(%error, "http has ended");
        }
    }))
}

fn status(node: &SharedNode) -> Page {
    let ledger = node.ledger();
    Ok(json!({
        "chain": hex::encode(ledger.id()),
        "election": hex::encode(ledger.genesis().election),
        "height": ledger.height(),
        "block": hex::encode(ledger.tip()),
        "validators": ledger.sets().at(ledger.height().saturating_add(1)).count(),
        "changes": ledger.sets().changes(),
        "kiosks": ledger.kiosks().count(),
        "batches": ledger.batch_count(),
        "evidence": ledger.evidence().count(),
    }))
}

fn genesis(node: &SharedNode) -> Page {
    let ledger = node.ledger();
    Ok(json!({ "chain": hex::encode(ledger.id()), "bytes": hex::encode(ledger.genesis_bytes()) }))
}

/// Every set of validators, and what proves that it followed the one before.
fn validators(node: &SharedNode) -> Page {
    let sets: Vec<Value> = node
        .ledger()
        .sets()
        .iter()
        .map(|(from, change, keys)| {
            let keys: Vec<String> = keys.as_bytes().chunks(33).map(hex::encode).collect();
            json!({ "from": from, "change": change.map(hex::encode), "keys": keys })
        })
        .collect();
    Ok(json!({ "sets": sets, "changes": changes(node)? }))
}

fn changes(node: &SharedNode) -> Result<Vec<Value>, Wrong> {
    let places: Vec<(u64, u32)> = {
        let ledger = node.ledger();
        let hashes = ledger.sets().iter().filter_map(|(_, change, _)| change);
        hashes.filter_map(|hash| ledger.transaction(&hash)).collect()
    };
    places
        .into_iter()
        .map(|(height, index)| Ok(proven(node, height, index)?.1))
        .collect()
}

#[derive(Deserialize)]
struct Range {
    from: Option<u64>,
    count: Option<u64>,
}

fn headers(node: &SharedNode, range: &Range) -> Page {
    let ledger = node.ledger();
    let from = range.from.unwrap_or(1).max(1);
    let count = range.count.unwrap_or(MOST).min(MOST);
    let list: Vec<Value> = (from..from.saturating_add(count))
        .map_while(|height| ledger.header(height))
        .map(|header| {
            json!({
                "height": header.height,
                "hash": hex::encode(header.hash()),
                "previous": hex::encode(header.previous),
                "transactions": hex::encode(header.transactions),
                "validators": hex::encode(header.validators),
            })
        })
        .collect();
    Ok(json!({ "height": ledger.height(), "headers": list }))
}

fn decided(node: &SharedNode, height: u64) -> Result<Vec<u8>, Wrong> {
    match node.store().decided(height) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(missing("there is no block of this height")),
        Err(_) => Err(broken()),
    }
}

fn block(node: &SharedNode, height: u64) -> Page {
    let bytes = decided(node, height)?;
    let decided: Decided<'_> = wire::decode(&bytes).map_err(|_| broken())?;
    let block = Block::read(decided.block.0).map_err(|_| broken())?;
    let transactions: Vec<Value> = block
        .transactions
        .iter()
        .flatten()
        .map(|raw| json!({ "hash": hex::encode(transaction_hash(raw.0)), "kind": kind(raw.0), "length": raw.0.len() }))
        .collect();
    let signed: Vec<u8> = decided
        .certificate
        .signatures
        .iter()
        .flatten()
        .map(|vote| vote.validator)
        .collect();
    Ok(json!({
        "height": height,
        "hash": hex::encode(block.header.hash()),
        "round": decided.certificate.round,
        "signed": signed,
        "transactions": transactions,
        "bytes": hex::encode(&bytes),
    }))
}

fn kind(bytes: &[u8]) -> &'static str {
    match Transaction::read(bytes) {
        Ok(Transaction::Register { .. }) => "register",
        Ok(Transaction::Revoke { .. }) => "revoke",
        Ok(Transaction::Takeover { .. }) => "takeover",
        Ok(Transaction::Batch(_)) => "batch",
        Ok(Transaction::Validators { .. }) => "validators",
        Err(_) => "unreadable",
    }
}

/// A transaction with what proves it.
fn proven(node: &SharedNode, height: u64, index: u32) -> Result<(Vec<u8>, Value), Wrong> {
    let bytes = decided(node, height)?;
    let decided: Decided<'_> = wire::decode(&bytes).map_err(|_| broken())?;
    let block = Block::read(decided.block.0).map_err(|_| broken())?;
    let at = usize::try_from(index).unwrap_or(usize::MAX);
    let Some(Ok(Raw(transaction))) = block.transactions.iter().nth(at) else {
        return Err(broken());
    };
    let hash = transaction_hash(transaction);
    let proof = node.ledger().proof(&hash).ok_or_else(broken)?;
    let proof = encoded(&proof.view()).map_err(|_| broken())?;
    let value = json!({
        "transaction": hex::encode(transaction),
        "hash": hex::encode(hash),
        "kind": kind(transaction),
        "height": height,
        "index": index,
        "proof": hex::encode(proof),
    });
    Ok((transaction.to_vec(), value))
}

fn encoded<T: Serialize>(value: &T) -> Result<Vec<u8>, wire::WireError> {
    let mut out = vec![0; wire::encoded_len(value)?];
    wire::encode(value, &mut out)?;
    Ok(out)
}

fn transaction(node: &SharedNode, hash: &str) -> Page {
    let hash = digest(hash)?;
    let place = node.ledger().transaction(&hash);
    let (height, index) = place.ok_or_else(|| missing("no transaction with this hash is decided"))?;
    Ok(proven(node, height, index)?.1)
}

fn kiosks(node: &SharedNode) -> Page {
    let ledger = node.ledger();
    let list: Vec<Value> = ledger
        .kiosks()
        .map(|row| {
            json!({
                "kiosk": hex::encode(row.id),
                "station": row.station,
                "batches": row.next,
                "closed": row.closed.map(hex::encode),
                "revoked": row.revoked,
                "successor": row.successor.map(hex::encode),
                "took_over": row.took_over.map(hex::encode),
            })
        })
        .collect();
    Ok(json!({ "kiosks": list }))
}

#[derive(Deserialize)]
struct Batches {
    kiosk: String,
    from: Option<u32>,
}

fn batches(node: &SharedNode, query: &Batches) -> Page {
    let kiosk = digest(&query.kiosk)?;
    let ledger = node.ledger();
    let row = ledger
        .kiosk(&kiosk)
        .ok_or_else(|| missing("this kiosk is not registered"))?;
    let from = query.from.unwrap_or(0);
    let most = u32::try_from(MOST).unwrap_or(u32::MAX);
    let list: Vec<Value> = (from..row.next.min(from.saturating_add(most)))
        .filter_map(|number| ledger.batch_of(&kiosk, number))
        .filter_map(|hash| Some((hash, ledger.batch(&hash)?)))
        .map(|(hash, place)| {
            json!({
                "number": place.number,
                "batch": hex::encode(hash),
                "entries": place.count,
                "height": place.height,
                "index": place.transaction,
            })
        })
        .collect();
    Ok(json!({ "kiosk": hex::encode(kiosk), "total": row.next, "batches": list }))
}

fn batch(node: &SharedNode, hash: &str) -> Page {
    let hash = digest(hash)?;
    let place = node.ledger().batch(&hash);
    let place = place.ok_or_else(|| missing("no batch with this hash is decided"))?;
    let (bytes, mut value) = proven(node, place.height, place.transaction)?;
    let Ok(Transaction::Batch(batch)) = Transaction::read(&bytes) else {
        return Err(broken());
    };
    let entries: Vec<Value> = batch
        .entries
        .iter()
        .flatten()
        .map(|entry| json!({ "kind": name(entry.kind), "code": hex::encode(entry.code), "leaf": hex::encode(entry.leaf) }))
        .collect();
    if let Some(object) = value.as_object_mut() {
        object.insert("kiosk".into(), hex::encode(place.kiosk).into());
        object.insert("number".into(), place.number.into());
        object.insert("epoch".into(), batch.header.epoch.into());
        object.insert("entries".into(), entries.into());
    }
    Ok(value)
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Cast => "cast",
        Kind::Spoiled => "spoiled",
    }
}

/// A tracking code: where it stands (the first places, if a kiosk has said it very often) and what proves it. Whether it is counted is known after the tally only.
fn code(node: &SharedNode, code: &str) -> Page {
    let code = digest(code)?;
    let (total, places) = {
        let ledger = node.ledger();
        let places: Vec<_> = ledger.find(&code).take(PLACES).collect();
        (ledger.find(&code).count(), places)
    };
    if places.is_empty() {
        return Err(missing("this code is in no decided batch (yet)"));
    }
    let mut list = Vec::new();
    let mut bytes = 0usize;
    for place in places {
        let (transaction, mut value) = proven(node, place.place.height, place.place.transaction)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("entry".into(), place.place.entry.into());
            object.insert("kiosk".into(), hex::encode(place.kiosk).into());
            object.insert("epoch".into(), place.epoch.into());
            object.insert("cast".into(), name(place.kind).into());
            object.insert("leaf".into(), hex::encode(place.leaf).into());
        }
        bytes = bytes.saturating_add(transaction.len());
        if !list.is_empty() && bytes > PLACES_BYTES {
            break;
        }
        list.push(value);
    }
    Ok(json!({ "code": hex::encode(code), "total": total, "places": list, "changes": changes(node)? }))
}

fn evidence(node: &SharedNode) -> Page {
    let ledger = node.ledger();
    let list: Vec<Value> = ledger
        .evidence()
        .map(|piece| {
            json!({
                "kiosk": hex::encode(piece.header.kiosk),
                "number": piece.header.number,
                "batch": hex::encode(piece.header.hash()),
                "on_ledger": ledger.batch_of(&piece.header.kiosk, piece.header.number).map(hex::encode),
                "signature": hex::encode(piece.signature.0),
            })
        })
        .collect();
    Ok(json!({ "forks": list }))
}

/// Prometheus' text form: this node's counters, then the engine's.
fn render(node: &SharedNode, gateway: Option<&Server>) -> Response {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: u64| {
        let _ = writeln!(
            text,
            "# HELP ippyo_{name} {help}\n# TYPE ippyo_{name} gauge\nippyo_{name} {value}"
        );
    };
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let counters = &node.counters;
    let size = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
    gauge("height", "Height of the last decided block.", node.ledger().height());
    gauge("pool", "Transactions that wait for a block.", size(node.pool().len()));
    gauge("uptime_seconds", "Since the start.", node.started.elapsed().as_secs());
    gauge(
        "transactions",
        "Transactions decided since the start.",
        count(&counters.transactions),
    );
    gauge(
        "entries",
        "Entries of batches decided since the start.",
        count(&counters.entries),
    );
    gauge(
        "synced_blocks",
        "Blocks that came by catching up.",
        count(&counters.synced),
    );
    gauge("late_rounds", "Rounds above 0.", count(&counters.rounds));
    gauge(
        "invalid_blocks",
        "Blocks of other validators that did not hold.",
        count(&counters.invalid_blocks),
    );
    gauge(
        "equivocations",
        "Heights with a validator that signed two things.",
        count(&counters.equivocations),
    );
    gauge("refused", "Transactions refused.", count(&counters.refused));
    gauge("forks", "Kiosks' forks kept as evidence.", count(&counters.forks));
    if let Some(server) = gateway {
        let served = server.counters();
        gauge(
            "gateway_connections",
            "Kiosks' connections.",
            size(server.connections()),
        );
        gauge("gateway_answered", "Requests answered.", count(&served.answered));
        gauge("gateway_limited", "Requests over a rate.", count(&served.limited));
        gauge(
            "gateway_dropped",
            "Connections ended for what they did.",
            count(&served.dropped),
        );
    }
    malachite::app::metrics::export(&mut text);
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (headers, text).into_response()
}
