//! Writes kubeadm's configuration from the arguments of `kubeadm::init`, for each version of its API.

use psprun_engine::StepError;
use serde_json::{Map, Value, json};

use super::api::Api;
use super::extra_args::ExtraArgs;
use super::flags::{self, Component};
use super::{admission, documents, extra_documents, fields, subnets, unknown};
use crate::kubeadm::init::args::Args;

/// The fields of a document.
type Fields = Map<String, Value>;

/// For whom a configuration is written.
#[derive(Debug, Clone, Copy)]
pub struct For<'a> {
    /// The minor version of kubeadm.
    pub kubeadm: u64,
    /// The API version to write.
    pub api: Api,
    /// The minor version of Kubernetes that it deploys.
    pub kubernetes: u64,
    /// `v1.20.2`, as the field kubernetesVersion says it.
    pub version: Option<&'a str>,
}

/// What must not be shown.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The join token.
    pub token: Option<String>,
    /// The key of the uploaded certificates.
    pub certificate_key: Option<String>,
}

/// A configuration.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The documents, in the order of the file.
    pub documents: Vec<Value>,
    /// What was done that the arguments do not say.
    pub notes: Vec<String>,
}

impl Rendered {
    /// The file: the notes as comments, then the documents.
    ///
    /// # Errors
    /// See [`documents::write`].
    pub fn text(&self) -> Result<String, StepError> {
        let notes: String = self.notes.iter().map(|note| format!("# {note}\n")).collect();
        Ok(format!("{notes}{}", documents::write(&self.documents)?))
    }

    /// The document with the cluster's settings.
    pub fn cluster(&self, api: Api) -> Option<&Map<String, Value>> {
        self.documents
            .iter()
            .filter_map(Value::as_object)
            .find(|document| document.get("kind").and_then(Value::as_str) == Some(api.cluster_kind()))
    }
}

/// Writes the configuration of `kubeadm init`.
///
/// # Errors
/// An argument that this kubeadm or this Kubernetes does not take: which one, and what to do.
pub fn init(args: &Args, wanted: &For<'_>, secrets: &Secrets) -> Result<Rendered, StepError> {
    let mut notes = Vec::new();
    let args = &with_flags_of_config(args, wanted.api)?;
    subnets::check(args.pod_subnet.as_deref(), args.service_subnet.as_deref())?;
    let api = wanted.api;
    let api_server = api_server_flags(args, wanted, &mut notes)?;
    let controller_manager = flags::adapt(
        Component::ControllerManager,
        &args.controller_manager_extra_args,
        wanted.kubernetes,
        &mut notes,
    )?;
    let scheduler = flags::adapt(
        Component::Scheduler,
        &args.scheduler_extra_args,
        wanted.kubernetes,
        &mut notes,
    )?;

    let mut cluster = Map::new();
    put_text(&mut cluster, &["kubernetesVersion"], wanted.version);
    let endpoint: &[&str] = if api.is_one_document() {
        &["api", "controlPlaneEndpoint"]
    } else {
        &["controlPlaneEndpoint"]
    };
    put_text(&mut cluster, endpoint, args.control_plane_endpoint.as_deref());
    put_text(
        &mut cluster,
        &["imageRepository"],
        args.image_repository.as_deref(),
    );
    put_text(
        &mut cluster,
        &["networking", "podSubnet"],
        args.pod_subnet.as_deref(),
    );
    put_text(
        &mut cluster,
        &["networking", "serviceSubnet"],
        args.service_subnet.as_deref(),
    );
    put_text(
        &mut cluster,
        &["networking", "dnsDomain"],
        args.dns_domain.as_deref(),
    );
    for (component, args, old, new) in [
        (
            Component::ApiServer,
            &api_server,
            "apiServerExtraArgs",
            "apiServer",
        ),
        (
            Component::ControllerManager,
            &controller_manager,
            "controllerManagerExtraArgs",
            "controllerManager",
        ),
        (
            Component::Scheduler,
            &scheduler,
            "schedulerExtraArgs",
            "scheduler",
        ),
    ] {
        let path: &[&str] = if api < Api::V1beta1 {
            &[old]
        } else {
            &[new, "extraArgs"]
        };
        put_flags(&mut cluster, path, component, args, api)?;
    }
    if !args.cert_sans.is_empty() {
        let path: &[&str] = if api < Api::V1beta1 {
            &["apiServerCertSANs"]
        } else {
            &["apiServer", "certSANs"]
        };
        documents::put(&mut cluster, path, json!(args.cert_sans));
    }
    if !args.feature_gates.is_empty() {
        documents::put(&mut cluster, &["featureGates"], json!(args.feature_gates));
    }

    let node = node_fields(args, wanted, secrets, &mut notes)?;
    let (cluster, node) = with_raw_config(args, api, cluster, node)?;

    let mut found = Vec::new();
    let mut others = extra_documents::read(&args.extra_documents)?;
    if api.is_one_document() {
        let mut master = with_header(api, api.cluster_kind(), node);
        documents::merge(&mut master, &cluster)
            .map_err(|path| StepError::new("psprun::kubeadm::config", format!("{path} is set twice")))?;
        for document in others.drain(..) {
            extra_documents::place_inside(api, document, &mut master);
        }
        found.push(Value::Object(master));
    } else {
        if !node.is_empty() {
            found.push(Value::Object(with_header(api, "InitConfiguration", node)));
        }
        found.push(Value::Object(with_header(api, api.cluster_kind(), cluster)));
        found.extend(others.into_iter().map(Value::Object));
    }
    Ok(Rendered {
        documents: found,
        notes,
    })
}

