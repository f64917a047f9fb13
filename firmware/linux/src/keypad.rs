//! A voter's keypad and the switch in the headphone socket, from the kernel's input devices: only those that the configuration names. No other
//! keyboard is read here, and a keypad that is named belongs to the kiosk alone (grabbed).
//!
//! Must never know: what a key does. Nothing of it is logged: keys are a PIN and a choice.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use evdev::{Device, EventSummary, KeyCode, SwitchCode};
use panel::Panel;
use panel::audio::Key;
use panel::slint;

use crate::config::Plugged;
use crate::log::Log;
use crate::{input, usb};

/// How often a device that is gone is looked for.
const LOOK: Duration = Duration::from_secs(2);

thread_local! {
    /// The panel, on the thread that has it: keys are brought there.
    static PANEL: RefCell<Option<Panel>> = const { RefCell::new(None) };
}

/// What happened at the booth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Key(Key),
    Headphones(bool),
}

/// Which device.
#[derive(Clone, Debug)]
pub enum Which {
    /// The one with this in its name.
    Name(String),
    /// The one in this port.
    Port(Plugged),
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?}"),
            Self::Port(keypad) => write!(f, "{} in {}", keypad.usb, keypad.port),
        }
    }
}

impl Which {
    fn is(&self, path: &Path, device: &Device) -> bool {
        match self {
            Self::Name(name) => device.name().is_some_and(|own| own.contains(name.as_str())),
            Self::Port(keypad) => {
                let id = device.input_id();
                let place = path.file_name().map(|name| Path::new(input::INPUTS).join(name));
                let port = place.and_then(|place| usb::port_of(&place.canonicalize().ok()?));
                port.as_ref() == Some(&keypad.port) && format!("{:04x}:{:04x}", id.vendor(), id.product()) == keypad.usb
            }
        }
    }
}

/// Begins to listen; on the panel's thread. Threads end with the program.
///
/// # Errors
/// The system gives no thread.
pub fn listen(panel: Panel, keypad: Option<Which>, jack: Option<Which>, log: &Log) -> io::Result<()> {
    PANEL.set(Some(panel));
    // A socket that is gone says nothing any more: whether somebody is plugged in is unknown, and nothing may be said to a room.
    let unplugged = Some(Event::Headphones(false));
    for (what, which, fits, read, gone) in [
        (
            "keypad",
            keypad,
            has_keys as fn(&Device) -> bool,
            keys as Read<Device>,
            None,
        ),
        ("headphone socket", jack, has_switch, socket, unplugged),
    ] {
        let Some(which) = which else { continue };
        let log = log.clone();
        std::thread::Builder::new().name(what.into()).spawn(move || {
            loop {
                if let Err(error) = attend(|| find(&which, fits), read, gone, &mut bring) {
                    // The same line again is only counted.
                    log.say(&format!("{what} {which}: {error}"));
                }
                std::thread::sleep(LOOK);
            }
        })?;
    }
    Ok(())
}

/// Reads a device until it is gone, and gives what happens.
type Read<D> = fn(&mut D, &mut dyn FnMut(Event)) -> io::Result<()>;

/// One life of a device: found, read until it is gone, and what its end means.
fn attend<D>(
    find: impl FnOnce() -> io::Result<D>,
    read: impl FnOnce(&mut D, &mut dyn FnMut(Event)) -> io::Result<()>,
    gone: Option<Event>,
    give: &mut dyn FnMut(Event),
) -> io::Result<()> {
    let outcome = find().and_then(|mut device| read(&mut device, give));
    if let Some(gone) = gone {
        give(gone);
    }
    outcome
}

/// The device that is meant and can be what it is named for. A keypad shows several devices of nearly one name (media keys, power keys); the
/// wrong one is silent for ever, and the right one would stay everybody's. Several that fit are a question for who wrote the configuration.
fn find(which: &Which, fits: fn(&Device) -> bool) -> io::Result<Device> {
    let named = evdev::enumerate()
        .filter(|(path, device)| fits(device) && which.is(path, device))
        .map(|(_, device)| device);
    let mut devices: Vec<Device> = named.collect();
    match devices.len() {
        0 => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such input device")),
        1 => Ok(devices.remove(0)),
        _ => {
            let names: Vec<&str> = devices.iter().filter_map(Device::name).collect();
            let names = format!(
                "there are several such input devices; name one of them whole: {}",
                names.join(", ")
            );
            Err(io::Error::other(names))
        }
    }
}

