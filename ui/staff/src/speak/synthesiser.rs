//! Who speaks: programs of Debian, one call a clip. They get a text on standard input and give a WAV file on standard output; nothing else of
//! them is trusted.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use panel::audio::Piece;

use super::sound::Sound;
use crate::problem::{Kind, Outcome, Problem};

/// What has to be installed. The Japanese voice is in Debian's component contrib: it is under CC BY 3.0, made with a training program that is not free.
pub const PACKAGES: &str = "open-jtalk open-jtalk-mecab-naist-jdic hts-voice-nitech-jp-atr503-m001 espeak-ng";
/// Words a minute as eSpeak NG counts them: the passage of the tests comes out at 122.6 (V5).
const ESPEAK_SPEED: &str = "100";
/// Speed of Open JTalk: about 270 characters of ordinary text a minute, a tenth under a news reader's 300. Japanese counts no words.
const JTALK_SPEED: &str = "0.8";
/// Longest text that is given at once, in characters: Open JTalk reads 1,024 bytes and drops the rest without a word.
const LONGEST: usize = 200;
/// Longest answer: two minutes at 48 kHz.
const MOST: u64 = 12 << 20;

/// Somebody who speaks.
pub trait Synthesiser: Sync {
    /// Says a text.
    ///
    /// # Errors
    /// The program is missing or fails, or has no voice for the language.
    fn speak(&self, piece: &Piece) -> Outcome<Sound>;
}

/// Open JTalk and eSpeak NG.
#[derive(Clone, Debug)]
pub struct Debian {
    /// Dictionary of Open JTalk.
    pub dictionary: PathBuf,
    /// Its voice.
    pub voice: PathBuf,
}

impl Default for Debian {
    fn default() -> Self {
        Self {
            dictionary: "/var/lib/mecab/dic/open-jtalk/naist-jdic".into(),
            voice: "/usr/share/hts-voice/nitech-jp-atr503-m001/nitech_jp_atr503_m001.htsvoice".into(),
        }
    }
}

impl Synthesiser for Debian {
    fn speak(&self, piece: &Piece) -> Outcome<Sound> {
        let mut out: Option<Sound> = None;
        for part in parts(&piece.text) {
            let sound = if piece.voice == "ja" {
                self.japanese(&part)?
            } else {
                espeak(&piece.voice, &part)?
            };
            match &mut out {
                Some(out) => out.samples.extend(sound.samples),
                None => out = Some(sound),
            }
        }
        out.ok_or_else(|| Problem::new(Kind::Refused, "", "there is nothing to say"))
    }
}

impl Debian {
    /// Whether everything is installed, before a long run begins.
    ///
    /// # Errors
    /// What is missing.
    pub fn ready(&self) -> Outcome<()> {
        for path in [&self.dictionary, &self.voice] {
            if !path.exists() {
                return Err(missing(&path.display().to_string(), "is not there"));
            }
        }
        for (voice, text) in [("ja", "あ"), ("en", "a")] {
            self.speak(&Piece {
                voice: voice.into(),
                text: text.into(),
            })?;
        }
        Ok(())
    }

    fn japanese(&self, text: &str) -> Outcome<Sound> {
        let mut command = Command::new("open_jtalk");
        command.arg("-x").arg(&self.dictionary).arg("-m").arg(&self.voice);
        command.args(["-r", JTALK_SPEED, "-ow", "/dev/stdout"]);
        run(command, text)
    }
}

fn espeak(voice: &str, text: &str) -> Outcome<Sound> {
    let voice = match voice {
        "en" => "en-us",
        "pt" => "pt-br",
        other => other,
    };
    let mut command = Command::new("espeak-ng");
    command.args(["-v", voice, "-s", ESPEAK_SPEED, "-b", "1", "--stdin", "--stdout"]);
    run(command, text)
}

/// A text in parts that are not too long, cut where a speaker would breathe.
fn parts(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut part = String::new();
    for letter in text.chars() {
        part.push(letter);
        let length = part.chars().count();
        let breath = "。！？.!?".contains(letter) && length > LONGEST / 4
            || "、,; ".contains(letter) && length > LONGEST * 3 / 4;
        if breath || length >= LONGEST {
            out.push(std::mem::take(&mut part));
        }
    }
    out.push(part);
    out.retain(|part| part.chars().any(char::is_alphanumeric));
    out
}

fn missing(what: &str, why: &str) -> Problem {
    Problem::new(Kind::Files, what, why).advice(format!("apt-get install {PACKAGES}"))
}

fn run(mut command: Command, text: &str) -> Outcome<Sound> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| missing(&program, &format!("cannot be started or fails ({error})"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A text is shorter than a pipe holds: this cannot wait for a program that waits for us.
        let _ = input.write_all(text.as_bytes()).and_then(|()| input.write_all(b"\n"));
    }
    let mut bytes = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    if !status.success() {
        return Err(missing(&program, &format!("fails ({status})")));
    }
    wav(&bytes).ok_or_else(|| missing(&program, "gives no WAV file of one channel with 16 bits"))
}

/// A WAV file, also one whose length was not known when its head was written.
fn wav(bytes: &[u8]) -> Option<Sound> {
    let rest = bytes.strip_prefix(b"RIFF")?.get(4..)?;
    let mut rest = rest.strip_prefix(b"WAVE")?;
    let mut rate = None;
    loop {
        let (head, after) = rest.split_first_chunk::<8>()?;
        let [a, b, c, d, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        let content = after.get(..length.min(after.len()))?;
        match &[a, b, c, d] {
            b"fmt " => {
                let format: [u8; 16] = content.get(..16)?.try_into().ok()?;
                let [1, 0, 1, 0, r0, r1, r2, r3, _, _, _, _, _, _, 16, 0] = format else {
                    return None;
                };
                rate = Some(u32::from_le_bytes([r0, r1, r2, r3]));
            }
            b"data" => {
                let (samples, _) = content.as_chunks::<2>();
                return Some(Sound {
                    rate: rate.filter(|rate| (8_000..=96_000).contains(rate))?,
                    samples: samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect(),
                });
            }
            _ => {}
        }
        rest = after.get(length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a17_a_long_text_is_cut_where_one_breathes_and_nothing_is_lost() {
        let text = "第一の文です。".repeat(60) + &"ことば、".repeat(120) + &"x".repeat(700);
        let parts = parts(&text);
        assert_eq!(parts.concat(), text);
        assert!(
            parts
                .iter()
                .all(|part| part.chars().count() <= LONGEST && part.len() < 1_000)
        );
        assert_eq!(super::parts("……"), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_sound_is_refused() {
        assert_eq!(wav(b"RIFF"), None);
        assert_eq!(wav(b"RIFF0000WAVEdata\xff\xff\xff\x7f12"), None);
        let mut good =
            b"RIFF0000WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\0\0\0\x02\0\x10\0data\xff\xff\xff\x7f".to_vec();
        good.extend([1, 0, 255, 255, 9]);
        let sound = wav(&good).unwrap();
        assert_eq!((sound.rate, sound.samples), (16_000, vec![1, -1]));
        for cut in 0..good.len() - 5 {
            assert!(wav(&good[..cut]).is_none_or(|sound| sound.samples.is_empty()), "{cut}");
        }
    }
}
