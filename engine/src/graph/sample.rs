//! Plans by hand, for the tests of the formats: one that mirrors the default playbook, and odd ones.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::builtin::{Builtin, Outcome, Receiver, Spec, StepError};
use crate::context::Context;
use crate::diagnostic::Location;
use crate::plan::{Edge, EdgeKind, Expr, Key, Modifiers, Piece, Plan, Reference, Retries, Step, StepId};
use crate::registry::Registry;
use crate::script::{Closure, Param};

/// A builtin that only looks like one: it says what it is told to say.
struct Fake {
    spec: Spec,
    verb: &'static str,
}

#[async_trait]
impl Builtin for Fake {
    type Args = Value;
    type Output = Value;

    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    fn describe(&self, args: &Value) -> String {
        let rest = crate::builtin::describe_arguments(self.spec.subject, args);
        format!("{} {rest}", self.verb)
    }

    fn details(&self, args: &Value) -> Option<String> {
        args.get("config")
            .map(|config| config.as_str().unwrap_or_default().to_owned())
    }

    async fn run(&self, args: Value, _: Context) -> Result<Outcome<Value>, StepError> {
        Ok(Outcome::unchanged(args))
    }
}

/// Builds plans by hand.
pub(crate) struct Builder {
    registry: Registry,
    plan: Plan,
}

impl Builder {
    pub(crate) fn new(playbook: &str) -> Self {
        Self {
            registry: Registry::new(),
            plan: Plan {
                id: 0,
                notes: Vec::new(),
                playbook: playbook.into(),
                graph: Default::default(),
                params: Vec::new(),
                files: Arc::default(),
                closures: Arc::default(),
                secrets: Arc::default(),
            },
        }
    }

    pub(crate) fn builtin(&mut self, verb: &'static str, spec: Spec) {
        self.registry.add(Fake { spec, verb });
    }

    pub(crate) fn step(&mut self, name: &str, builtin: &str, line: u32, args: &[(&str, Expr)]) -> StepId {
        let at = Location::new(self.plan.playbook.clone(), line, 5);
        let args: Vec<(Arc<str>, Expr)> = args
            .iter()
            .map(|(name, expr)| ((*name).into(), expr.clone()))
            .collect();
        let mut reads: Vec<Reference> = Vec::new();
        for (_, expr) in &args {
            expr.references(&mut |reference| reads.push(reference.clone()));
        }
        let id = self.plan.graph.add_node(Step {
            name: name.into(),
            at: at.clone(),
            builtin: self.registry.builtins[builtin].clone(),
            args,
            modifiers: None,
            closures: Vec::new(),
        });
        for Reference { step, path } in reads {
            self.plan.graph.add_edge(
                step,
                id,
                Edge {
                    kind: EdgeKind::Data(path),
                    at: at.clone(),
                },
            );
        }
        id
    }

    pub(crate) fn after(&mut self, id: StepId, others: &[StepId]) {
        let at = self.plan.graph[id].at.clone();
        for other in others {
            self.plan.graph.add_edge(
                *other,
                id,
                Edge {
                    kind: EdgeKind::Order,
                    at: at.clone(),
                },
            );
        }
    }

    pub(crate) fn modify(&mut self, id: StepId, modify: impl FnOnce(&mut Modifiers)) {
        modify(self.plan.graph[id].modifiers.get_or_insert_default());
    }

    pub(crate) fn at(&mut self, id: StepId, file: &str, line: u32) {
        self.plan.graph[id].at = Location::new(file, line, 5);
    }

    pub(crate) fn param(&mut self, name: &str, doc: &str, default: Value, value: Value) -> &mut Param {
        self.plan.params.push(Param {
            name: name.to_owned(),
            doc: doc.to_owned(),
            kind: if value.is_boolean() { "bool" } else { "string" }.to_owned(),
            default: Some(default),
            value: Some(value),
            choices: None,
            pattern: None,
            min: None,
            max: None,
            secret: false,
            at: None,
        });
        self.plan.params.last_mut().expect("it was just pushed")
    }

    pub(crate) fn build(self) -> Plan {
        self.plan
    }
}

pub(crate) fn known(value: impl Into<Value>) -> Expr {
    Expr::Value(value.into())
}

