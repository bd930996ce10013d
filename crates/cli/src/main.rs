//! The touchmark command line.

fn main() {}
