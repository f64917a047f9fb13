//! What runs on the machine, what it opens, and what it lets in: looked at from inside ([`tests::machine::inside`]) and from the other end of its cable.

use std::path::Path;
use std::time::{Duration, Instant};

use election::ledger::kiosk_id;
use election::package::Package;
use kiosk::screen::{Fault, Screen, StaffAction, StaffScreen, Touch};
use panel::compose::{Repair, Wrong};
use panel::render::Headless;
use tempfile::TempDir;
use tests::machine::drive::Drive;
use tests::machine::inside::Inside;
use tests::machine::set_up::SetUp;
use tests::machine::wire::{GATEWAY, SOMEBODY};
use tests::machine::{ELSEWHERE, Machine};

use super::day::{Day, flip, image, place_of, request};
use super::mice::mice;

const KIOSK: &str = "/usr/bin/kiosk";
/// Everything that runs: who, and what.
const PROGRAMS: [(&str, &str); 5] = [
    ("kiosk", KIOSK),
    ("pcscd", "/usr/sbin/pcscd"),
    // The manager of devices.
    ("root", "/usr/bin/udevadm"),
    ("root", "/usr/lib/systemd/systemd"),
    ("root", "/usr/lib/systemd/systemd-journald"),
];
/// Capabilities, a bit each by the kernel's numbers. What `systemd-journald.service` has: to own and read any file (0 to 3), to be any user (6, 7), to look at
/// processes (19), to administer (21), audit (30, 37), other labels (32), the kernel's log (34).
const JOURNAL: u64 = 0xF | 3 << 6 | 1 << 19 | 1 << 21 | 1 << 30 | 1 << 32 | 1 << 34 | 1 << 37;
/// What `systemd-udevd.service` has: all but the clock (25) and alarms (35).
const DEVICES: u64 = ((1 << 41) - 1) & !(1 << 25 | 1 << 35);
/// Every socket that somebody can connect to, all of them on the machine itself.
const SOCKETS: [&str; 8] = [
    "/run/pcscd/pcscd.comm",
    "/run/systemd/io.system.ManagedOOM",
    "/run/systemd/journal/io.systemd.journal",
    "/run/systemd/journal/stdout",
    "/run/systemd/private",
    "/run/systemd/userdb/io.systemd.DynamicUser",
    "/run/udev/control",
    // The one that writes updates, when staff want one.
    "/run/updater.sock",
];

