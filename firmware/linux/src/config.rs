//! The device configuration: what this machine is and where its parts are. TOML; an unknown key is an error that is named with its line, because
//! a misspelt one would otherwise be a setting that is silently not there.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use election::hash::{Digest, hash};
use election::sign::PublicKey;
use serde::Deserialize;

use crate::{image, usb};

/// Longest configuration file.
const LONGEST: u64 = 64 << 10;
/// Most gateways.
pub const GATEWAYS: usize = 16;

/// A configuration that holds.
pub struct Config {
    /// The polling station.
    pub station: u16,
    /// The authority whose packages are taken.
    pub authority: PublicKey,
    /// Hash of the software, for registration and zero report.
    pub software: Digest,
    /// Folder of the kiosk's keys and state.
    pub state: PathBuf,
    /// Folder or drive for provisioning.
    pub exchange: Option<PathBuf>,
    /// The panel.
    pub panel: Panel,
    /// The media.
    pub media: Media,
    /// Part of the reader's name; the first reader if none.
    pub reader: Option<String>,
    /// Gateways, `host:port`; none: this kiosk has no network.
    pub gateways: Vec<String>,
    /// What the image gives its network card; elsewhere the network is the system's.
    pub network: Option<Network>,
    /// Lamp and buzzer.
    pub signals: Option<Signals>,
    /// Headphones and keypad.
    pub audio: Option<Audio>,
    /// The keypad, for the image.
    pub keypad: Option<Plugged>,
    /// The panel's touch controller where it is no touchscreen by what it says of itself, for the image.
    pub touch: Option<Plugged>,
    /// A hardware watchdog.
    pub watchdog: Option<PathBuf>,
    /// The TPM that seals the keys; none: they lie unprotected, and the zero report says so.
    pub tpm: Option<PathBuf>,
    /// Who writes updates; none: this machine takes none.
    pub update: Option<Update>,
    /// Where the first partition is mounted, on a machine that was started from an image: the folder of the configuration.
    pub starting: Option<PathBuf>,
    /// A second source of randomness.
    pub second: Option<PathBuf>,
    /// The log's file and size in bytes.
    pub log: Option<(PathBuf, u64)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    station: u16,
    authority: String,
    software: Option<String>,
    state: PathBuf,
    exchange: Option<PathBuf>,
    panel: Panel,
    media: Media,
    #[serde(default)]
    reader: Reader,
    uplink: Option<Uplink>,
    signals: Option<Signals>,
    audio: Option<Audio>,
    keypad: Option<PluggedFile>,
    touch: Option<PluggedFile>,
    #[serde(default)]
    watchdog: Device,
    #[serde(default)]
    tpm: Device,
    update: Option<UpdateFile>,
    #[serde(default)]
    randomness: Randomness,
    log: Option<LogFile>,
}

/// `[panel]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Diagonal of the visible area, from which everything gets its size for fingers and eyes.
    pub diagonal_mm: u32,
    /// Whether a window takes the whole display; one without a window system always does.
    #[serde(default)]
    pub fullscreen: bool,
}

/// `[media]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// Slot of the original: a folder with one box file, a box file or a block device.
    pub original: PathBuf,
    /// Slot of the duplicate.
    pub duplicate: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reader {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uplink {
    gateways: Vec<String>,
    address: Option<String>,
    router: Option<Ipv4Addr>,
    card: Option<String>,
}

/// `[uplink]`: the machine's own place on the network, for the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its address.
    pub address: Ipv4Addr,
    /// How many bits of it are the network's.
    pub prefix: u8,
    /// Who takes what goes elsewhere.
    pub router: Option<Ipv4Addr>,
    /// Hardware address of the card, where there are several.
    pub card: Option<String>,
}

/// `[signals]`: lines of a GPIO chip.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signals {
    /// The chip, such as `/dev/gpiochip0`.
    pub chip: PathBuf,
    /// Line of the green lamp.
    pub ready: Option<u32>,
    /// Line of the yellow lamp.
    pub voting: Option<u32>,
    /// Line of the red lamp.
    pub fault: Option<u32>,
    /// Line of the buzzer.
    pub buzzer: Option<u32>,
}

