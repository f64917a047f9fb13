//! `change`: the validators change.

use std::time::Duration;

use chain::engine::change::{self, ChangeError};
use chain::engine::config::Folder;
use chain::gateway::client::Gateways;
use serde_json::json;

use crate::arguments::{At, Change};
use crate::outcome::{Failure, Outcome, setting};
use crate::status::resolve;

impl At {
    fn connect(&self) -> Result<Gateways, Failure> {
        let genesis = std::fs::read(&self.genesis).map_err(|error| Failure::file(&self.genesis, error))?;
        let addresses = self
            .gateways
            .iter()
            .map(|gateway| resolve(gateway).map_err(|error| setting(format!("{gateway} {error}"))))
            .collect::<Result<Vec<_>, _>>()?;
        Gateways::new(&genesis, &addresses, Duration::from_secs(10))
            .map_err(|error| Failure::file(&self.genesis, error))
    }
}

fn keys(list: &[String]) -> Result<Vec<[u8; 33]>, Failure> {
    list.iter()
        .map(|text| {
            let mut key = [0; 33];
            hex::decode_to_slice(text, &mut key)
                .map_err(|_| setting(format!("{text} is no validator key (66 hex digits)")))?;
            Ok(key)
        })
        .collect()
}

fn change_failed(error: ChangeError) -> Failure {
    Failure(1, error.to_string())
}

impl Change {
    pub fn run(&self) -> Outcome {
        match self {
            Self::Make {
                out,
                at,
                join,
                leave,
                blocks,
            } => {
                let file =
                    change::make(&mut at.connect()?, &keys(join)?, &keys(leave)?, *blocks).map_err(change_failed)?;
                std::fs::OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .open(out)
                    .and_then(|mut out| std::io::Write::write_all(&mut out, &file))
                    .map_err(|error| Failure::file(out, error))?;
                shown(&file)
            }
            Self::Sign { file, folder, at } => {
                let bytes = std::fs::read(file).map_err(|error| Failure::file(file, error))?;
                let key = Folder::new(folder).validator_key().map_err(setting)?;
                let signed = change::sign(&mut at.connect()?, &key, &bytes).map_err(change_failed)?;
                std::fs::write(file, &signed).map_err(|error| Failure::file(file, error))?;
                shown(&signed)
            }
            Self::Send { file, at } => {
                let bytes = std::fs::read(file).map_err(|error| Failure::file(file, error))?;
                let height = change::send(&mut at.connect()?, &bytes, 6).map_err(change_failed)?;
                let (value, text, code) = shown(&bytes)?;
                Ok((
                    json!({ "height": height, "change": value }),
                    format!("decided in block {height}\n{text}"),
                    code,
                ))
            }
        }
    }
}

/// What a change says, for whoever is to sign it.
fn shown(file: &[u8]) -> Outcome {
    let (body, signatures) = change::read(file).map_err(change_failed)?;
    let keys: Vec<String> = body.validators.as_bytes().chunks(33).map(hex::encode).collect();
    let signed: Vec<u8> = signatures.iter().map(|one| one.validator).collect();
    let text = format!(
        "change {} of the validators of chain {}\nfrom block {} on these {} decide:\n  {}\nsigned so far by validators {signed:?} of those before",
        body.number,
        hex::encode(body.chain),
        body.from,
        keys.len(),
        keys.join("\n  "),
    );
    let value = json!({ "number": body.number, "chain": hex::encode(body.chain), "from": body.from, "validators": keys, "signed": signed });
    Ok((value, text, 0))
}
