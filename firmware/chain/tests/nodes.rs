//! Validators as real processes on this machine: faults, hostile kiosks, hostile validators, the public's interface.
//!
//! `cargo test -p chain --features engine --profile node --test nodes`. Each test has its own folder and ports; they run one after the
//! other, because four validators are enough for one machine.

#[path = "nodes/changes.rs"]
mod changes;
#[path = "nodes/faults.rs"]
mod faults;
#[path = "../../election/tests/ledger/fixture.rs"]
mod fixture;
#[path = "nodes/hostile.rs"]
mod hostile;
#[path = "nodes/http.rs"]
mod http;
#[path = "nodes/kiosks.rs"]
mod kiosks;
#[path = "nodes/net.rs"]
mod net;
#[path = "nodes/operating.rs"]
mod operating;
#[path = "nodes/past.rs"]
mod past;
#[path = "nodes/proxy.rs"]
mod proxy;
#[path = "nodes/public.rs"]
mod public;
#[path = "nodes/traitors.rs"]
mod traitors;
