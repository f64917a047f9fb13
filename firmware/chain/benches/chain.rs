//! What four validators on this machine do: time from a batch to its verified proof, hashes a second, an idle node's share, catching up.
//!
//! `cargo bench -p chain --features engine --profile node --bench chain`. One JSON line a figure; ratios are taken against bare work in the
//! same run. `IPPYO_BLOCKS` changes the number of blocks to catch up with;
//! after `--` the names of parts run those alone: `throughput`, `idle`, `catch_up`.

#[path = "../../election/tests/ledger/fixture.rs"]
mod fixture;
#[path = "../tests/nodes/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "../tests/nodes/kiosks.rs"]
#[allow(dead_code)]
mod kiosks;
#[path = "../tests/nodes/net.rs"]
#[allow(dead_code)]
mod net;
#[path = "../tests/nodes/past.rs"]
mod past;
#[path = "../tests/nodes/proxy.rs"]
#[allow(dead_code)]
mod proxy;

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::json;

use kiosks::Kiosks;
use net::{Net, Plan};

fn figure(name: &str, value: f64, unit: &str, peer: &str, against: f64) {
    let round = |value: f64| (value * 1_000.0).round() / 1_000.0;
    println!(
        "{}",
        json!({ "name": name, "value": round(value), "unit": unit, "peer": peer, "ratio": round(value / against) })
    );
}

/// Milliseconds of a write of 4 KiB that is synced, on the disk of the nodes.
fn bare_sync() -> f64 {
    let mut file = tempfile::tempfile().unwrap();
    let begun = Instant::now();
    for _ in 0..50 {
        file.write_all(&[7; 4_096]).unwrap();
        file.sync_data().unwrap();
    }
    begun.elapsed().as_secs_f64() * 1_000.0 / 50.0
}

/// Hashes a second if one core did nothing but check batches of 64 against the rules.
fn bare_check() -> f64 {
    let world = fixture::world(1);
    let kiosk = fixture::key(1);
    let mut chain = chain::Chain::in_memory(&world.genesis, world.validators.clone()).unwrap();
    chain.submit(&world.register(&kiosk, 1)).unwrap();
    let names: Vec<String> = (0..64).map(|entry| entry.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (bytes, _) = fixture::batch(&kiosk, 0, [0; 32], &names, None);
    let begun = Instant::now();
    for _ in 0..200 {
        assert!(matches!(chain.ledger().check(&bytes), chain::Verdict::Included(_)));
    }
    200.0 * 64.0 / begun.elapsed().as_secs_f64()
}

fn percentile(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    let at = ((times.len() as f64 - 1.0) * part) as usize;
    times[at].as_secs_f64() * 1_000.0
}

fn throughput_and_latency() {
    let (sync, check) = (bare_sync(), bare_check());
    let net = Net::start(&Plan::default());
    let one = Kiosks::start(&net.world, &net.gateways(), 1, 64, Duration::from_millis(150));
    one.await_more(60);
    let tally = one.tally.clone();
    one.finish();
    let mut times = tally.times.lock().unwrap().split_off(5);
    figure(
        "batch_to_proof_p50",
        percentile(&mut times, 0.5),
        "ms",
        "one synced write",
        sync,
    );
    figure(
        "batch_to_proof_p90",
        percentile(&mut times, 0.9),
        "ms",
        "one synced write",
        sync,
    );
    drop(net);

    let net = Net::start(&Plan::default());
    let many = Kiosks::start(&net.world, &net.gateways(), 32, 64, Duration::ZERO);
    many.await_more(64);
    let (from, begun) = (many.proven(), Instant::now());
    std::thread::sleep(Duration::from_secs(8));
    let batches = (many.proven() - from) as f64 / begun.elapsed().as_secs_f64();
    figure("batches_32_kiosks", batches, "1/s", "checks of one core", check / 64.0);
    figure("hashes_32_kiosks", batches * 64.0, "1/s", "checks of one core", check);
    many.give_up();
    drop(net);
}

fn ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn megabytes(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
}

fn idle() {
    let net = Net::start(&Plan::default());
    std::thread::sleep(Duration::from_secs(5));
    let before: u64 = (0..4).map(|node| ticks(net.process(node))).sum();
    std::thread::sleep(Duration::from_secs(10));
    let used = (0..4).map(|node| ticks(net.process(node))).sum::<u64>() - before;
    // 100 ticks a second, four nodes, ten seconds.
    figure(
        "idle_cpu",
        used as f64 / 40.0,
        "% of a core, a node",
        "the bound of 2 %",
        2.0,
    );
    let memory = (0..4).map(|node| megabytes(net.process(node))).fold(0.0, f64::max);
    figure(
        "idle_memory",
        memory,
        "MB, the largest node",
        "the bound of 64 MB",
        64.0,
    );
}

/// A node with nothing joins three that have many blocks.
fn catch_up(blocks: u64) {
    let mut net = Net::new(&Plan::default());
    let bare = past::write(&net, blocks).as_secs_f64();
    for node in 0..3 {
        net.start_one(node);
    }
    for node in 0..3 {
        net.await_gateway(node);
    }
    let begun = Instant::now();
    net.start_one(3);
    net.await_gateway(3);
    while net.tip(3).is_none_or(|tip| tip < blocks) {
        assert!(begun.elapsed() < Duration::from_secs(900), "{}", net.log(3));
        std::thread::sleep(Duration::from_millis(20));
    }
    let rate = blocks as f64 / begun.elapsed().as_secs_f64();
    figure(
        "catch_up",
        rate,
        "blocks/s",
        "making and keeping them",
        blocks as f64 / bare,
    );
    figure(
        &format!("catch_up_{blocks}"),
        begun.elapsed().as_secs_f64(),
        "s",
        "making and keeping them",
        bare,
    );
}

fn main() {
    // A name among the arguments runs that part alone.
    let only: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|word| word == name);
    if wanted("throughput") {
        throughput_and_latency();
    }
    if wanted("idle") {
        idle();
    }
    if !wanted("catch_up") {
        return;
    }
    let blocks = std::env::var("IPPYO_BLOCKS").ok().and_then(|text| text.parse().ok());
    catch_up(blocks.unwrap_or(10_000));
}
