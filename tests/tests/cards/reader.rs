//! The card room's own reader ([`card::pcsc`]) over a real daemon: both kinds of cards, and what people do to it.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::{Duration, Instant};

use card::pcsc::{Content, Reader, ReaderError, slots};
use card::x509::X509;
use card::{
    Card, CardError, CardPublicKey, CertificateVerifier as _, Date, KeyUse, MAX_OBJECT, Pin, Slot, Transmit as _,
    TransmitError,
};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use election::tag::{jpki_message, piv_point};
use host_sim::cards::{CardAuthority, Chip, Days, Fault, JpkiAuthority, Misbehaving, VirtualJpki, VirtualPiv};
use tempfile::TempDir;
use tests::pcscd::{Pcscd, SOCKET};

use super::booth::HANDS;
use super::opensc::OpenSc;

pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub fn days() -> Days {
    Days::new(20_250_401, 20_350_331).unwrap()
}

fn municipality() -> CardAuthority {
    CardAuthority::new("加賀市 認証局", days(), &mut rng(1)).unwrap()
}

pub fn piv(seed: u64) -> VirtualPiv {
    municipality().issue_voter("123456", days(), &mut rng(seed)).unwrap()
}

pub fn ministry() -> JpkiAuthority {
    JpkiAuthority::new("公的個人認証 試験認証局", days(), &mut rng(1)).unwrap()
}

type AnyChip = Box<dyn Chip + Send>;

/// Runs a future on this thread, which sleeps until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    within(Duration::from_secs(600), future).expect("ten minutes")
}

/// As [`block_on`], for so long.
fn within<F: Future>(patience: Duration, future: F) -> Option<F::Output> {
    let start = Instant::now();
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return Some(value),
            Poll::Pending if start.elapsed() > patience => return None,
            Poll::Pending => std::thread::park_timeout(patience),
        }
    }
}

/// The daemon is found by an environment variable, which a test cannot set for itself: the rest of such a test runs in a child process.
/// `None` in the parent, after the child has ended well.
fn in_child(name: &str) -> Option<PathBuf> {
    if let Some(socket) = std::env::var_os("IPPYO_TEST_CHILD").and(std::env::var_os(SOCKET)) {
        return Some(PathBuf::from(socket).parent().unwrap().to_path_buf());
    }
    let folder = TempDir::new().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("reader::{name}"), "--nocapture"])
        .env("IPPYO_TEST_CHILD", "1")
        .env(SOCKET, folder.path().join("comm"))
        .status()
        .unwrap();
    assert!(status.success(), "{name}: {status}");
    None
}

/// What a kiosk does with a voter's card, over PC/SC; the bytes that make the pseudonym.
async fn admit(reader: &mut Reader, pin: &[u8], authority: &[u8]) -> Result<Vec<u8>, CardError> {
    let eh = [7; 32];
    let mut buffer = [0; MAX_OBJECT];
    let mut rng = rng(99);
    let day = Date::new(20_261_103).unwrap();
    let judge = |certificate: &[u8], usage| {
        X509.verify(certificate, &mut std::iter::once(authority), usage, day)
            .map_err(|_| CardError::Malformed)
    };
    let mut card = Card::select(reader).await?;
    assert_eq!(card.tries_left().await?, 3);
    card.verify(&Pin::new(pin).unwrap()).await?;
    let bytes = match &mut card {
        Card::Piv(piv) => {
            let key = judge(piv.certificate(Slot::KeyManagement, &mut buffer).await?, KeyUse::Agree)?;
            let point = piv
                .shared_point(piv_point(&eh).unwrap().affine(), &key, &mut rng)
                .await?;
            format!("{point:?}").into_bytes()
        }
        Card::Jpki(jpki) => {
            let key = judge(jpki.certificate(&mut buffer).await?, KeyUse::Sign)?;
            jpki.prove(&key, &X509, &mut rng).await?;
            jpki.unique_signature(&jpki_message(&eh), &key, &X509).await?.to_vec()
        }
        _ => panic!("another profile"),
    };
    card.forget().await?;
    Ok(bytes)
}

