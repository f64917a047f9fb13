//! USB keyboards. The image drives none of them (`10-usb.rules`), but the one that the configuration says is a voter's keypad: in this port, with
//! this number. A device can say any number of itself, and cannot choose its port; so it is the port that is looked after, and the number
//! says that the right thing is in it.
//!
//! Must never know: what a key does.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Component, Path};

use crate::config::Keypad;

/// Where the kernel lists USB devices and their interfaces.
pub const DEVICES: &str = "/sys/bus/usb/devices";
/// Where an interface is given to its driver.
const PROBE: &str = "drivers_probe";
/// Interfaces that are looked at.
const MOST: usize = 1_024;
/// Class of what people type on (HID), and protocol of a keyboard that a firmware understands too (boot protocol).
const HID: &str = "03";
const BOOT_KEYBOARD: &str = "01";

/// A keyboard, as far as the bus knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyboard {
    /// The interface, as the kernel names it: `1-2:1.0`.
    pub interface: String,
    /// Controller and port, with hubs between: `0000:00:14.0/2`, `0000:00:14.0/2.4`. Not the kernel's `1-2`, whose first number is the order in
    /// which controllers were found.
    pub port: String,
    /// Vendor and product, four hex digits each.
    pub usb: String,
}

impl fmt::Display for Keyboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port = \"{}\", usb = \"{}\"", self.port, self.usb)
    }
}

