//! What the image's units may, read from their files: a process that ends at once is seen by no look into a running machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

type Unit = (
    &'static str,
    Option<&'static str>,
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
);

/// Who works at the network and at input devices, and what each may: user (none: root), capabilities at most, system calls besides the usual ones,
/// families of sockets, folders that it may write.
const UNITS: [Unit; 5] = [
    ("network-wanted.service", Some("network"), "", &[], "none", ""),
    (
        "network-drivers.service",
        None,
        "CAP_SYS_MODULE",
        &["@module"],
        "none",
        "",
    ),
    (
        "network.service",
        Some("network"),
        "CAP_NET_ADMIN",
        &[],
        "AF_NETLINK",
        "",
    ),
    ("firewall.service", None, "CAP_NET_ADMIN", &[], "AF_NETLINK", ""),
    ("let-in@.service", None, "", &[], "none", "/sys/bus/usb /sys/devices"),
];

/// What all of them have.
const ALL: [(&str, &str); 17] = [
    ("Type", "oneshot"),
    // A oneshot may take for ever where nothing is said: a driver that hangs would keep the kiosk dark.
    ("TimeoutStartSec", "30s"),
    ("NoNewPrivileges", "yes"),
    ("DevicePolicy", "closed"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectHostname", "yes"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("UMask", "0077"),
    ("LimitCORE", "0"),
];

/// The settings of a unit, each with all of its values in order.
fn unit(name: &str) -> BTreeMap<String, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("image/root")
        .join("etc/systemd/system");
    let mut settings = BTreeMap::<String, Vec<String>>::new();
    for line in fs::read_to_string(folder.join(name)).unwrap().lines() {
        if line.starts_with(['#', '[']) || line.is_empty() {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap();
        settings.entry(key.into()).or_default().push(value.into());
    }
    settings
}

#[test]
fn a10_no_unit_of_the_network_and_of_input_has_the_rights_of_another_and_none_hangs_for_ever() {
    for (name, user, capabilities, calls, families, writes) in UNITS {
        let unit = unit(name);
        let of = |key: &str| unit.get(key).map_or(&[][..], Vec::as_slice);
        for (key, value) in ALL {
            assert_eq!(of(key), [value], "{name}: {key}");
        }
        assert_eq!(of("User"), user.as_slice(), "{name}");
        assert_eq!(of("CapabilityBoundingSet"), [capabilities], "{name}");
        // Who is not root has a capability only so; who is root needs none of these.
        let ambient = user.map(|_| capabilities).filter(|all| !all.is_empty());
        assert_eq!(of("AmbientCapabilities"), ambient.as_slice(), "{name}");
        let usual = ["@system-service", "~@privileged @resources"];
        assert_eq!(of("SystemCallFilter"), [&usual[..], calls].concat(), "{name}");
        assert_eq!(of("RestrictAddressFamilies"), [families], "{name}");
        assert_eq!(of("ReadWritePaths").join(" "), writes, "{name}");
        // No program but the one that is named, and none before it gets other rights ("+", "!").
        for key in [
            "ExecStart",
            "ExecCondition",
            "ExecStartPre",
            "ExecStartPost",
            "ExecStop",
        ] {
            assert!(of(key).iter().all(|call| call.starts_with("/usr/")), "{name}: {key}");
        }
        // Modules are loaded by one of them.
        let modules = of("ProtectKernelModules") == ["yes"];
        assert_eq!(modules, capabilities != "CAP_SYS_MODULE", "{name}");
    }
}

/// Whatever becomes of the network, one of the two kiosks starts: neither needs it, and what it left behind says which.
#[test]
fn a10_a_network_that_fails_still_leaves_one_kiosk() {
    let network = unit("network.service");
    assert_eq!(network.get("RuntimeDirectory").unwrap(), &["network"]);
    assert!(!network.contains_key("RuntimeDirectoryPreserve"));
    assert_eq!(network.get("Requires").unwrap(), &["firewall.service"]);
    let kiosk = unit("kiosk.service");
    assert_eq!(kiosk.get("Requires").unwrap(), &["dev-display.device"]);
    assert_eq!(kiosk.get("ConditionPathExists").unwrap(), &["!/run/network"]);
    let after = kiosk.get("After").unwrap().join(" ");
    assert!(after.contains("network.service"), "{after}");
    let online = unit("kiosk-online.service.d/20-network.conf");
    // The first, which is empty, takes away what is there.
    assert_eq!(online.get("ConditionPathExists").unwrap(), &["", "/run/network"]);
}
