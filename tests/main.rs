//! The tests of the whole program: one binary, so that it is linked once. What a module tests, its name says.

#![expect(clippy::panic, clippy::print_stderr, clippy::print_stdout, reason = "tests")]

mod bed;
mod builtins;
mod cli;
mod support;
