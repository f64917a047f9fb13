//! USB keyboards and pointers. The image drives none that says it is one (`10-usb.rules`), but what the configuration names: a voter's keypad, and
//! a touch panel that says it is a mouse; in this port, with this number. A device can say any number of itself, and cannot choose its port; so
//! it is the port that is looked after, and the number says that the right thing is in it.
//!
//! Must never know: what a key or a touch does.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::config::{Config, Plugged};

/// Where the kernel lists USB devices and their interfaces.
pub const DEVICES: &str = "/sys/bus/usb/devices";
/// Where an interface is given to its driver.
const PROBE: &str = "drivers_probe";
/// Interfaces that are looked at.
const MOST: usize = 1_024;
/// Class of what people type on and point with (HID), and protocols of a keyboard and a mouse that a firmware understands too (boot protocol).
const HID: &str = "03";
const BOOT_KEYBOARD: &str = "01";
const BOOT_MOUSE: &str = "02";

/// An interface for people, as far as the bus knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hid {
    /// The interface, as the kernel names it: `1-2:1.0`.
    pub interface: String,
    /// Controller and port, with hubs between: `0000:00:14.0/2`, `0000:00:14.0/2.4`. Not the kernel's `1-2`, whose first number is the order in
    /// which controllers were found.
    pub port: String,
    /// Vendor and product, four hex digits each.
    pub usb: String,
    /// What it says it is: two hex digits.
    pub protocol: String,
}

impl fmt::Display for Hid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port = \"{}\", usb = \"{}\"", self.port, self.usb)
    }
}

impl Hid {
    /// Whether it says it is a keyboard.
    #[must_use]
    pub fn is_keyboard(&self) -> bool {
        self.protocol == BOOT_KEYBOARD
    }

    /// Whether the configuration means its device.
    #[must_use]
    pub fn is(&self, plugged: &Plugged) -> bool {
        self.port == plugged.port && self.usb == plugged.usb
    }
}

/// What the configuration names.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'c> {
    /// The keypad.
    pub keypad: Option<&'c Plugged>,
    /// The touch panel.
    pub touch: Option<&'c Plugged>,
}

impl<'c> From<&'c Config> for Wanted<'c> {
    fn from(config: &'c Config) -> Self {
        Self {
            keypad: config.keypad.as_ref(),
            touch: config.touch.as_ref(),
        }
    }
}

/// Which of them something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The keypad.
    Keypad,
    /// The touch panel.
    Touch,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keypad => "the keypad",
            Self::Touch => "the touch panel",
        })
    }
}

