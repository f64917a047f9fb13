//! Signs of life: to the service manager (its socket in `NOTIFY_SOCKET`) and to a hardware watchdog, from the event loop. A panel that does not
//! react any more is restarted by them; a thread of its own would go on saying that all is well.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use panel::slint::{Timer, TimerMode};

/// How often, where the service manager does not say.
const PERIOD: Duration = Duration::from_secs(2);

/// Says that the kiosk lives, as long as it is held and the event loop turns.
pub struct Watchdog {
    manager: Option<Manager>,
    device: Option<File>,
    period: Duration,
}

/// The service manager.
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Manager {
    fn new(name: &str) -> Option<Self> {
        // An abstract name begins with @ (sd_notify(3)).
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(name),
        };
        Some(Self {
            socket: UnixDatagram::unbound().ok()?,
            address: address.ok()?,
        })
    }

    fn say(&self, what: &str) {
        // A manager that does not listen will restart us; nothing else can be done about it here.
        let _ = self.socket.send_to_addr(what.as_bytes(), &self.address);
    }
}

impl Watchdog {
    /// The service manager as the environment names it, and a device such as `/dev/watchdog`.
    ///
    /// # Errors
    /// The device cannot be opened.
    pub fn new(device: Option<&Path>) -> std::io::Result<Self> {
        let manager = std::env::var("NOTIFY_SOCKET").ok().and_then(|name| Manager::new(&name));
        let wanted = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        // Twice as often as asked for.
        let period = wanted.map_or(PERIOD, |microseconds: u64| {
            Duration::from_micros(microseconds / 2).clamp(Duration::from_millis(100), PERIOD)
        });
        let device = device
            .map(|path| OpenOptions::new().write(true).open(path))
            .transpose()?;
        Ok(Self {
            manager,
            device,
            period,
        })
    }

    fn alive(&mut self) {
        if let Some(manager) = &self.manager {
            manager.say("WATCHDOG=1");
        }
        if let Some(device) = &mut self.device {
            let _ = device.write_all(b".");
        }
    }

    /// Tells the manager that the kiosk is up, and goes on telling that it lives as long as the timer is held.
    #[must_use]
    pub fn start(mut self) -> Running {
        if let Some(manager) = &self.manager {
            manager.say("READY=1");
        }
        self.alive();
        let timer = Timer::default();
        let watchdog = std::rc::Rc::new(std::cell::RefCell::new(self));
        let period = watchdog.borrow().period;
        let ticking = watchdog.clone();
        timer.start(TimerMode::Repeated, period, move || ticking.borrow_mut().alive());
        Running { timer, watchdog }
    }
}

/// A watchdog that is being fed. Dropped at a clean end, it lets the device go with the letter that disarms it.
pub struct Running {
    timer: Timer,
    watchdog: std::rc::Rc<std::cell::RefCell<Watchdog>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.timer.stop();
        let mut watchdog = self.watchdog.borrow_mut();
        if let Some(manager) = &watchdog.manager {
            manager.say("STOPPING=1");
        }
        if let Some(device) = &mut watchdog.device {
            // "Magic close" (Documentation/watchdog/watchdog-api.rst): an end that was meant is not answered with a reset.
            let _ = device.write_all(b"V");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("linux-test-{}", std::process::id());
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (name, socket) in [(path.display().to_string(), by_path), (format!("@{name}"), by_name)] {
            Manager::new(&name).unwrap().say("READY=1");
            let mut heard = [0; 32];
            let length = socket.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], b"READY=1", "{name}");
        }
    }
}
