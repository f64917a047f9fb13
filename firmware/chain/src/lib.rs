//! The consortium ledger: its rules, blocks and commit proofs.

