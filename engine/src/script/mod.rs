//! From a playbook's script to a plan.

mod closure;
mod params;

pub(crate) use self::closure::show_closures;
pub use self::closure::{Closure, Closures};
pub use self::params::Param;
