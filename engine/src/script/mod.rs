//! From a playbook's script to a plan.
//!
//! Evaluating the script builds the graph: `functions` lets it call builtins, `intake` turns what it gives them into
//! arguments and edges, `closure` keeps what must look at results for later, `look` stops what looks too early.

mod builder;
mod closure;
mod combine;
mod convert;
mod errors;
mod fan_out;
mod functions;
mod handle;
mod intake;
mod limits;
mod look;
mod modifiers;
mod modules;
mod names;
mod params;
mod planner;
mod sources;
mod token;
mod words;

pub use self::closure::Closure;
pub(crate) use self::closure::{Captures, Closures, show_closures};
pub(crate) use self::fan_out::{Outer, unfold};
pub(crate) use self::handle::Handle as HandleType;
pub(crate) use self::modifiers::NAMES as MODIFIERS;
pub use self::params::{Param, Values};
pub use self::planner::{Library, Planner, Playbook};
