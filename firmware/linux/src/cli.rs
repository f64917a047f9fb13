//! The command line: run the kiosk, or say what is wrong with a configuration.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::machine::Standing;
use crate::{input, medium, network, program, repair, update, usb};

/// Set for the graphics library: a pixel of the configuration is a pixel of the panel, whatever the display says of itself.
const SCALE: &str = "SLINT_SCALE_FACTOR";
/// The one renderer that is tried pixel by pixel, unless somebody wants another.
const BACKEND: &str = "SLINT_BACKEND";
const RENDERER: &str = if cfg!(feature = "kms") {
    "linuxkms-software"
} else {
    "winit-software"
};

/// The voting kiosk on embedded Linux.
#[derive(Parser)]
#[command(
    name = "linux",
    version,
    subcommand_negates_reqs = true,
    about = "The voting kiosk on embedded Linux: touch panel, PC/SC card reader, two ballot-box media",
    after_help = "Exit codes: 0 closed, or ended when told to; 1 ended while out of order; 2 bad call or configuration; 3 a part of the machine \
                  cannot be had (display, device, folder)."
)]
struct Cli {
    /// The device configuration, TOML
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    check: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Checks a configuration and says what of it is there; starts nothing
    CheckConfig {
        /// The device configuration, TOML
        file: PathBuf,
    },
    /// Writes updates of the image, for one kiosk on standard input and output; started by the image when the kiosk asks
    Updater {
        /// The device configuration, TOML
        file: PathBuf,
    },
    /// Exit code 0 if this software is on trial and has not come up, else 1; on 0 the image starts the machine again
    Trial {
        /// Where the partition for starting is mounted
        starting: PathBuf,
    },
    /// After a trial that failed: gives way to the software before if nobody counts tries; started by the image, as root
    GiveWay {
        /// Where the partition for starting is mounted, to be written
        starting: PathBuf,
    },
    /// Lets in an input device that was shut out or kept still, if it is the keypad or the touch panel that the configuration names; started by the
    /// image for each
    LetIn {
        /// The device configuration, TOML
        file: PathBuf,
        /// A USB interface or an input device, as the kernel names it: `1-2:1.0`, `input7`
        device: String,
    },
    /// Gives the image's network card its address and opens the firewall to the gateways; started by the image, before the kiosk
    Network {
        /// The device configuration, TOML
        file: PathBuf,
        /// Only says, by exit code 0 or 1, whether the configuration has a network
        #[arg(long)]
        wanted: bool,
    },
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match (cli.check, cli.config) {
        (Some(Command::CheckConfig { file }), _) => check(&file),
        (Some(Command::Updater { file }), _) => {
            read(&file).map_or_else(|code| code, |config| update::program::updater(&config))
        }
        (Some(Command::Trial { starting }), _) => update::program::trial(&starting),
        (Some(Command::GiveWay { starting }), _) => update::program::give_way(&starting),
        (Some(Command::LetIn { file, device }), _) => let_in(&file, &device),
        (Some(Command::Network { file, wanted }), _) => network(&file, wanted),
        (None, Some(file)) => start(&file),
        (None, None) => ExitCode::from(2),
    }
}

fn read(file: &Path) -> Result<Config, ExitCode> {
    Config::read(file).map_err(|error| {
        eprintln!("{}: {error}", file.display());
        ExitCode::from(2)
    })
}

fn start(file: &Path) -> ExitCode {
    if std::env::var_os(SCALE).is_none() {
        return again();
    }
    let unseen = |shown: Result<(), program::StartError>| {
        if let Err(error) = shown {
            eprintln!("nobody sees it: {error}");
        }
    };
    let config = match Config::read(file) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            if repair::wanted() {
                unseen(repair::config(file, &error));
            }
            return ExitCode::from(2);
        }
    };
    match program::run(config) {
        Ok(Standing::Running | Standing::Closed) => ExitCode::SUCCESS,
        Ok(Standing::OutOfOrder) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            if repair::wanted() {
                unseen(repair::part(file, &error));
            }
            ExitCode::from(3)
        }
    }
}

