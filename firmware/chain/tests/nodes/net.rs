//! A network of validators: folders, lines between them, processes; and the audit over all of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chain::Ledger;
use chain::engine::audit::{Report, audit};
use chain::engine::config::{Config, Folder};
use chain::engine::local::{self, Place, lay_out, make_keys};
use chain::engine::store::{Store, StoreError};
use chain::gateway::client::Connection;
use election::ledger::Decided;
use election::ledger::frame::{Reply, Request, read_reply, write_request};
use election::wire;
use tempfile::TempDir;

use crate::fixture::{World, key, world};
use crate::proxy::{Weather, line};

/// The validator's program.
pub const NODE: &str = env!("CARGO_BIN_EXE_chain-node");
/// A validator's program that proposes blocks that do not hold.
pub const TRAITOR: &str = env!("CARGO_BIN_EXE_chain-traitor");

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// See the module. Its processes end with it.
pub struct Net {
    pub world: World,
    pub places: Vec<Place>,
    root: TempDir,
    children: BTreeMap<usize, Child>,
    programs: BTreeMap<usize, PathBuf>,
    lines: BTreeMap<(usize, usize), Arc<Weather>>,
    _alone: MutexGuard<'static, ()>,
}

/// How a network is made.
pub struct Plan {
    /// Keys in the genesis.
    pub validators: u8,
    /// Processes with the key of the validator of this number, besides the one each has.
    pub twins: Vec<u8>,
    /// Lines between them that can be cut.
    pub lines: bool,
    /// Changes to the settings.
    pub change: fn(&mut Config),
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            validators: 4,
            twins: Vec::new(),
            lines: false,
            change: |_| {},
        }
    }
}

