//! The cluster builtins, as playbooks call them, against a real kube-apiserver: no kubelet and no controllers, so that
//! each test writes the statuses and events itself that they would write.

mod applying;
mod bench;
mod conditions;
mod connecting;
mod objects;
mod refusals;
mod waiting;
mod yaml;
