//! Ingresses between extensions/v1beta1, networking.k8s.io/v1beta1 (both of one shape) and networking.k8s.io/v1.
//!
//! v1 (1.19 and newer) has `backend: {service: {name, port: {number or name}}}`, `defaultBackend` and a `pathType` that
//! must be said. `pathType` and `ingressClassName` came to v1beta1 in 1.18.

use serde_json::{Map, Value, json};

use super::{Move, list_mut, set_default};

const CLASS: &str = "kubernetes.io/ingress.class";

pub(super) fn convert(object: &mut Value, way: &Move) -> Result<(), String> {
    let is_v1 = |version: &str| version == "networking.k8s.io/v1";
    match (is_v1(way.from), is_v1(way.to)) {
        (false, true) => to_v1(object)?,
        (true, false) => from_v1(object)?,
        _ => {}
    }
    if !way.server.at_least(1, 18) {
        without_new_fields(object)?;
    }
    Ok(())
}

fn to_v1(object: &mut Value) -> Result<(), String> {
    rename(object.get_mut("spec"), "backend", "defaultBackend");
    if let Some(backend) = object.pointer_mut("/spec/defaultBackend") {
        backend_to_v1(backend)?;
    }
    for rule in list_mut(object, "/spec/rules") {
        for path in list_mut(rule, "/http/paths") {
            // The old versions let the controller decide.
            set_default(path, "pathType", json!("ImplementationSpecific"));
            if let Some(backend) = path.get_mut("backend") {
                backend_to_v1(backend)?;
            }
        }
    }
    Ok(())
}

fn from_v1(object: &mut Value) -> Result<(), String> {
    rename(object.get_mut("spec"), "defaultBackend", "backend");
    if let Some(backend) = object.pointer_mut("/spec/backend") {
        backend_from_v1(backend)?;
    }
    for rule in list_mut(object, "/spec/rules") {
        for path in list_mut(rule, "/http/paths") {
            if let Some(backend) = path.get_mut("backend") {
                backend_from_v1(backend)?;
            }
        }
    }
    Ok(())
}

fn backend_to_v1(backend: &mut Value) -> Result<(), String> {
    let Some(fields) = backend.as_object_mut() else {
        return Ok(());
    };
    let (Some(name), Some(port)) = (fields.remove("serviceName"), fields.remove("servicePort")) else {
        if fields.contains_key("resource") || fields.contains_key("service") {
            return Ok(());
        }
        return Err("a backend has no serviceName and servicePort".into());
    };
    let port = match &port {
        // A number in quotes is a number for the old versions.
        Value::String(text) => match text.parse::<u16>() {
            Ok(number) => json!({ "number": number }),
            Err(_) => json!({ "name": text }),
        },
        _ => json!({ "number": port }),
    };
    fields.insert("service".into(), json!({ "name": name, "port": port }));
    Ok(())
}

fn backend_from_v1(backend: &mut Value) -> Result<(), String> {
    let Some(fields) = backend.as_object_mut() else {
        return Ok(());
    };
    let Some(service) = fields.remove("service") else {
        if fields.contains_key("serviceName") {
            return Ok(());
        }
        return Err("a backend is no service, which the server's older Ingress cannot say".into());
    };
    let port = match (&service["port"]["number"], &service["port"]["name"]) {
        (Value::Null, Value::Null) => return Err("a backend's service has no port".into()),
        (Value::Null, name) => name.clone(),
        (number, _) => number.clone(),
    };
    fields.insert("serviceName".into(), service["name"].clone());
    fields.insert("servicePort".into(), port);
    Ok(())
}

/// Servers before 1.18 know neither `pathType` nor `ingressClassName`.
fn without_new_fields(object: &mut Value) -> Result<(), String> {
    let class = object
        .get_mut("spec")
        .and_then(Value::as_object_mut)
        .and_then(|spec| spec.remove("ingressClassName"));
    if let Some(class) = class
        && let Some(metadata) = object.get_mut("metadata")
    {
        set_default(metadata, "annotations", Value::Object(Map::new()));
        set_default(&mut metadata["annotations"], CLASS, class);
    }
    for rule in list_mut(object, "/spec/rules") {
        for path in list_mut(rule, "/http/paths") {
            let path_type = path.as_object_mut().and_then(|path| path.remove("pathType"));
            if path_type.as_ref().and_then(Value::as_str) == Some("Exact") {
                return Err("a path is of type Exact, which the server's older Ingress cannot say".into());
            }
        }
    }
    Ok(())
}

fn rename(object: Option<&mut Value>, from: &str, to: &str) {
    if let Some(fields) = object.and_then(Value::as_object_mut)
        && let Some(value) = fields.remove(from)
    {
        fields.insert(to.into(), value);
    }
}