impl Net {
    /// Makes the folders, and starts nothing.
    pub fn new(plan: &Plan) -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let root = TempDir::new().unwrap();
        let world = world(plan.validators);
        let owners: Vec<u8> = (0..plan.validators).chain(plan.twins.iter().copied()).collect();
        for (index, owner) in owners.iter().enumerate() {
            let folder = root.path().join(format!("v{index}"));
            std::fs::create_dir_all(&folder).unwrap();
            let secret = key(100 + owner).to_bytes();
            let line: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            std::fs::write(folder.join("validator.key"), line).unwrap();
        }
        make_keys(root.path(), owners.len()).unwrap();
        let places = lay_out(root.path(), &world.genesis, owners.len(), plan.change).unwrap();
        let mut net = Self {
            world,
            places,
            root,
            children: BTreeMap::new(),
            programs: BTreeMap::new(),
            lines: BTreeMap::new(),
            _alone: alone,
        };
        if plan.lines {
            net.lay_lines();
        }
        net
    }

    /// Puts a line of its own between each two.
    fn lay_lines(&mut self) {
        for from in 0..self.places.len() {
            let folder = Folder::new(&self.places[from].folder);
            let mut config = folder.config().unwrap();
            config.peers.clear();
            for to in 0..self.places.len() {
                if to == from {
                    continue;
                }
                let weather = self.lines.entry((from.min(to), from.max(to))).or_default();
                let near = line(self.places[to].listen, weather);
                config.peers.push(format!(
                    "/ip4/127.0.0.1/tcp/{}/p2p/{}",
                    near.port(),
                    self.places[to].peer
                ));
            }
            folder.write_config(&config).unwrap();
        }
    }

    /// Makes and starts.
    pub fn start(plan: &Plan) -> Self {
        let mut net = Self::new(plan);
        net.start_all();
        net
    }

    #[allow(dead_code)]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn folder(&self, index: usize) -> &Path {
        &self.places[index].folder
    }

    pub fn gateways(&self) -> Vec<SocketAddr> {
        self.places.iter().map(|place| place.gateway).collect()
    }

    pub fn start_all(&mut self) {
        for index in 0..self.places.len() {
            self.start_one(index);
        }
        for index in 0..self.places.len() {
            self.await_gateway(index);
        }
    }

    pub fn start_one(&mut self, index: usize) {
        self.start_as(index, Path::new(NODE));
    }

    pub fn start_as(&mut self, index: usize, program: &Path) {
        let child = local::start(program, &self.places[index].folder).unwrap();
        self.programs.insert(index, program.to_owned());
        assert!(self.children.insert(index, child).is_none(), "it runs already");
    }

    /// Starts a node with other arguments before `run`: a clock that is wrong, a limit.
    pub fn start_under(&mut self, index: usize, wrapper: &str) {
        let folder = self.places[index].folder.clone();
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("node.log"))
            .unwrap();
        let child = Command::new("sh")
            .arg("-c")
            .arg(format!("{wrapper} \"$0\" run --until-stdin-closes \"$1\""))
            .arg(NODE)
            .arg(&folder)
            .stdin(std::process::Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        assert!(self.children.insert(index, child).is_none(), "it runs already");
    }

    /// Waits until a node answers kiosks. Its ports were free when its folder was made; a connection of any program of the machine may stand on one
    /// meanwhile, for as long as it lasts: then it is started again.
    pub fn await_gateway(&mut self, index: usize) {
        let patience = Instant::now();
        while self.tip(index).is_none() {
            if let Some(child) = self.children.get_mut(&index)
                && child.try_wait().unwrap().is_some()
            {
                let log = self.log(index);
                let taken = log
                    .lines()
                    .next_back()
                    .is_some_and(|line| line.contains("Address already in use"));
                assert!(taken, "node {index} ended: {log}");
                self.children.remove(&index);
                std::thread::sleep(Duration::from_millis(500));
                let program = self.programs.get(&index).map_or(NODE.into(), Clone::clone);
                self.start_as(index, &program);
            }
            assert!(patience.elapsed() < Duration::from_secs(300), "{}", self.log(index));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn log(&self, index: usize) -> String {
        std::fs::read_to_string(self.places[index].folder.join("node.log")).unwrap_or_default()
    }

    /// kill -9.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.children.remove(&index) {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks a node to end, and gives its exit code.
    pub fn stop(&mut self, index: usize) -> Option<i32> {
        let mut child = self.children.remove(&index)?;
        drop(child.stdin.take());
        wait(&mut child)
    }

    /// Waits until a node ends by itself, and gives its exit code.
    pub fn ends(&mut self, index: usize) -> Option<i32> {
        let mut child = self.children.remove(&index).unwrap();
        wait(&mut child)
    }

    #[allow(dead_code)]
    pub fn process(&self, index: usize) -> u32 {
        self.children[&index].id()
    }

    pub fn tip(&self, index: usize) -> Option<u64> {
        let mut buffer = [0; 16];
        let request = write_request(&Request::Tip, &mut buffer).unwrap();
        let reply = Connection::new(self.places[index].gateway, Duration::from_secs(5))
            .exchange(request)
            .ok()?;
        match read_reply(&reply) {
            Ok(Reply::Tip { height, .. }) => Some(height),
            _ => None,
        }
    }

    /// Waits until these nodes have so many blocks.
    pub fn await_height(&self, nodes: &[usize], height: u64) {
        let patience = Instant::now();
        for index in nodes {
            while self.tip(*index).is_none_or(|tip| tip < height) {
                assert!(
                    patience.elapsed() < Duration::from_secs(300),
                    "node {index} is at {:?}, not at {height}\n{}",
                    self.tip(*index),
                    self.log(*index)
                );
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Cuts the lines between nodes of different sides; mends all others.
    pub fn partition(&self, sides: &[&[usize]]) {
        let side = |node: usize| sides.iter().position(|side| side.contains(&node));
        for ((a, b), weather) in &self.lines {
            weather.cut(!sides.is_empty() && side(*a) != side(*b));
        }
    }

    pub fn slow(&self, delay: u64, loss: u64) {
        for weather in self.lines.values() {
            weather.slow(delay, loss);
        }
    }

    /// A counter of a node.
    pub fn metric(&self, index: usize, name: &str) -> u64 {
        let text = crate::http::get(self.places[index].metrics, "/metrics").1;
        text.lines()
            .find_map(|line| line.strip_prefix(&format!("ippyo_{name} ")))
            .unwrap_or_else(|| panic!("no metric {name} in {text}"))
            .trim()
            .parse()
            .unwrap()
    }

    /// Stops all and judges every block of every node again.
    pub fn audit(&mut self) -> Report {
        for index in 0..self.places.len() {
            self.stop(index);
        }
        let folders: Vec<PathBuf> = self.places.iter().map(|place| place.folder.clone()).collect();
        let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
        audit(&self.world.genesis, &folders).unwrap()
    }

    /// The ledger of a stopped node.
    pub fn ledger(&self, index: usize) -> Ledger {
        let mut ledger = Ledger::new(&self.world.genesis).unwrap();
        let id = *ledger.id();
        let store = Store::open(&self.places[index].folder.join("chain.redb"), &id).unwrap();
        store
            .each_decided::<StoreError>(|_, bytes| {
                let decided: Decided<'_> = wire::decode(bytes).unwrap();
                ledger.apply(decided.block.0, &decided.certificate).unwrap();
                Ok(())
            })
            .unwrap();
        ledger
    }
}

fn wait(child: &mut Child) -> Option<i32> {
    let patience = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(patience.elapsed() < Duration::from_secs(180), "a node does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for child in self.children.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