/// Moves flags that are in the argument `config` to the arguments for flags: there they are checked, and written in the
/// form that the version takes.
fn with_flags_of_config(args: &Args, api: Api) -> Result<Args, StepError> {
    let mut args = args.clone();
    for (flags, old, new) in [
        (&mut args.api_server_extra_args, "apiServerExtraArgs", "apiServer"),
        (
            &mut args.controller_manager_extra_args,
            "controllerManagerExtraArgs",
            "controllerManager",
        ),
        (&mut args.scheduler_extra_args, "schedulerExtraArgs", "scheduler"),
    ] {
        let (path, raw) = if api < Api::V1beta1 {
            (old.to_owned(), args.config.remove(old))
        } else {
            let component = args.config.get_mut(new).and_then(Value::as_object_mut);
            (
                format!("{new}.extraArgs"),
                component.and_then(|component| component.remove("extraArgs")),
            )
        };
        let Some(raw) = raw else { continue };
        let error = |message| StepError::new("psprun::kubeadm::config", format!("config.{path}: {message}"));
        let raw = ExtraArgs::from_json(&raw).map_err(error)?;
        for (name, value) in raw.iter() {
            match flags.get(name) {
                Some(other) if other == value => {}
                Some(_) => return Err(error(format!("{name} is set by another argument too"))),
                None => flags.push(name, value),
            }
        }
    }
    Ok(args)
}

