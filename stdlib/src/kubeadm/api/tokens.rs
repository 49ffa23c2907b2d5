//! Join tokens: Secrets of type `bootstrap.kubernetes.io/token` in kube-system.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, Client};
use psprun_engine::StepError;

use crate::cluster::error::explain;

const TYPE: &str = "bootstrap.kubernetes.io/token";

/// The group whose members kubeadm lets join.
pub const GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    /// `abcdef.0123456789abcdef`.
    pub token: &'a str,
    /// How long it lives; for ever when absent.
    pub ttl: Option<Duration>,
    /// `signing`, `authentication`.
    pub usages: &'a [String],
    /// Groups of whoever comes with it.
    pub groups: &'a [String],
    /// What it is for.
    pub description: Option<&'a str>,
}

/// A token with which a node can join, and that lives for `left` more at least.
///
/// # Errors
/// The API server does not answer, or does not let Secrets be read.
pub async fn find_valid(
    client: &Client,
    now: SystemTime,
    left: Duration,
) -> Result<Option<String>, StepError> {
    let params = ListParams::default().fields(&format!("type={TYPE}"));
    let secrets = Api::<Secret>::namespaced(client.clone(), "kube-system")
        .list(&params)
        .await
        .map_err(|error| explain("list the join tokens in kube-system", &error))?;
    let mut found: Vec<(Option<SystemTime>, String)> = secrets
        .items
        .iter()
        .filter_map(|secret| usable(secret, now + left))
        .collect();
    // The one that lives longest; `None` is for ever.
    found.sort_by_key(|(until, _)| (until.is_some(), std::cmp::Reverse(*until)));
    Ok(found.into_iter().next().map(|(_, token)| token))
}

fn usable(secret: &Secret, at: SystemTime) -> Option<(Option<SystemTime>, String)> {
    let text = |key: &str| {
        let value = secret.data.as_ref()?.get(key)?;
        String::from_utf8(value.0.clone()).ok()
    };
    let is_on = |key: &str| text(key).as_deref() == Some("true");
    let until = match text("expiration") {
        None => None,
        Some(until) => Some(SystemTime::from(
            until.parse::<k8s_openapi::jiff::Timestamp>().ok()?,
        )),
    };
    if until.is_some_and(|until| until <= at)
        || !is_on("usage-bootstrap-authentication")
        || !is_on("usage-bootstrap-signing")
        || !text("auth-extra-groups")?
            .split(',')
            .any(|group| group.trim() == GROUP)
    {
        return None;
    }
    Some((until, format!("{}.{}", text("token-id")?, text("token-secret")?)))
}

/// Makes a token.
///
/// # Errors
/// The API server does not answer, or refuses.
pub async fn create(client: &Client, now: SystemTime, new: &NewToken<'_>) -> Result<(), StepError> {
    Api::<Secret>::namespaced(client.clone(), "kube-system")
        .create(&PostParams::default(), &secret(now, new))
        .await
        .map(drop)
        // The message of a refusal may show the object.
        .map_err(|error| explain("make a join token in kube-system", &error))
}

fn secret(now: SystemTime, new: &NewToken<'_>) -> Secret {
    let (id, value) = new.token.split_once('.').unwrap_or((new.token, ""));
    let mut data: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |key: &str, value: &str| data.insert(key.to_owned(), value.to_owned());
    put("token-id", id);
    put("token-secret", value);
    if let Some(ttl) = new.ttl {
        put(
            "expiration",
            &humantime::format_rfc3339_seconds(now + ttl).to_string(),
        );
    }
    for usage in new.usages {
        put(&format!("usage-bootstrap-{usage}"), "true");
    }
    if !new.groups.is_empty() {
        put("auth-extra-groups", &new.groups.join(","));
    }
    if let Some(description) = new.description {
        put("description", description);
    }
    Secret {
        metadata: ObjectMeta {
            name: Some(format!("bootstrap-token-{id}")),
            namespace: Some("kube-system".to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
        string_data: Some(data),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use k8s_openapi::ByteString;

    use super::*;

    fn stored(change: impl Fn(&mut BTreeMap<String, String>)) -> Secret {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        let new = NewToken {
            token: "abcdef.0123456789abcdef",
            ttl: Some(Duration::from_secs(3600)),
            usages: &["signing".to_owned(), "authentication".to_owned()],
            groups: &[GROUP.to_owned()],
            description: None,
        };
        let mut secret = secret(now, &new);
        let mut data = secret.string_data.take().unwrap();
        change(&mut data);
        secret.data = Some(
            data.into_iter()
                .map(|(key, value)| (key, ByteString(value.into_bytes())))
                .collect(),
        );
        secret
    }

    #[test]
    fn only_tokens_that_let_a_node_join_count() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let whole = stored(|_| {});
        assert_eq!(
            usable(&whole, at(1_600_000_000)).unwrap().1,
            "abcdef.0123456789abcdef"
        );
        assert!(usable(&whole, at(1_600_003_600)).is_none(), "expired");
        let for_ever = stored(|data| drop(data.remove("expiration")));
        assert!(usable(&for_ever, at(9_000_000_000)).is_some());
        let zone =
            stored(|data| drop(data.insert("expiration".to_owned(), "2020-09-13T15:26:40+02:00".to_owned())));
        assert!(usable(&zone, at(1_600_000_000)).is_some());
        for key in [
            "usage-bootstrap-signing",
            "usage-bootstrap-authentication",
            "auth-extra-groups",
            "token-secret",
        ] {
            assert!(
                usable(&stored(|data| drop(data.remove(key))), at(1_600_000_000)).is_none(),
                "{key}"
            );
        }
    }
}
