//! Mistakes in a configuration, each named.

use super::*;

/// The generator of P-256, compressed.
const KEY: &str = "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";

fn good() -> String {
    format!(
        "station = 1\nauthority = \"{KEY}\"\nstate = \"state\"\n[panel]\nwidth = 1280\nheight = 800\ndiagonal_mm = 257\n\
         [media]\noriginal = \"a\"\nduplicate = \"/b\"\n"
    )
}

fn wrong(text: &str) -> String {
    match Config::parse(text, Path::new("/etc/kiosk")) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_configuration_needs_little_and_paths_are_relative_to_it() {
    let config = Config::parse(&good(), Path::new("/etc/kiosk")).ok().unwrap();
    assert_eq!(config.media.original, Path::new("/etc/kiosk/a"));
    assert_eq!(config.media.duplicate, Path::new("/b"));
    assert!(config.gateways.is_empty() && config.reader.is_none() && config.signals.is_none());
    assert_ne!(config.software, [0; 32]);
}

#[test]
fn the_image_says_what_software_runs_and_no_configuration_says_otherwise() {
    let image = Some([7; 32]);
    assert_eq!(software(None, image).ok(), image);
    assert_eq!(software(Some(&"07".repeat(32)), image).ok(), image);
    assert!(matches!(
        software(Some(&"08".repeat(32)), image),
        Err(ConfigError::Value { key: "software", .. })
    ));
    assert_eq!(software(Some(&"08".repeat(32)), None).ok(), Some([8; 32]));
    assert_ne!(software(None, None).ok(), None);
}

/// What stands on the display names the line.
#[test]
fn f6_a_mistake_has_its_line() {
    for (text, wanted) in [
        ("station = \n".to_owned(), Some(1)),
        (good().replace("state =", "staet ="), Some(3)),
        (good().replace("width = 1280", "width = \"wide\""), Some(5)),
        (String::new(), None),
    ] {
        match Config::parse(&text, Path::new("/etc/kiosk")) {
            Err(ConfigError::Toml { line, .. }) => assert_eq!(line, wanted, "{text}"),
            _ => panic!("accepted: {text}"),
        }
    }
}

#[test]
fn every_mistake_is_named_with_its_key() {
    for (text, named) in [
        (good().replace("station = 1", "station = 70000"), "station"),
        (good().replace("station = 1\n", ""), "station"),
        (good().replace("state =", "staet ="), "staet"),
        (good().replace(KEY, &KEY[2..]), "authority"),
        (good().replace(KEY, &KEY.replace("036b", "03ff")), "authority"),
        (good().replace("width = 1280", "width = 100"), "panel"),
        (good().replace("diagonal_mm = 257", "diagonal_mm = 1400"), "panel"),
        (good().replace("\"/b\"", "\"a\""), "media"),
        (format!("{}[uplink]\ngateways = []\n", good()), "uplink.gateways"),
        (format!("{}[uplink]\ngateways = [\"host\"]\n", good()), "host:port"),
        (format!("{}[uplink]\ngateways = [\":7\"]\n", good()), "host:port"),
        (format!("{}[uplink]\ngateway = [\"a:1\"]\n", good()), "gateway"),
        (
            format!("{}[uplink]\ngateways = [\"a:1\"]\naddress = \"10.0.0.9\"\n", good()),
            "uplink.address",
        ),
        (
            format!("{}[uplink]\ngateways = [\"a:1\"]\naddress = \"10.0.0.9/33\"\n", good()),
            "uplink.address",
        ),
        (
            format!("{}[uplink]\ngateways = [\"a:1\"]\nrouter = \"10.0.0.1\"\n", good()),
            "uplink.address",
        ),
        (format!("software = \"12\"\n{}", good()), "software"),
        (format!("{}[reader]\nname = \"\"\n", good()), "reader.name"),
        (format!("{}[audio]\nkeypad = \"Pad\"\n", good()), "full_db"),
        (
            format!("{}[audio]\nfull_db = 20\nkeypad = \"Pad\"\n", good()),
            "audio.full_db",
        ),
        (format!("{}[audio]\nfull_db = 100\n", good()), "audio"),
        (
            format!("{}[audio]\nfull_db = 100\nkeypad = \"\"\n", good()),
            "empty name",
        ),
        (
            format!("{}[log]\nfile = \"l\"\nkilobytes = 1\n", good()),
            "log.kilobytes",
        ),
        (format!("{}[signals]\nchip = \"c\"\n", good()), "signals"),
        (
            format!("{}[signals]\nchip = \"c\"\nready = 1\nfault = 1\n", good()),
            "signals",
        ),
        ("station = ".into(), "line 1"),
        (format!("{}[keypad]\nusb = \"046a:0023\"\n", good()), "keypad"),
        (format!("{}[touch]\nusb = \"0eef:0001\"\n", good()), "touch"),
        (
            format!("{}[touch]\nport = \"2\"\nusb = \"0eef:0001\"\n", good()),
            "touch.port",
        ),
        (
            format!("{}[keypad]\nport = \"1-2\"\nusb = \"046a:0023\"\n", good()),
            "keypad.port",
        ),
        (
            format!("{}[keypad]\nport = \"0000:00:14.0/2\"\nusb = \"046a\"\n", good()),
            "keypad.usb",
        ),
        (
            format!(
                "{}[keypad]\nport = \"0000:00:14.0/2\"\nusb = \"046a:0023\"\n[audio]\nfull_db = 100\nkeypad = \"Pad\"\n",
                good()
            ),
            "audio.keypad",
        ),
    ] {
        let said = wrong(&text);
        assert!(said.contains(named), "{named}: {said}");
    }
}
