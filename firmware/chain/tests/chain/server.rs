//! The gateway over TCP: kiosks that speak as agreed, and strangers who do not.

use std::io::{Cursor, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chain::Chain;
use chain::gateway::client::{Connection, Gateways};
use chain::gateway::limits::{Limits, Rate};
use chain::gateway::server::{Server, line};
use chain::storage::MemoryStorage;
use election::ledger::frame::{MAX_REPLY, MAX_REQUEST, Reply, Request, read_reply, write_reply, write_request};
use election::ledger::{CommitProof, MAX_TRANSACTION, Raw, Refusal, transaction_hash};

use crate::fixture::{World, batch, key, world};

type Desk = Arc<Mutex<Chain<MemoryStorage>>>;

fn desk(world: &World) -> Desk {
    Arc::new(Mutex::new(
        Chain::in_memory(&world.genesis, world.validators.clone()).unwrap(),
    ))
}

fn server(desk: &Desk, limits: Limits) -> Server {
    Server::start(TcpListener::bind("127.0.0.1:0").unwrap(), desk.clone(), limits).unwrap()
}

fn quick() -> Limits {
    Limits {
        frame_time: Duration::from_millis(300),
        idle_time: Duration::from_millis(600),
        ..Limits::default()
    }
}

fn frame(request: Request<'_>) -> Vec<u8> {
    let mut out = vec![0; MAX_REQUEST];
    write_request(&request, &mut out).unwrap().to_vec()
}

fn connect(address: SocketAddr) -> Connection {
    Connection::new(address, Duration::from_secs(10))
}

fn ask(connection: &mut Connection, request: Request<'_>) -> Vec<u8> {
    connection.exchange(&frame(request)).unwrap()
}

/// Waits until the server has come to an end with all connections.
fn settled(server: &Server) {
    let patience = Instant::now();
    while server.connections() > 0 {
        assert!(patience.elapsed() < Duration::from_secs(20), "a connection stays open");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the peer ends this connection without another byte.
fn ended(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => rest.is_empty(),
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_batch_goes_in_over_tcp_and_its_proof_comes_back() {
    let world = world(4);
    let genesis = world.genesis();
    let desk = desk(&world);
    let server = server(&desk, Limits::default());
    let mut kiosk = connect(server.address());
    for transaction in [
        world.register(&key(1), 1),
        batch(&key(1), 0, [0; 32], &["a", "b"], None).0,
    ] {
        let hash = transaction_hash(&transaction);
        let reply = ask(&mut kiosk, Request::Submit(Raw(&transaction)));
        assert_eq!(read_reply(&reply), Ok(Reply::Accepted(hash)));
        let reply = ask(&mut kiosk, Request::Proof(hash));
        let Ok(Reply::Proof(proof)) = read_reply(&reply) else {
            panic!("no proof")
        };
        proof
            .verify(&genesis.chain_id(), genesis.validators, &transaction)
            .unwrap();
    }
    let reply = ask(&mut kiosk, Request::Tip);
    assert!(matches!(read_reply(&reply), Ok(Reply::Tip { height: 2, .. })));
    // Counted after the reply is out, so the kiosk may be here first.
    let patience = Instant::now();
    while server.counters().answered.load(Ordering::Relaxed) < 5 {
        assert!(patience.elapsed() < Duration::from_secs(20), "an answer is not counted");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.counters().answered.load(Ordering::Relaxed), 5);
    drop(server);
    assert!(
        kiosk.exchange(&frame(Request::Tip)).is_err(),
        "a stopped gateway answers nobody"
    );
}

#[test]
fn the_same_frames_on_a_serial_line() {
    /// Two directions in memory.
    struct Line(Cursor<Vec<u8>>, Vec<u8>);
    impl std::io::Read for Line {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(out)
        }
    }
    impl std::io::Write for Line {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.1.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let world = world(1);
    let desk = desk(&world);
    let register = world.register(&key(1), 1);
    let sent: Vec<u8> = [frame(Request::Submit(Raw(&register))), frame(Request::Tip)]
        .iter()
        .flat_map(|frame| [&u32::try_from(frame.len()).unwrap().to_be_bytes(), &frame[..]].concat())
        .collect();
    let mut wire = Line(Cursor::new(sent.clone()), Vec::new());
    line(&mut wire, &*desk).unwrap();
    let first = u32::from_be_bytes(wire.1[..4].try_into().unwrap()) as usize;
    assert_eq!(
        read_reply(&wire.1[4..4 + first]),
        Ok(Reply::Accepted(transaction_hash(&register)))
    );
    assert!(matches!(
        read_reply(&wire.1[8 + first..]),
        Ok(Reply::Tip { height: 1, .. })
    ));
    // Cut in a frame, and announced longer than any request.
    assert!(line(Line(Cursor::new(sent[..sent.len() - 1].to_vec()), Vec::new()), &*desk).is_err());
    assert!(line(Line(Cursor::new(vec![0xff; 64]), Vec::new()), &*desk).is_err());
}

#[test]
fn a_slow_sender_is_dropped_and_others_are_served_meanwhile() {
    let world = world(1);
    let desk = desk(&world);
    let server = server(&desk, quick());
    let mut slow: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    for (index, stream) in slow.iter_mut().enumerate() {
        // From nothing but a length to half a frame.
        let mut bytes = 1_000u32.to_be_bytes().to_vec();
        bytes.resize(1 + index * 60, 0);
        stream.write_all(&bytes).unwrap();
    }
    let mut kiosk = connect(server.address());
    ask(&mut kiosk, Request::Tip);
    for stream in &mut slow {
        assert!(ended(stream));
    }
    // One that keeps sending a byte now and then does not get more time by it.
    let mut drip = TcpStream::connect(server.address()).unwrap();
    drip.write_all(&1_000u32.to_be_bytes()).unwrap();
    let mut written = 0;
    while drip.write_all(&[0]).is_ok() {
        written += 1;
        assert!(written < 900, "the frame's time has no end");
        std::thread::sleep(Duration::from_millis(20));
    }
    // And who says nothing at all goes after the idle time.
    assert!(ended(&mut TcpStream::connect(server.address()).unwrap()));
    settled(&server);
    assert!(server.counters().dropped.load(Ordering::Relaxed) >= 10);
}

#[test]
fn an_oversized_frame_is_refused_unread() {
    let world = world(1);
    let desk = desk(&world);
    let server = server(&desk, quick());
    for length in [MAX_REQUEST as u32 + 1, u32::MAX] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(&length.to_be_bytes()).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        assert_eq!(read_reply(&reply[4..]), Ok(Reply::Unreadable));
    }
    // The longest frame there may be is read, and refused for what it is.
    let longest = vec![0; MAX_TRANSACTION];
    let reply = ask(&mut connect(server.address()), Request::Submit(Raw(&longest)));
    assert!(matches!(read_reply(&reply), Ok(Reply::Refused(_))));
    settled(&server);
}

#[test]
fn receiving_is_bounded_over_all_connections() {
    let world = world(1);
    let desk = desk(&world);
    let limits = Limits {
        receiving: 100_000,
        receiving_per_address: 100_000,
        frame_time: Duration::from_secs(20),
        ..Limits::default()
    };
    let server = server(&desk, limits);
    let mut streams: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    for stream in &mut streams {
        let mut bytes = 60_000u32.to_be_bytes().to_vec();
        bytes.resize(4 + 40_000, 0);
        // The peer may end the connection in the middle of it.
        let _ = stream.write_all(&bytes);
    }
    let patience = Instant::now();
    while server.counters().dropped.load(Ordering::Relaxed) == 0 {
        assert!(patience.elapsed() < Duration::from_secs(10), "nobody was dropped");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(streams);
    settled(&server);
    // What they held is free again.
    let reply = ask(&mut connect(server.address()), Request::Submit(Raw(&vec![0; 90_000])));
    assert!(matches!(read_reply(&reply), Ok(Reply::Refused(_))));
}

/// Limits of three connections: in all, and from one address.
fn three() -> [Limits; 2] {
    let limits = Limits {
        frame_time: Duration::from_secs(60),
        ..Limits::default()
    };
    [
        Limits {
            connections: 3,
            ..limits
        },
        Limits {
            per_address: 3,
            ..limits
        },
    ]
}

#[test]
fn connections_are_bounded_in_all_and_from_one_address() {
    let world = world(1);
    let desk = desk(&world);
    for limits in three() {
        let server = server(&desk, limits);
        let patience = Instant::now();
        let mut open = loop {
            // Each is in the middle of a frame: none of them is silent.
            let mut open: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
            for stream in &mut open {
                stream.write_all(&1_000u32.to_be_bytes()).unwrap();
            }
            if connect(server.address()).exchange(&frame(Request::Tip)).is_err() {
                break open;
            }
            // One whose first bytes were still on their way made room: again.
            assert!(patience.elapsed() < Duration::from_secs(20), "a fourth one is served");
            drop(open);
            settled(&server);
        };
        assert_eq!(server.connections(), 3);
        open.pop();
        let patience = Instant::now();
        while connect(server.address()).exchange(&frame(Request::Tip)).is_err() {
            assert!(
                patience.elapsed() < Duration::from_secs(20),
                "a place does not get free"
            );
        }
    }
}

#[test]
fn who_is_silent_for_longest_makes_room_and_keeps_nobody_out() {
    let world = world(1);
    let desk = desk(&world);
    for limits in three() {
        let server = server(&desk, limits);
        let mut silent: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
        let patience = Instant::now();
        while server.connections() < 3 {
            assert!(patience.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(5));
        }
        for _ in 0..5 {
            let mut kiosk = connect(server.address());
            for _ in 0..3 {
                assert!(matches!(
                    read_reply(&ask(&mut kiosk, Request::Tip)),
                    Ok(Reply::Tip { .. })
                ));
            }
        }
        assert!(server.connections() <= 3);
        assert!(ended(&mut silent[0]), "the first silent one is still there");
    }
}

#[test]
fn one_address_has_a_share_of_what_is_received() {
    let world = world(1);
    let desk = desk(&world);
    let limits = Limits {
        receiving: 1_000_000,
        receiving_per_address: 100_000,
        frame_time: Duration::from_secs(20),
        ..Limits::default()
    };
    let server = Server::start(TcpListener::bind("0.0.0.0:0").unwrap(), desk.clone(), limits).unwrap();
    let port = server.address().port();
    let mut open: Vec<TcpStream> = (0..4)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    for stream in &mut open {
        let mut bytes = 60_000u32.to_be_bytes().to_vec();
        bytes.resize(4 + 45_000, 0);
        let _ = stream.write_all(&bytes);
    }
    let patience = Instant::now();
    while server.counters().dropped.load(Ordering::Relaxed) == 0 {
        assert!(patience.elapsed() < Duration::from_secs(10), "nobody was dropped");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_large_batch_costs_its_kiosk_what_it_costs_the_validators() {
    let world = world(1);
    let desk = desk(&world);
    for kiosk in [1, 2] {
        desk.lock().unwrap().submit(&world.register(&key(kiosk), 1)).unwrap();
    }
    let limits = Limits {
        batches: Rate {
            burst: 8,
            per_second: 0,
        },
        ..Limits::default()
    };
    let server = server(&desk, limits);
    let mut line = connect(server.address());
    let names: Vec<String> = (0..2_000).map(|entry| entry.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut send = |transaction: &[u8]| {
        let reply = ask(&mut line, Request::Submit(Raw(transaction)));
        read_reply(&reply) == Ok(Reply::Accepted(transaction_hash(transaction)))
    };
    // 400 entries are seven of eight; the next 400 are too many, one entry is not.
    let (large, hash) = batch(&key(1), 0, [0; 32], &names[..400], None);
    assert!(send(&large));
    assert!(!send(&batch(&key(1), 1, hash, &names[..400], None).0));
    assert!(send(&batch(&key(1), 1, hash, &["b"], None).0));
    // More than a whole bucket is given to a kiosk that has taken nothing, once.
    let (larger, hash) = batch(&key(2), 0, [0; 32], &names, None);
    assert!(send(&larger));
    assert!(!send(&batch(&key(2), 1, hash, &["b"], None).0));
}

#[test]
fn a_kiosk_over_its_rate_is_told_so_and_nobody_can_use_up_anothers() {
    let world = world(1);
    let desk = desk(&world);
    for kiosk in [1, 2] {
        desk.lock().unwrap().submit(&world.register(&key(kiosk), 1)).unwrap();
    }
    let limits = Limits {
        batches: Rate {
            burst: 2,
            per_second: 0,
        },
        ..Limits::default()
    };
    let server = server(&desk, limits);
    let mut line = connect(server.address());
    let (first, hash) = batch(&key(1), 0, [0; 32], &["a"], None);
    // Somebody without the key sends forged batches of kiosk 1: they are refused, and cost kiosk 1 nothing.
    let mut forged = first.clone();
    *forged.last_mut().unwrap() ^= 1;
    for _ in 0..10 {
        let reply = ask(&mut line, Request::Submit(Raw(&forged)));
        assert_eq!(read_reply(&reply), Ok(Reply::Refused(Refusal::Signature)));
    }
    let (second, hash_of_second) = batch(&key(1), 1, hash, &["b"], None);
    let reply = ask(&mut line, Request::Submit(Raw(&first)));
    assert_eq!(read_reply(&reply), Ok(Reply::Accepted(transaction_hash(&first))));
    // Decided batches are public. Whoever repeats one gets the answer again, and costs kiosk 1 nothing.
    for _ in 0..10 {
        let reply = ask(&mut line, Request::Submit(Raw(&first)));
        assert_eq!(read_reply(&reply), Ok(Reply::Accepted(transaction_hash(&first))));
    }
    let reply = ask(&mut line, Request::Submit(Raw(&second)));
    assert_eq!(read_reply(&reply), Ok(Reply::Accepted(transaction_hash(&second))));
    let (third, _) = batch(&key(1), 2, hash_of_second, &["c"], None);
    let reply = ask(&mut line, Request::Submit(Raw(&third)));
    assert_eq!(read_reply(&reply), Ok(Reply::Unavailable));
    // The other kiosk, over the same connection, has its own share.
    let (other, _) = batch(&key(2), 0, [0; 32], &["c"], None);
    let reply = ask(&mut line, Request::Submit(Raw(&other)));
    assert_eq!(read_reply(&reply), Ok(Reply::Accepted(transaction_hash(&other))));
    assert_eq!(server.counters().limited.load(Ordering::Relaxed), 1);
}

#[test]
fn an_address_over_its_rate_is_told_so() {
    let world = world(1);
    let desk = desk(&world);
    let limits = Limits {
        requests: Rate {
            burst: 3,
            per_second: 0,
        },
        ..Limits::default()
    };
    let server = server(&desk, limits);
    let mut line = connect(server.address());
    for _ in 0..3 {
        assert!(matches!(
            read_reply(&ask(&mut line, Request::Tip)),
            Ok(Reply::Tip { .. })
        ));
    }
    assert_eq!(read_reply(&ask(&mut line, Request::Tip)), Ok(Reply::Unavailable));
}

/// A gateway that answers every request in the same words.
struct Liar(Vec<u8>);

impl chain::gateway::Desk for Liar {
    fn signer(&self, _: &[u8]) -> Option<[u8; 32]> {
        None
    }
    fn answer(&self, _: &[u8], reply: &mut [u8; MAX_REPLY]) -> usize {
        reply[..self.0.len()].copy_from_slice(&self.0);
        self.0.len()
    }
}

#[test]
fn with_several_gateways_dead_lying_and_refusing_ones_are_passed_over() {
    let world = world(4);
    let genesis = world.genesis();
    let desk = desk(&world);
    let honest = server(&desk, Limits::default());
    let register = world.register(&key(1), 1);
    let liar = |reply: Reply<'_>| {
        let mut out = vec![0; MAX_REPLY];
        let used = write_reply(&reply, &mut out).unwrap().to_vec();
        Server::start(
            TcpListener::bind("127.0.0.1:0").unwrap(),
            Arc::new(Liar(used)),
            Limits::default(),
        )
        .unwrap()
    };
    // A proof of something else, decided by the right validators.
    let foreign = {
        let mut chain = desk.lock().unwrap();
        let other = world.register(&key(9), 1);
        chain.submit(&other).unwrap();
        chain.proof(&transaction_hash(&other)).unwrap()
    };
    let liars = [
        liar(Reply::Proof(foreign.view())),
        liar(Reply::Refused(Refusal::Revoked)),
        liar(Reply::Unavailable),
        liar(Reply::Accepted([0; 32])),
        liar(Reply::Tip {
            height: 9,
            block: [9; 32],
        }),
    ];
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut addresses: Vec<SocketAddr> = liars.iter().map(Server::address).collect();
    addresses.extend([dead, honest.address()]);
    let mut gateways = Gateways::new(&world.genesis, &addresses, Duration::from_secs(10)).unwrap();
    let hash = transaction_hash(&register);
    let reply = gateways.exchange(&frame(Request::Submit(Raw(&register)))).unwrap();
    assert_eq!(read_reply(&reply), Ok(Reply::Accepted(hash)));
    // However often it asks: the honest one's answer is found, and its queue is not full of questions that liars have answered.
    for _ in 0..20 {
        let reply = gateways.exchange(&frame(Request::Proof(hash))).unwrap();
        assert!(matches!(read_reply(&reply), Ok(Reply::Proof(_))));
    }
    let reply = gateways.exchange(&frame(Request::Change(1)));
    assert_eq!(reply.map(|reply| read_reply(&reply) == Ok(Reply::NotYet)), Some(true));
    let reply = gateways.exchange(&frame(Request::Proof(hash))).unwrap();
    let Ok(Reply::Proof(proof)) = read_reply(&reply) else {
        panic!("no proof")
    };
    let check = |proof: &CommitProof<'_>| proof.verify(&genesis.chain_id(), genesis.validators, &register);
    assert_eq!(check(&proof), Ok(()));
    assert!(check(&foreign.view()).is_err());
    // All of them lie: no proof comes out.
    let mut gateways = Gateways::new(&world.genesis, &addresses[..6], Duration::from_secs(2)).unwrap();
    let _ = gateways.exchange(&frame(Request::Submit(Raw(&register))));
    let reply = gateways.exchange(&frame(Request::Proof(hash)));
    assert!(reply.is_none_or(|reply| !matches!(read_reply(&reply), Ok(Reply::Proof(_) | Reply::Accepted(_)))));
    // Nobody is there.
    let mut gateways = Gateways::new(&world.genesis, &[dead], Duration::from_secs(10)).unwrap();
    assert_eq!(gateways.exchange(&frame(Request::Tip)), None);
}
