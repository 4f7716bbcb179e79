//! A migration that is added is part of the next build; cargo does not look into their folder by itself.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
