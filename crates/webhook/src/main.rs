//! The admission webhook.

fn main() {}