fn has_keys(device: &Device) -> bool {
    let codes = device.supported_keys().into_iter().flatten();
    goes_through(&codes.map(KeyCode::code).collect::<Vec<_>>())
}

/// Whether a voter can go through a ballot with keys of these codes.
#[must_use]
pub fn goes_through(codes: &[u16]) -> bool {
    let has = |wanted| codes.iter().any(|code| key_of(KeyCode(*code), 1) == Some(wanted));
    has(Key::Next) && has(Key::Select)
}

fn has_switch(device: &Device) -> bool {
    device
        .supported_switches()
        .is_some_and(|switches| switches.contains(SwitchCode::SW_HEADPHONE_INSERT))
}

fn keys(device: &mut Device, give: &mut dyn FnMut(Event)) -> io::Result<()> {
    device.grab()?;
    loop {
        for event in device.fetch_events()? {
            if let EventSummary::Key(_, code, value) = event.destructure()
                && let Some(key) = key_of(code, value)
            {
                give(Event::Key(key));
            }
        }
    }
}

fn socket(device: &mut Device, give: &mut dyn FnMut(Event)) -> io::Result<()> {
    let plugged = device.get_switch_state()?.contains(SwitchCode::SW_HEADPHONE_INSERT);
    give(Event::Headphones(plugged));
    loop {
        for event in device.fetch_events()? {
            if let EventSummary::Switch(_, SwitchCode::SW_HEADPHONE_INSERT, value) = event.destructure() {
                give(Event::Headphones(value != 0));
            }
        }
    }
}

fn bring(event: Event) {
    // An error means that the program ends.
    let _ = slint::invoke_from_event_loop(move || {
        PANEL.with_borrow(|panel| {
            if let Some(panel) = panel {
                match event {
                    Event::Key(key) => panel.key(key),
                    Event::Headphones(plugged) => panel.headphones(plugged),
                }
            }
        });
    });
}

/// What a key of an ordinary numeric keypad or arrow pad means; one press, whatever the kernel repeats (V7). Devices with other keys are given these
/// codes by udev's hwdb.
#[must_use]
pub fn key_of(code: KeyCode, value: i32) -> Option<Key> {
    if value != 1 {
        return None;
    }
    Some(match code {
        KeyCode::KEY_RIGHT | KeyCode::KEY_DOWN | KeyCode::KEY_TAB | KeyCode::KEY_NEXT => Key::Next,
        KeyCode::KEY_LEFT | KeyCode::KEY_UP | KeyCode::KEY_PREVIOUS => Key::Previous,
        KeyCode::KEY_ENTER | KeyCode::KEY_KPENTER | KeyCode::KEY_SPACE | KeyCode::KEY_SELECT | KeyCode::KEY_OK => {
            Key::Select
        }
        KeyCode::KEY_BACKSPACE | KeyCode::KEY_KPDOT | KeyCode::KEY_AGAIN => Key::Repeat,
        KeyCode::KEY_HELP | KeyCode::KEY_F1 => Key::Help,
        KeyCode::KEY_KPPLUS | KeyCode::KEY_VOLUMEUP => Key::Louder,
        KeyCode::KEY_KPMINUS | KeyCode::KEY_VOLUMEDOWN => Key::Softer,
        KeyCode::KEY_KPASTERISK | KeyCode::KEY_FASTFORWARD => Key::Faster,
        KeyCode::KEY_KPSLASH | KeyCode::KEY_REWIND => Key::Slower,
        KeyCode::KEY_F2 | KeyCode::KEY_NUMLOCK | KeyCode::KEY_DISPLAYTOGGLE => Key::Blank,
        _ => Key::Digit(digit(code)?),
    })
}

