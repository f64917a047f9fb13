//! The image as a machine in an emulator. People are touches on the emulated panel, cards in the emulated reader, drives in the emulated ports; nothing in
//! the image is made for tests, and nothing in it answers but the panel. Each screen that is waited for is compared pixel by pixel with the
//! one its definition wants.
//!
//! Run by `tests/run image`, which builds the image and names its folder in `IPPYO_IMAGE`. Pictures are kept in `IPPYO_PICTURES`, if that is named.

mod day;
mod election;
mod hardened;
mod mice;
mod update;
