#![doc = include_str!("../README.md")]

mod registry;

pub use registry::{Auth, FakeRegistry, Fault, Knobs, Location, Recorded, ReferrersApi, Tamper};
