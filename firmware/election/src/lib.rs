//! Ballot cryptography and the formats of an election, pure and no_std: what an auditor reads.
#![no_std]