fn api_server_flags(args: &Args, wanted: &For<'_>, notes: &mut Vec<String>) -> Result<ExtraArgs, StepError> {
    let mut given = args.api_server_extra_args.clone();
    let mut plugins = args.admission_plugins.clone();
    if given.get("admission-control").is_some() {
        return Err(StepError::new(
            "psprun::kubeadm::flag",
            "api_server_extra_args: admission-control does not go together with kubeadm's enable-admission-plugins; \
             the API server would not start",
        )
        .help("list what is to be enabled besides the defaults in admission_plugins"));
    }
    if let Some(flag) = given.remove(admission::FLAG) {
        if !plugins.is_empty() {
            return Err(StepError::new(
                "psprun::kubeadm::flag",
                format!(
                    "admission_plugins and api_server_extra_args both say what {} is",
                    admission::FLAG
                ),
            )
            .help("keep admission_plugins alone"));
        }
        plugins = flag.split(',').map(|name| name.trim().to_owned()).collect();
    }
    admission::check(plugins.iter().map(String::as_str), Some(wanted.kubernetes))?;
    let mut flags = flags::adapt(Component::ApiServer, &given, wanted.kubernetes, notes)?;
    if let Some(disabled) = flags.get("disable-admission-plugins") {
        admission::check(disabled.split(',').map(str::trim), Some(wanted.kubernetes))?;
    }
    if !plugins.is_empty() {
        let (list, added) = admission::with_node_restriction(&plugins);
        if added {
            notes.push("NodeRestriction is added to the admission plugins: a list replaces kubeadm's own, which has it".to_owned());
        }
        flags.push(admission::FLAG, list.join(","));
    }
    Ok(flags)
}

/// The settings of the node and of the first start: InitConfiguration, or what stands for it in one document.
fn node_fields(
    args: &Args,
    wanted: &For<'_>,
    secrets: &Secrets,
    notes: &mut Vec<String>,
) -> Result<Map<String, Value>, StepError> {
    let api = wanted.api;
    let mut node = Map::new();
    if let Some(token) = &secrets.token {
        let ttl = token_ttl(&args.token_ttl)?;
        if api == Api::V1alpha1 {
            documents::put(&mut node, &["token"], token.as_str().into());
            documents::put(&mut node, &["tokenTTL"], ttl.into());
        } else {
            let token = json!([{
                "token": token,
                "ttl": ttl,
                "usages": ["signing", "authentication"],
                "groups": ["system:bootstrappers:kubeadm:default-node-token"],
            }]);
            documents::put(&mut node, &["bootstrapTokens"], token);
        }
    }
    let kubelet = flags::adapt(
        Component::Kubelet,
        &args.kubelet_extra_args,
        wanted.kubernetes,
        notes,
    )?;
    registration(
        &mut node,
        api,
        args.node_name.as_deref(),
        args.cri_socket
            .as_deref()
            .map(|socket| cri_socket(socket, wanted.kubeadm)),
        &kubelet,
    )?;
    let endpoint = match api {
        Api::V1alpha1 | Api::V1alpha2 => "api",
        Api::V1alpha3 => "apiEndpoint",
        _ => "localAPIEndpoint",
    };
    put_text(
        &mut node,
        &[endpoint, "advertiseAddress"],
        args.advertise_address.as_deref(),
    );
    if let Some(port) = args.bind_port {
        documents::put(&mut node, &[endpoint, "bindPort"], port.into());
    }
    if args.upload_certs && api < Api::V1beta2 {
        return Err(StepError::new(
            "psprun::kubeadm::config",
            format!("upload_certs: kubeadm 1.{} cannot do it", wanted.kubeadm),
        )
        .help("it is there since kubeadm 1.15"));
    }
    put_text(&mut node, &["certificateKey"], secrets.certificate_key.as_deref());
    Ok(node)
}

/// The name, the runtime's socket and the kubelet's flags, as all versions of `init` and `join` have them.
pub(super) fn registration(
    document: &mut Map<String, Value>,
    api: Api,
    name: Option<&str>,
    cri_socket: Option<String>,
    kubelet: &ExtraArgs,
) -> Result<(), StepError> {
    if api == Api::V1alpha1 {
        put_text(document, &["nodeName"], name);
        put_text(document, &["criSocket"], cri_socket.as_deref());
        if !kubelet.is_empty() {
            return Err(StepError::new(
                "psprun::kubeadm::config",
                "kubelet_extra_args: kubeadm 1.10 cannot set them",
            )
            .help("write them to a file of /etc/systemd/system/kubelet.service.d with host::file"));
        }
        return Ok(());
    }
    put_text(document, &["nodeRegistration", "name"], name);
    put_text(
        document,
        &["nodeRegistration", "criSocket"],
        cri_socket.as_deref(),
    );
    put_flags(
        document,
        &["nodeRegistration", "kubeletExtraArgs"],
        Component::Kubelet,
        kubelet,
        api,
    )
}

