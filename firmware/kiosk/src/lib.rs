//! The voting kiosk: admission, session, ballot box, outbox, audit log and the one loop.
#![no_std]
