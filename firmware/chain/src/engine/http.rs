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

use super::node::SharedNode;
use crate::gateway::server::Server;

/// Most headers or batches in one answer.
const MOST: u64 = 100;

type Answer = Result<Response, Response>;

fn answer(status: StatusCode, value: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, format!("{value}\n")).into_response()
}

fn found(value: &Value) -> Answer {
    Ok(answer(StatusCode::OK, value))
}

fn wrong(status: StatusCode, what: &str) -> Response {
    answer(status, &json!({ "error": what }))
}

fn digest(text: &str) -> Result<Digest, Response> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest)
        .map_err(|_| wrong(StatusCode::BAD_REQUEST, "write the hash as 64 hex digits"))?;
    Ok(digest)
}

fn missing(what: &str) -> Response {
    wrong(StatusCode::NOT_FOUND, what)
}

fn broken() -> Response {
    wrong(StatusCode::INTERNAL_SERVER_ERROR, "the node cannot read its database")
}

/// The public's interface.
pub fn public(node: SharedNode) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/genesis", get(genesis))
        .route("/v1/validators", get(validators))
        .route("/v1/headers", get(headers))
        .route("/v1/blocks/{height}", get(block))
        .route("/v1/transactions/{hash}", get(transaction))
        .route("/v1/kiosks", get(kiosks))
        .route("/v1/batches", get(batches))
        .route("/v1/batches/{hash}", get(batch))
        .route("/v1/codes/{code}", get(code))
        .route("/v1/evidence", get(evidence))
        .fallback(|| async { missing("there is no such page; see firmware/chain/README.md") })
        .with_state(node)
}

/// The operator's metrics.
pub fn metrics(node: SharedNode, gateway: Arc<Option<Server>>) -> Router {
    Router::new().route(
        "/metrics",
        get(move || async move { render(&node, (*gateway).as_ref()) }),
    )
}

/// Starts serving.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(at: SocketAddr, router: Router) -> std::io::Result<JoinHandle<()>> {
    let listener = tokio::net::TcpListener::bind(at).await?;
    tracing::info!(address = %listener.local_addr()?, "http is open");
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "http has ended");
        }
    }))
}

async fn status(State(node): State<SharedNode>) -> Answer {
    let ledger = node.ledger();
    found(&json!({
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

async fn genesis(State(node): State<SharedNode>) -> Answer {
    let ledger = node.ledger();
    found(&json!({ "chain": hex::encode(ledger.id()), "bytes": hex::encode(ledger.genesis_bytes()) }))
}

/// Every set of validators, and what proves that it followed the one before.
async fn validators(State(node): State<SharedNode>) -> Answer {
    let sets: Vec<Value> = node
        .ledger()
        .sets()
        .iter()
        .map(|(from, change, keys)| {
            let keys: Vec<String> = keys.as_bytes().chunks(33).map(hex::encode).collect();
            json!({ "from": from, "change": change.map(hex::encode), "keys": keys })
        })
        .collect();
    found(&json!({ "sets": sets, "changes": changes(&node)? }))
}

fn changes(node: &SharedNode) -> Result<Vec<Value>, Response> {
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

async fn headers(State(node): State<SharedNode>, Query(range): Query<Range>) -> Answer {
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
    found(&json!({ "height": ledger.height(), "headers": list }))
}

fn decided(node: &SharedNode, height: u64) -> Result<Vec<u8>, Response> {
    match node.store().decided(height) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(missing("there is no block of this height")),
        Err(_) => Err(broken()),
    }
}

async fn block(State(node): State<SharedNode>, Path(height): Path<u64>) -> Answer {
    let bytes = decided(&node, height)?;
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
    found(&json!({
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
fn proven(node: &SharedNode, height: u64, index: u32) -> Result<(Vec<u8>, Value), Response> {
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

async fn transaction(State(node): State<SharedNode>, Path(hash): Path<String>) -> Answer {
    let hash = digest(&hash)?;
    let place = node.ledger().transaction(&hash);
    let (height, index) = place.ok_or_else(|| missing("no transaction with this hash is decided"))?;
    found(&proven(&node, height, index)?.1)
}

async fn kiosks(State(node): State<SharedNode>) -> Answer {
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
    found(&json!({ "kiosks": list }))
}

#[derive(Deserialize)]
struct Batches {
    kiosk: String,
    from: Option<u32>,
}

async fn batches(State(node): State<SharedNode>, Query(query): Query<Batches>) -> Answer {
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
    found(&json!({ "kiosk": hex::encode(kiosk), "total": row.next, "batches": list }))
}

async fn batch(State(node): State<SharedNode>, Path(hash): Path<String>) -> Answer {
    let hash = digest(&hash)?;
    let place = node.ledger().batch(&hash);
    let place = place.ok_or_else(|| missing("no batch with this hash is decided"))?;
    let (bytes, mut value) = proven(&node, place.height, place.transaction)?;
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
    found(&value)
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Cast => "cast",
        Kind::Spoiled => "spoiled",
    }
}

/// A tracking code: where it stands and what proves it. Whether it is counted is known after the tally only.
async fn code(State(node): State<SharedNode>, Path(code): Path<String>) -> Answer {
    let code = digest(&code)?;
    let places: Vec<_> = node.ledger().find(&code).collect();
    if places.is_empty() {
        return Err(missing("this code is in no decided batch (yet)"));
    }
    let mut list = Vec::new();
    for place in places {
        let (_, mut value) = proven(&node, place.place.height, place.place.transaction)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("entry".into(), place.place.entry.into());
            object.insert("kiosk".into(), hex::encode(place.kiosk).into());
            object.insert("epoch".into(), place.epoch.into());
            object.insert("cast".into(), name(place.kind).into());
            object.insert("leaf".into(), hex::encode(place.leaf).into());
        }
        list.push(value);
    }
    found(&json!({ "code": hex::encode(code), "places": list, "changes": changes(&node)? }))
}

async fn evidence(State(node): State<SharedNode>) -> Answer {
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
    found(&json!({ "forks": list }))
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
