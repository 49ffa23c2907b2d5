//! Builtins that act on a cluster's API, one file each.

mod annotate;
mod apply;
mod connection;
mod delete;
pub mod discovery;
pub mod error;
mod events;
mod exec;
mod field_path;
mod get;
mod gone;
pub mod heal;
mod kubeconfig;
mod label;
mod logs;
mod metadata;
mod namespace;
mod object;
mod patch;
mod requests;
mod scope;
mod selector;
mod taint;
mod taints;
#[cfg(test)]
mod testing;
mod untaint;
mod wait_event;
mod wait_for;
mod wait_ready;
mod watch;
mod words;

use std::sync::Arc;

use psprun_engine::Registry;

pub use self::connection::{Clusters, Connection};
use crate::target::Target;

/// Registers the group: one line a builtin.
pub(crate) fn register(registry: &mut Registry, target: &Arc<dyn Target>) {
    let clusters = Clusters::new(target);
    let clusters = || clusters.clone();
    registry
        .add(annotate::Annotate { clusters: clusters() })
        .add(apply::Apply::new(&clusters()))
        .add(delete::Delete { clusters: clusters() })
        .add(exec::Exec { clusters: clusters() })
        .add(get::Get { clusters: clusters() })
        .add(kubeconfig::Kubeconfig { clusters: clusters() })
        .add(label::Label { clusters: clusters() })
        .add(logs::Logs { clusters: clusters() })
        .add(namespace::Namespace { clusters: clusters() })
        .add(patch::Patch { clusters: clusters() })
        .add(taint::TaintNodes { clusters: clusters() })
        .add(untaint::UntaintNodes { clusters: clusters() })
        .add(wait_event::WaitEvent { clusters: clusters() })
        .add(wait_for::WaitFor { clusters: clusters() })
        .add(wait_ready::WaitReady { clusters: clusters() });
}

#[cfg(test)]
mod tests {
    use psprun_engine::{Receiver, Registry};

    use crate::target::live::LiveTarget;

    #[test]
    fn examples_plan() {
        let mut registry = Registry::new();
        super::register(&mut registry, &LiveTarget::new());
        for doc in registry.builtins() {
            let name = doc.spec.name;
            // Its examples name files, which are not here.
            if name == "apply" {
                continue;
            }
            assert!(doc.spec.examples.len() >= 2, "{name} has too few examples");
            let cluster = match doc.spec.receiver {
                Receiver::Required("cluster") => "let cluster = kubeconfig(\"admin.conf\");\n",
                _ => "",
            };
            for example in doc.spec.examples {
                crate::testing::plan(&format!("{cluster}{}", example.script));
            }
        }
    }
}
