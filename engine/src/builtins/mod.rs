//! The engine's own builtins, which work on closures and values alone.

mod check;
mod for_each;
mod function;
mod map;

use std::any::TypeId;
use std::sync::{Arc, LazyLock};

use rhai::{Dynamic, FnPtr};

pub(crate) use self::function::function;
use crate::builtin::{AnyBuiltin, Erased};

/// A builtin whose arguments are given by position.
pub(crate) struct Call {
    pub(crate) builtin: Arc<dyn AnyBuiltin>,
    pub(crate) name: &'static str,
    pub(crate) positional: &'static [&'static str],
    /// The script's types of these arguments.
    pub(crate) types: Vec<TypeId>,
}

static OWN: LazyLock<[Arc<dyn AnyBuiltin>; 3]> = LazyLock::new(|| {
    [
        Erased::erase(check::Check),
        Erased::erase(map::Map),
        Erased::erase(for_each::ForEach),
    ]
});

/// The engine's own builtins, for help and documentation.
pub(crate) fn own() -> &'static [Arc<dyn AnyBuiltin>] {
    &*OWN
}

/// The calls by which a script reaches them.
pub(crate) fn all() -> Vec<Call> {
    let (any, closure) = (TypeId::of::<Dynamic>(), TypeId::of::<FnPtr>());
    let handle = TypeId::of::<crate::script::HandleType>();
    let [check, map, for_each] = &*OWN;
    vec![
        Call {
            builtin: check.clone(),
            name: "check",
            positional: &["claim", "holds"],
            types: vec![any, closure],
        },
        Call {
            builtin: map.clone(),
            name: "map",
            positional: &["value", "with"],
            types: vec![handle, closure],
        },
        Call {
            builtin: for_each.clone(),
            name: "for_each",
            positional: &["items", "each"],
            types: vec![any, closure],
        },
        // Rhai has a method of this name on lists, which would call the closure at once.
        Call {
            builtin: for_each.clone(),
            name: "for_each",
            positional: &["items", "each"],
            types: vec![TypeId::of::<rhai::Array>(), closure],
        },
    ]
}
