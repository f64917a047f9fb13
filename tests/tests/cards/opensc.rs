//! Our virtual cards in the real PC/SC stack, read by OpenSC and judged by openssl. Nobody here wrote pcscd, the virtual reader's driver, OpenSC or
//! openssl.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use card::Slot;
use tempfile::TempDir;
use tests::pcscd::{Pcscd, SOCKET};
use tests::programs::Said;

use super::reader::{days, ministry, piv, rng};

const MODULES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib/aarch64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib/opensc-pkcs11.so",
];

/// OpenSC, told which driver to use and which daemon to ask.
pub struct OpenSc<'a> {
    /// Which daemon to ask.
    pub pcscd: &'a Pcscd,
    /// Where its files are.
    pub folder: &'a Path,
    /// Its card driver.
    pub driver: &'a str,
}

impl OpenSc<'_> {
    pub fn say(&self, program: &str, arguments: &[&str]) -> Said {
        let settings = self.folder.join(format!("{}.conf", self.driver));
        fs::write(
            &settings,
            format!(
                "app default {{ card_drivers = {}; reader_driver pcsc {{ disconnect_action = reset; }} \
                 framework pkcs15 {{ use_file_caching = no; }} }}\n",
                self.driver
            ),
        )
        .unwrap();
        let out = Command::new(program)
            .args(arguments)
            .env("OPENSC_CONF", settings)
            .env(SOCKET, self.pcscd.socket())
            .current_dir(self.folder)
            .output();
        out.unwrap_or_else(|error| panic!("{program}: {error}; run `tests/run tools`"))
            .into()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let said = self.say(program, arguments);
        assert_eq!(
            said.code,
            Some(0),
            "{program} {arguments:?}\n{}\n{}\n{}",
            said.out,
            said.err,
            self.pcscd.log()
        );
        said.out + &said.err
    }

    /// Signs `message` with key `id` as PKCS #11 programs do; openssl then judges it by the certificate.
    fn signs(&self, slot: &str, pin: &str, mechanism: &str, id: &str, certificate: &[u8]) {
        let module = MODULES.into_iter().find(|path| Path::new(path).is_file());
        let module = module.expect("opensc-pkcs11 is missing: run `tests/run tools`");
        fs::write(self.folder.join("message"), "一票").unwrap();
        fs::write(self.folder.join("certificate.der"), certificate).unwrap();
        let mut arguments = vec![
            "--module",
            module,
            "--token-label",
            slot,
            "--login",
            "--pin",
            pin,
            "--sign",
        ];
        arguments.extend(["--mechanism", mechanism, "--id", id, "--input-file", "message"]);
        arguments.extend(["--output-file", "signature"]);
        if mechanism.starts_with("ECDSA") {
            arguments.extend(["--signature-format", "openssl"]);
        }
        self.run("pkcs11-tool", &arguments);
        let openssl = |arguments: &[&str]| -> Said {
            Command::new("openssl")
                .args(arguments)
                .current_dir(self.folder)
                .output()
                .unwrap()
                .into()
        };
        let key = openssl(&["x509", "-inform", "DER", "-in", "certificate.der", "-pubkey", "-noout"]);
        fs::write(self.folder.join("key.pem"), key.out).unwrap();
        let judge = |message: &str| {
            openssl(&[
                "dgst",
                "-sha256",
                "-verify",
                "key.pem",
                "-signature",
                "signature",
                message,
            ])
        };
        assert_eq!(judge("message").out.trim(), "Verified OK");
        fs::write(self.folder.join("other"), "二票").unwrap();
        assert_ne!(judge("other").code, Some(0), "openssl would accept anything");
        println!("{mechanism} by key {id} of '{slot}': openssl says Verified OK");
    }

    /// The certificate with this id, as OpenSC read it from the card.
    fn certificate(&self, id: &str) -> Vec<u8> {
        fs::write(
            self.folder.join("read.pem"),
            self.run("pkcs15-tool", &["--read-certificate", id]),
        )
        .unwrap();
        let said = Command::new("openssl")
            .args(["x509", "-in", "read.pem", "-outform", "DER"])
            .current_dir(self.folder)
            .output()
            .unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        said.stdout
    }
}

#[test]
fn opensc_accepts_the_virtual_piv_card_and_openssl_its_signature() {
    let folder = TempDir::new().unwrap();
    let mut pcscd = Pcscd::start(folder.path()).unwrap();
    let chip = piv(7);
    let certificate = chip.certificate(Slot::Authentication).to_vec();
    let inserted = pcscd.insert(0, chip).unwrap();
    let opensc = OpenSc {
        pcscd: &pcscd,
        folder: folder.path(),
        driver: "PIV-II",
    };
    wait_for_card(&opensc);
    let dump = opensc.run("pkcs15-tool", &["--dump"]);
    println!("{dump}");
    assert!(
        dump.contains("PIV AUTH key") && dump.contains("Certificate for PIV Authentication"),
        "{dump}"
    );
    assert_eq!(opensc.certificate("01"), certificate);
    opensc.signs("", "123456", "ECDSA-SHA256", "01", &certificate);
    let wrong = opensc.say("pkcs15-tool", &["--verify-pin", "--auth-id", "01", "--pin", "654321"]);
    assert_ne!(wrong.code, Some(0), "{}", wrong.out);
    inserted.pull().unwrap();
}

#[test]
fn opensc_accepts_the_virtual_my_number_card_and_openssl_both_signatures() {
    let folder = TempDir::new().unwrap();
    let mut pcscd = Pcscd::start(folder.path()).unwrap();
    let ministry = ministry();
    let chip = ministry.issue("1234", days(), &mut rng(7)).unwrap();
    let chip = ministry
        .add_signature(chip, "加賀花子", "PASSWORD1", days(), &mut rng(8))
        .unwrap();
    let certificate = chip.certificate().to_vec();
    let inserted = pcscd.insert(0, chip).unwrap();
    let opensc = OpenSc {
        pcscd: &pcscd,
        folder: folder.path(),
        driver: "jpki",
    };
    wait_for_card(&opensc);
    let dump = opensc.run("pkcs15-tool", &["--dump"]);
    println!("{dump}");
    assert!(dump.contains("User Authentication Certificate"), "{dump}");
    assert_eq!(opensc.certificate("01"), certificate);
    opensc.signs(
        "JPKI (User Authentication PIN)",
        "1234",
        "SHA256-RSA-PKCS",
        "01",
        &certificate,
    );
    inserted.pull().unwrap();
}

/// OpenSC is told about a new card half a second later.
fn wait_for_card(opensc: &OpenSc<'_>) {
    let start = Instant::now();
    while opensc.say("opensc-tool", &["--atr"]).code != Some(0) {
        assert!(start.elapsed() < Duration::from_secs(120), "{}", opensc.pcscd.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}
