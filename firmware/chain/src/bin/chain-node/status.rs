//! `status`: how far the chain is, as gateways say.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use chain::gateway::client::Connection;
use election::ledger::frame::{Reply, Request, read_reply, write_request};
use serde_json::json;

use crate::outcome::Outcome;

/// The first address of HOST:PORT.
pub fn resolve(gateway: &str) -> Result<SocketAddr, String> {
    let mut all = gateway.to_socket_addrs().map_err(|_| "is no host:port")?;
    all.next().ok_or_else(|| "is no host:port".into())
}

fn tip(gateway: &str) -> Result<(u64, String), String> {
    let address = resolve(gateway)?;
    let mut buffer = [0; 16];
    let request = write_request(&Request::Tip, &mut buffer).map_err(|error| error.to_string())?;
    let reply = Connection::new(address, Duration::from_secs(5))
        .exchange(request)
        .map_err(|error| error.to_string())?;
    match read_reply(&reply) {
        Ok(Reply::Tip { height, block }) => Ok((height, hex::encode(block))),
        _ => Err("gives the wrong kind of answer".into()),
    }
}

/// How far the chains of these gateways are.
pub fn status(gateways: &[String]) -> Outcome {
    let mut list = Vec::new();
    let mut text = String::new();
    let mut code = 0;
    for gateway in gateways {
        match tip(gateway) {
            Ok((height, block)) => {
                text.push_str(&format!("{gateway}: height {height}, block {block}\n"));
                list.push(json!({ "gateway": gateway, "height": height, "block": block }));
            }
            Err(error) => {
                code = 1;
                text.push_str(&format!("{gateway}: {error}\n"));
                list.push(json!({ "gateway": gateway, "error": error }));
            }
        }
    }
    Ok((json!({ "gateways": list }), text, code))
}
