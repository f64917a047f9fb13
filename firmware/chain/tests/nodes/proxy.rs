//! A line between two validators that can be cut, slowed and made lossy.
//!
//! Namespaces of the network need rights that a developer may not have; a proxy needs none. Loss is what TCP makes of it: now and then a
//! piece arrives a retransmission later.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the line does.
#[derive(Default)]
pub struct Weather {
    cut: AtomicBool,
    delay: AtomicU64,
    loss: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Weather {
    /// Cuts the line, or mends it. A cut one drops its connections and makes no new ones.
    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
        if cut {
            for stream in self.open.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// Milliseconds each piece is late, and how many of a hundred pieces come a retransmission (200 ms) later.
    pub fn slow(&self, delay: u64, loss: u64) {
        self.delay.store(delay, Ordering::SeqCst);
        self.loss.store(loss, Ordering::SeqCst);
    }
}

/// Starts a line to `target`; gives where it begins.
pub fn line(target: SocketAddr, weather: &Arc<Weather>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let weather = weather.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(near) = stream else { continue };
            if weather.cut.load(Ordering::SeqCst) {
                continue;
            }
            let Ok(far) = TcpStream::connect(target) else { continue };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let mut open = weather.open.lock().unwrap();
            open.extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
            drop(open);
            let seed = u64::from(near.peer_addr().map_or(1, |address| address.port()));
            pump(
                near.try_clone().unwrap(),
                far.try_clone().unwrap(),
                seed,
                weather.clone(),
            );
            pump(far, near, seed + 1, weather.clone());
        }
    });
    address
}

fn pump(mut from: TcpStream, mut to: TcpStream, seed: u64, weather: Arc<Weather>) {
    std::thread::spawn(move || {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut buffer = vec![0; 64 << 10];
        while let Ok(read) = from.read(&mut buffer) {
            if read == 0 || weather.cut.load(Ordering::SeqCst) {
                break;
            }
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let lost = random % 100 < weather.loss.load(Ordering::SeqCst);
            let late = weather.delay.load(Ordering::SeqCst) + if lost { 200 } else { 0 };
            if late > 0 {
                std::thread::sleep(Duration::from_millis(late));
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
