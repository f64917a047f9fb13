//! Smartcards: APDU layer and PIV profile over one transmit trait.
#![no_std]
