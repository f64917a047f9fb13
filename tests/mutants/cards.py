#!/usr/bin/env python3
"""Shows that the tests of cards, pseudonyms and tags can fail: breaks each of their promises on purpose, in a copy of the sources, and runs the
tests that must go red.

A mutant is a piece of text that must stand exactly once in a file, what comes in its place, and the tests that must fail, each by its whole name.
The sources themselves are never touched. Builds go to cargo's target folder, without the window. Not part of tests/run: each mutant is a build.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

RELAY = "cards::tests::admission::a1_a_relay_to_a_second_genuine_card_is_caught_whatever_it_answers"
RECORDED = "cards::jpki_tests::a1_a_relay_to_a_second_genuine_card_and_a_recorded_signature_are_caught"
KIOSKS = "cards::tag_tests::a1_two_kiosks_of_two_stations_and_a_package_issued_anew_get_one_tag_for_one_card"
WITHOUT_E = "cards::tag_tests::p27_neither_the_roll_nor_the_card_with_its_pin_gives_a_tag_without_e"
LAST_TRY = "cards::mistakes_tests::v11_with_one_try_left_nothing_is_tried_and_a_pin_of_another_length_costs_none"
NAMED = "cards::mistakes_tests::f8_cards_of_another_kind_and_broken_ones_are_named_within_a_bound"

CARD = "hardware/card/src/"
ADMISSION = "firmware/kiosk/src/admission.rs"
TAG = "firmware/election/src/tag.rs"

# name, file, text, replacement, package, tests
MUTANTS = [
    (
        "the second blinded query is skipped",
        CARD + "piv.rs",
        "        let second = self.blinded_query(&base, &key, rng).await?;\n        blind::agreed(&first, &second)",
        "        blind::agreed(&first, &first)",
        "host-sim",
        [RELAY],
    ),
    (
        "one answer of a PIV card is enough",
        CARD + "blind.rs",
        "    (matches == 1 && !bool::from(z.is_identity())).then(|| z.to_affine())",
        "    let _ = matches;\n    *z = first[0];\n    Some(z.to_affine())",
        "host-sim",
        [RELAY],
    ),
    (
        "a My Number card's signature is not checked",
        CARD + "jpki.rs",
        "        if verifier.verify_rsa(key, hash, &signature) {",
        "        let _ = (key, verifier);\n        if hash.len() == 32 {",
        "host-sim",
        [RECORDED],
    ),
    (
        "no fresh challenge for a My Number card",
        CARD + "jpki.rs",
        "        rng.fill_bytes(&mut challenge);\n        if challenge == [0; 32] {",
        "        let _ = rng;\n        challenge[0] = 1;\n        if challenge == [0; 32] {",
        "host-sim",
        ["cards::jpki_tests::a1_a_signature_that_was_recorded_proves_nothing_the_next_time"],
    ),
    (
        "the pseudonym binds the station's package (PIV)",
        ADMISSION,
        "piv_point(gate.package.election())",
        "piv_point(&gate.package.hash)",
        "host-sim",
        [KIOSKS],
    ),
    (
        "the pseudonym binds the station's package (My Number)",
        ADMISSION,
        "jpki_message(gate.package.election())",
        "jpki_message(&gate.package.hash)",
        "host-sim",
        [KIOSKS],
    ),
    (
        "the tag is made without E",
        TAG,
        "            *byte = *secret;\n        }\n        let mut mac",
        "            *byte = *secret & 0;\n        }\n        let mut mac",
        "host-sim",
        [WITHOUT_E],
    ),
    (
        "the tag is made without E, as its own room sees it",
        TAG,
        "            *byte = *secret;\n        }\n        let mut mac",
        "            *byte = *secret & 0;\n        }\n        let mut mac",
        "election",
        ["tag::tests::p27_a_tag_needs_the_secret_and_the_card"],
    ),
    (
        "the tag is the roll's key and not the card's answer",
        ADMISSION,
        "(style, Pseudonym::jpki(signature.map_err(card)?.as_ref()))",
        "{\n                signature.map_err(card)?;\n                (style, Pseudonym::jpki(key.as_bytes()))\n            }",
        "host-sim",
        [WITHOUT_E],
    ),
    (
        "a card is not told to forget",
        ADMISSION,
        "    let _ = inserted.forget().await;\n",
        "    let _ = &mut inserted;\n",
        "host-sim",
        [NAMED],
    ),
    (
        "the last try is tried without a warning",
        ADMISSION,
        "        1 if !last_try_accepted => return Err(Refusal::LastTry),\n",
        "        1 if !last_try_accepted && left == 0 => return Err(Refusal::LastTry),\n",
        "host-sim",
        [LAST_TRY],
    ),
    (
        "a certificate's issuer is not checked",
        ADMISSION,
        "        if result.is_ok() {\n            break;\n        }\n    }\n    result\n",
        "        if result.is_ok() {\n            break;\n        }\n        if let Err(CertificateError::UnknownIssuer) = result {\n"
        "            return card::CardPublicKey::p256(&[2; 33]).map_err(|_| CertificateError::Expired);\n        }\n    }\n    result\n",
        "host-sim",
        [NAMED],
    ),
]


def main() -> int:
    root = pathlib.Path(__file__).resolve().parents[2]
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="ippyo-mutants.") as scratch:
        copy = pathlib.Path(scratch) / "sources"
        skip = shutil.ignore_patterns("target", ".git", "__pycache__")
        shutil.copytree(root, copy, ignore=skip, symlinks=True)
        everything: dict[str, list[str]] = {}
        for *_, package, tests in MUTANTS:
            everything.setdefault(package, []).extend(test for test in tests if test not in everything.get(package, []))
        for package, tests in everything.items():
            if red := failing(copy, target, package, tests):
                print(f"without a mutation {', '.join(sorted(red))} of {package} fails: the mutants say nothing")
                return 1
        failed = 0
        for name, file, text, replacement, package, tests in MUTANTS:
            if wanted and not any(word in name for word in wanted):
                continue
            path = copy / file
            source = path.read_text()
            if source.count(text) != 1:
                print(f"{name}: {file} holds the text {source.count(text)} times, it has to be once")
                return 1
            start = time.monotonic()
            path.write_text(source.replace(text, replacement))
            red = failing(copy, target, package, tests)
            path.write_text(source)
            for test in tests:
                said = "fails, as it has to" if test in red else "DOES NOT FAIL"
                print(f"{name}: {package}::{test} {said} ({time.monotonic() - start:.0f} s)", flush=True)
                failed += test not in red
        return min(failed, 1)


def failing(copy: pathlib.Path, target: pathlib.Path, package: str, tests: list[str]) -> set[str]:
    """Those of the tests that fail. Each has to be run: a name that no test has is an error of this file."""
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target / "mutants"), CARGO_INCREMENTAL="1")
    cargo = ["cargo", "test", "--locked", "-q", "-p", package, "--no-default-features", "--lib", "--", "--exact", *tests]
    done = subprocess.run(cargo, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 101) or f"running {len(tests)} test" not in done.stdout:
        print(done.stdout, done.stderr, file=sys.stderr)
        raise SystemExit("the mutated sources do not build, or a test is not there")
    return {test for test in tests if f"---- {test} stdout ----" in done.stdout}


if __name__ == "__main__":
    sys.exit(main())
