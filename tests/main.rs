//! The tests of the whole program: one binary, so that it is linked once. What a module tests, its name says.

#![expect(clippy::panic, reason = "tests")]

mod builtins;
mod cli;
mod support;