#[test]
fn a10_nothing_runs_but_the_kiosk_nothing_listens_and_what_is_not_known_is_not_taken() {
    let (image, _) = image();
    let folder = TempDir::new().unwrap();
    let SetUp {
        mut station,
        package: bytes,
        authority,
        machine,
        exchange,
        ..
    } = SetUp::new(folder.path(), &image, 1, 0).unwrap();
    let at = |name: &str| folder.path().join(name);
    let (running, mut inside) = machine.look_into(&image).unwrap();
    let package = Package::open(&bytes, &authority).unwrap();
    let mut day = Day::new(running, package, "hardened");
    day.machine.plug(&exchange).unwrap();
    let request = request(&exchange, &at("came"));
    let kiosk = kiosk_id(&request.kiosk.0);
    let first = Screen::Staff(StaffScreen::Provision {
        kiosk: &kiosk,
        software: &request.software,
    });
    day.see(&first);

    // A keyboard and a drive that nobody knows: they are seen, and nothing is done with them.
    let foreign = Drive::new(folder.path(), "foreign", "HOLIDAY", 24).unwrap();
    foreign.put(&at("package-1.bin"), "package-1.bin").unwrap();
    day.machine.plug(&foreign).unwrap();
    day.machine.plug_keyboard("keyboard", ELSEWHERE).unwrap();
    let keyboard = "grep -l 'USB Keyboard' /sys/bus/usb/devices/*/product";
    let drives = "ls /sys/class/block";
    let count = |inside: &mut Inside| inside.ask(&format!("look {drives}")).unwrap().matches("sd").count();
    until("the keyboard and both drives", || {
        inside.ask(&format!("look {keyboard}")).is_ok() && count(&mut inside) >= 2
    });
    inside.ask("/usr/bin/udevadm settle").unwrap();
    let place = inside.ask(&format!("look {keyboard}")).unwrap();
    let place = place.trim().trim_end_matches("/product");
    let name = place.rsplit('/').next().unwrap();
    let authorized = inside.ask(&format!("look cat {place}/{name}:1.0/authorized")).unwrap();
    assert_eq!(authorized.trim(), "0", "a keyboard is driven");
    assert!(inside.ask(&format!("look test -e {place}/{name}:1.0/driver")).is_err());
    let mounts = inside.ask("look grep /dev/sd /proc/mounts").unwrap();
    assert_eq!(mounts.lines().count(), 1, "{mounts}");
    assert!(mounts.contains(" /media/exchange "), "{mounts}");
    for keys in [
        &["ctrl", "alt", "delete"][..],
        &["ctrl", "alt", "f2"],
        &["alt", "sysrq", "b"],
    ] {
        day.machine.press_keys(keys).unwrap();
    }
    day.still(&first);
    assert_eq!(
        inside.ask("look cat /sys/class/tty/tty0/active").unwrap().trim(),
        "tty1"
    );

    mice(&mut day, &mut inside, &first);

    // A log that somebody floods stays as large as it may be.
    inside
        .ask("look yes 'a line that says nothing, again and again, until the log is full' | look head -n 20000 | look logger")
        .unwrap();
    let size = inside.ask("look du -sk /run/log").unwrap();
    let size: u32 = size.split_whitespace().next().unwrap().parse().unwrap();
    println!("the log has {size} KiB after 20,000 lines");
    assert!(size <= 5 << 10, "{size} KiB of log");
    day.still(&first);

    // The kiosk with everything at work, its reader as well.
    day.machine.send(Touch::Confirm).unwrap();
    let (action, number) = (StaffAction::Provision, 1);
    day.see(&Screen::Staff(StaffScreen::InsertCard { action, number }));
    until("the daemon of card readers", || inside.ask("look pidof pcscd").is_ok());
    programs(&mut inside);
    sockets(&mut inside);

    // It falls: what comes back is the screen that is right now, and nobody's card is waited for.
    let before = pid(&mut inside);
    inside.ask(&format!("look kill -ABRT {before}")).unwrap();
    until("another kiosk", || {
        ![String::new(), before.clone()].contains(&pid(&mut inside))
    });
    day.see(&first);
    assert_ne!(pid(&mut inside), before);

    unreadable(&mut day, &mut inside, &first);

    // Its disk is full: staff are told that it is out of order, and when there is room and the drive is put in again, it goes on.
    inside
        .ask("look dd if=/dev/zero of=/state/full bs=65536; look sync; true")
        .unwrap();
    day.machine.send(Touch::Confirm).unwrap();
    day.sign(StaffAction::Provision, &mut station.staff, 1..=2);
    day.see(&Screen::Fault {
        why: Fault::Store,
        recorded: None,
    });
    inside.ask("look rm /state/full").unwrap();
    day.machine.unplug(&exchange).unwrap();
    day.machine.plug(&exchange).unwrap();
    day.see(&first);

    // From the other end of the cable: nothing, whoever asks. Then the firewall is taken down, and the machine answers: the scan is not blind.
    let mut wire = day.machine.wire(folder.path()).unwrap();
    let port = station.gateway().rsplit_once(':').unwrap().1.to_owned();
    let own = format!("to {GATEWAY}:{port}, flags 02");
    for who in [SOMEBODY, GATEWAY] {
        let start = Instant::now();
        let mut sent = wire.scan(who).unwrap();
        sent.retain(|frame| !frame.ends_with(&own));
        assert_eq!(sent, [""; 0], "the machine says something to {who}");
        println!(
            "65,535 ports of TCP, 16 of UDP and an echo asked by {who}: no answer ({:.0?})",
            start.elapsed()
        );
    }
    inside.ask("/usr/sbin/nft flush ruleset").unwrap();
    let sent = wire.scan(SOMEBODY).unwrap();
    println!(
        "without the firewall: {} answers, such as {:?}",
        sent.len(),
        sent.first()
    );
    assert!(sent.len() > 60_000, "{}", sent.len());
    assert!(
        !sent.iter().any(|frame| frame.ends_with("flags 12")),
        "something listens"
    );
    day.still(&first);
}