/// `read(step, "items[0].status.podIP")`.
pub(crate) fn reference(step: StepId, path: &str) -> Reference {
    let keys = path.split(['.', '[', ']']).filter(|key| !key.is_empty());
    Reference {
        step,
        path: keys
            .map(|key| {
                key.parse()
                    .map(Key::Index)
                    .unwrap_or_else(|_| Key::Name(key.into()))
            })
            .collect(),
    }
}

pub(crate) fn read(step: StepId, path: &str) -> Expr {
    Expr::Ref(reference(step, path))
}

fn closure() -> Expr {
    known(json!({ "$closure": 0 }))
}

/// The default playbook as the founding design outlines it, and a few steps more so that each modifier is there.
pub(crate) fn sample() -> Plan {
    let mut b = Builder::new("playbooks/kubeadm-psp.rhai");
    let on_cluster = |name, subject| Spec::new(name, "").on("cluster").subject(subject);
    b.builtin(
        "check",
        Spec::new("host::preflight", "")
            .optionally_on("host")
            .reads_only(),
    );
    b.builtin(
        "bootstrap",
        Spec::new("kubeadm::init", "")
            .optionally_on("host")
            .produces("cluster"),
    );
    b.builtin(
        "write",
        Spec::new("host::file", "").optionally_on("host").subject("path"),
    );
    b.builtin(
        "run",
        Spec::new("host::run", "")
            .optionally_on("host")
            .subject("command"),
    );
    b.builtin("apply", on_cluster("apply", "what"));
    b.builtin("create namespace", on_cluster("namespace", "name"));
    b.builtin("wait for ready", on_cluster("wait_ready", "kind").reads_only());
    b.builtin("wait for event", on_cluster("wait_event", "message").reads_only());
    b.builtin("get", on_cluster("get", "kind").reads_only());
    b.builtin("label", on_cluster("label", "what"));
    b.builtin("remove control-plane taints of", on_cluster("untaint", "nodes"));
    b.builtin("check that", Spec::new("check", "").subject("claim").reads_only());
    b.builtin(
        "GET",
        Spec::new("curl", "")
            .optionally_on("host")
            .subject("url")
            .reads_only(),
    );
    b.builtin("for each of", Spec::new("for_each", "").subject("list"));

    b.param(
        "cni",
        "pod network: a module of plugins/cni",
        json!("flannel"),
        json!("flannel"),
    );
    b.param(
        "kubernetes_version",
        "control plane version",
        json!("auto"),
        json!("v1.20.2"),
    );
    b.param(
        "apparmor",
        "AppArmor annotations on the policies: auto, on or off",
        json!("auto"),
        json!("auto"),
    );
    b.param(
        "registry_password",
        "for the private registry",
        Value::Null,
        json!("hunter2"),
    )
    .secret = true;

    let preflight = b.step("preflight", "host::preflight", 21, &[("fix", known(true))]);
    let config = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n\
        apiServer:\n  extraArgs:\n    enable-admission-plugins: NodeRestriction,PodSecurityPolicy\n\
        networking:\n  podSubnet: 10.244.0.0/16\n";
    let cluster = b.step(
        "cluster",
        "kubeadm::init",
        27,
        &[
            ("kubernetes_version", read(preflight, "kubeadm.version")),
            ("pod_subnet", known("10.244.0.0/16")),
            (
                "admission_plugins",
                known(json!(["NodeRestriction", "PodSecurityPolicy"])),
            ),
            ("config", known(config)),
        ],
    );
    b.modify(cluster, |m| m.timeout = Some(Duration::from_secs(600)));
    let of = read(cluster, "");
    let refused = b.step(
        "refused",
        "wait_event",
        37,
        &[
            ("cluster", of.clone()),
            ("namespace", known("kube-system")),
            ("message", known("no providers available to validate pod request")),
        ],
    );
    let not_ready = b.step(
        "node_before",
        "get",
        40,
        &[("cluster", of.clone()), ("kind", known("nodes"))],
    );
    let no_network = b.step(
        "the node waits for its network",
        "check",
        41,
        &[
            ("claim", known("the node waits for its network")),
            ("value", read(not_ready, "items[0].status")),
        ],
    );
    let policies = b.step(
        "policies",
        "apply",
        46,
        &[
            ("cluster", of.clone()),
            (
                "what",
                known(json!([
                    "manifests/default-psp-with-rbac.yaml",
                    "manifests/privileged-psp-with-rbac.yaml"
                ])),
            ),
        ],
    );
    b.after(policies, &[refused, no_network]);
    let pod_network = b.step(
        "pod_network",
        "apply",
        9,
        &[
            ("cluster", of.clone()),
            ("what", known("plugins/cni/flannel/flannel.yaml")),
        ],
    );
    b.at(pod_network, "plugins/cni/flannel.rhai", 9);
    b.after(pod_network, &[policies]);
    b.modify(pod_network, |m| {
        m.retries = Some(Retries::new(3));
        m.tags = vec!["network".into()];
    });
    let wait = |b: &mut Builder, name: &str, line, kind: &str, namespace: &str, after: StepId| {
        let mut args = vec![("cluster", of.clone()), ("kind", known(kind))];
        if !namespace.is_empty() {
            args.push(("namespace", known(namespace)));
        }
        let id = b.step(name, "wait_ready", line, &args);
        b.after(id, &[after]);
        b.modify(id, |m| m.timeout = Some(Duration::from_secs(300)));
        id
    };
    let nodes = wait(&mut b, "nodes", 55, "nodes", "", pod_network);
    let system_pods = wait(&mut b, "system_pods", 56, "pods", "kube-system", pod_network);
    let schedulable = b.step(
        "schedulable",
        "untaint",
        57,
        &[("cluster", of.clone()), ("nodes", known("all nodes"))],
    );
    b.after(schedulable, &[nodes, system_pods]);
    let labels = b.step(
        "labels",
        "for_each",
        60,
        &[("list", read(nodes, "items")), ("body", closure())],
    );
    b.modify(labels, |m| m.tags = vec!["extras".into()]);

    let ingress_ns = b.step(
        "ingress_namespace",
        "namespace",
        64,
        &[("cluster", of.clone()), ("name", known("ingress-nginx"))],
    );
    b.after(ingress_ns, &[schedulable]);
    let ingress_psp = b.step(
        "ingress_policy",
        "apply",
        65,
        &[
            ("cluster", of.clone()),
            (
                "what",
                known("manifests/nginx-ingress-controller-psp-with-rbac.yaml"),
            ),
        ],
    );
    b.after(ingress_psp, &[ingress_ns]);
    let ingress = b.step(
        "ingress",
        "apply",
        66,
        &[
            ("cluster", of.clone()),
            ("what", known("manifests/ingress-nginx.yaml")),
            ("namespace", read(ingress_ns, "name")),
        ],
    );
    b.after(ingress, &[ingress_psp]);
    let controller = wait(&mut b, "controller", 70, "pods", "ingress-nginx", ingress);
    b.step(
        "the controller runs under its own policy",
        "check",
        72,
        &[
            ("claim", known("the controller runs under its own policy")),
            (
                "value",
                read(controller, "items[0].metadata.annotations.kubernetes.io/psp"),
            ),
        ],
    );

    let demo = b.step(
        "demo",
        "namespace",
        78,
        &[("cluster", of.clone()), ("name", known("demo"))],
    );
    b.after(demo, &[schedulable]);
    let httpbin = b.step(
        "httpbin",
        "apply",
        79,
        &[
            ("cluster", of.clone()),
            ("what", known("manifests/httpbin.yaml")),
            ("namespace", read(demo, "name")),
        ],
    );
    let httpbin_ready = wait(&mut b, "httpbin_ready", 80, "deployments", "demo", httpbin);
    let httpbin_pods = b.step(
        "httpbin_pods",
        "get",
        81,
        &[
            ("cluster", of.clone()),
            ("kind", known("pods")),
            ("namespace", known("demo")),
        ],
    );
    b.after(httpbin_pods, &[httpbin_ready]);
    b.step(
        "httpbin runs under the default policy",
        "check",
        82,
        &[
            ("claim", known("httpbin runs under the default policy")),
            (
                "value",
                read(httpbin_pods, "items[0].metadata.annotations.kubernetes.io/psp"),
            ),
        ],
    );
    let reply = b.step(
        "reply",
        "curl",
        88,
        &[
            (
                "url",
                Expr::Text(vec![
                    Piece::Text("http://".to_owned()),
                    Piece::Ref(reference(controller, "items[0].status.podIP")),
                    Piece::Text("/get".to_owned()),
                ]),
            ),
            ("headers", known(json!({ "Host": "my.httpbin.com" }))),
        ],
    );
    b.after(reply, &[httpbin_ready]);
    b.modify(reply, |m| {
        m.until = Some(Closure { id: 1 });
        m.retries = Some(Retries {
            initial: Duration::from_millis(500),
            factor: 1.5,
            ..Retries::new(5)
        });
    });
    b.step(
        "httpbin answers through the ingress",
        "check",
        92,
        &[
            ("claim", known("httpbin answers through the ingress")),
            ("status", read(reply, "status")),
            ("host", read(reply, "json.headers.Host")),
        ],
    );
    let join = b.step(
        "join_command",
        "host::file",
        96,
        &[
            ("path", known("/root/join.sh")),
            ("content", read(cluster, "join.command")),
            ("mode", known("0600")),
        ],
    );
    b.modify(join, |m| m.when = Some(Closure { id: 2 }));
    let report = b.step(
        "report",
        "host::run",
        99,
        &[(
            "command",
            known(json!(["kubectl", "get", "all", "--all-namespaces"])),
        )],
    );
    b.after(report, &[reply]);
    b.modify(report, |m| {
        m.finally = true;
        m.allow_failure = true;
        m.locks = vec!["kubectl".into()];
    });
    b.build()
}

