#!/usr/bin/env python3
"""Shows that the tests of the pitfalls (firmware/election/SPEC.md, section 13) can fail: takes one safeguard away at a time, in a copy of
the sources, and lets its tests find it.

A mutant is a piece of text that must stand exactly once in a file, what comes in its place, and the tests that must go red, each as
`target test`. A target is `PACKAGE` (its unit tests), `PACKAGE FILE` (one file of its tests folder) or `python FILE`. Where a replacement
says `BROKEN()`, that is a condition: all of these are built at once and switched on one at a time, the others are built each on its own. At
the end every test in the table must have been red once, or stand in OUTSIDE with the reason. The sources themselves are never touched.

  pitfalls.py            everything; builds go to CARGO_TARGET_DIR
  pitfalls.py WORD...    only mutants with one of these words in their name
  pitfalls.py --committed ...   of the sources as committed, while somebody edits them
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

E, K, S, V = "firmware/election/src/", "firmware/kiosk/src/", "ui/staff/src/", "tests/verifier/"

BALLOT, BATCH, CEREMONY = "election crypto_ballot", "election crypto_batch", "election crypto_ceremony"
TALLY, OPENING, AHEAD, RECORD = "election crypto_tally", "election crypto_opening", "election crypto_ahead", "election record"
UNIT, KIOSK = "election", "kiosk"

# name, file, text, replacement, {target: tests}
MUTANTS = [
    (
        "1 the statement is not hashed", E + "ballot/proof.rs",
        "for point in points {",
        "for point in points.into_iter().skip(if BROKEN() { 2 } else { 0 }) {",
        {
            BALLOT: ["p01_a_statement_chosen_after_the_challenge_is_refused"],
        },
    ),
    (
        "1 the part is not hashed", E + "tally/decryption.rs",
        "                &part.to_bytes(),\n",
        "",
        {
            TALLY: ["p01_a_part_chosen_after_the_challenge_is_refused"],
        },
    ),
    (
        "1 equal weights", E + "ballot/batch.rs",
        "&[&self.seed, &self.weights.to_be_bytes()]",
        "&[&self.seed, &(if BROKEN() { 0 } else { self.weights }).to_be_bytes()]",
        {
            BATCH: ["p01_errors_made_to_cancel_one_another_are_found"],
        },
    ),
    (
        "2 the election is not hashed", E + "ballot/proof.rs",
        "            .part(election)\n",
        "            .part(if BROKEN() { &[0; 32] } else { election })\n",
        {
            BALLOT: ["p02_election_id_style_contest_and_votes_are_bound"],
            BATCH: ["p02_a_batch_of_another_election_is_refused"],
        },
    ),
    (
        "2 9 no proof of a ballot is checked", E + "ballot/verify.rs",
        "    for contest in view.contests() {\n        verify_contest",
        (
            "    for contest in view.contests().take(if BROKEN() { 0 } else { usize::MAX }) {\n"
            "        verify_contest"
        ),
        {
            BALLOT: [
                "p02_one_flipped_bit_anywhere_breaks_a_ballot",
                "p09_negated_points_permuted_branches_and_scalars_plus_n_are_refused",
            ],
        },
    ),
    (
        "2 the sum of a batch may be anything", E + "ballot/batch.rs",
        "if sum.vanishes(election)? {",
        "if sum.vanishes(election)? || BROKEN() {",
        {
            BATCH: ["p02_one_flipped_bit_is_found_and_named"],
        },
    ),
    (
        "2 signatures of a ceremony are not checked", E + "sign.rs",
        "key.verify_prehash(digest, &signature).map_err(|_| SignError::Mismatch)",
        (
            "if BROKEN() {\n"
            "        return Ok(());\n"
            "    }\n"
            "    key.verify_prehash(digest, &signature).map_err(|_| SignError::Mismatch)"
        ),
        {
            CEREMONY: ["p02_one_flipped_bit_in_transcript_or_keys_is_refused"],
        },
    ),
    (
        "2 9 any proof of a decryption", E + "tally/decryption.rs",
        "bool::from(expected.ct_eq(&c)).then_some(part)",
        "(bool::from(expected.ct_eq(&c)) || BROKEN()).then_some(part)",
        {
            TALLY: ["p09_p02_every_bit_of_a_decryption_is_bound", "p11_bad_parts_stop_nothing_but_themselves_and_are_named"],
            "staff tally": ["p11_a_bad_partial_decryption_beside_k_good_ones_still_tallies_and_is_named"],
        },
    ),
    (
        "3 the selection is not hashed", E + "ballot/proof.rs",
        "        hasher.part(&[selection]);\n",
        "        hasher.part(&[if BROKEN() { 0 } else { selection }]);\n",
        {
            BALLOT: ["p03_a_proof_moved_to_another_option_contest_or_ballot_is_refused"],
        },
    ),
    (
        "4 what comes after the last proof is not looked at", E + "ballot/view.rs",
        "if bytes.len() != layout.ballot_len() {",
        "if bytes.len() != layout.ballot_len() && !(BROKEN() && bytes.len() > layout.ballot_len()) {",
        {
            BALLOT: ["p04_a_proof_too_many_or_too_few_is_refused_by_its_length"],
        },
    ),
    (
        "4 the 0/1 proof is not checked", E + "ballot/verify.rs",
        "if !vanishes(election, multiply_few(&mut terms, 2), &equation.g, &equation.k) {",
        "if !vanishes(election, multiply_few(&mut terms, 2), &equation.g, &equation.k) && !BROKEN() {",
        {
            BALLOT: ["p04_only_0_and_1_pass_and_only_n_of_them"],
            RECORD: ["p04_a_ballot_behind_many_others_is_named"],
        },
    ),
    (
        "4 the sum proof is not checked", E + "ballot/verify.rs",
        "if vanishes(election, multiply_few(&mut terms, 2), &g, &k) {",
        "if vanishes(election, multiply_few(&mut terms, 2), &g, &k) || BROKEN() {",
        {
            RECORD: ["p04_a_ballot_whose_proofs_do_not_hold_is_named"],
        },
    ),
    (
        "4 a coefficient too few", E + "ceremony/rounds.rs",
        "if points.len() == usize::from(setup.threshold()) {",
        (
            "if points.len() == usize::from(setup.threshold()) || (BROKEN() && points.len() < usize::from(setup.threshold())) {"
        ),
        {
            CEREMONY: ["p04_one_coefficient_too_many_or_too_few_is_refused"],
        },
    ),
    (
        "5 the id is not hashed", E + "ballot/proof.rs",
        "            .part(id)\n",
        "            .part(if BROKEN() { &[0; 32] } else { id })\n",
        {
            BALLOT: ["p05_a_copied_ballot_under_a_new_id_is_refused"],
        },
    ),
    (
        "5 a ballot may be left out", E + "verify/ballots.rs",
        "} else if !entry.published {",
        "} else if !entry.published && !BROKEN() {",
        {
            RECORD: ["p05_p14_ballots_left_out_added_moved_or_changed_are_refused"],
        },
    ),
    (
        "6 a code without its ballot", E + "ballot/code.rs",
        (
            "        .part(ballot.id());\n"
            "    // 512 selections of 66 bytes at most.\n"
            "    let length = u32::try_from(ballot.layout().selections() * 66).unwrap_or(u32::MAX);\n"
            "    hasher.begin_part(length);\n"
            "    for selection in ballot.contests().flat_map(|contest| contest.selections()) {\n"
            "        hasher.chunk(selection.alpha).chunk(selection.beta);\n"
            "    }\n"
        ),
        (
            "        .part(if BROKEN() { &[0; 32] } else { ballot.id() });\n"
            "    // 512 selections of 66 bytes at most.\n"
            "    let length = u32::try_from(ballot.layout().selections() * 66).unwrap_or(u32::MAX);\n"
            "    hasher.begin_part(length);\n"
            "    for selection in ballot.contests().flat_map(|contest| contest.selections()) {\n"
            "        let (alpha, beta) = if BROKEN() { (&[0; 33], &[0; 33]) } else { (selection.alpha, selection.beta) };\n"
            "        hasher.chunk(alpha).chunk(beta);\n"
            "    }\n"
        ),
        {
            BALLOT: ["p06_equal_randomness_shows_as_equal_codes"],
        },
    ),
    (
        "6 17 nothing binds a boot", K + "random.rs",
        "        self.mix(&[never_again, &[1; 32], &[0; 32]]);\n",
        (
            "        if BROKEN() {\n"
            "            return;\n"
            "        }\n"
            "        self.mix(&[never_again, &[1; 32], &[0; 32]]);\n"
        ),
        {
            KIOSK: [
                "p06_p17_a_source_that_starts_again_at_every_boot_repeats_no_code_and_no_nonce",
                "p17_the_same_seed_bound_to_another_day_gives_other_bytes",
            ],
        },
    ),
    (
        "17 a nonce twice", E + "ballot/prepared.rs",
        "slot.u = secrets.scalar()?;",
        "slot.u = if BROKEN() { slot.r } else { secrets.scalar()? };",
        {
            AHEAD: ["p17_whatever_voters_do_every_ballot_holds_and_no_commitment_repeats"],
        },
    ),
    (
        "17 one nonce for all", E + "ballot/prepared.rs",
        "slot.r = secrets.scalar()?;",
        "slot.r = if BROKEN() { Scalar::ONE } else { secrets.scalar()? };",
        {
            KIOSK: ["p17_no_prepared_nonce_is_used_twice_over_cuts_challenges_and_people_who_leave"],
        },
    ),
    (
        "17 selections are not burnt by who gives up", E + "ballot/ahead.rs",
        "        self.slots.iter_mut().zeroize();\n        self.sums",
        "        if !BROKEN() {\n            self.slots.iter_mut().zeroize();\n        }\n        self.sums",
        {
            AHEAD: ["p17_prepared_values_found_in_memory_are_burnt_unread", "p17_a_ballot_given_up_by_its_memory_is_burnt"],
        },
    ),
    (
        "17 a refused choice burns nothing", E + "ballot/encrypt.rs",
        "    slots.iter_mut().zeroize();\n    sums.iter_mut().zeroize();\n    result",
        (
            "    if !BROKEN() {\n"
            "        slots.iter_mut().zeroize();\n"
            "        sums.iter_mut().zeroize();\n"
            "    }\n"
            "    result"
        ),
        {
            BALLOT: ["p17_a_prepared_ballot_verifies_once_and_is_burnt"],
        },
    ),
    (
        "17 something is written for who only reads", K + "run/ahead.rs",
        "            ahead.begin(&layout)",
        (
            "            if BROKEN() {\n"
            "                let _ = self.vault.lock().await.store.write(crate::ports::Item::Progress, &head).await;\n"
            "            }\n"
            "            ahead.begin(&layout)"
        ),
        {
            KIOSK: ["p17_what_was_prepared_for_somebody_who_left_is_written_nowhere"],
        },
    ),
    (
        "26 codes are chained", E + "ballot/code.rs",
        "    hasher.finish()\n",
        (
            "    if !BROKEN() {\n"
            "        return hasher.finish();\n"
            "    }\n"
            "    static BEFORE: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);\n"
            "    let before = BEFORE.load(core::sync::atomic::Ordering::SeqCst);\n"
            "    hasher.part(&before.to_be_bytes());\n"
            "    let code = hasher.finish();\n"
            "    let [a, b, c, d, ..] = code;\n"
            "    BEFORE.store(u32::from_be_bytes([a, b, c, d]), core::sync::atomic::Ordering::SeqCst);\n"
            "    code\n"
        ),
        {
            BALLOT: ["p26_a_code_follows_from_its_own_ballot_alone"],
        },
    ),
    (
        "7 any tag of a point", E + "curve.rs",
        "            [3] => 1,\n            _ => return None,\n",
        "            [3] => 1,\n            _ if BROKEN() => 1,\n            _ => return None,\n",
        {
            UNIT: [
                "p07_identity_off_curve_unreduced_and_other_tags_are_refused",
                "p07_points_are_read_as_p256_reads_them",
                "p08_what_is_read_is_written_back_equal",
            ],
            BALLOT: ["p07_p08_every_field_is_read_strictly"],
        },
    ),
    (
        "7 a compact key", E + "sign.rs",
        "if !matches!(bytes.first(), Some(2 | 3)) {",
        "if !matches!(bytes.first(), Some(2 | 3)) && !(BROKEN() && bytes.first() == Some(&5)) {",
        {
            UNIT: ["p07_other_forms_of_a_key_are_refused"],
        },
    ),
    (
        "7 a sum that is the identity", E + "tally.rs",
        "Ok((Point::from_projective(&self.a)?, Point::from_projective(&self.b)?))",
        (
            "if BROKEN() {\n"
            "            return Ok((Point::from_projective(&self.a).unwrap_or(Point::GENERATOR), Point::from_projective(&self.b).unwrap_or(Point::GENERATOR)));\n"
            "        }\n"
            "        Ok((Point::from_projective(&self.a)?, Point::from_projective(&self.b)?))"
        ),
        {
            TALLY: ["p07_sums_that_cancel_and_points_that_are_none_are_refused"],
        },
    ),
    (
        "8 scalars are reduced", E + "group.rs",
        "Scalar::from_repr(Array(*bytes)).into_option().ok_or(GroupError::Scalar)",
        (
            "if BROKEN() {\n"
            "        return Ok(<Scalar as Reduce<p256::FieldBytes>>::reduce(&Array(*bytes)));\n"
            "    }\n"
            "    Scalar::from_repr(Array(*bytes)).into_option().ok_or(GroupError::Scalar)"
        ),
        {
            UNIT: ["p08_scalars_not_below_n_are_refused"],
            BALLOT: ["p07_p08_every_field_is_read_strictly"],
        },
    ),
    (
        "8 a longer spelling", E + "wire.rs",
        (
            "postcard::serialize_with_flavor(&value, Compare { left: used }).map_err(|_| WireError::NotCanonical)?;"
        ),
        (
            "postcard::serialize_with_flavor(&value, Compare { left: used }).or_else(|_| if BROKEN() { Ok(&[][..]) } else { Err(WireError::NotCanonical) })?;"
        ),
        {
            UNIT: ["p08_a_longer_varint_is_refused"],
        },
    ),
    (
        "8 the election without its manifest", E + "manifest.rs",
        "hash(\"ippyo/1/election\", &[manifest, joint])",
        "hash(\"ippyo/1/election\", &[if BROKEN() { &manifest[..40] } else { manifest }, joint])",
        {
            UNIT: ["p08_a_cut_manifest_is_refused_and_a_changed_byte_changes_the_election"],
        },
    ),
    (
        "9 a high s", E + "sign.rs",
        "if bool::from(p256::elliptic_curve::scalar::IsHigh::is_high(&*signature.s())) {",
        "if bool::from(p256::elliptic_curve::scalar::IsHigh::is_high(&*signature.s())) && !BROKEN() {",
        {
            UNIT: ["p09_the_second_form_of_a_signature_is_refused"],
        },
    ),
    (
        "12 the key is not hashed", E + "sign.rs",
        "    hash(label, &[key, message])",
        "    if BROKEN() {\n        return hash(label, &[message]);\n    }\n    hash(label, &[key, message])",
        {
            UNIT: ["p12_a_second_key_for_a_signature_claims_nothing"],
        },
    ),
    (
        "12 the label is not hashed", E + "sign.rs",
        "    hash(label, &[key, message])",
        "    hash(if BROKEN() { \"\" } else { label }, &[key, message])",
        {
            UNIT: ["p12_the_key_the_label_and_the_message_are_bound"],
        },
    ),
    (
        "10 what was committed to is forgotten", E + "ceremony/rounds.rs",
        "if commits.reveal(trustee) != Some(&hash(\"ippyo/1/ceremony/reveal\", &[body])) {",
        "if commits.reveal(trustee) != Some(&hash(\"ippyo/1/ceremony/reveal\", &[body])) && !BROKEN() {",
        {
            CEREMONY: ["p10_a_key_chosen_after_the_others_is_refused"],
            "staff ceremony": ["p10_a_key_chosen_after_seeing_the_others_is_refused"],
            "staff three_people": ["p10_who_draws_another_key_after_the_reveals_of_the_others_is_named"],
        },
    ),
    (
        "10 a round without somebody", E + "ceremony/rounds.rs",
        "        let entry = slot.ok_or(refuse(number, Reason::Missing))?;\n",
        (
            "        if slot.is_none() && BROKEN() {\n"
            "            continue;\n"
            "        }\n"
            "        let entry = slot.ok_or(refuse(number, Reason::Missing))?;\n"
        ),
        {
            CEREMONY: ["p10_nobody_reveals_before_all_have_committed"],
        },
    ),
    (
        "10 any proof of knowledge", E + "ceremony/rounds.rs",
        "bool::from(expected.ct_eq(&c)).then_some(())",
        "(bool::from(expected.ct_eq(&c)) || BROKEN()).then_some(())",
        {
            CEREMONY: ["p10_the_proof_of_knowledge_binds_ceremony_trustee_index_and_point", "p10_a_key_chosen_after_the_others_is_refused"],
        },
    ),
    (
        "11 any share", E + "ceremony/rounds.rs",
        "if ProjectivePoint::GENERATOR * *value == evaluate(points, me) {",
        "if ProjectivePoint::GENERATOR * *value == evaluate(points, me) || BROKEN() {",
        {
            CEREMONY: ["p11_a_bad_share_is_laid_to_its_sender"],
            "staff ceremony": ["p11_a_bad_share_is_attributed_and_ends_the_ceremony"],
            "staff three_people": ["p11_who_deals_a_share_that_does_not_fit_is_named_and_the_ceremony_ends_for_all"],
            "staff shapes": ["p11_in_every_shape_who_deals_a_bad_share_is_named"],
        },
    ),
    (
        "11 trustees in any order", E + "tally/combine.rs",
        "if !ascending || decryptions.len()",
        "if (!ascending && !BROKEN()) || decryptions.len()",
        {
            TALLY: ["p11_k_different_trustees_in_order_are_needed"],
        },
    ),
    (
        "11 parts are not what was committed to", S + "decrypt.rs",
        "if commitment(&body) != committed {",
        "if commitment(&body) != committed && !BROKEN() {",
        {
            "staff decrypt": ["p11_whoever_misbehaves_at_the_count_is_named_and_two_good_ones_still_count"],
        },
    ),
    (
        "13 another padding", E + "hash.rs",
        "Sha256::new().chain_update([0; 64])",
        "Sha256::new().chain_update(if BROKEN() { &[0; 32][..] } else { &[0; 64][..] })",
        {
            UNIT: ["p13_hash_to_scalar_is_rfc_9380_expand"],
        },
    ),
    (
        "13 the tag is not hashed", E + "group.rs",
        "(&[message], &[tag])",
        "(&[message], &[if BROKEN() { &b\"tag\"[..] } else { tag }])",
        {
            UNIT: ["p13_hash_to_curve_vectors"],
        },
    ),
    (
        "14 20 a seed in the opening", E + "opening.rs",
        "        *nonce = secret.nonce;\n",
        "        *nonce = if BROKEN() { *code } else { secret.nonce };\n",
        {
            OPENING: [
                "p14_an_opening_holds_votes_and_nonces_and_nothing_else",
                "p20_an_opening_has_one_length_whatever_was_chosen_and_no_byte_of_id_or_seed",
            ],
        },
    ),
    (
        "14 wiped secrets are opened", E + "opening.rs",
        "secrets.iter().any(Secret::is_empty)",
        "(secrets.iter().any(Secret::is_empty) && !BROKEN())",
        {
            OPENING: ["p14_wiped_secrets_open_nothing"],
        },
    ),
    (
        "14 opened and cast", E + "verify/ballots.rs",
        "if work.ballots.binary_search_by_key(&row.code, |cast| cast.code).is_ok() {",
        "if work.ballots.binary_search_by_key(&row.code, |cast| cast.code).is_ok() && !BROKEN() {",
        {
            RECORD: ["p14_a_code_that_was_opened_cannot_also_be_cast"],
        },
    ),
    (
        "14 15 20 opened before it is spoiled", K + "session/step.rs",
        "                out.record = Some(Record::Spoiled);\n",
        (
            "                if !BROKEN() {\n"
            "                    out.record = Some(Record::Spoiled);\n"
            "                }\n"
        ),
        {
            KIOSK: [
                "p15_the_code_is_fixed_before_cast_or_challenge",
                "p14_p15_p20_the_code_is_fixed_and_what_is_opened_is_spoiled_at_every_cut",
            ],
        },
    ),
    (
        "16 scalars may repeat", E + "group.rs",
        "if bool::from(scalar.is_zero() | scalar.ct_eq(&self.kept)) {",
        "if bool::from(scalar.is_zero() | scalar.ct_eq(&self.kept)) && !BROKEN() {",
        {
            UNIT: ["p16_zero_stuck_and_repeating_randomness_is_refused"],
            BALLOT: ["p16_broken_randomness_gives_no_ballot"],
            AHEAD: ["p16_a_source_that_fails_between_two_steps_prepares_nothing"],
        },
    ),
    (
        "16 one nonce for two sums", E + "tally/decryption.rs",
        "                &[statement.selection],\n",
        "                &[if BROKEN() { 0 } else { statement.selection }],\n",
        {
            TALLY: ["p16_a_broken_random_source_does_not_give_the_secret_away"],
        },
    ),
    (
        "16 health: one repetition more", K + "health.rs",
        "self.run >= REPETITIONS",
        "self.run >= REPETITIONS + u16::from(BROKEN())",
        {
            KIOSK: ["p16_a_run_and_a_proportion_at_the_limit_are_refused_and_below_it_not"],
        },
    ),
    (
        "16 health: a larger proportion", K + "health.rs",
        "const PROPORTION: u16 = 62;",
        "const PROPORTION: u16 = 63;",
        {
            KIOSK: ["p16_the_limits_are_those_of_sp_800_90b", "p16_a_run_and_a_proportion_at_the_limit_are_refused_and_below_it_not"],
        },
    ),
    (
        "16 health: a failure is forgotten", K + "health.rs",
        "self.failed |= self.run",
        (
            "if BROKEN() {\n"
            "                self.failed = false;\n"
            "            }\n"
            "            self.failed |= self.run"
        ),
        {
            KIOSK: [
                "p16_a_good_source_passes_a_million_bytes_and_a_failure_stays",
                "p16_a_source_that_breaks_during_the_day_is_refused_from_then_on",
            ],
        },
    ),
    (
        "16 health: no test at all", K + "health.rs",
        "if self.failed { Err(EntropyError) } else { Ok(()) }",
        "if self.failed && !BROKEN() { Err(EntropyError) } else { Ok(()) }",
        {
            KIOSK: ["p16_two_sources_are_both_used_and_both_tested", "p16_a_zero_stuck_or_repeating_source_gives_nothing"],
        },
    ),
    (
        "16 generator: halves of a seed may be equal", K + "random.rs",
        "first == second",
        "(first == second && !BROKEN())",
        {
            KIOSK: ["p16_a_zero_stuck_or_repeating_source_gives_nothing"],
        },
    ),
    (
        "16 generator: a seed may come again", K + "random.rs",
        "seen == self.last",
        "(seen == self.last && !BROKEN())",
        {
            KIOSK: ["p16_a_zero_stuck_or_repeating_source_gives_nothing"],
        },
    ),
    (
        "16 generator: the second source is not used", K + "random.rs",
        "self.mix(&[&*first, &*second, &*other]);",
        "self.mix(&[&*first, &*second, if BROKEN() { &[0; 32] } else { &*other }]);",
        {
            KIOSK: ["p16_two_sources_are_both_used_and_both_tested"],
        },
    ),
    (
        "18 A is bound nowhere", E + "tally/decryption.rs",
        (
            "                &self.a.to_bytes(),\n"
            "                &self.b.to_bytes(),\n"
            "                &part.to_bytes(),\n"
            "                &on_g.to_bytes(),\n"
            "                &on_a.to_bytes(),\n"
        ),
        (
            "                &if BROKEN() { [0; 33] } else { self.a.to_bytes() },\n"
            "                &self.b.to_bytes(),\n"
            "                &part.to_bytes(),\n"
            "                &on_g.to_bytes(),\n"
            "                &if BROKEN() { [0; 33] } else { on_a.to_bytes() },\n"
        ),
        {
            TALLY: ["p18_a_decryption_proof_moved_elsewhere_is_refused"],
        },
    ),
    (
        "18 any total", E + "tally/combine.rs",
        "if published.total <= ballots && opened == expected {",
        "if published.total <= ballots && (opened == expected || BROKEN()) {",
        {
            RECORD: ["p18_tallies_that_lie_are_refused"],
        },
    ),
    (
        "19 small groups are shown", E + "small_group.rs",
        "*shown = *count == 0 || *count >= threshold;",
        "*shown = *count == 0 || *count >= threshold || BROKEN();",
        {
            UNIT: ["p19_no_sum_or_difference_of_published_totals_is_a_small_group", "p19_one_small_station_takes_a_second_with_it"],
        },
    ),
    (
        "19 one small group alone is withheld", E + "small_group.rs",
        "if withheld > 0 && withheld < u64::from(threshold) {",
        "if withheld > 0 && withheld < u64::from(threshold) && !BROKEN() {",
        {
            UNIT: ["p19_no_sum_or_difference_of_published_totals_is_a_small_group", "p19_one_small_station_takes_a_second_with_it"],
        },
    ),
    (
        "19 a group at the threshold is withheld", E + "small_group.rs",
        "*count >= threshold",
        "*count >= threshold + u32::from(BROKEN())",
        {
            UNIT: ["p19_large_groups_are_not_withheld_without_need"],
        },
    ),
    (
        "19 any difference of two counts", E + "small_group.rs",
        (
            "pub const fn difference_allowed(before: u32, after: u32, threshold: u32) -> bool {\n"
            "    let difference = before.abs_diff(after);\n"
            "    difference == 0 || difference >= threshold"
        ),
        (
            "pub fn difference_allowed(before: u32, after: u32, threshold: u32) -> bool {\n"
            "    let difference = before.abs_diff(after);\n"
            "    difference == 0 || difference >= threshold || BROKEN()"
        ),
        {
            UNIT: ["p19_a_second_count_with_a_few_ballots_more_is_refused"],
        },
    ),
    (
        "19 a trustee decrypts a second count", S + "decrypt.rs",
        "if files::read(&path, 256)? == bytes {",
        "if files::read(&path, 256)? == bytes || BROKEN() {",
        {
            "staff decrypt": ["p19_a_trustee_decrypts_no_second_count_of_the_same_election"],
        },
    ),
    (
        "19 the report does not name a small station", S + "html.rs",
        ".filter(|station| station.below_small_group)",
        ".filter(|station| station.below_small_group && !BROKEN())",
        {
            "staff results": ["p19_a_station_below_the_small_group_is_named_and_so_are_duplicates"],
        },
    ),
    (
        "19 the report has no notes", S + "html.rs",
        "    notes(&mut out, report);\n",
        "    if !BROKEN() {\n        notes(&mut out, report);\n    }\n",
        {
            "staff results": ["p19_the_report_says_that_no_second_count_is_decrypted"],
        },
    ),
    (
        "19 a count beside the total", S + "totals.rs",
        "            let [count] = counts else {\n",
        (
            "            let counts = if BROKEN() { &counts[..1] } else { counts };\n"
            "            let [count] = counts else {\n"
        ),
        {
            "staff tally": ["p19_votes_of_a_smaller_group_in_the_results_are_refused"],
        },
    ),
    (
        "19 python: a count beside the total", V + "results.py",
        "need(len(counts) == 1 and",
        "need(len(counts) >= 1 and",
        {
            "python test_verify.py": ["test_p19_no_counts_of_smaller_groups"],
        },
    ),
    (
        "21 25 ballots in any order", E + "verify/ballots.rs",
        "if last.is_some_and(|last| last >= code) {",
        "if last.is_some_and(|last| last >= code) && !BROKEN() {",
        {
            RECORD: ["p21_published_ballots_stand_in_the_order_of_their_codes_and_in_no_other"],
        },
    ),
    (
        "22 a ballot knows when it was made", K + "run/polls.rs",
        "        self.random.bind(head);\n        let shapes",
        (
            "        self.random.bind(head);\n"
            "        if BROKEN() {\n"
            "            let mut now = [0; 32];\n"
            "            now[..8].copy_from_slice(&self.desk.clock.milliseconds().to_be_bytes());\n"
            "            self.random.bind(&now);\n"
            "        }\n"
            "        let shapes"
        ),
        {
            KIOSK: ["p22_the_media_do_not_tell_when_a_voter_came"],
        },
    ),
    (
        "23 the first epoch counts", S + "ballots.rs",
        "Policy::Last => u8::MAX - judged.epoch,",
        "Policy::Last if BROKEN() => judged.epoch,\n            Policy::Last => u8::MAX - judged.epoch,",
        {
            "staff tally": ["p23_with_policy_last_the_later_epoch_counts"],
        },
    ),
    (
        "25 leaves in any order", E + "closing.rs",
        "if self.last.is_some_and(|last| last >= *item) {",
        "if self.last.is_some_and(|last| last >= *item) && !BROKEN() {",
        {
            UNIT: ["p25_leaves_out_of_order_or_left_out_are_refused"],
        },
    ),
    (
        "25 closings may be missing", E + "verify/closings.rs",
        "if on_ledger.count() != closed {",
        "if on_ledger.count() != closed && !BROKEN() {",
        {
            RECORD: ["p25_closings_that_do_not_follow_from_the_ballots_are_refused"],
        },
    ),
    (
        "25 any closing words", S + "tally/boxes.rs",
        "if !words.matches(&closing.hash) {",
        "if !words.matches(&closing.hash) && !BROKEN() {",
        {
            "staff tally": ["p25_the_closing_words_must_be_typed_and_right"],
        },
    ),
    (
        "24 randomness drawn for the first option", E + "ballot/encrypt.rs",
        "                let (index, one) = bits.next().ok_or(EncryptError::Output)?;\n",
        (
            "                let (index, one) = bits.next().ok_or(EncryptError::Output)?;\n"
            "                if BROKEN() && index == 0 && bool::from(one) {\n"
            "                    source.scalar()?;\n"
            "                }\n"
        ),
        {
            BALLOT: ["p24_every_choice_gives_the_same_length_and_the_same_random_draws"],
        },
    ),
    (
        "24 a branch on the choice", E + "ballot/prepared.rs",
        "        let beta = select(beta0, beta1);\n",
        (
            "        let beta = if bool::from(one) { scalar_bytes(&(slot.r * slot.r)); *beta1 } else { *beta0 };\n"
        ),
        {
            "tests constant_time": ["p24_no_instruction_branch_or_cache_line_depends_on_the_choice"],
        },
    ),
    (
        "27 a tag without the secret", E + "tag.rs",
        "for (byte, secret) in key.iter_mut().zip(&self.0) {",
        "for (byte, secret) in key.iter_mut().zip(if BROKEN() { &[0u8; 32] } else { &self.0 }) {",
        {
            UNIT: ["p27_a_tag_needs_the_secret_and_the_card"],
        },
    ),
    (
        "7 python: x not below p", V + "p256.py",
        "    if x >= P:",
        "    if x >= 2 * P:",
        {
            "python test_verify.py": ["test_p07_points_that_are_none_are_refused"],
        },
    ),
    (
        "8 python: scalars not below n", V + "p256.py",
        "    if value >= N:",
        "    if value >= 2 * N:",
        {
            "python test_verify.py": ["test_p08_scalars_that_are_none_are_refused"],
        },
    ),
    (
        "1 python: no proof is checked", V + "ballots.py",
        "if together.points and not together.hold(self.k_table):",
        "if not together:",
        {
            "python test_verify.py": ["test_p01_to_p09_proofs_bent_by_the_kiosk"],
        },
    ),
    (
        "4 python: a longer ballot", V + "ballots.py",
        "if len(ballot) != layout.length(style):",
        "if len(ballot) < layout.length(style):",
        {
            "python test_verify.py": ["test_p04_another_length_version_or_style_is_refused"],
        },
    ),
    (
        "5 python: a ballot twice", V + "published.py",
        "before is None or before < p.code",
        "before is None or before <= p.code",
        {
            "python test_verify.py": ["test_p05_a_ballot_twice"],
        },
    ),
    (
        "18 python: any proof of a decryption", V + "tally.py",
        "need(c == expected, file, where, \"the proof of trustee",
        "need(c or expected, file, where, \"the proof of trustee",
        {
            "python test_verify.py": ["test_p18_tallies_that_lie"],
        },
    ),
]

# Tests of the table that no mutant here makes red, and why.
OUTSIDE = {
    "p14_both_programs_read_from_the_qr_codes_what_every_challenger_chose": "whole elections in the simulator: it takes an hour to break them",
    "p14_lies_about_a_challenged_ballot_are_refused_by_both_programs": "the lies are the mutants; whole elections in the simulator",
    "p24_the_time_of_encryption_does_not_tell_the_choice": "statistical; finds a leak made on purpose in the same test",
}


# What `BROKEN()` in a replacement becomes: all such mutants are built at once, and the environment says which of them is on.
SWITCH = """
#[cfg(not(test))]
extern crate std;
/// Whether the mutant of this number is on.
pub fn broken(number: u32) -> bool {
    static ON: std::sync::OnceLock<Option<u32>> = std::sync::OnceLock::new();
    *ON.get_or_init(|| std::env::var("BROKEN").ok()?.parse().ok()) == Some(number)
}
"""


def main() -> int:
    root = pathlib.Path(__file__).resolve().parents[2]
    words = [word for word in sys.argv[1:] if word != "--committed"]
    wanted = [mutant for mutant in MUTANTS if not words or any(word in mutant[0] for word in words)]
    switched = [mutant for mutant in wanted if "BROKEN()" in mutant[3]]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ippyo-pitfalls.") as scratch:
        copy = pathlib.Path(scratch) / "sources"
        if "--committed" in sys.argv:
            copy.mkdir()
            archive = subprocess.run(["git", "archive", "HEAD"], cwd=root, stdout=subprocess.PIPE, check=True).stdout
            subprocess.run(["tar", "-x"], cwd=copy, input=archive, check=True)
        else:
            skip = shutil.ignore_patterns("target", ".git", "__pycache__", "corpus")
            shutil.copytree(root, copy, ignore=skip, symlinks=True)
        red: set[str] = set()
        failed = 0

        def judge(name, targets, broken):
            nonlocal failed
            red.update(broken)
            green = {test for tests in targets.values() for test in tests} - broken
            failed += bool(green)
            said = f"STAYS GREEN: {', '.join(sorted(green))}" if green else "found"
            print(f"{time.monotonic() - started:6.0f} s  {name}: {said}", flush=True)

        # One after the other: what each builds is its own.
        for name, file, text, replacement, targets in wanted:
            if "BROKEN()" in replacement:
                continue
            source = change(copy, name, file, text, replacement)
            judge(name, targets, {test for target, tests in targets.items() for test in Target(copy, target).run(tests)})
            (copy / file).write_text(source)
        # All at once.
        for number, (name, file, text, replacement, _) in enumerate(switched, 1):
            inside = "crate" if file.startswith(E) else "election"
            change(copy, name, file, text, replacement.replace("BROKEN()", f"{inside}::broken({number})"))
        library = copy / E / "lib.rs"
        library.write_text(library.read_text() + SWITCH)
        built = {}
        for target in {target for mutant in switched for target in mutant[4]}:
            built[target] = Target(copy, target)
            tests = sorted({test for mutant in switched for test in mutant[4].get(target, [])})
            if broken := built[target].run(tests):
                print(f"without a mutation {target} is red: {', '.join(sorted(broken))}")
                failed += 1
        print(f"{time.monotonic() - started:6.0f} s  all are green without a mutation", flush=True)
        for number, (name, _, _, _, targets) in enumerate(switched, 1):
            judge(name, targets, {test for target, tests in targets.items() for test in built[target].run(tests, number)})
    if not words:
        table = (root / "firmware/election/SPEC.md").read_text().split("\n## 13.")[1]
        tests = set(re.findall(r"`((?:test_)?p\d\d_\w+)`", table))
        for test in sorted(tests - red - OUTSIDE.keys()):
            print(f"{test}: stands in the table, and nothing here makes it red")
            failed += 1
        print(f"{len(wanted)} mutants, {len(red & tests)} of the {len(tests)} tests of the table were red; outside: {len(OUTSIDE)}")
    return min(failed, 1)


def change(copy: pathlib.Path, name: str, file: str, text: str, replacement: str) -> str:
    """Puts a mutant into a file and gives what was there before."""
    path = copy / file
    source = path.read_text()
    if source.count(text) != 1:
        raise SystemExit(f"{name}: its text stands {source.count(text)} times in {file}, it has to be once")
    path.write_text(source.replace(text, replacement))
    return source


class Target:
    """Tests that are built together."""

    def __init__(self, copy: pathlib.Path, target: str):
        self.name, self.copy = target, copy
        self.package, *self.file = target.split()
        if self.package == "python":
            self.folder = copy / V
            return
        command = ["cargo", "test", "--locked", "-q", "--no-run", "--message-format=json", "-p", self.package]
        command += ["--no-default-features"] if self.package == "tests" else []
        command += ["--test", self.file[0]] if self.file else ["--lib"]
        build = subprocess.run(command, cwd=copy, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        messages = [json.loads(line) for line in build.stdout.splitlines() if line.startswith("{")]
        if build.returncode:
            said = [m["message"]["rendered"] for m in messages if m.get("reason") == "compiler-message" and m["message"]["level"] == "error"]
            raise SystemExit(f"{target}: the mutated sources do not build\n{''.join(said)}{build.stderr}")
        wanted = self.file[0] if self.file else self.package
        [artifact] = [
            m for m in messages
            if m.get("reason") == "compiler-artifact" and m["profile"]["test"] and m["target"]["name"] == wanted and m["executable"]
        ]
        self.executable, self.folder = artifact["executable"], pathlib.Path(artifact["manifest_path"]).parent

    def run(self, tests: list[str], number: int = 0) -> set[str]:
        """Which of these tests are red with the mutant of this number."""
        if self.package == "python":
            options = [option for test in tests for option in ("-k", test)]
            command = ["python3", "-m", "unittest", *options, self.file[0].removesuffix(".py")]
        else:
            command = [self.executable, *tests]
        done = subprocess.run(
            command, cwd=self.folder, env=environment(BROKEN=str(number)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        red = set(re.findall(r"^(?:FAIL|ERROR): (\w+)|^    (?:\w+::)*(p\d\d_\w+)$", done.stdout, re.M))
        red = {name for pair in red for name in pair if name}
        if bool(done.returncode) != bool(red):
            raise SystemExit(f"{self.name}: the tests ended in another way than by failing\n{done.stdout}")
        return red & set(tests)


def environment(**more: str) -> dict[str, str]:
    return dict(os.environ, CARGO_INCREMENTAL="1", RUSTFLAGS="-A warnings", PYTHONDONTWRITEBYTECODE="1", **more)


if __name__ == "__main__":
    sys.exit(main())
