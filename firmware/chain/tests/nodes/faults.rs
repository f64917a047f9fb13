//! Every fault, with kiosks at work; after each an audit over all nodes: one chain, nothing lost that had a proof, every outbox empty.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::kiosks::{Kiosks, nothing_lost};
use crate::net::{Net, Plan, TRAITOR};

const PACE: Duration = Duration::from_millis(100);

fn kiosks(net: &Net) -> Kiosks {
    Kiosks::start(&net.world, &net.gateways(), 3, 8, PACE)
}

/// Empties the outboxes, audits, and notes a line of the table.
fn settle(mut net: Net, kiosks: Kiosks, fault: &str, went: &str) {
    let proven = kiosks.finish();
    let high = proven.iter().map(|proof| proof.height).max().unwrap_or(0);
    let all: Vec<usize> = (0..net.places.len()).collect();
    net.await_height(&all, high);
    let report = net.audit();
    assert!(report.one_chain, "{fault}: {report:#?}");
    assert!(report.common >= high);
    for index in all {
        nothing_lost(&net.ledger(index), &proven);
    }
    note(&format!(
        "| {fault} | {went} | {} | {} | one chain, nothing lost |",
        proven.len(),
        report.common
    ));
}

/// With `IPPYO_UPDATE_TABLE=1` the table in the room's README is written from what the tests found.
fn note(line: &str) {
    println!("{line}");
    if std::env::var_os("IPPYO_UPDATE_TABLE").is_none() {
        return;
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&readme).unwrap();
    let (head, rest) = text.split_once("<!-- faults -->\n").unwrap();
    let (table, tail) = rest.split_once("<!-- /faults -->").unwrap();
    let name = line.split('|').nth(1).unwrap();
    let mut out = String::new();
    let mut written = false;
    for old in table.lines() {
        let same = old.split('|').nth(1) == Some(name);
        let _ = writeln!(out, "{}", if same { line } else { old });
        written |= same;
    }
    if !written {
        let _ = writeln!(out, "{line}");
    }
    std::fs::write(&readme, format!("{head}<!-- faults -->\n{out}<!-- /faults -->{tail}")).unwrap();
}

#[test]
fn n01_nothing_happens() {
    let net = Net::start(&Plan::default());
    let kiosks = kiosks(&net);
    kiosks.await_more(30);
    settle(net, kiosks, "none", "goes on");
}

#[test]
fn n02_one_of_four_is_killed_and_comes_back() {
    let mut net = Net::start(&Plan::default());
    let kiosks = kiosks(&net);
    kiosks.await_more(10);
    net.kill(0);
    kiosks.await_more(30);
    net.start_one(0);
    settle(net, kiosks, "one of four killed (-9)", "goes on; it catches up");
}

#[test]
fn n03_two_of_four_are_killed_and_nothing_is_decided_until_one_is_back() {
    let mut net = Net::start(&Plan::default());
    let kiosks = kiosks(&net);
    kiosks.await_more(10);
    net.kill(1);
    net.kill(2);
    // What was under way may still be decided; then nothing.
    std::thread::sleep(Duration::from_millis(500));
    let stopped = net.tip(0);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(net.tip(0), stopped, "two of four decided something");
    net.start_one(1);
    kiosks.await_more(10);
    net.start_one(2);
    settle(
        net,
        kiosks,
        "two of four killed",
        "stops, forks never; goes on with the third",
    );
}

#[test]
fn n04_all_four_are_killed_under_load_three_times() {
    let mut net = Net::start(&Plan::default());
    let kiosks = kiosks(&net);
    for _ in 0..3 {
        kiosks.await_more(10);
        for index in 0..4 {
            net.kill(index);
        }
        net.start_all();
    }
    kiosks.await_more(10);
    settle(net, kiosks, "all four killed, three times", "goes on after each start");
}

/// Waits until four seconds go by in which nothing is decided: what was under way when the lines were cut may still be, on a busy machine late. Whoever
/// goes on deciding never comes to rest.
fn at_rest<T: PartialEq>(decided: impl Fn() -> T) -> T {
    let begun = Instant::now();
    let (mut last, mut since) = (decided(), Instant::now());
    while since.elapsed() < Duration::from_secs(4) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "cut off from the others, validators decide"
        );
        std::thread::sleep(Duration::from_millis(100));
        let now = decided();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

#[test]
fn n05_a_partition_of_two_and_two_decides_nothing_and_heals() {
    let lines = Plan {
        lines: true,
        ..Plan::default()
    };
    let net = Net::start(&lines);
    let kiosks = kiosks(&net);
    kiosks.await_more(10);
    net.partition(&[&[0, 1], &[2, 3]]);
    // One that was behind may still learn from its side what is decided; nobody gets further than that.
    at_rest(|| (0..4).filter_map(|index| net.tip(index)).max());
    net.partition(&[]);
    kiosks.await_more(10);
    let high = net.tip(0).unwrap_or(0);
    net.await_height(&[0, 1, 2, 3], high);
    settle(net, kiosks, "partition 2-2", "stops on both sides; goes on when mended");
}

#[test]
fn n06_a_partition_of_three_and_one_goes_on_and_the_one_catches_up() {
    let lines = Plan {
        lines: true,
        ..Plan::default()
    };
    let net = Net::start(&lines);
    let kiosks = kiosks(&net);
    kiosks.await_more(10);
    net.partition(&[&[0, 2, 3], &[1]]);
    let alone = at_rest(|| net.tip(1));
    kiosks.await_more(30);
    assert_eq!(net.tip(1), alone, "one validator alone decided something");
    net.partition(&[]);
    settle(net, kiosks, "partition 3-1", "the three go on; the one catches up");
}