/// An input device is there, and nobody hears of it: is it one that the configuration names?
fn let_in(file: &Path, device: &str) -> ExitCode {
    #[cfg(feature = "sound")]
    let goes_through = crate::keypad::goes_through;
    #[cfg(not(feature = "sound"))]
    let goes_through = |_: &[u16]| false;
    let config = match read(file) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let let_in = if input::is_input(device) {
        input::let_go(Path::new(input::INPUTS), &config, device, goes_through)
    } else {
        usb::let_in(Path::new(usb::DEVICES), &config, device)
    };
    match let_in {
        Ok(Some(which)) => eprintln!("{device} is {which}"),
        Ok(None) => eprintln!("{device} is nothing that the configuration names: nobody hears of it"),
        Err(error) => {
            eprintln!("{device} is not let in: {error}");
            return ExitCode::from(3);
        }
    }
    ExitCode::SUCCESS
}

fn network(file: &Path, wanted: bool) -> ExitCode {
    let config = match read(file) {
        Ok(config) => config,
        Err(code) => return code,
    };
    if wanted {
        return ExitCode::from(u8::from(config.gateways.is_empty()));
    }
    match network::up(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
    }
}

/// Starts this program again in this process with the environment that the graphics library reads; a process cannot safely change its own.
fn again() -> ExitCode {
    let mut command = std::process::Command::new("/proc/self/exe");
    command.args(std::env::args_os().skip(1)).env(SCALE, "1");
    if std::env::var_os(BACKEND).is_none() {
        command.env(BACKEND, RENDERER);
    }
    let error = command.exec();
    eprintln!("this program cannot be started again: {error}");
    ExitCode::from(3)
}

fn check(file: &Path) -> ExitCode {
    let config = match read(file) {
        Ok(config) => config,
        Err(code) => return code,
    };
    println!("{} holds", file.display());
    println!("  station     {}", config.station);
    println!("  authority   {}", hex::encode(config.authority));
    println!("  software    {}", hex::encode(config.software));
    println!("  state       {}", there(&config.state, "will be made"));
    let exchange = config.exchange.as_deref();
    println!(
        "  exchange    {}",
        exchange.map_or_else(
            || "none: package and secret have to lie in the state folder".into(),
            |path| there(path, "not there now")
        )
    );
    for (name, path) in [
        ("original", &config.media.original),
        ("duplicate", &config.media.duplicate),
    ] {
        let found = medium::find(path).map_or_else(|why| format!("{why} now"), |path| path.display().to_string());
        println!("  {name:<11} {found}");
    }
    match card::pcsc::names() {
        Err(_) => println!("  reader      no PC/SC daemon runs now"),
        Ok(names) => {
            let wanted = |name: &&String| config.reader.as_ref().is_none_or(|part| name.contains(part.as_str()));
            match names.iter().find(wanted) {
                Some(name) => println!("  reader      {name}"),
                None => println!("  reader      not there now; there are: {}", names.join(", ")),
            }
        }
    }
    if config.gateways.is_empty() {
        println!("  uplink      none: batches leave on the medium");
    } else {
        println!("  uplink      {}", config.gateways.join(", "));
    }
    let device = |path: Option<&Path>| path.map_or_else(|| "none".into(), |path| there(path, "not there"));
    println!(
        "  lamp        {}",
        device(config.signals.as_ref().map(|signals| signals.chip.as_path()))
    );
    println!("  watchdog    {}", device(config.watchdog.as_deref()));
    for (name, plugged, keyboard) in [("keypad", &config.keypad, true), ("touch", &config.touch, false)] {
        let Some(plugged) = plugged else { continue };
        let found = usb::hids(Path::new(usb::DEVICES));
        let there = found.iter().any(|one| one.is_keyboard() == keyboard && one.is(plugged));
        let found = if there { "" } else { " (not there)" };
        println!("  {name:<11} {} in {}{found}", plugged.usb, plugged.port);
    }
    println!(
        "  randomness  the kernel's; second source: {}",
        device(config.second.as_deref())
    );
    match config.tpm.as_deref() {
        Some(path) if path.exists() => println!("  keys        sealed by the TPM {}", path.display()),
        Some(path) => println!(
            "  keys        unprotected: {} is not there; the zero report says so",
            path.display()
        ),
        None => println!("  keys        unprotected but for the mode of their file; the zero report says so"),
    }
    ExitCode::SUCCESS
}

fn there(path: &Path, otherwise: &str) -> String {
    if path.exists() {
        path.display().to_string()
    } else {
        format!("{} ({otherwise})", path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["linux"]).is_err());
        assert!(Cli::try_parse_from(["linux", "--config", "a"]).is_ok());
        assert!(Cli::try_parse_from(["linux", "check-config", "a"]).is_ok());
        assert!(Cli::try_parse_from(["linux", "check-config"]).is_err());
    }
}
