//! What people give to `card`: days, PINs, management keys. A PIN comes from a file, from standard input or from a terminal that does not show
//! it; never from an argument, which other programs on the machine can read.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::time::SystemTime;

use card::issue::{Cipher, ManagementKey};
use card::{Date, Pin};
use zeroize::Zeroizing;

use crate::files;
use crate::problem::{Kind, Outcome, Problem};

/// Longest file with a PIN or a key.
const LONGEST: u64 = 256;

pub(super) fn date(at: &str, day: u32) -> Outcome<Date> {
    Date::new(day).ok_or_else(|| Problem::new(Kind::Usage, at, format!("there is no day {day}; write YYYYMMDD")))
}

/// Today in UTC (Howard Hinnant, chrono-compatible low-level date algorithms, `civil_from_days`).
pub(super) fn today() -> Outcome<Date> {
    let wrong = || Problem::new(Kind::Usage, "--day", "this machine's clock is wrong: say which day");
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|_| wrong())?;
    let z = since.as_secs() / 86_400 + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    u32::try_from(year * 10_000 + month * 100 + day)
        .ok()
        .and_then(Date::new)
        .ok_or_else(wrong)
}

pub(super) fn management_key(text: &str) -> Outcome<ManagementKey> {
    let wrong = || {
        Problem::new(Kind::Malformed, "--management-key", "is no management key")
            .advice("write 3des, aes128, aes192 or aes256 and the key in hex into the file; or say factory-3des, factory-aes192")
    };
    let factory = |cipher| ManagementKey::factory(cipher).ok_or_else(wrong);
    match text {
        "factory-3des" => return factory(Cipher::Tdes),
        "factory-aes192" => return factory(Cipher::Aes192),
        _ => {}
    }
    let bytes = Zeroizing::new(files::read(Path::new(text), LONGEST)?);
    let mut words = bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let cipher = match words.next() {
        Some(b"3des") => Cipher::Tdes,
        Some(b"aes128") => Cipher::Aes128,
        Some(b"aes192") => Cipher::Aes192,
        Some(b"aes256") => Cipher::Aes256,
        _ => return Err(wrong()),
    };
    let mut key = Zeroizing::new([0; 32]);
    let place = key.get_mut(..cipher.key_len()).ok_or_else(wrong)?;
    let digits = words.next().filter(|_| words.next().is_none()).ok_or_else(wrong)?;
    hex::decode_to_slice(digits, place).map_err(|_| wrong())?;
    ManagementKey::new(cipher, place).map_err(|_| wrong())
}

/// A PIN from a file, from a line of standard input (`-`), or typed without being shown.
pub(super) fn read_pin(path: Option<&Path>, what: &str) -> Outcome<Pin> {
    let text = match path {
        Some(path) if path.as_os_str() == "-" => line()?,
        Some(path) => Zeroizing::new(files::read(path, LONGEST)?),
        None => ask(what)?,
    };
    Pin::new(text.trim_ascii()).map_err(|error| Problem::new(Kind::Usage, what, error))
}

/// A line of standard input, byte by byte, so that the next one stays there for whoever wants it.
fn line() -> Outcome<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    let mut one = [0];
    let mut stdin = std::io::stdin();
    while bytes.len() < 64 {
        let read = stdin
            .read(&mut one)
            .map_err(|error| Problem::new(Kind::Files, "standard input", error))?;
        if read == 0 || one == *b"\n" {
            break;
        }
        bytes.push(one[0]);
    }
    Ok(bytes)
}

fn ask(what: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(
            Problem::new(Kind::Usage, what, "cannot be asked for: this is no terminal")
                .advice("give a file, or - for standard input"),
        );
    }
    eprint!("{what}: ");
    let failed = |error| Problem::new(Kind::Files, "terminal", error);
    let before = tcgetattr(&stdin).map_err(failed)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(failed)?;
    let text = line();
    let restored = tcsetattr(&stdin, OptionalActions::Flush, &before).map_err(failed);
    eprintln!();
    restored.and(text)
}

pub(super) fn same(first: &Pin, second: &Pin) -> Outcome<()> {
    if first.is(second) {
        Ok(())
    } else {
        Err(Problem::new(
            Kind::Usage,
            "new PIN",
            "was typed differently the second time",
        ))
    }
}
