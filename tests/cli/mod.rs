//! The command line, as whoever types it sees it.

mod book;
mod builtins;
mod events;
mod fork;
mod help;
mod interrupt;
mod output;
mod params;
mod run;
mod speed;
mod usage;
