//! Placeholder-free benches follow.

fn main() {}