#[test]
fn n07_delays_and_loss_slow_the_chain_and_no_more() {
    let lines = Plan {
        lines: true,
        ..Plan::default()
    };
    let net = Net::start(&lines);
    let kiosks = kiosks(&net);
    kiosks.await_more(5);
    net.slow(80, 5);
    kiosks.await_more(20);
    net.slow(0, 0);
    settle(net, kiosks, "80 ms a hop, 5 % loss", "goes on, slower");
}

/// Two processes with one validator's key: each signs what the other does not know of, as an attacker with the key would.
#[test]
fn n08_an_equivocating_validator_makes_no_fork() {
    let twins = Plan {
        twins: vec![3],
        lines: true,
        ..Plan::default()
    };
    let net = Net::start(&twins);
    let kiosks = kiosks(&net);
    kiosks.await_more(15);
    // Each of the two is believed by another half of the honest ones, in turn.
    for sides in [
        [&[0, 1, 3][..], &[2, 4][..]],
        [&[0, 3][..], &[1, 2, 4][..]],
        [&[1, 2, 3][..], &[0, 4][..]],
    ] {
        net.partition(&sides);
        std::thread::sleep(Duration::from_secs(3));
        net.partition(&[]);
        kiosks.await_more(10);
    }
    let alarms: u64 = (0..5).map(|index| net.metric(index, "equivocations")).sum();
    let went = format!("goes on; {alarms} alarms at the nodes");
    settle(
        net,
        kiosks,
        "a validator signs two things (two processes, one key)",
        &went,
    );
}

#[test]
fn n09_a_validator_that_proposes_invalid_blocks_is_outvoted() {
    let mut net = Net::new(&Plan::default());
    // It leads from the first block on.
    net.start_as(0, Path::new(TRAITOR));
    for index in 1..4 {
        net.start_one(index);
    }
    for index in 0..4 {
        net.await_gateway(index);
    }
    let kiosks = kiosks(&net);
    kiosks.await_more(30);
    let seen: u64 = (1..4).map(|index| net.metric(index, "invalid_blocks")).sum();
    assert!(seen > 0, "it never proposed one");
    settle(
        net,
        kiosks,
        "a validator proposes invalid blocks",
        "outvoted, round by round",
    );
}

#[test]
fn f10_a_damaged_database_is_named_and_fetched_again() {
    let mut net = Net::start(&Plan::default());
    let kiosks = kiosks(&net);
    kiosks.await_more(30);
    net.kill(2);
    let path = net.folder(2).join("chain.redb");
    let mut bytes = std::fs::read(&path).unwrap();
    // Everywhere a block's bytes stand: one bit each.
    let mut hits = 0;
    for at in (0..bytes.len()).step_by(1_024).skip(8) {
        if bytes[at] != 0 {
            bytes[at] ^= 1;
            hits += 1;
        }
    }
    assert!(hits > 0);
    std::fs::write(&path, bytes).unwrap();
    net.start_one(2);
    assert_eq!(net.ends(2), Some(4), "{}", net.log(2));
    let reset = std::process::Command::new(crate::net::NODE)
        .arg("reset")
        .arg(net.folder(2))
        .status()
        .unwrap();
    assert!(reset.success());
    net.start_one(2);
    let high = net.tip(0).unwrap();
    net.await_height(&[2], high);
    settle(
        net,
        kiosks,
        "a damaged database",
        "refuses to start and says so; `reset`, then it catches up",
    );
}

#[test]
fn f10_a_full_disk_stops_one_node_and_nobody_else() {
    let mut net = Net::start(&Plan::default());
    let kiosks = kiosks(&net);
    kiosks.await_more(10);
    net.kill(3);
    // No file of the process may grow beyond what the database has now: writes fail as they do on a full disk.
    let blocks = std::fs::metadata(net.folder(3).join("chain.redb"))
        .unwrap()
        .len()
        .div_ceil(512);
    net.start_under(3, &format!("trap '' XFSZ; ulimit -f {blocks}; exec"));
    let patience = Instant::now();
    while !net.log(3).contains("the node stops") {
        assert!(patience.elapsed() < Duration::from_secs(90), "{}", net.log(3));
        std::thread::sleep(Duration::from_millis(100));
    }
    let code = net.ends(3);
    assert!(code.is_some_and(|code| code != 0));
    kiosks.await_more(20);
    net.start_one(3);
    settle(
        net,
        kiosks,
        "a full disk",
        "the node ends and says so; with room it catches up",
    );
}

#[test]
fn f10_clocks_that_are_wrong_do_not_matter() {
    let faketime = std::process::Command::new("faketime").arg("--version").output().is_ok();
    let mut net = Net::new(&Plan::default());
    for (index, offset) in ["+0", "+400d", "-3h", "+7m"].iter().enumerate() {
        if faketime {
            net.start_under(
                index,
                &format!("FAKETIME_DONT_FAKE_MONOTONIC=1 exec faketime -f '{offset}'"),
            );
        } else {
            net.start_under(index, &format!("TZ=UTC{index} exec"));
        }
    }
    for index in 0..4 {
        net.await_gateway(index);
    }
    let kiosks = kiosks(&net);
    kiosks.await_more(20);
    let went = if faketime {
        "goes on"
    } else {
        "goes on (time zones only: no faketime here)"
    };
    settle(net, kiosks, "clocks apart by days", went);
}
