//! The network of a machine that runs from the image: one wired card gets the address that the configuration names, and the firewall, which lets
//! nothing in and nothing out, lets out what goes to the gateways, and in what answers it. Run once at start, before the kiosk, with the one
//! privilege that it needs; the kiosk has none.
//!
//! Nothing is asked of the network itself. No DHCP: whoever on the wire answers first would say where batches go, and its client listens. No
//! names: gateways are addresses here. No IPv6, which sets itself up from what anybody sends.
//!
//! What it must never know: what is sent.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::config::{Config, Network};

/// Where the kernel lists cards.
const CARDS: &str = "/sys/class/net";
/// What sets the firewall's rules. The table and its chains are there already (`/etc/nftables.conf` of the image).
const FIREWALL: &str = "/usr/sbin/nft";
/// How long a card may take to appear after its driver.
const PATIENCE: Duration = Duration::from_secs(10);
/// Cards that are looked at.
const MOST: usize = 64;

/// Why there is no network. The kiosk runs all the same, and keeps its batches.
#[derive(Debug)]
pub enum NetworkError {
    /// `[uplink]` has no address for this machine.
    NoAddress,
    /// A gateway is a name or an address of another kind.
    Gateway(String),
    /// No card appeared, or not the one that is named.
    NoCard,
    /// More than one card, and none is named.
    Cards(Vec<String>),
    /// The system refuses.
    System(&'static str, std::io::Error),
    /// The firewall refuses.
    Firewall(String),
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("uplink.address: name this machine's own, such as \"10.0.0.9/24\""),
            Self::Gateway(name) => write!(f, "uplink.gateways: {name:?} is to be an IPv4 address with a port"),
            Self::NoCard => f.write_str(
                "uplink.card: there is no wired network card that the image can drive, or not the one named",
            ),
            Self::Cards(all) => write!(f, "uplink.card: there are several; name one of {}", all.join(", ")),
            Self::System(what, error) => write!(f, "the network: {what}: {error}"),
            Self::Firewall(said) => write!(f, "the firewall: {said}"),
        }
    }
}

impl std::error::Error for NetworkError {}

/// Sets up card, address and firewall.
///
/// # Errors
/// [`NetworkError`]; what is not set up stays shut.
pub fn up(config: &Config) -> Result<(), NetworkError> {
    let network = config.network.as_ref().ok_or(NetworkError::NoAddress)?;
    let rules = rules(&config.gateways)?;
    let card = card(Path::new(CARDS), network.card.as_deref())?;
    // First the rules: there is no moment at which the card is up and the firewall is not as it is to be.
    firewall(&rules)?;
    let mut line = Line::open()?;
    line.ask("the card", &link_up(card))?;
    line.ask("the address", &address(card, network))?;
    match network.router {
        Some(router) => line.ask("the router", &route(card, router)),
        None => Ok(()),
    }
}

/// What is let out, for `nft`.
fn rules(gateways: &[String]) -> Result<String, NetworkError> {
    let mut text = String::from("add rule inet kiosk input ct state established accept\n");
    for gateway in gateways {
        let at: SocketAddrV4 = gateway.parse().map_err(|_| NetworkError::Gateway(gateway.clone()))?;
        // Cannot fail: a text has room.
        let _ = writeln!(
            text,
            "add rule inet kiosk output ip daddr {} tcp dport {} accept",
            at.ip(),
            at.port()
        );
    }
    Ok(text)
}

fn firewall(rules: &str) -> Result<(), NetworkError> {
    let system = |error| NetworkError::System("the firewall's program", error);
    let mut process = Command::new(FIREWALL)
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(system)?;
    if let Some(mut line) = process.stdin.take() {
        line.write_all(rules.as_bytes()).map_err(system)?;
    }
    let said = process.wait_with_output().map_err(system)?;
    if said.status.success() {
        return Ok(());
    }
    Err(NetworkError::Firewall(
        String::from_utf8_lossy(&said.stderr).trim().to_owned(),
    ))
}

/// The card's number: the one with this hardware address, or the only one; waits until its driver has it.
fn card(folder: &Path, named: Option<&str>) -> Result<u32, NetworkError> {
    let start = Instant::now();
    loop {
        let mut found = cards(folder);
        found.retain(|(address, _)| named.is_none_or(|named| address.eq_ignore_ascii_case(named)));
        match found.as_slice() {
            [(_, index)] => return Ok(*index),
            [] if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(100)),
            [] => return Err(NetworkError::NoCard),
            several => {
                return Err(NetworkError::Cards(
                    several.iter().map(|(address, _)| address.clone()).collect(),
                ));
            }
        }
    }
}

/// Wired cards: hardware address and number.
fn cards(folder: &Path) -> Vec<(String, u32)> {
    let read = |path: &Path, name: &str| std::fs::read_to_string(path.join(name)).ok();
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .take(MOST)
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            // 1: Ethernet. The loop to oneself is another kind.
            (read(&path, "type")?.trim() == "1").then_some(())?;
            let index = read(&path, "ifindex")?.trim().parse().ok()?;
            Some((read(&path, "address")?.trim().to_owned(), index))
        })
        .collect()
}