/// As fast as hands take one card out and put the next one in, and no faster than the daemon sees the empty slot between them.
fn hands() {
    std::thread::sleep(HANDS);
    let start = Instant::now();
    while slots().is_ok_and(|slots| slots.iter().any(|(_, content)| *content != Content::Empty)) {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "the daemon still sees a card"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits for a card, also through the time in which the reader is not there.
async fn inserted(reader: &mut Reader) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(120) {
        match reader.wait_insert().await {
            Ok(()) => return,
            Err(ReaderError::Gone) => std::thread::sleep(Duration::from_millis(200)),
            Err(ReaderError::Mute) => panic!("a mute card"),
        }
    }
    panic!("no card");
}

#[test]
fn f8_our_reader_admits_both_kinds_and_survives_what_people_do_to_it() {
    let Some(folder) = in_child("f8_our_reader_admits_both_kinds_and_survives_what_people_do_to_it") else {
        return;
    };
    let mut pcscd = Pcscd::start(&folder).unwrap();
    let mut reader = Reader::open(None).unwrap();
    let (municipality, ministry) = (municipality(), ministry());
    let jpki = |seed| -> VirtualJpki { ministry.issue("1234", days(), &mut rng(seed)).unwrap() };

    // Both kinds, twice each: the same person each time.
    let mut pseudonyms = Vec::new();
    for round in 0..2 {
        let cards: [(AnyChip, &[u8], &[u8]); 2] = [
            (Box::new(piv(7)), b"123456", municipality.certificate()),
            (Box::new(jpki(8)), b"1234", ministry.certificate()),
        ];
        for (chip, pin, authority) in cards {
            let held = pcscd.insert(0, chip).unwrap();
            block_on(inserted(&mut reader));
            let start = Instant::now();
            pseudonyms.push(block_on(admit(&mut reader, pin, authority)).unwrap());
            println!(
                "admission {round} over PC/SC: {:.1} ms",
                start.elapsed().as_secs_f64() * 1e3
            );
            block_on(reader.power_down());
            held.pull().unwrap();
            block_on(reader.wait_removed());
        }
    }
    assert_eq!(pseudonyms[..2], pseudonyms[2..]);
    assert_ne!(pseudonyms[0], pseudonyms[1]);

    // A verified PIN does not outlive power_down, and nobody else gets at a card that we hold.
    let held = pcscd.insert(0, piv(7)).unwrap();
    block_on(async {
        inserted(&mut reader).await;
        let mut card = Card::select(&mut reader).await.unwrap();
        card.verify(&Pin::new(b"123456").unwrap()).await.unwrap();
        let opensc = OpenSc {
            pcscd: &pcscd,
            folder: &folder,
            driver: "PIV-II",
        };
        assert_ne!(
            opensc.say("pkcs15-tool", &["--dump"]).code,
            Some(0),
            "another program reads a card in use"
        );
        reader.power_down().await;
        assert_eq!(
            reader.transmit(&[0, 0x20, 0, 0x80], &mut [0; 258]).await,
            Err(TransmitError::Removed),
            "a card without power answers nothing"
        );
        inserted(&mut reader).await;
        let Card::Piv(mut piv) = Card::select(&mut reader).await.unwrap() else {
            panic!("not PIV")
        };
        assert_eq!(piv.sign(&[1; 32]).await, Err(CardError::PinRequired));
        reader.power_down().await;
    });
    held.pull().unwrap();
    block_on(reader.wait_removed());

    // Pulled out in the middle: an error that says so, and the next card works. (From the seventh command on the card is only told to
    // forget; whoever pulls it then has been admitted.)
    for after in [1, 3, 5] {
        let held = pcscd
            .insert(0, Misbehaving::new(piv(7), Fault::RemovedAfter(after)))
            .unwrap();
        block_on(async {
            inserted(&mut reader).await;
            let error = admit(&mut reader, b"123456", municipality.certificate())
                .await
                .unwrap_err();
            println!("pulled out after {after} commands: {error}");
            assert_eq!(error, CardError::Transmit(TransmitError::Removed));
            reader.power_down().await;
            reader.wait_removed().await;
        });
        held.pull().unwrap();
        hands();
    }
    let held = pcscd.insert(0, piv(7)).unwrap();
    block_on(inserted(&mut reader));
    assert!(block_on(admit(&mut reader, b"123456", municipality.certificate())).is_ok());

    // The daemon dies under a held card, and comes back.
    pcscd.kill().unwrap();
    let answer = block_on(reader.transmit(&[0, 0x20, 0, 0x80], &mut [0; 258]));
    println!("pcscd killed: {answer:?}");
    assert!(
        matches!(answer, Err(TransmitError::Io | TransmitError::Removed)),
        "{answer:?}"
    );
    block_on(reader.wait_removed());
    assert_eq!(block_on(reader.wait_insert()), Err(ReaderError::Gone));
    let _ = held.pull();
    pcscd.restart().unwrap();
    let held = pcscd.insert(0, piv(7)).unwrap();
    block_on(inserted(&mut reader));
    assert!(block_on(admit(&mut reader, b"123456", municipality.certificate())).is_ok());
    held.pull().unwrap();
    block_on(reader.wait_removed());

    // Dropped while it waits for a card.
    {
        let mut waiting = Box::pin(reader.wait_insert());
        let waker = std::task::Waker::noop();
        assert!(waiting.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    drop(reader);
}

#[test]
fn f8_two_cards_in_a_row_over_the_real_stack_leave_nothing_of_the_first_to_the_second() {
    let Some(folder) = in_child("f8_two_cards_in_a_row_over_the_real_stack_leave_nothing_of_the_first_to_the_second")
    else {
        return;
    };
    let mut pcscd = Pcscd::start(&folder).unwrap();
    let mut reader = Reader::open(None).unwrap();
    let (municipality, ministry) = (municipality(), ministry());
    let card = |number: usize| -> (AnyChip, &[u8], &[u8]) {
        if number.is_multiple_of(2) {
            let chip = piv(70 + number as u64);
            (Box::new(chip), b"123456", municipality.certificate())
        } else {
            let chip: VirtualJpki = ministry.issue("1234", days(), &mut rng(70 + number as u64)).unwrap();
            (Box::new(chip), b"1234", ministry.certificate())
        }
    };
    // Each alone.
    let mut own = Vec::new();
    for number in 0..4 {
        let (chip, pin, authority) = card(number);
        let held = pcscd.insert(0, chip).unwrap();
        block_on(async {
            inserted(&mut reader).await;
            own.push(admit(&mut reader, pin, authority).await.unwrap());
            reader.power_down().await;
        });
        held.pull().unwrap();
        block_on(reader.wait_removed());
    }
    for (one, two) in [(0, 2), (2, 1), (1, 3), (3, 0)] {
        // The PIN of the first is verified, and its session has not ended, when the second comes.
        let (chip, pin, _) = card(one);
        let held = pcscd.insert(0, chip).unwrap();
        block_on(async {
            inserted(&mut reader).await;
            let mut card = Card::select(&mut reader).await.unwrap();
            card.verify(&Pin::new(pin).unwrap()).await.unwrap();
        });
        held.pull().unwrap();
        let (chip, pin, authority) = card(two);
        let mut held = pcscd.insert(0, chip).unwrap();
        block_on(reader.power_down());
        // If the daemon is in the middle of noticing, the card is mute, gone again at once, or not seen at all: out and in, as a person does.
        let mut rounds = 0;
        let forgotten = loop {
            rounds += 1;
            assert!(rounds < 20, "{}", pcscd.log());
            let seen = within(Duration::from_secs(5), reader.wait_insert()) == Some(Ok(()));
            let asked = block_on(async {
                if !seen {
                    return None;
                }
                Some(match Card::select(&mut reader).await.ok()? {
                    Card::Piv(mut piv) => piv.sign(&[1; 32]).await.err(),
                    Card::Jpki(mut jpki) => {
                        let key = CardPublicKey::P256([2; 33]);
                        jpki.unique_signature(&[1; 32], &key, &X509).await.err()
                    }
                    _ => None,
                })
            });
            match asked {
                Some(Some(CardError::Transmit(_))) | None => {
                    block_on(reader.power_down());
                    let chip = held.pull().unwrap();
                    block_on(reader.wait_removed());
                    hands();
                    held = pcscd.insert(0, chip).unwrap();
                }
                Some(refused) => break refused,
            }
        };
        assert_eq!(forgotten, Some(CardError::PinRequired), "{one} then {two}");
        let bytes = block_on(admit(&mut reader, pin, authority)).unwrap();
        assert!(bytes == own[two], "{one} then {two}: another card's");
        block_on(reader.power_down());
        held.pull().unwrap();
        block_on(reader.wait_removed());
    }
}