/// A file of the kernel's with one line; empty if there is none.
pub(crate) fn line(path: &Path, name: &str) -> String {
    fs::read_to_string(path.join(name))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// All interfaces for people that are plugged in, driven or not.
#[must_use]
pub fn hids(devices: &Path) -> Vec<Hid> {
    let mut found: Vec<Hid> = fs::read_dir(devices)
        .into_iter()
        .flatten()
        .take(MOST)
        .filter_map(|entry| {
            let path = fs::canonicalize(entry.ok()?.path()).ok()?;
            (line(&path, "bInterfaceClass") == HID).then_some(())?;
            let device = path.parent()?;
            Some(Hid {
                interface: path.file_name()?.to_str()?.to_owned(),
                port: port_of(&path)?,
                usb: format!("{}:{}", line(device, "idVendor"), line(device, "idProduct")),
                protocol: line(&path, "bInterfaceProtocol"),
            })
        })
        .collect();
    found.sort_by(|a, b| a.interface.cmp(&b.interface));
    found
}

/// The port of whatever lies behind it, from its place in the kernel's tree: `.../0000:00:14.0/usb1/1-2/1-2:1.0/...`. A controller for
/// SuperSpeed has two buses, whose ports of one number are different sockets: a port here is one of the bus that is not SuperSpeed's, which
/// nothing is that people type on or point with.
#[must_use]
pub fn port_of(path: &Path) -> Option<String> {
    let mut controller = None;
    let mut before = None;
    let mut port = None;
    let mut place_in_tree = PathBuf::new();
    for part in path.components() {
        place_in_tree.push(part);
        let Component::Normal(name) = part else { continue };
        let name = name.to_str()?;
        if name.strip_prefix("usb").is_some_and(is_number) {
            let version = line(&place_in_tree, "version");
            (version.starts_with("1.") || version.starts_with("2.")).then_some(())?;
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

/// Lets an interface that was shut out be driven if it is what the configuration names, and says which it is. Of a device with several keyboards
/// only the first can be the keypad.
///
/// # Errors
/// The kernel refuses.
pub fn let_in<'c>(devices: &Path, wanted: impl Into<Wanted<'c>>, interface: &str) -> io::Result<Option<Which>> {
    let wanted = wanted.into();
    let all = hids(devices);
    let keypad = wanted.keypad.and_then(|keypad| {
        let first = all.iter().find(|hid| hid.is_keyboard() && hid.port == keypad.port);
        first.filter(|hid| hid.interface == interface && hid.is(keypad))
    });
    let touch = wanted.touch.and_then(|touch| {
        let mut mice = all.iter().filter(|hid| hid.protocol == BOOT_MOUSE);
        mice.find(|hid| hid.interface == interface && hid.is(touch))
    });
    let (hid, which) = match (keypad, touch) {
        (Some(hid), _) => (hid, Which::Keypad),
        (_, Some(hid)) => (hid, Which::Touch),
        _ => return Ok(None),
    };
    fs::write(devices.join(&hid.interface).join("authorized"), "1")?;
    let bus = devices.parent().unwrap_or(devices);
    fs::write(bus.join(PROBE), &hid.interface)?;
    Ok(Some(which))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    const KEYPAD: (&str, &str, &str) = ("1.0", HID, BOOT_KEYBOARD);
    const MOUSE: (&str, &str, &str) = ("1.0", HID, BOOT_MOUSE);

    /// A controller with a bus of each speed: interfaces by name, class and protocol, of a device with this number.
    struct Bus(tempfile::TempDir);

    impl Bus {
        fn new() -> Self {
            let bus = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(bus.devices()).unwrap();
            fs::write(bus.0.path().join("usb").join(PROBE), "").unwrap();
            for (hub, version) in [("usb1", " 2.00\n"), ("usb2", " 3.10\n")] {
                fs::create_dir_all(bus.tree().join(hub)).unwrap();
                fs::write(bus.tree().join(hub).join("version"), version).unwrap();
            }
            bus
        }

        fn tree(&self) -> PathBuf {
            self.0.path().join("0000:00:14.0")
        }

        fn devices(&self) -> PathBuf {
            self.0.path().join("usb/devices")
        }

        fn plug(&self, device: &str, usb: &str, interfaces: &[(&str, &str, &str)]) {
            let hub = format!("usb{}", device.split_once('-').unwrap().0);
            let place = self.tree().join(hub).join(device);
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

    fn plugged(port: &str) -> Plugged {
        Plugged {
            port: port.into(),
            usb: "046a:0023".into(),
        }
    }

    /// What of all of these is let in, with this port as the keypad's, and as the panel's.
    fn tried(bus: &Bus, port: &str) -> Vec<(String, Which)> {
        let plugged = plugged(port);
        let mut all: Vec<String> = hids(&bus.devices()).into_iter().map(|hid| hid.interface).collect();
        all.extend(["../1-2:1.0".to_owned(), String::new(), "1-99:1.0".to_owned()]);
        let mut found = Vec::new();
        for (keypad, touch) in [(Some(&plugged), None), (None, Some(&plugged)), (None, None)] {
            for interface in &all {
                let wanted = Wanted { keypad, touch };
                if let Some(which) = let_in(&bus.devices(), wanted, interface).unwrap() {
                    found.push((interface.clone(), which));
                }
            }
        }
        found
    }

    #[test]
    fn a10_one_keyboard_in_one_port_is_let_in_and_no_other() {
        let bus = Bus::new();
        bus.plug(
            "1-2",
            "046a:0023",
            &[KEYPAD, ("1.1", HID, BOOT_KEYBOARD), ("1.2", HID, "00")],
        );
        bus.plug("1-3", "046a:0023", &[KEYPAD]);
        bus.plug("1-4.1", "0627:0001", &[KEYPAD]);
        bus.plug("1-5", "046a:0023", &[("1.0", "08", "50")]);
        // Nothing is there, another thing is there, no keyboard is there, another controller.
        for port in ["0000:00:14.0/7", "0000:00:14.0/4.1", "0000:00:14.0/5", "0000:00:15.0/2"] {
            assert_eq!(tried(&bus, port), [], "{port}");
        }
        assert_eq!(bus.authorized(), [""; 0]);
        assert_eq!(tried(&bus, "0000:00:14.0/2"), [("1-2:1.0".to_owned(), Which::Keypad)]);
        assert_eq!(bus.authorized(), ["1-2:1.0"]);
        assert_eq!(
            fs::read_to_string(bus.0.path().join("usb").join(PROBE)).unwrap(),
            "1-2:1.0"
        );
    }

    #[test]
    fn a10_a_mouse_is_let_in_if_it_is_the_named_panel_and_no_other() {
        let bus = Bus::new();
        bus.plug("1-6", "046a:0023", &[MOUSE]);
        bus.plug("1-7", "046a:0023", &[MOUSE]);
        bus.plug("1-8", "0627:0001", &[MOUSE]);
        for port in ["0000:00:14.0/1", "0000:00:14.0/8", "0000:00:15.0/7"] {
            assert_eq!(tried(&bus, port), [], "{port}");
        }
        assert_eq!(tried(&bus, "0000:00:14.0/7"), [("1-7:1.0".to_owned(), Which::Touch)]);
        assert_eq!(bus.authorized(), ["1-7:1.0"]);
    }

    /// Port 2 of one controller's two buses is two sockets.
    #[test]
    fn a10_what_says_it_is_superspeed_is_in_no_port_that_can_be_named() {
        let bus = Bus::new();
        bus.plug("2-2", "046a:0023", &[KEYPAD]);
        bus.plug("2-3", "046a:0023", &[MOUSE]);
        for port in ["0000:00:14.0/2", "0000:00:14.0/3"] {
            assert_eq!(tried(&bus, port), [], "{port}");
        }
        bus.plug("1-2", "046a:0023", &[KEYPAD]);
        assert_eq!(tried(&bus, "0000:00:14.0/2"), [("1-2:1.0".to_owned(), Which::Keypad)]);
        assert_eq!(bus.authorized(), ["1-2:1.0"]);
    }

    #[test]
    fn a_port_is_its_controllers_and_not_the_order_of_controllers() {
        let folder = tempfile::tempdir().unwrap();
        for (path, version, port) in [
            ("0000:00:14.0/usb1/1-2/1-2:1.0", "2.00", Some("0000:00:14.0/2")),
            (
                "0000:00:14.0/usb3/3-2/3-2.4/3-2.4:1.1/0003:046A:0023.0001/input/input7/event5",
                "2.00",
                Some("0000:00:14.0/2.4"),
            ),
            ("0000:00:1d.0/usb4/4-1/4-1:1.0", "1.10", Some("0000:00:1d.0/1")),
            ("0000:00:14.0/usb2/2-2/2-2:1.0", "3.20", None),
            ("0000:00:14.0/usb5/5-2/5-2:1.0", "", None),
            ("0000:00:14.0/usb1", "2.00", None),
            ("platform/i8042/serio0/input/input2", "", None),
        ] {
            let mut hub = folder.path().to_path_buf();
            for part in path.split('/').take(2) {
                hub.push(part);
            }
            fs::create_dir_all(&hub).unwrap();
            fs::write(hub.join("version"), version).unwrap();
            assert_eq!(port_of(&folder.path().join(path)).as_deref(), port, "{path}");
        }
        assert!(is_port("0000:00:14.0/2.4"));
        for text in ["", "1-2", "/2", "0000:00:14.0/", "0000:00:14.0/2.", "0000:00:14.0/x"] {
            assert!(!is_port(text), "{text}");
        }
    }
}
