//! Virtual cards over the real PC/SC stack, and everything of ours that uses it: the card room's reader, the desk's `staff card`, and the appliance with
//! its panel on a display.
//!
//! One program, because all of it waits: for the daemon, which looks at its slots two or three times a second, for the panel, which takes no touch in the
//! first third of a second, for the screen that says goodbye. What waits can wait beside each other. Each test has daemon, ports and display of its own.

mod booth;
mod desk;
mod election;
mod mistakes;
mod odd;
mod opensc;
mod reader;