/// `[audio]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audio {
    /// ALSA's name of the device: headphones, never a loudspeaker.
    #[serde(default = "device")]
    pub device: String,
    /// What these headphones give at the loudest step, in dB SPL, measured once with a meter while speech plays: from it follows where a voter begins.
    pub full_db: u8,
    /// Part of the keypad's name as the kernel has it.
    pub keypad: Option<String>,
    /// Part of the name of the switch in the headphone socket; without it the first key of a visit begins to speak.
    pub jack: Option<String>,
}

fn device() -> String {
    "default".into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PluggedFile {
    port: Option<String>,
    usb: Option<String>,
}

/// `[keypad]`: the one USB keyboard that the image lets in. `[touch]`: the one USB pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugged {
    /// Its port ([`crate::usb::Hid::port`]).
    pub port: String,
    /// Vendor and product, four hex digits each.
    pub usb: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    device: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateFile {
    socket: PathBuf,
    authority: Option<String>,
}

/// `[update]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The updater's socket.
    pub socket: PathBuf,
    /// The authority whose images are taken.
    pub authority: PublicKey,
    /// Where the first partition is mounted: the folder of the configuration.
    pub starting: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Randomness {
    second: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogFile {
    file: PathBuf,
    #[serde(default = "kilobytes")]
    kilobytes: u64,
}

const fn kilobytes() -> u64 {
    512
}

/// What is wrong with a configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Read(std::io::Error),
    /// Larger than any configuration.
    TooLong,
    /// Not TOML, a key that is not known, one that is missing, or a value of the wrong kind.
    Toml {
        /// The line, from 1, where it is one line's.
        line: Option<u32>,
        /// What is wrong.
        error: toml::de::Error,
    },
    /// The kernel command line names a root hash that is none.
    Image,
    /// A value that cannot be right.
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot be read: {error}"),
            Self::TooLong => f.write_str("is larger than any configuration"),
            Self::Image => {
                f.write_str("cannot be used: the kernel command line names a root hash that is not 64 hex digits")
            }
            Self::Toml { error, .. } => error.fmt(f),
            Self::Value { key, why } => write!(f, "{key}: {why}"),
        }
    }
}

impl std::error::Error for ConfigError {}

fn value<T>(key: &'static str, why: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::Value { key, why: why.into() })
}

/// The line, from 1, in which this place is; none for a file without lines.
fn line(text: &str, place: usize) -> Option<u32> {
    let before = text.get(..place)?;
    (!text.trim().is_empty()).then_some(())?;
    let ends = before.bytes().filter(|byte| *byte == b'\n').count();
    u32::try_from(ends).ok()?.checked_add(1)
}