/// The time at which the root was made: the file system reads it, and nothing looks at it but the hash tree.
#[test]
fn a10_a_machine_with_a_bit_of_its_root_changed_gives_up() {
    let (image, _) = image();
    let folder = TempDir::new().unwrap();
    let machine = Machine::new(&folder.path().join("machine"), &image.join("kiosk.disk")).unwrap();
    let disk = machine.disk();
    flip(&disk, place_of(&disk, b"hsqs") + 8);
    let mut running = machine.switch_on().unwrap();
    running.gives_up().unwrap();
    println!("it gives up {:.0} s after power", running.since.elapsed().as_secs_f64());
}

/// A configuration with a mistake, and none at all: whoever stands there reads what is wrong, and it goes on when it is put right.
fn unreadable(day: &mut Day<'_>, inside: &mut Inside, first: &Screen<'_>) {
    let file = "/config/kiosk.toml";
    inside
        .ask(&format!("look mount -o remount,rw /config; look cp {file} /run/kept"))
        .unwrap();
    let display = |inside: &mut Inside, name: &str| {
        let ask = format!("look cat /sys/class/drm/card0-*/{name} | look hexdump -v -e '1/1 \"%02x\"'");
        hex::decode(inside.ask(&ask).unwrap().trim()).unwrap()
    };
    let modes = String::from_utf8(display(inside, "modes")).unwrap();
    let size = linux::display::of(&modes, &display(inside, "edid")).unwrap();
    println!("the display says of itself: {size:?}");
    let usual = std::mem::replace(&mut day.machine.mirror, Headless::new(size).unwrap());
    for (change, what, said) in [
        (
            format!("look sed -i 's/^state/staet/' {file}"),
            Wrong::Line(3),
            "unknown field `staet`",
        ),
        (
            format!("look rm {file}"),
            Wrong::Missing,
            "cannot be read: No such file or directory (os error 2)",
        ),
        (
            format!("look sed 's,/dev/hwrng,/dev/hwrgn,' /run/kept > {file}"),
            Wrong::Part("randomness.second"),
            "No such file or directory (os error 2)",
        ),
    ] {
        let before = pid(inside);
        inside.ask(&change).unwrap();
        inside.ask(&format!("look kill -TERM {before}; true")).unwrap();
        // What it quotes is the library's: as it says it here.
        let text = match what {
            Wrong::Line(_) => {
                let kept = inside.ask(&format!("look cat {file}")).unwrap();
                match linux::config::Config::parse(&kept, Path::new("/config")) {
                    Err(linux::config::ConfigError::Toml { error, .. }) => error.message().to_owned(),
                    _ => panic!("it is no mistake"),
                }
            }
            _ => said.to_owned(),
        };
        assert!(text.contains(said), "{text}");
        day.machine.mirror.panel.repair(&Repair {
            file,
            what,
            said: &text,
        });
        let took = day.machine.see_mirror().unwrap();
        day.seen(took);
    }
    inside
        .ask(&format!(
            "look cp /run/kept {file}; look sync; look mount -o remount,ro /config"
        ))
        .unwrap();
    day.machine.mirror = usual;
    day.see(first);
}

