//! The uplink: postcard frames over TCP to chain gateways, behind their length (u32, big-endian), as SPEC.md section 9 has them.
//!
//! Not encrypted and not authenticated: everything in a frame is public or signed, and no answer is believed without its proof. A statutory
//! kiosk has no value of this type.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use election::ledger::frame::MAX_REPLY;
use kiosk::ports::{Uplink, UplinkError};

use crate::log::Log;
use crate::worker::Worker;

/// How long a gateway may take to take a connection.
const CONNECT: Duration = Duration::from_secs(4);
/// How long it may take for an answer.
const ANSWER: Duration = Duration::from_secs(15);
/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;

struct Line {
    gateways: Vec<String>,
    /// The gateway in use.
    current: usize,
    stream: Option<TcpStream>,
    log: Log,
}

/// The port.
pub struct TcpUplink {
    worker: Worker<Line>,
}

impl TcpUplink {
    /// Gateways as `host:port`, tried in turn. Nothing is sent before the first question.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(gateways: &[String], log: Log) -> io::Result<Self> {
        let line = Line {
            gateways: gateways.to_vec(),
            current: 0,
            stream: None,
            log,
        };
        Ok(Self {
            worker: Worker::new("uplink", line)?,
        })
    }
}

impl Uplink for TcpUplink {
    async fn exchange(&mut self, request: &[u8], reply: &mut [u8]) -> Result<usize, UplinkError> {
        let request = request.to_vec();
        let answer = self.worker.run(move |line| line.ask(&request)).await;
        let answer = answer.flatten().ok_or(UplinkError)?;
        let place = reply.get_mut(..answer.len()).ok_or(UplinkError)?;
        place.copy_from_slice(&answer);
        Ok(answer.len())
    }
}

impl Line {
    /// One question to one gateway; the next question goes to the next one if it failed.
    fn ask(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let gateway = self.gateways.get(self.current)?.clone();
        match self.exchange(&gateway, request) {
            Ok(reply) => {
                self.log.say(&format!("gateway {gateway} answers"));
                Some(reply)
            }
            Err(error) => {
                self.log.say(&format!("gateway {gateway}: {error}"));
                self.stream = None;
                self.current = (self.current + 1) % self.gateways.len().max(1);
                None
            }
        }
    }

    fn exchange(&mut self, gateway: &str, request: &[u8]) -> io::Result<Vec<u8>> {
        if self.stream.is_none() {
            self.stream = Some(connect(gateway)?);
        }
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let length = u32::try_from(request.len()).map_err(io::Error::other)?;
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(request)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_REPLY {
            return Err(io::Error::other("an answer longer than any may be"));
        }
        let mut reply = vec![0; length];
        stream.read_exact(&mut reply)?;
        Ok(reply)
    }
}

fn connect(gateway: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("no such host");
    for address in gateway.to_socket_addrs()?.take(ADDRESSES) {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use embassy_futures::block_on;
    use std::net::TcpListener;

    /// A gateway that answers each question with what `answer` makes of it, and hangs up after that many.
    fn gateway(questions: usize, answer: fn(&[u8]) -> Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in 0..questions {
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut request).unwrap();
                stream.write_all(&answer(&request)).unwrap();
            }
        });
        address
    }

    fn framed(bytes: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        frame.extend(bytes);
        frame
    }

    #[test]
    fn f1_a_dead_gateway_is_passed_over_for_the_next_one() {
        let dead = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().to_string()
        };
        let live = gateway(2, |request| framed(&[request, b"!"].concat()));
        let mut uplink = TcpUplink::new(&[dead, live], Log::silent()).unwrap();
        let mut reply = [0; 16];
        assert_eq!(block_on(uplink.exchange(b"one", &mut reply)), Err(UplinkError));
        assert_eq!(block_on(uplink.exchange(b"two", &mut reply)), Ok(4));
        assert_eq!(&reply[..4], b"two!");
        assert_eq!(block_on(uplink.exchange(b"three", &mut reply)), Ok(6));
        // It has hung up: an error, and no hang.
        assert_eq!(block_on(uplink.exchange(b"four", &mut reply)), Err(UplinkError));
    }

    #[test]
    fn an_answer_without_end_or_without_room_is_refused() {
        let endless = gateway(1, |_| u32::MAX.to_be_bytes().to_vec());
        let mut uplink = TcpUplink::new(&[endless], Log::silent()).unwrap();
        assert_eq!(block_on(uplink.exchange(b"x", &mut [0; 16])), Err(UplinkError));
        let long = gateway(1, |_| framed(&[0; 100]));
        let mut uplink = TcpUplink::new(&[long], Log::silent()).unwrap();
        assert_eq!(block_on(uplink.exchange(b"x", &mut [0; 16])), Err(UplinkError));
    }
}