impl Config {
    /// Reads and checks a file. Relative paths are relative to its folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        use std::io::Read as _;
        let file = std::fs::File::open(path).map_err(ConfigError::Read)?;
        let mut text = String::new();
        file.take(LONGEST + 1)
            .read_to_string(&mut text)
            .map_err(ConfigError::Read)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > LONGEST {
            return Err(ConfigError::TooLong);
        }
        Self::parse(&text, path.parent().unwrap_or(Path::new(".")))
    }

    /// Checks a text.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| ConfigError::Toml {
            line: error.span().and_then(|span| line(text, span.start)),
            error,
        })?;
        let at = |path: PathBuf| folder.join(path);
        let media = Media {
            original: at(file.media.original),
            duplicate: at(file.media.duplicate),
        };
        if media.original == media.duplicate {
            return value(
                "media",
                "original and duplicate are the same place: two media are needed (A8)",
            );
        }
        if let Err(error) = panel::metrics::Metrics::new(file.panel.config()) {
            return value("panel", error.to_string());
        }
        let network = file.uplink.as_ref().map(network).transpose()?.flatten();
        let gateways = file.uplink.map(|uplink| uplink.gateways);
        match &gateways {
            Some(list) if list.is_empty() => {
                return value(
                    "uplink.gateways",
                    "is empty: name a gateway, or leave [uplink] out for a kiosk without a network",
                );
            }
            Some(list) if list.len() > GATEWAYS => {
                return value("uplink.gateways", format!("more than {GATEWAYS}"));
            }
            _ => {}
        }
        let gateways = gateways.unwrap_or_default();
        for gateway in &gateways {
            let port = gateway.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                return value("uplink.gateways", format!("{gateway:?} is not of the form host:port"));
            }
        }
        if file.reader.name.as_ref().is_some_and(String::is_empty) {
            return value("reader.name", "is empty: leave it out to use the first reader");
        }
        if let Some(log) = &file.log
            && !(16..=1 << 20).contains(&log.kilobytes)
        {
            return value("log.kilobytes", "is to be from 16 to 1048576");
        }
        if let Some(signals) = &file.signals {
            let mut lines = [signals.ready, signals.voting, signals.fault, signals.buzzer]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>();
            let count = lines.len();
            lines.sort_unstable();
            lines.dedup();
            if count == 0 || lines.len() != count {
                return value("signals", "name at least one line, and each line once");
            }
        }
        if let Some(audio) = &file.audio {
            if !(60..=140).contains(&audio.full_db) {
                return value(
                    "audio.full_db",
                    "is to be from 60 to 140: dB SPL at the loudest step, measured on these headphones",
                );
            }
            if audio.keypad.is_none() && audio.jack.is_none() && file.keypad.is_none() {
                return value("audio", "name a keypad, or the socket's switch, or leave [audio] out");
            }
            if [&audio.keypad, &audio.jack].into_iter().flatten().any(String::is_empty) {
                return value("audio", "an empty name would be any device");
            }
        }
        let keypad = file.keypad.map(|file| plugged(&KEYPAD, file)).transpose()?;
        let touch = file.touch.map(|file| plugged(&TOUCH, file)).transpose()?;
        if keypad.is_some() && file.audio.as_ref().is_some_and(|audio| audio.keypad.is_some()) {
            return value("audio.keypad", "is named by [keypad] already: leave one of them out");
        }
        let root = image::root_hash().map_err(|image::Damaged| ConfigError::Image)?;
        Ok(Self {
            station: file.station,
            authority: authority("authority", &file.authority)?,
            software: software(file.software.as_deref(), root)?,
            starting: root.map(|_| folder.to_path_buf()),
            state: at(file.state),
            exchange: file.exchange.map(at),
            panel: file.panel,
            media,
            reader: file.reader.name,
            gateways,
            network,
            signals: file.signals,
            audio: file.audio,
            keypad,
            touch,
            watchdog: file.watchdog.device,
            tpm: file.tpm.device,
            update: file
                .update
                .map(|update| {
                    Ok(Update {
                        socket: folder.join(update.socket),
                        authority: authority("update.authority", update.authority.as_ref().unwrap_or(&file.authority))?,
                        starting: folder.to_path_buf(),
                    })
                })
                .transpose()?,
            second: file.randomness.second,
            log: file.log.map(|log| (at(log.file), log.kilobytes << 10)),
        })
    }
}

impl Panel {
    /// As the panel wants it.
    #[must_use]
    pub const fn config(self) -> panel::Config {
        panel::Config {
            width: self.width,
            height: self.height,
            diagonal_mm: self.diagonal_mm,
        }
    }
}

/// The machine's own place on the network, if `[uplink]` names one.
fn network(uplink: &Uplink) -> Result<Option<Network>, ConfigError> {
    let Some(text) = &uplink.address else {
        return match (&uplink.router, &uplink.card) {
            (None, None) => Ok(None),
            _ => value(
                "uplink.address",
                "is missing: a router or a card is for a machine with an address",
            ),
        };
    };
    let parts = text.split_once('/').and_then(|(address, prefix)| {
        let prefix: u8 = prefix.parse().ok()?;
        (1..=32).contains(&prefix).then_some((address.parse().ok()?, prefix))
    });
    match parts {
        Some((address, prefix)) => Ok(Some(Network {
            address,
            prefix,
            router: uplink.router,
            card: uplink.card.clone(),
        })),
        None => value("uplink.address", format!("{text:?} is not of the form 10.0.0.9/24")),
    }
}

