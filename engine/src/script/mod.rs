//! From a playbook's script to a plan.

mod closure;
mod params;
mod planner;

pub(crate) use self::closure::show_closures;
pub use self::closure::{Closure, Closures};
pub use self::params::Param;
pub use self::planner::{Library, Planner, Playbook, Values};