fn pid(inside: &mut Inside) -> String {
    let ask =
        "for p in /proc/[0-9]*; do [ \"$(look readlink $p/exe)\" = /usr/bin/kiosk ] && echo ${p#/proc/}; done; true";
    inside.ask(ask).unwrap().trim().to_owned()
}

fn programs(inside: &mut Inside) {
    // A process that is not a thread of the kernel has a program.
    let listed = inside
        .ask("for p in /proc/[0-9]*; do e=$(look readlink $p/exe) && echo \"$(look stat -c %U $p) $e\"; done; true")
        .unwrap();
    // busybox is the looking itself.
    let mut found: Vec<(&str, &str)> = listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, what)| *what != "/run/busybox")
        .collect();
    // udev's helpers come and go under its name.
    found.sort_unstable();
    found.dedup();
    println!("programs: {found:?}");
    assert_eq!(found, PROGRAMS, "{listed}");
    let kiosk = pid(inside);
    let status = inside.ask(&format!("look cat /proc/{kiosk}/status")).unwrap();
    let uid = "Uid:\t900\t900\t900\t900";
    assert!(status.lines().any(|said| said == uid), "{uid}: {status}");
    rights(inside);
}

/// What each process may: capabilities now and at most, no way to more, system calls filtered (2) or not (0).
fn rights(inside: &mut Inside) {
    let ask = "for p in /proc/[0-9]*; do e=$(look readlink $p/exe) && [ $e != /run/busybox ] && echo $e $(look grep -E \
               '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' $p/status); done; true";
    let listed = inside.ask(ask).unwrap();
    println!("{listed}");
    for program in [KIOSK, "/usr/sbin/pcscd"] {
        let none = "0000000000000000";
        let wanted = format!("{program} CapEff: {none} CapBnd: {none} NoNewPrivs: 1 Seccomp: 2");
        assert!(listed.lines().any(|line| line == wanted), "{wanted}: {listed}");
    }
    // Who is root for good has at most what systemd's own unit says that its work needs, and cannot get more.
    for (program, most) in [
        ("/usr/lib/systemd/systemd-journald", JOURNAL),
        ("/usr/bin/udevadm", DEVICES),
    ] {
        let line = listed.lines().find(|line| line.starts_with(program));
        let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        let of = |name: &str| words.iter().skip_while(|word| **word != name).nth(1).copied();
        for name in ["CapEff:", "CapBnd:"] {
            let has = of(name).and_then(|text| u64::from_str_radix(text, 16).ok());
            assert!(has.is_some_and(|has| has & !most == 0), "{program} {name}: {listed}");
        }
        assert_eq!(
            (of("NoNewPrivs:"), of("Seccomp:")),
            (Some("1"), Some("2")),
            "{program}: {listed}"
        );
    }
}

fn sockets(inside: &mut Inside) {
    let table = |inside: &mut Inside, name: &str| -> Vec<String> {
        let text = inside.ask(&format!("look cat /proc/net/{name}")).unwrap();
        text.lines().skip(1).map(str::to_owned).collect()
    };
    // State 0A listens.
    let tcp = table(inside, "tcp");
    assert!(
        !tcp.iter().any(|line| line.split_whitespace().nth(3) == Some("0A")),
        "{tcp:?}"
    );
    for name in ["udp", "udplite", "raw", "packet"] {
        assert_eq!(table(inside, name), [""; 0], "{name}");
    }
    assert!(inside.ask("look test -e /proc/net/tcp6").is_err(), "there is IPv6");
    let unix = table(inside, "unix");
    let listening: Vec<&str> = unix
        .iter()
        .filter(|line| line.split_whitespace().nth(3) == Some("00010000"))
        .filter_map(|line| line.split_whitespace().nth(7))
        .collect();
    println!("sockets that take connections: {listening:?}");
    for socket in listening {
        assert!(SOCKETS.contains(&socket), "{socket}");
    }
    println!("{}", inside.ask("/usr/sbin/nft list ruleset").unwrap());
}

pub fn until(what: &str, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < Duration::from_secs(600), "no {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
