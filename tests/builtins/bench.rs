//! Runs playbooks in this process, and writes to the server behind their back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use psprun_engine::event::Failure;
use psprun_engine::run::{Interrupt, RunOptions, run};
use psprun_engine::script::{Planner, Playbook, Values};
use psprun_engine::{Event, EventKind, Registry, State};
use psprun_stdlib::target::live::LiveTarget;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Pods need no service account, which a controller would make.
pub const NO_ACCOUNTS: &[&str] = &["--disable-admission-plugins=ServiceAccount"];

/// A server's kubeconfig, the builtins, and a runtime for both sides.
pub struct Bench {
    kubeconfig: PathBuf,
    registry: Arc<Registry>,
    pub runtime: Runtime,
    pub client: kube::Client,
}

/// How a playbook went.
#[derive(Debug, Default)]
pub struct Run {
    pub steps: BTreeMap<String, Step>,
    /// What steps told while they ran.
    pub told: Vec<String>,
}

/// How a step ended.
#[derive(Debug)]
pub struct Step {
    pub state: State,
    pub summary: String,
    pub details: String,
    pub output: Value,
    pub failure: Option<Failure>,
    pub took: Duration,
    pub ended: Instant,
}

impl Bench {
    /// On this server.
    pub fn new(kubeconfig: PathBuf) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let mut registry = Registry::new();
        psprun_stdlib::register(&mut registry, &LiveTarget::new());
        let client = runtime.block_on(async {
            let config = kube::config::Kubeconfig::read_from(&kubeconfig).expect("a kubeconfig");
            let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await;
            kube::Client::try_from(config.expect("a good one")).expect("a client")
        });
        Self {
            kubeconfig,
            registry: Arc::new(registry),
            runtime,
            client,
        }
    }

    /// Runs a playbook's steps on `cluster`, to the end; they may name files of this folder.
    pub fn run_in(&self, folder: &Path, script: &str) -> Run {
        self.runtime
            .block_on(self.start_in(Some(folder), script))
            .expect("no panic")
    }

    /// Runs a playbook's steps on `cluster`, to the end.
    pub fn run(&self, script: &str) -> Run {
        self.runtime.block_on(self.start(script)).expect("no panic")
    }

    /// Starts a playbook.
    pub fn start(&self, script: &str) -> JoinHandle<Run> {
        self.start_in(None, script)
    }

    /// Starts a playbook whose files are in a folder.
    pub fn start_in(&self, folder: Option<&Path>, script: &str) -> JoinHandle<Run> {
        let playbook = Playbook {
            name: "test".into(),
            script: format!(
                "let cluster = kubeconfig({:?});\n{script}",
                self.kubeconfig.display().to_string()
            ),
            folder: folder.map(Path::to_owned),
        };
        let plan = Planner::new(self.registry.clone())
            .plan(&playbook, &Values::new())
            .unwrap_or_else(|problems| panic!("{script}: {problems:#?}"));
        self.runtime.spawn(async move {
            let record = Arc::new(Mutex::new(Run::default()));
            let consumer = {
                let record = record.clone();
                move |event: &Event| record.lock().expect("no panic").take(event)
            };
            run(
                &plan,
                &RunOptions::default(),
                &Interrupt::default(),
                vec![Box::new(consumer)],
            )
            .await
            .expect("all steps are selected");
            std::mem::take(&mut *record.lock().expect("no panic"))
        })
    }

    /// Without a policy the server takes no pods.
    pub fn let_pods_in(&self) {
        let any = json!({ "rule": "RunAsAny" });
        self.create(json!({
            "apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy", "metadata": { "name": "all" },
            "spec": { "privileged": true, "volumes": ["*"], "seLinux": any, "runAsUser": any, "supplementalGroups": any, "fsGroup": any },
        }));
        // Admission reads policies from a cache.
        let probe = pod("default", "probe", json!({}));
        let until = Instant::now() + Duration::from_secs(10);
        let api = self.api_of(&probe);
        let typed: DynamicObject = serde_json::from_value(probe.clone()).expect("a pod");
        while let Err(error) = self.runtime.block_on(api.create(&PostParams::default(), &typed)) {
            assert!(Instant::now() < until, "{error}");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.delete(&probe);
    }

    fn api(&self, api_version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match namespace {
            "" => Api::all_with(self.client.clone(), &resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, &resource),
        }
    }

    fn api_of(&self, object: &Value) -> Api<DynamicObject> {
        self.api(
            object["apiVersion"].as_str().expect("an apiVersion"),
            object["kind"].as_str().expect("a kind"),
            object["metadata"]["namespace"].as_str().unwrap_or_default(),
        )
    }

    /// Creates an object, with its status.
    pub fn create(&self, object: Value) {
        self.runtime.block_on(async {
            let typed: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
            let created = self.api_of(&object).create(&PostParams::default(), &typed).await;
            created.unwrap_or_else(|error| panic!("{object}: {error}"));
        });
        if object.get("status").is_some() {
            self.write_status(&object);
        }
    }

    /// Writes an object's status, as its kubelet or controller would; gives when the server had written it.
    pub fn write_status(&self, object: &Value) -> Instant {
        let name = object["metadata"]["name"].as_str().expect("a name");
        let patch = Patch::Merge(json!({ "status": object["status"] }));
        self.runtime.block_on(async {
            self.api_of(object)
                .patch_status(name, &PatchParams::default(), &patch)
                .await
                .unwrap_or_else(|error| panic!("{object}: {error}"));
            Instant::now()
        })
    }

    /// The objects of a kind.
    pub fn list(&self, api_version: &str, kind: &str, namespace: &str) -> Vec<Value> {
        let api = self.api(api_version, kind, namespace);
        let list = self
            .runtime
            .block_on(api.list(&Default::default()))
            .expect("a list");
        let typed = |object: DynamicObject| {
            let mut object = serde_json::to_value(object).expect("JSON");
            object["apiVersion"] = api_version.into();
            object["kind"] = kind.into();
            object
        };
        list.items.into_iter().map(typed).collect()
    }

    /// Changes an object.
    pub fn patch(&self, object: &Value, patch: Value) {
        let name = object["metadata"]["name"].as_str().expect("a name");
        self.runtime.block_on(async {
            self.api_of(object)
                .patch(name, &PatchParams::default(), &Patch::Merge(patch))
                .await
                .unwrap_or_else(|error| panic!("{object}: {error}"));
        });
    }

    /// Deletes an object, at once.
    pub fn delete(&self, object: &Value) {
        let name = object["metadata"]["name"].as_str().expect("a name");
        self.runtime.block_on(async {
            let params = kube::api::DeleteParams::default().grace_period(0);
            let gone = self.api_of(object).delete(name, &params).await;
            gone.unwrap_or_else(|error| panic!("{object}: {error}"));
        });
    }
}