/// Merges the argument `config`: each field goes into the document that has it.
fn with_raw_config(
    args: &Args,
    api: Api,
    mut cluster: Fields,
    mut node: Fields,
) -> Result<(Fields, Fields), StepError> {
    let of_cluster = fields::cluster(api);
    let of_init = fields::init(api);
    for (name, value) in &args.config {
        if name == "apiVersion" || name == "kind" {
            return Err(StepError::new(
                "psprun::kubeadm::config",
                format!("config has {name}, which psprun writes itself"),
            )
            .help("give the fields alone; documents of other kinds go to extra_documents"));
        }
        let into = if of_init.contains_key(name.as_str()) {
            &mut node
        } else {
            &mut cluster
        };
        let one = Map::from_iter([(name.clone(), value.clone())]);
        documents::merge(into, &one).map_err(|path| {
            StepError::new(
                "psprun::kubeadm::config",
                format!("config.{path} is set by another argument too"),
            )
            .help("keep one of them")
        })?;
    }
    // With one document, the node's fields are fields of it. Names for a suggestion come from both documents.
    let mut known = of_cluster;
    if api.is_one_document() {
        unknown::check(api, api.cluster_kind(), &node, &known)?;
    } else {
        unknown::check(api, "InitConfiguration", &node, &of_init)?;
        known.extend(of_init);
    }
    unknown::check(api, api.cluster_kind(), &cluster, &known)?;
    Ok((cluster, node))
}

pub(super) fn with_header(api: Api, kind: &str, fields: Map<String, Value>) -> Map<String, Value> {
    let mut document = Map::new();
    document.insert("apiVersion".to_owned(), api.api_version().into());
    document.insert("kind".to_owned(), kind.into());
    document.extend(fields);
    document
}

pub(super) fn put_text(document: &mut Map<String, Value>, path: &[&str], text: Option<&str>) {
    if let Some(text) = text {
        documents::put(document, path, text.into());
    }
}

pub(super) fn put_flags(
    document: &mut Map<String, Value>,
    path: &[&str],
    component: Component,
    args: &ExtraArgs,
    api: Api,
) -> Result<(), StepError> {
    if args.is_empty() {
        return Ok(());
    }
    let value = if api >= Api::V1beta4 {
        args.as_list()
    } else {
        if let Some(name) = args.repeated() {
            return Err(StepError::new(
                "psprun::kubeadm::flag",
                format!("{}: {name} is given twice, and {} takes a flag once", component.argument(), api.name()),
            )
            .help("join the values with commas where the flag takes a list; flags can be repeated since kubeadm 1.31"));
        }
        args.as_map()
    };
    documents::put(document, path, value);
    Ok(())
}

/// The socket in the form that this kubeadm takes: a URL since 1.24 (a path gives a warning), a path before.
pub fn cri_socket(socket: &str, kubeadm: u64) -> String {
    match (kubeadm >= 24, socket.strip_prefix("unix://")) {
        (true, None) if socket.starts_with('/') => format!("unix://{socket}"),
        (false, Some(path)) => path.to_owned(),
        _ => socket.to_owned(),
    }
}

/// A duration as Go reads it. `0` is a token that never ends.
pub fn token_ttl(text: &str) -> Result<String, StepError> {
    if text == "0" || text == "0s" || text.contains("${") {
        return Ok(if text == "0" {
            "0s".to_owned()
        } else {
            text.to_owned()
        });
    }
    let time = psprun_engine::plan::parse_duration(text).map_err(|error| {
        StepError::new("psprun::kubeadm::config", format!("token_ttl: {error}")).help("e.g. 24h")
    })?;
    let seconds = time.as_secs();
    Ok(format!(
        "{}h{}m{}s",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    ))
}

#[cfg(test)]
mod tests;