/// A USB device that the configuration names: its keys there, what it is called, and whether it is a keyboard.
struct Named {
    keys: [&'static str; 3],
    called: &'static str,
    keyboard: bool,
}

const KEYPAD: Named = Named {
    keys: ["keypad", "keypad.port", "keypad.usb"],
    called: "USB keyboard",
    keyboard: true,
};
const TOUCH: Named = Named {
    keys: ["touch", "touch.port", "touch.usb"],
    called: "USB touch panel or pointer",
    keyboard: false,
};

/// Whoever sets a machine up has no other way to learn what its ports are called than to be told here.
fn plugged(named: &Named, file: PluggedFile) -> Result<Plugged, ConfigError> {
    let [section, port_key, usb_key] = named.keys;
    let in_now = || {
        let mut all: Vec<String> = usb::hids(Path::new(usb::DEVICES))
            .iter()
            .filter(|hid| hid.is_keyboard() == named.keyboard)
            .map(ToString::to_string)
            .collect();
        // A device may have several interfaces.
        all.dedup();
        match all.as_slice() {
            [] => format!("no {} is in now", named.called),
            all => format!("in now: {}", all.join("; ")),
        }
    };
    let (Some(port), Some(usb)) = (file.port, file.usb) else {
        let why = format!(
            "name the port and what is in it, port = \"...\" and usb = \"....:....\"; {}",
            in_now()
        );
        return value(section, why);
    };
    if !usb::is_port(&port) {
        let why = format!("{port:?} is not a port such as \"0000:00:14.0/2\"; {}", in_now());
        return value(port_key, why);
    }
    let hex = |part: &str| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !usb
        .split_once(':')
        .is_some_and(|(vendor, product)| hex(vendor) && hex(product))
    {
        let why = format!("{usb:?} is not of the form \"046a:0023\"; {}", in_now());
        return value(usb_key, why);
    }
    Ok(Plugged {
        port,
        usb: usb.to_ascii_lowercase(),
    })
}

fn authority(name: &'static str, text: &str) -> Result<PublicKey, ConfigError> {
    let key = hex::decode(text.trim())
        .ok()
        .and_then(|bytes| <[u8; 33]>::try_from(bytes).ok());
    match key {
        Some(key) if election::sign::public_key(&key).is_ok() => Ok(key),
        _ => value(
            name,
            "is to be the authority's public key, 66 hex digits as `staff authority new` prints them",
        ),
    }
}

/// The root hash of the image this program runs from, or the hash of the configuration, or else that of this program's file.
fn software(text: Option<&str>, image: Option<Digest>) -> Result<Digest, ConfigError> {
    let named = match text.map(|text| {
        hex::decode(text.trim())
            .ok()
            .and_then(|bytes| Digest::try_from(bytes).ok())
    }) {
        None => None,
        Some(Some(digest)) => Some(digest),
        Some(None) => {
            return value(
                "software",
                "is to be 64 hex digits, or left out: then it is the image's root hash, or this program's file is hashed",
            );
        }
    };
    match (named, image) {
        // The configuration is not measured: it must not be able to claim another software than the one that the kernel verifies.
        (Some(named), Some(image)) if named != image => value(
            "software",
            format!("is not what runs, which is {}: leave it out", hex::encode(image)),
        ),
        (_, Some(digest)) | (Some(digest), None) => Ok(digest),
        (None, None) => match std::fs::read("/proc/self/exe") {
            Ok(bytes) => Ok(hash("ippyo/1/linux/software", &[&bytes])),
            Err(error) => value(
                "software",
                format!("this program's file cannot be hashed ({error}): name the hash"),
            ),
        },
    }
}

#[cfg(test)]
mod tests;