// The kernel's own messages (rtnetlink(7)), in the machine's byte order.
const ERROR: u16 = 2;
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
/// A question that wants an answer.
const ASK: u16 = 1 | 4;
/// Made if it is not there, changed if it is.
const MAKE: u16 = 0x100 | 0x400;
const HEAD: usize = 16;
const INET: u8 = 2;

/// A message without its length, which [`Line::ask`] fills in.
fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((ASK | flags).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

/// A part of a message: its length, its kind, four bytes.
fn part(kind: u16, value: [u8; 4]) -> Vec<u8> {
    [&8_u16.to_ne_bytes(), &kind.to_ne_bytes(), &value[..2], &value[2..]].concat()
}

fn link_up(card: u32) -> Vec<u8> {
    let up = 1_u32.to_ne_bytes();
    message(NEW_LINK, 0, &[[0; 4], card.to_ne_bytes(), up, up].concat())
}

fn address(card: u32, network: &Network) -> Vec<u8> {
    let head = [INET, network.prefix, 0, 0];
    let own = network.address.octets();
    let body = [&head[..], &card.to_ne_bytes(), &part(2, own), &part(1, own)].concat();
    message(NEW_ADDRESS, MAKE, &body)
}

/// Everything that is not on the wire itself goes to the router: the main table, by hand, to everywhere.
fn route(card: u32, router: Ipv4Addr) -> Vec<u8> {
    let head = [INET, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0];
    let body = [&head[..], &part(5, router.octets()), &part(4, card.to_ne_bytes())].concat();
    message(NEW_ROUTE, MAKE, &body)
}

/// The line to the kernel.
struct Line(File);

impl Line {
    fn open() -> Result<Self, NetworkError> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None);
        let socket = socket.map_err(|error| NetworkError::System("the kernel's line", error.into()))?;
        Ok(Self(File::from(socket)))
    }

    fn ask(&mut self, what: &'static str, message: &[u8]) -> Result<(), NetworkError> {
        let failed = |error| NetworkError::System(what, error);
        let mut message = message.to_vec();
        let length = u32::try_from(message.len()).unwrap_or_default().to_ne_bytes();
        message.splice(..4, length);
        self.0.write_all(&message).map_err(failed)?;
        let mut answer = [0; 4096];
        let used = self.0.read(&mut answer).map_err(failed)?;
        match code(answer.get(..used).unwrap_or_default()) {
            Some(0) => Ok(()),
            Some(code) => Err(failed(std::io::Error::from_raw_os_error(-code))),
            None => Err(failed(std::io::Error::other("the kernel says something else"))),
        }
    }
}

/// What an answer says: 0, or the error, negative.
fn code(answer: &[u8]) -> Option<i32> {
    let kind = answer.get(4..6)?;
    let code = answer.get(HEAD..HEAD + 4)?;
    (kind == ERROR.to_ne_bytes()).then_some(())?;
    code.try_into().ok().map(i32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a10_only_the_gateways_are_let_out_and_names_are_refused() {
        let text = rules(&["10.0.0.1:7001".into(), "192.0.2.7:80".into()]).unwrap();
        let accepted: Vec<&str> = text.lines().filter(|line| line.contains("output")).collect();
        assert_eq!(
            accepted,
            [
                "add rule inet kiosk output ip daddr 10.0.0.1 tcp dport 7001 accept",
                "add rule inet kiosk output ip daddr 192.0.2.7 tcp dport 80 accept"
            ]
        );
        for name in ["gateway.example:7001", "[::1]:7001", "10.0.0.1", "10.0.0.1:1; accept"] {
            assert!(matches!(rules(&[name.into()]), Err(NetworkError::Gateway(_))), "{name}");
        }
    }

    #[test]
    fn the_only_card_is_taken_and_of_several_the_named_one() {
        let folder = tempfile::tempdir().unwrap();
        let add = |name: &str, kind: &str, address: &str, index: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            for (file, text) in [("type", kind), ("address", address), ("ifindex", index)] {
                std::fs::write(path.join(file), format!("{text}\n")).unwrap();
            }
        };
        add("lo", "772", "00:00:00:00:00:00", "1");
        add("eth0", "1", "52:54:00:00:00:01", "2");
        assert_eq!(card(folder.path(), None).unwrap(), 2);
        add("eth1", "1", "52:54:00:00:00:0a", "3");
        assert!(matches!(card(folder.path(), None), Err(NetworkError::Cards(all)) if all.len() == 2));
        assert_eq!(card(folder.path(), Some("52:54:00:00:00:0A")).unwrap(), 3);
    }

    #[test]
    fn the_kernel_refuses_to_whom_has_no_right_and_the_answer_is_understood() {
        // The machine of whoever runs the tests stays as it is: there is no card of this number.
        let answer = Line::open().unwrap().ask("the card", &link_up(0x7FFF_FFF0));
        assert!(matches!(answer, Err(NetworkError::System("the card", _))), "{answer:?}");
        assert_eq!(code(&[]), None);
        assert_eq!(code(&[0; 20]), None);
    }
}