/// All keyboards that are plugged in, driven or not.
#[must_use]
pub fn keyboards(devices: &Path) -> Vec<Keyboard> {
    let read = |path: &Path, name: &str| {
        fs::read_to_string(path.join(name))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let mut found: Vec<Keyboard> = fs::read_dir(devices)
        .into_iter()
        .flatten()
        .take(MOST)
        .filter_map(|entry| {
            let path = fs::canonicalize(entry.ok()?.path()).ok()?;
            let is = |name, value: &str| read(&path, name) == value;
            (is("bInterfaceClass", HID) && is("bInterfaceProtocol", BOOT_KEYBOARD)).then_some(())?;
            let device = path.parent()?;
            Some(Keyboard {
                interface: path.file_name()?.to_str()?.to_owned(),
                port: port_of(&path)?,
                usb: format!("{}:{}", read(device, "idVendor"), read(device, "idProduct")),
            })
        })
        .collect();
    found.sort_by(|a, b| a.interface.cmp(&b.interface));
    found
}

/// The port of whatever lies behind it, from its place in the kernel's tree: `.../0000:00:14.0/usb1/1-2/1-2:1.0/...`.
#[must_use]
pub fn port_of(path: &Path) -> Option<String> {
    let mut controller = None;
    let mut before = None;
    let mut port = None;
    for part in path.components() {
        let Component::Normal(name) = part else { continue };
        let name = name.to_str()?;
        if name.strip_prefix("usb").is_some_and(is_number) {
            (controller, port) = (before, None);
        } else if let Some((bus, place)) = name.split_once('-')
            && is_number(bus)
            && is_place(place)
        {
            port = Some(place);
        }
        before = Some(name);
    }
    Some(format!("{}/{}", controller?, port?))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 4 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Ports from the controller's own on: `2`, `2.4`.
fn is_place(text: &str) -> bool {
    text.split('.').all(is_number)
}

/// Whether this can be a port.
#[must_use]
pub fn is_port(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(controller, place)| !controller.is_empty() && is_place(place))
}

/// Lets a keyboard that was plugged in be driven if it is the keypad; whether it is. Of a device with several keyboards only the first can be.
///
/// # Errors
/// The kernel refuses.
pub fn let_in(devices: &Path, keypad: &Keypad, interface: &str) -> io::Result<bool> {
    let all = keyboards(devices);
    let first = all.iter().find(|keyboard| keyboard.port == keypad.port);
    let Some(keyboard) = first.filter(|keyboard| keyboard.interface == interface && keyboard.usb == keypad.usb) else {
        return Ok(false);
    };
    fs::write(devices.join(&keyboard.interface).join("authorized"), "1")?;
    let bus = devices.parent().unwrap_or(devices);
    fs::write(bus.join(PROBE), &keyboard.interface)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A bus with one controller: interfaces by name, class and protocol, of a device with this number.
    struct Bus(tempfile::TempDir);

    impl Bus {
        fn new() -> Self {
            let bus = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(bus.devices()).unwrap();
            fs::write(bus.0.path().join("usb").join(PROBE), "").unwrap();
            bus
        }

        fn devices(&self) -> PathBuf {
            self.0.path().join("usb/devices")
        }

        fn plug(&self, device: &str, usb: &str, interfaces: &[(&str, &str, &str)]) {
            let place = self.0.path().join("0000:00:14.0/usb1").join(device);
            let (vendor, product) = usb.split_once(':').unwrap();
            fs::create_dir_all(&place).unwrap();
            for (name, text) in [("idVendor", vendor), ("idProduct", product)] {
                fs::write(place.join(name), format!("{text}\n")).unwrap();
            }
            for (number, class, protocol) in interfaces {
                let name = format!("{device}:{number}");
                let own = place.join(&name);
                fs::create_dir(&own).unwrap();
                for (file, text) in [
                    ("bInterfaceClass", *class),
                    ("bInterfaceProtocol", *protocol),
                    ("authorized", "0"),
                ] {
                    fs::write(own.join(file), format!("{text}\n")).unwrap();
                }
                symlink(&own, self.devices().join(&name)).unwrap();
            }
        }

        fn authorized(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(self.devices())
                .unwrap()
                .map(|entry| entry.unwrap())
                .filter(|entry| fs::read_to_string(entry.path().join("authorized")).unwrap() == "1")
                .map(|entry| entry.file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    fn keypad(port: &str) -> Keypad {
        Keypad {
            port: port.into(),
            usb: "046a:0023".into(),
        }
    }

    #[test]
    fn a10_one_keyboard_in_one_port_is_let_in_and_no_other() {
        let bus = Bus::new();
        let keyboard = ("1.0", HID, BOOT_KEYBOARD);
        bus.plug(
            "1-2",
            "046a:0023",
            &[keyboard, ("1.1", HID, BOOT_KEYBOARD), ("1.2", HID, "00")],
        );
        bus.plug("1-3", "046a:0023", &[keyboard]);
        bus.plug("1-4.1", "0627:0001", &[keyboard]);
        bus.plug("1-5", "046a:0023", &[("1.0", "08", "50")]);
        let all = [
            "1-2:1.0",
            "1-2:1.1",
            "1-2:1.2",
            "1-3:1.0",
            "1-4.1:1.0",
            "1-5:1.0",
            "../1-2:1.0",
            "",
        ];
        let try_all = |port: &str| {
            for interface in all {
                let let_in = let_in(&bus.devices(), &keypad(port), interface).unwrap();
                assert_eq!(
                    let_in,
                    port == "0000:00:14.0/2" && interface == "1-2:1.0",
                    "{port} {interface}"
                );
            }
        };
        // Nothing is there, another thing is there, no keyboard is there, another controller.
        for port in ["0000:00:14.0/7", "0000:00:14.0/4.1", "0000:00:14.0/5", "0000:00:15.0/2"] {
            try_all(port);
        }
        assert_eq!(bus.authorized(), [""; 0]);
        try_all("0000:00:14.0/2");
        assert_eq!(bus.authorized(), ["1-2:1.0"]);
        assert_eq!(
            fs::read_to_string(bus.0.path().join("usb").join(PROBE)).unwrap(),
            "1-2:1.0"
        );
    }

    #[test]
    fn a_port_is_its_controllers_and_not_the_order_of_controllers() {
        for (path, port) in [
            (
                "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0",
                Some("0000:00:14.0/2"),
            ),
            (
                "/sys/devices/pci0000:00/0000:00:14.0/usb3/3-2/3-2.4/3-2.4:1.1/0003:046A:0023.0001/input/input7/event5",
                Some("0000:00:14.0/2.4"),
            ),
            ("/sys/devices/pci0000:00/0000:00:14.0/usb1", None),
            ("/sys/devices/platform/i8042/serio0/input/input2", None),
        ] {
            assert_eq!(port_of(Path::new(path)).as_deref(), port, "{path}");
        }
        assert!(is_port("0000:00:14.0/2.4"));
        for text in ["", "1-2", "/2", "0000:00:14.0/", "0000:00:14.0/2.", "0000:00:14.0/x"] {
            assert!(!is_port(text), "{text}");
        }
    }
}
