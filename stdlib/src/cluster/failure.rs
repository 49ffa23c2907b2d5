//! Stand-in until `error.rs` is there.

use psprun_engine::StepError;

/// The HTTP status of an API error.
pub(crate) fn status_of(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// What could not be done, and why.
pub(crate) fn failed(what: &str, error: &kube::Error) -> StepError {
    match error {
        kube::Error::Api(status) => {
            let error = StepError::new(
                "psprun::cluster::api",
                format!("could not {what}: {}", status.message),
            );
            if status.code == 429 || status.code >= 500 {
                error.heals()
            } else {
                error
            }
        }
        other => StepError::new(
            "psprun::cluster::unreachable",
            format!("could not {what}: {other}"),
        )
        .heals(),
    }
}
