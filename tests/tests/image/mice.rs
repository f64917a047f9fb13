//! What is plugged in and points: it moves nothing, but the panel that the configuration names.

use kiosk::screen::{Screen, Touch};
use tests::machine::inside::Inside;
use tests::machine::{NOWHERE, TOUCH};

use super::day::Day;
use super::hardened::until;

/// A mouse, and a second panel that is the named one but for its port: whatever they do, nothing moves. The panel itself is out meanwhile, because the
/// emulator gives what is done to the first device that can do it; put in again, it works.
pub fn mice(day: &mut Day<'_>, inside: &mut Inside, first: &Screen<'_>) {
    let ports = |inside: &mut Inside| inside.ask("look ls /sys/bus/usb/devices").unwrap();
    let port = |inside: &mut Inside, number: &str| {
        let name = format!("-{number}:1.0");
        let all = ports(inside);
        all.split_whitespace()
            .find(|one| one.ends_with(&name))
            .map(str::to_owned)
    };
    day.machine.unplug_input("touch").unwrap();
    until("end of the panel", || port(inside, TOUCH).is_none());

    day.machine.plug_input("usb-mouse", "mouse", NOWHERE).unwrap();
    until("mouse", || port(inside, NOWHERE).is_some());
    inside.ask("/usr/bin/udevadm settle").unwrap();
    let place = format!("/sys/bus/usb/devices/{}", port(inside, NOWHERE).unwrap());
    let is = |inside: &mut Inside, file: &str| {
        inside
            .ask(&format!("look cat {place}/{file}"))
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(
        (is(inside, "bInterfaceProtocol"), is(inside, "authorized")),
        ("02".into(), "0".into())
    );
    assert!(
        inside.ask(&format!("look test -e {place}/driver")).is_err(),
        "a mouse is driven"
    );
    // Into the corner, and all over the display.
    day.machine.move_and_click(-5000, -5000).unwrap();
    for _ in 0..12 {
        day.machine.move_and_click(100, 60).unwrap();
    }
    day.still(first);
    day.machine.unplug_input("mouse").unwrap();
    until("end of the mouse", || port(inside, NOWHERE).is_none());

    day.machine.plug_input("usb-tablet", "tablet", NOWHERE).unwrap();
    let input = |inside: &mut Inside, number: &str| {
        let place = port(inside, number)?;
        let ask = format!(
            "look find -L /sys/bus/usb/devices/{place}/ -maxdepth 4 -path '*/input/input*' -name 'input[0-9]*'"
        );
        let found = inside.ask(&ask).ok()?;
        found.lines().next().map(str::to_owned)
    };
    until("second panel", || input(inside, NOWHERE).is_some());
    inside.ask("/usr/bin/udevadm settle").unwrap();
    let place = input(inside, NOWHERE).unwrap();
    let still = |inside: &mut Inside, place: &str| {
        inside
            .ask(&format!("look cat {place}/inhibited"))
            .unwrap()
            .trim()
            .to_owned()
    };
    // Its interface does not say what it is, so it is driven, and kept still.
    assert_eq!(still(inside, &place), "1");
    let ignored =
        format!("for d in {place}/event*/dev; do look grep LIBINPUT_IGNORE /run/udev/data/c$(look cat $d); done");
    assert_eq!(inside.ask(&ignored).unwrap().trim(), "E:LIBINPUT_IGNORE_DEVICE=1");
    day.machine.send(Touch::Confirm).unwrap();
    day.still(first);
    day.machine.unplug_input("tablet").unwrap();
    until("end of the second panel", || port(inside, NOWHERE).is_none());
    day.still(first);

    // The same in the panel's port: let go.
    day.machine.plug_input("usb-tablet", "touch", TOUCH).unwrap();
    until("panel", || {
        input(inside, TOUCH).is_some_and(|place| still(inside, &place) == "0")
    });
    inside.ask("/usr/bin/udevadm settle").unwrap();
    println!("a mouse and a second panel move nothing; the panel works");
}