impl Run {
    /// A step that ended well.
    pub fn good(&self, name: &str) -> &Step {
        let step = self
            .steps
            .get(name)
            .unwrap_or_else(|| panic!("no step {name}: {self:#?}"));
        assert!(step.state.is_good(), "{name}: {step:#?}\n{:#?}", self.told);
        step
    }

    /// The failure of a step.
    pub fn failure(&self, name: &str) -> &Failure {
        let step = self
            .steps
            .get(name)
            .unwrap_or_else(|| panic!("no step {name}: {self:#?}"));
        assert_eq!(step.state, State::Failed, "{name}: {step:#?}");
        step.failure.as_ref().expect("a failed step says why")
    }

    fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StepProgress { text, .. } => self.told.push(text.clone()),
            EventKind::StepWarning { text, .. } => self.told.push(format!("warning: {text}")),
            EventKind::StepFinished {
                step,
                state,
                took_ms,
                summary,
                details,
                output,
                error,
                ..
            } => {
                let ended = Step {
                    state: *state,
                    summary: summary.clone().unwrap_or_default(),
                    details: details.as_deref().unwrap_or_default().to_owned(),
                    output: output.as_deref().cloned().unwrap_or_default(),
                    failure: error.as_deref().cloned(),
                    took: Duration::from_millis(*took_ms),
                    ended: Instant::now(),
                };
                self.steps.insert(step.to_string(), ended);
            }
            _ => {}
        }
    }
}

/// A pod as a scheduler and a kubelet would have it, with this status.
pub fn pod(namespace: &str, name: &str, status: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": namespace, "labels": { "app": "web" } },
        "spec": { "nodeName": "worker", "containers": [{ "name": "c", "image": "image:1" }] },
        "status": status,
    })
}

/// A node.
pub fn node(name: &str, ready: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": name },
        "status": { "conditions": [{ "type": "Ready", "status": ready, "reason": "KubeletNotReady", "message":
            "runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized" }] },
    })
}

/// The status of a pod that is ready.
pub fn ready() -> Value {
    json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] })
}
