//! Input devices that the kernel keeps still: in the image all that are no touchscreen (`90-kiosk.rules`). Two of them may be let go, both named by the
//! configuration with port and number ([`crate::usb`]): the keypad, if a voter can go through a ballot with it, and a touch panel that does not
//! say it is a touchscreen, if it points at places and does not just move.
//!
//! Must never know: what a key or a touch does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::usb::{self, Wanted, Which, line};

/// Where the kernel lists input devices.
pub const INPUTS: &str = "/sys/class/input";
/// What says, to udev and then to libinput, that a device that was there all the time is one to listen to: an event's name, a number that every
/// such event has, and a mark (`90-kiosk.rules`).
const THERE: &str = "add 49707079-6f00-4000-8000-746f75636800 PANEL=1";
/// Most handlers of one device.
const MOST: usize = 32;
/// Protocol of a keyboard's interface.
const BOOT_KEYBOARD: &str = "01";
/// Codes of the kernel (`input-event-codes.h`): across, down, the first button, a finger.
const ABS_X: u16 = 0;
const ABS_Y: u16 = 1;
const BTN_LEFT: u16 = 0x110;
const BTN_TOUCH: u16 = 0x14A;

/// Whether it is the name of an input device: `input7`.
#[must_use]
pub fn is_input(name: &str) -> bool {
    name.strip_prefix("input")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Lets a device go if it is what the configuration names, and says which it is. `goes_through` says whether a voter can go through a ballot with
/// keys of these codes.
///
/// # Errors
/// The kernel refuses.
pub fn let_go<'c>(
    inputs: &Path,
    wanted: impl Into<Wanted<'c>>,
    name: &str,
    goes_through: impl Fn(&[u16]) -> bool,
) -> io::Result<Option<Which>> {
    let wanted = wanted.into();
    if !is_input(name) {
        return Ok(None);
    }
    let place = inputs.join(name).canonicalize()?;
    let number = format!("{}:{}", line(&place, "id/vendor"), line(&place, "id/product"));
    let port = usb::port_of(&place);
    let is = |named: Option<&crate::config::Plugged>| {
        named.is_some_and(|named| Some(&named.port) == port.as_ref() && named.usb == number)
    };
    let keys = codes(&line(&place, "capabilities/key"));
    let places = codes(&line(&place, "capabilities/abs"));
    let keyboard = protocol(&place).as_deref() == Some(BOOT_KEYBOARD);
    let points = [ABS_X, ABS_Y].iter().all(|code| places.contains(code))
        && [BTN_LEFT, BTN_TOUCH].iter().any(|code| keys.contains(code));
    let which = match keyboard {
        true if is(wanted.keypad) && goes_through(&keys) => Which::Keypad,
        false if is(wanted.touch) && points => Which::Touch,
        _ => return Ok(None),
    };
    fs::write(place.join("inhibited"), "0")?;
    if which == Which::Touch {
        for event in events(&place)? {
            fs::write(event.join("uevent"), THERE)?;
        }
    }
    Ok(Some(which))
}

/// What the interface says it is that the device is behind.
fn protocol(place: &Path) -> Option<String> {
    let interface = place.ancestors().find(|place| place.join("bInterfaceClass").exists())?;
    Some(line(interface, "bInterfaceProtocol"))
}

