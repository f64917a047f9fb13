//! The entry point of the binary; everything else is the target's default.

fn main() {
    println!("cargo:rustc-link-arg-bins=--entry=_start");
    println!("cargo:rerun-if-changed=build.rs");
}
