//! The other end of the machine's network cable: frames as they are, so that what it answers to, and what it says by itself, is seen whole.

use std::net::Ipv4Addr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::PATIENCE;

/// The machine (`super::ADDRESS`), and two others on its network: the gateway, from where most is let in, and somebody.
const MACHINE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
/// The gateway.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// Somebody.
pub const SOMEBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 77);
/// Hardware addresses: ours, and everybody's.
const OURS: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
const ALL: [u8; 6] = [0xFF; 6];
const ARP: [u8; 2] = [8, 6];
const IP: [u8; 2] = [8, 0];
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Frames between two questions whether the machine still keeps up: less than its card has room for.
const BATCH: usize = 100;

/// The end of the cable.
pub struct Wire {
    socket: UnixDatagram,
    machine: PathBuf,
    /// The machine's hardware address, once known.
    address: [u8; 6],
    /// What the machine sent, but answers to who has its address.
    sent: Vec<String>,
}

impl Wire {
    pub(super) fn open(ours: &Path, machine: &Path) -> Result<Self> {
        let _ = std::fs::remove_file(ours);
        let socket = UnixDatagram::bind(ours)?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        Ok(Self {
            socket,
            machine: machine.to_path_buf(),
            address: ALL,
            sent: Vec::new(),
        })
    }

    /// Asks for every TCP port of the machine, for UDP ports, and for an echo, as `who`. What came back is every frame that the machine sent, a
    /// line each, but its own questions and answers about addresses.
    ///
    /// # Errors
    /// The machine is not on the wire.
    pub fn scan(&mut self, who: Ipv4Addr) -> Result<Vec<String>> {
        self.sent.clear();
        self.there(who)?;
        let udp = [
            53, 67, 68, 69, 111, 123, 137, 161, 500, 514, 631, 1900, 4500, 5353, 5355, 7001,
        ];
        let tcp = (1..=u16::MAX).map(|port| (TCP, port));
        for (number, (kind, port)) in [(ICMP, 0)]
            .into_iter()
            .chain(udp.map(|port| (UDP, port)))
            .chain(tcp)
            .enumerate()
        {
            let packet = match kind {
                ICMP => echo(),
                UDP => datagram(who, port),
                _ => segment(who, port),
            };
            self.send(&ethernet(self.address, IP, &ip(who, kind, &packet)))?;
            if number % BATCH == 0 {
                self.there(who)?;
            }
        }
        // Twice: an answer to the last frame may come after the answer about the address.
        self.there(who)?;
        self.there(who)?;
        Ok(std::mem::take(&mut self.sent))
    }

    fn send(&self, frame: &[u8]) -> Result<()> {
        self.socket.send_to(frame, &self.machine).context("the wire")?;
        Ok(())
    }

    /// Asks who has the machine's address until it answers: by then it has taken everything that was sent before.
    fn there(&mut self, who: Ipv4Addr) -> Result<()> {
        let start = Instant::now();
        let mut ask = vec![0, 1, 8, 0, 6, 4, 0, 1];
        ask.extend(OURS.iter().chain(&who.octets()).chain(&[0; 6]).chain(&MACHINE.octets()));
        self.send(&ethernet(ALL, ARP, &ask))?;
        let mut frame = [0; 2048];
        loop {
            ensure!(start.elapsed() < PATIENCE, "the machine is not on the wire");
            let length = match self.socket.recv(&mut frame) {
                Ok(length) => length,
                // It may have been lost while the card was not up yet.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.send(&ethernet(ALL, ARP, &ask))?;
                    continue;
                }
                Err(error) => bail!("the wire: {error}"),
            };
            let frame = &frame[..length];
            match (frame.get(12..14), frame.get(20..22)) {
                (Some(kind), Some([0, 2])) if kind == ARP => {
                    self.address.copy_from_slice(&frame[6..12]);
                    return Ok(());
                }
                (Some(kind), _) if kind == ARP => {}
                _ => self.sent.push(described(frame)),
            }
        }
    }
}

fn described(frame: &[u8]) -> String {
    let byte = |at: usize| frame.get(at).copied().unwrap_or_default();
    let word = |at: usize| u16::from_be_bytes([byte(at), byte(at + 1)]);
    if frame.get(12..14) != Some(&IP) {
        return format!("a frame of kind {:04x}", word(12));
    }
    let to = Ipv4Addr::new(byte(30), byte(31), byte(32), byte(33));
    match byte(23) {
        TCP => format!("TCP from {} to {to}:{}, flags {:02x}", word(34), word(36), byte(47)),
        UDP => format!("UDP from {} to {to}:{}", word(34), word(36)),
        kind => format!("protocol {kind} to {to}"),
    }
}

fn ethernet(to: [u8; 6], kind: [u8; 2], body: &[u8]) -> Vec<u8> {
    let mut frame = [&to[..], &OURS, &kind, body].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

fn ip(from: Ipv4Addr, kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + body.len()).unwrap_or_default().to_be_bytes();
    let mut head = vec![0x45, 0, length[0], length[1], 0, 1, 0, 0, 64, kind, 0, 0];
    head.extend(from.octets().iter().chain(&MACHINE.octets()));
    let sum = checksum(&[&head]);
    head[10..12].copy_from_slice(&sum);
    head.extend(body);
    head
}

fn echo() -> Vec<u8> {
    let mut packet = vec![8, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4];
    let sum = checksum(&[&packet]);
    packet[2..4].copy_from_slice(&sum);
    packet
}

/// A first segment of a connection.
fn segment(from: Ipv4Addr, port: u16) -> Vec<u8> {
    let mut packet = 40_000_u16.to_be_bytes().to_vec();
    packet.extend(port.to_be_bytes());
    packet.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xFF, 0xFF, 0, 0, 0, 0]);
    let sum = checksum(&[&pseudo(from, TCP, packet.len()), &packet]);
    packet[16..18].copy_from_slice(&sum);
    packet
}

fn datagram(from: Ipv4Addr, port: u16) -> Vec<u8> {
    let mut packet = 40_000_u16.to_be_bytes().to_vec();
    packet.extend(port.to_be_bytes());
    packet.extend([0, 12, 0, 0, 1, 2, 3, 4]);
    let sum = checksum(&[&pseudo(from, UDP, packet.len()), &packet]);
    packet[6..8].copy_from_slice(&sum);
    packet
}

fn pseudo(from: Ipv4Addr, kind: u8, length: usize) -> Vec<u8> {
    let length = u16::try_from(length).unwrap_or_default().to_be_bytes();
    [&from.octets()[..], &MACHINE.octets(), &[0, kind], &length].concat()
}

fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or_default());
        }
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    let sum = u16::try_from(sum).unwrap_or_default();
    (!sum).to_be_bytes()
}