/// The devices that programs open.
fn events(place: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(place)?.take(MOST) {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("event") {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Codes of a capability, as the kernel writes them: words of 64 bits in hex, the highest first.
fn codes(text: &str) -> Vec<u16> {
    let words = text.split_whitespace().rev().zip((0_u16..=12).map(|word| word * 64));
    words
        .flat_map(|(word, from)| {
            let bits = u64::from_str_radix(word, 16).unwrap_or(0);
            (0..64)
                .filter(move |bit| bits >> bit & 1 == 1)
                .map(move |bit| from + bit)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Plugged;

    const KEYS: &[u16] = &[15, 28, 79];
    const POINTER: &[u16] = &[BTN_LEFT];
    const PLACES: &[u16] = &[ABS_X, ABS_Y];

    /// As the kernel writes it.
    fn text(codes: &[u16]) -> String {
        let mut words = [0_u64; 12];
        for code in codes {
            words[usize::from(code / 64)] |= 1 << (code % 64);
        }
        let words: Vec<String> = words.iter().rev().map(|word| format!("{word:x}")).collect();
        words.join(" ") + "\n"
    }

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            for (hub, version) in [("usb1", "2.00"), ("usb2", "3.00")] {
                let hub = tree.0.path().join("0000:00:14.0").join(hub);
                fs::create_dir_all(&hub).unwrap();
                fs::write(hub.join("version"), version).unwrap();
            }
            fs::create_dir(tree.inputs()).unwrap();
            tree
        }

        fn inputs(&self) -> PathBuf {
            self.0.path().join("input")
        }

        /// A device that is kept still.
        fn plug(&self, name: &str, at: &str, usb: &str, protocol: &str, keys: &[u16], places: &[u16]) {
            let interface = self.0.path().join("0000:00:14.0").join(at);
            let place = interface.join("input").join(name);
            fs::create_dir_all(place.join("event3")).unwrap();
            fs::create_dir_all(place.join("id")).unwrap();
            fs::create_dir_all(place.join("capabilities")).unwrap();
            let (vendor, product) = usb.split_once(':').unwrap();
            for (file, text) in [
                (interface.join("bInterfaceClass"), "03\n".to_owned()),
                (interface.join("bInterfaceProtocol"), protocol.to_owned()),
                (place.join("id/vendor"), vendor.to_owned()),
                (place.join("id/product"), product.to_owned()),
                (place.join("capabilities/key"), text(keys)),
                (place.join("capabilities/abs"), text(places)),
                (place.join("inhibited"), "1".to_owned()),
                (place.join("event3/uevent"), String::new()),
            ] {
                fs::write(file, text).unwrap();
            }
            std::os::unix::fs::symlink(&place, self.inputs().join(name)).unwrap();
        }

        fn says(&self, name: &str, file: &str) -> String {
            fs::read_to_string(self.inputs().join(name).join(file)).unwrap()
        }
    }

    #[test]
    fn a10_of_what_is_kept_still_only_the_named_keypad_and_the_named_panel_are_let_go() {
        let tree = Tree::new();
        let plugged = |port: &str| Plugged {
            port: format!("0000:00:14.0/{port}"),
            usb: "0627:0001".into(),
        };
        let (keypad, touch) = (plugged("2"), plugged("4"));
        let number = "0627:0001";
        for (name, at, usb, protocol, keys, places, is) in [
            (
                "input1",
                "usb1/1-2/1-2:1.0",
                number,
                "01",
                KEYS,
                &[][..],
                Some(Which::Keypad),
            ),
            // Keys, but not those that a voter needs; keys of what is no keyboard by its interface; other number, port, bus.
            ("input2", "usb1/1-2/1-2:1.1", number, "01", &KEYS[..1], &[], None),
            ("input3", "usb1/1-2/1-2:1.2", number, "00", KEYS, &[], None),
            ("input4", "usb1/1-2/1-2:1.3", "046a:0023", "01", KEYS, &[], None),
            ("input5", "usb1/1-3/1-3:1.0", number, "01", KEYS, &[], None),
            ("input6", "usb2/2-2/2-2:1.0", number, "01", KEYS, &[], None),
            (
                "input7",
                "usb1/1-4/1-4:1.0",
                number,
                "00",
                POINTER,
                PLACES,
                Some(Which::Touch),
            ),
            (
                "input8",
                "usb1/1-4/1-4:1.1",
                number,
                "02",
                POINTER,
                PLACES,
                Some(Which::Touch),
            ),
            (
                "input9",
                "usb1/1-4/1-4:1.2",
                number,
                "00",
                &[BTN_TOUCH],
                PLACES,
                Some(Which::Touch),
            ),
            // A mouse that moves, a stick without a button, a keyboard that points; other number, port, bus.
            ("input10", "usb1/1-4/1-4:1.3", number, "02", POINTER, &[], None),
            ("input11", "usb1/1-4/1-4:1.4", number, "00", &[], PLACES, None),
            ("input12", "usb1/1-4/1-4:1.5", number, "01", POINTER, PLACES, None),
            ("input13", "usb1/1-4/1-4:1.6", "046a:0023", "00", POINTER, PLACES, None),
            ("input14", "usb1/1-5/1-5:1.0", number, "00", POINTER, PLACES, None),
            ("input15", "usb2/2-4/2-4:1.0", number, "00", POINTER, PLACES, None),
        ] {
            tree.plug(name, at, usb, protocol, keys, places);
            let wanted = Wanted {
                keypad: Some(&keypad),
                touch: Some(&touch),
            };
            let nobody = Wanted {
                keypad: None,
                touch: None,
            };
            let goes_through = |codes: &[u16]| KEYS.iter().all(|key| codes.contains(key));
            let inputs = tree.inputs();
            assert_eq!(let_go(&inputs, nobody, name, goes_through).unwrap(), None, "{name}");
            assert_eq!(tree.says(name, "inhibited"), "1", "{name}");
            assert_eq!(let_go(&inputs, wanted, name, goes_through).unwrap(), is, "{name}");
            assert_eq!(tree.says(name, "inhibited") == "0", is.is_some(), "{name}");
            let said = tree.says(name, "event3/uevent");
            assert_eq!(said == THERE, is == Some(Which::Touch), "{name}: {said}");
            assert!(said == THERE || said.is_empty(), "{name}: {said}");
        }
        for name in ["../input1", "input", "input1/..", "event3", ""] {
            assert!(!is_input(name), "{name}");
        }
    }

    #[test]
    fn codes_are_read_as_the_kernel_writes_them() {
        for wanted in [&[][..], &[0], &[63, 64], KEYS, &[BTN_LEFT, BTN_TOUCH, 0x2FF]] {
            assert_eq!(codes(&text(wanted)), wanted);
        }
        assert_eq!(
            codes("1000000000007 ff800000000007ff"),
            codes("0 1000000000007 ff800000000007ff")
        );
        assert_eq!(codes("x"), [0_u16; 0]);
    }
}