/// So many steps in layers of a hundred, each with two dependencies.
pub(crate) fn layered(steps: usize) -> Plan {
    let mut b = Builder::new("layered.rhai");
    b.builtin(
        "do",
        Spec {
            receiver: Receiver::None,
            ..Spec::new("work", "")
        }
        .subject("what"),
    );
    let mut ids: Vec<StepId> = Vec::with_capacity(steps);
    for index in 0..steps {
        let mut args = vec![("what", known(format!("piece {index}")))];
        if index >= 100 {
            let layer = index / 100 * 100 - 100;
            args.push(("one", read(ids[layer + index % 100], "out")));
            args.push(("two", read(ids[layer + (index * 7 + 3) % 100], "out[0]")));
        }
        ids.push(b.step(&format!("step_{index}"), "work", 1, &args));
    }
    b.build()
}

/// A small plan as random numbers shape it.
#[derive(Debug, Clone)]
pub(crate) struct Odd {
    /// Name, what it says that it does, details, file.
    pub steps: Vec<(String, String, String, String)>,
    /// A step, one of those before it, and whether and what it reads.
    pub edges: Vec<(usize, usize, Option<String>)>,
    pub left_out: Vec<Option<String>>,
    pub playbook: String,
}

pub(crate) fn odd(odd: &Odd) -> Plan {
    let mut b = Builder::new(&odd.playbook);
    b.builtin("do", Spec::new("one::work", "").subject("what"));
    b.builtin("see", Spec::new("look", "").subject("what").reads_only());
    b.builtin("for each", Spec::new("for_each", "").subject("what"));
    b.param(
        &odd.playbook,
        "odd \u{1b}[31m",
        json!("\u{1b}]0;\u{7}"),
        json!("%%{init: {}}%%"),
    );
    let builtins = ["one::work", "look", "for_each"];
    let mut ids: Vec<StepId> = Vec::new();
    for (index, (name, what, details, file)) in odd.steps.iter().enumerate() {
        // Names are unique, as the planner makes them.
        let name = if odd.steps[..index].iter().any(|step| step.0 == *name) {
            format!("{name}-{index}")
        } else {
            name.clone()
        };
        let mut args = vec![
            ("what", known(what.as_str())),
            ("config", known(details.as_str())),
        ];
        let edges = odd.edges.iter().filter(|edge| edge.0 == index && index > 0);
        let (reads, follows): (Vec<_>, Vec<_>) = edges.partition(|edge| edge.2.is_some());
        for (_, other, path) in reads {
            let keys = [
                Key::Name(path.as_deref().unwrap_or_default().into()),
                Key::Index(-1),
            ];
            args.push((
                "read",
                Expr::Ref(Reference {
                    step: ids[other % index],
                    path: keys.into(),
                }),
            ));
        }
        let id = b.step(&name, builtins[index % 3], index as u32, &args);
        if index % 2 == 0 {
            b.at(id, file, 0);
        }
        let follows: Vec<StepId> = follows.iter().map(|edge| ids[edge.1 % index]).collect();
        b.after(id, &follows);
        b.modify(id, |m| m.tags = vec![details.as_str().into()]);
        ids.push(id);
    }
    b.build()
}