fn digit(code: KeyCode) -> Option<u8> {
    const TOP: [KeyCode; 10] = [
        KeyCode::KEY_0,
        KeyCode::KEY_1,
        KeyCode::KEY_2,
        KeyCode::KEY_3,
        KeyCode::KEY_4,
        KeyCode::KEY_5,
        KeyCode::KEY_6,
        KeyCode::KEY_7,
        KeyCode::KEY_8,
        KeyCode::KEY_9,
    ];
    const PAD: [KeyCode; 10] = [
        KeyCode::KEY_KP0,
        KeyCode::KEY_KP1,
        KeyCode::KEY_KP2,
        KeyCode::KEY_KP3,
        KeyCode::KEY_KP4,
        KeyCode::KEY_KP5,
        KeyCode::KEY_KP6,
        KeyCode::KEY_KP7,
        KeyCode::KEY_KP8,
        KeyCode::KEY_KP9,
    ];
    let place = [TOP, PAD]
        .iter()
        .find_map(|keys| keys.iter().position(|key| *key == code))?;
    u8::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v7_a_key_is_pressed_once_however_long_it_is_held() {
        assert_eq!(key_of(KeyCode::KEY_RIGHT, 1), Some(Key::Next));
        for value in [0, 2, -1] {
            assert_eq!(key_of(KeyCode::KEY_RIGHT, value), None);
            assert_eq!(key_of(KeyCode::KEY_7, value), None);
        }
    }

    #[test]
    fn u8_every_meaning_has_a_key_and_letters_have_none() {
        let all: Vec<Key> = (0..0x300).filter_map(|code| key_of(KeyCode(code), 1)).collect();
        let wanted = [
            Key::Next,
            Key::Previous,
            Key::Select,
            Key::Repeat,
            Key::Help,
            Key::Louder,
            Key::Softer,
            Key::Faster,
            Key::Slower,
            Key::Blank,
        ];
        for key in wanted.into_iter().chain((0..10).map(Key::Digit)) {
            assert!(all.contains(&key), "{key:?}");
        }
        for code in [
            KeyCode::KEY_A,
            KeyCode::KEY_ESC,
            KeyCode::KEY_POWER,
            KeyCode::KEY_F4,
            KeyCode::KEY_LEFTALT,
        ] {
            assert_eq!(key_of(code, 1), None);
        }
    }

    /// A socket that vanishes, however it stood, is one without headphones: also one that is never found.
    #[test]
    fn u8_a_headphone_socket_that_is_gone_is_nobody_who_listens() {
        let unplugged = Event::Headphones(false);
        let mut heard = Vec::new();
        let mut give = |event| heard.push(event);
        let pulled = |_: &mut (), give: &mut dyn FnMut(Event)| {
            give(Event::Headphones(true));
            Err(io::Error::from_raw_os_error(19))
        };
        assert!(attend(|| Ok(()), pulled, Some(unplugged), &mut give).is_err());
        let nobody = || Err(io::Error::from(io::ErrorKind::NotFound));
        assert!(attend(nobody, pulled, Some(unplugged), &mut give).is_err());
        // A keypad that is gone presses nothing.
        let pressed = |_: &mut (), give: &mut dyn FnMut(Event)| {
            give(Event::Key(Key::Next));
            Err(io::Error::from_raw_os_error(19))
        };
        assert!(attend(|| Ok(()), pressed, None, &mut give).is_err());
        assert_eq!(
            heard,
            [Event::Headphones(true), unplugged, unplugged, Event::Key(Key::Next)]
        );
    }

    /// A device that is not there is an error that names it; whatever else is plugged in is not taken for it.
    #[test]
    fn u8_only_a_named_device_is_a_keypad() {
        assert!(find(&Which::Name("no such keypad, surely".into()), has_keys).is_err());
        let port = Plugged {
            port: "0000:00:00.0/99".into(),
            usb: "0000:0000".into(),
        };
        assert!(find(&Which::Port(port), has_keys).is_err());
    }
}
