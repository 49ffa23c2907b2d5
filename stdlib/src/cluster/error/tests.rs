//! What is said of the API server's answers, and of its silence.

use super::*;
use kube::core::Status;
use serde_json::json;

fn api(status: serde_json::Value) -> StepError {
    let status: Status = serde_json::from_value(status).expect("a status");
    explain("apply Pod demo/web", &kube::Error::Api(Box::new(status)))
}

#[test]
fn forbidden_names_the_user_and_the_right() {
    let error = api(json!({"code": 403, "reason": "Forbidden", "message":
        "pods \"web\" is forbidden: User \"jane\" cannot patch resource \"pods\" in API group \"\" in the namespace \"demo\""}));
    assert_eq!(error.code, "psprun::cluster::forbidden");
    assert!(
        error
            .message
            .contains("User \"jane\" cannot patch resource \"pods\"")
    );
    assert!(error.help.is_some_and(|help| help.contains("`jane`")));
    assert!(!error.heals);
}

#[test]
fn a_policy_denial_is_told_from_a_missing_right() {
    for message in [
        "pods \"web\" is forbidden: PodSecurityPolicy: no providers available to validate pod request",
        "pods \"web\" is forbidden: unable to validate against any pod security policy: []",
    ] {
        let error = api(json!({"code": 403, "reason": "Forbidden", "message": message}));
        assert_eq!(error.code, "psprun::cluster::admission_denied");
    }
}

#[test]
fn a_missing_namespace_says_how_to_make_it() {
    let error = api(
        json!({"code": 404, "reason": "NotFound", "message": "namespaces \"demo\" not found",
        "details": {"name": "demo", "kind": "namespaces"}}),
    );
    assert_eq!(error.code, "psprun::cluster::no_namespace");
    assert_eq!(
        error.message,
        "cannot apply Pod demo/web: there is no namespace `demo`"
    );
    assert!(
        error
            .help
            .is_some_and(|help| help.contains("cluster.namespace(\"demo\")"))
    );
}

#[test]
fn a_conflict_names_managers_and_fields() {
    let error = api(
        json!({"code": 409, "reason": "Conflict", "message": "Apply failed with 1 conflict",
        "details": {"causes": [{"reason": "FieldManagerConflict", "field": ".data.a",
            "message": "conflict with \"kubectl\" using v1 at 2021-01-01T00:00:00Z"}]}}),
    );
    assert_eq!(error.code, "psprun::apply::conflict");
    assert_eq!(
        error.message,
        "cannot apply Pod demo/web: a field belongs to another manager\n  .data.a belongs to kubectl"
    );
    assert!(!error.heals);
}

#[test]
fn an_invalid_object_gets_a_line_a_field() {
    let error = api(
        json!({"code": 422, "reason": "Invalid", "message": "long", "details": {"causes": [
        {"field": "spec.containers", "message": "Required value"},
        {"field": "spec.selector", "message": "Invalid value: x: field is immutable"}]}}),
    );
    assert_eq!(
        error.message,
        "cannot apply Pod demo/web: the API server finds it invalid\n  spec.containers: Required value\n  \
         spec.selector: Invalid value: x: field is immutable"
    );
    assert!(
        error
            .help
            .is_some_and(|help| help.contains("delete the object first"))
    );
}

#[test]
fn what_passes_heals() {
    for (code, message) in [
        (429, "too many requests"),
        (500, "etcdserver: leader changed"),
        (
            500,
            "Internal error occurred: failed calling webhook \"x.y\": connection refused",
        ),
        (503, "the server is currently unable to handle the request"),
        (
            409,
            "the object has been modified; please apply your changes to the latest version and try again",
        ),
    ] {
        assert!(api(json!({"code": code, "message": message})).heals, "{message}");
    }
    let error = api(json!({"code": 429, "message": "slow down", "details": {"retryAfterSeconds": 2}}));
    assert_eq!(error.retry_after_ms, Some(2000));
}

#[test]
fn the_way_to_the_server_is_explained() {
    let at = |kind: io::ErrorKind| {
        let source = Box::new(io::Error::from(kind));
        let at = AtServer {
            server: "https://10.0.0.1:6443".into(),
            source,
        };
        explain("read the version", &kube::Error::Service(Box::new(at)))
    };
    let refused = at(io::ErrorKind::ConnectionRefused);
    assert_eq!(
        refused.message,
        "cannot read the version: the API server at https://10.0.0.1:6443 refuses connections: nothing listens there"
    );
    assert!(refused.heals);
    assert_eq!(at(io::ErrorKind::ConnectionReset).code, "psprun::cluster::reset");
    let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let at = AtServer {
        server: "https://10.0.0.1:6443".into(),
        source: Box::new(io::Error::new(io::ErrorKind::InvalidData, tls)),
    };
    let error = explain("read the version", &kube::Error::Service(Box::new(at)));
    assert_eq!(error.code, "psprun::cluster::tls");
    assert!(!error.heals);
}
