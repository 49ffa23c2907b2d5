//! What the server calls the kinds of a bundle; objects in versions that it does not serve are rewritten or refused.

use psprun_engine::StepError;
use psprun_engine::diagnostic::did_you_mean;

use super::item::{Item, is_built_in};
use super::rewrite;
use crate::cluster::connection::Connection;
use crate::cluster::discovery::ServerVersion;
use crate::cluster::heal::Patience;

/// Fills [`Item::kind`]; items whose CRD is in the same bundle keep none. Gives what a reader should know.
///
/// # Errors
/// All kinds that the server does not have.
pub(super) async fn resolve(
    connection: &Connection,
    patience: &Patience,
    version: &ServerVersion,
    items: &mut [Item],
) -> Result<Vec<String>, StepError> {
    let defined: Vec<(String, String)> = items.iter().filter_map(defines).collect();
    let mut told = Vec::new();
    let mut errors = Vec::new();
    for item in items.iter_mut() {
        match resolve_one(connection, patience, version, item, &defined).await {
            Ok(more) => told.extend(more),
            Err(error) if error.heals => return Err(error),
            Err(error) => errors.push(error),
        }
    }
    match super::all(errors) {
        Some(error) => Err(error),
        None => Ok(told),
    }
}

/// The group and kind that a CRD makes.
fn defines(item: &Item) -> Option<(String, String)> {
    (item.kind_name() == "CustomResourceDefinition").then(|| {
        let text = |pointer: &str| {
            item.object
                .pointer(pointer)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
        };
        (
            text("/spec/group").to_owned(),
            text("/spec/names/kind").to_owned(),
        )
    })
}

async fn resolve_one(
    connection: &Connection,
    patience: &Patience,
    version: &ServerVersion,
    item: &mut Item,
    defined: &[(String, String)],
) -> Result<Option<String>, StepError> {
    let (api_version, kind) = (item.api_version().to_owned(), item.kind_name().to_owned());
    if let Some(found) = patience
        .attempt(|| connection.kind_of(&api_version, &kind))
        .await?
    {
        item.kind = Some(found);
        return Ok(None);
    }
    if defined
        .iter()
        .any(|(group, defined)| group == item.group() && *defined == kind)
    {
        return Ok(None);
    }
    for other in rewrite::alternatives(&api_version, &kind) {
        let Some(found) = patience.attempt(|| connection.kind_of(other, &kind)).await? else {
            continue;
        };
        rewrite::rewrite(&mut item.object, other, version).map_err(|why| {
            StepError::new(
                "psprun::apply::version",
                format!("{} is of {api_version}, which the server ({version}) does not have, and cannot be rewritten to {other}: {why}", item.show()),
            )
            .help(format!("write it as {other}"))
            .at(item.origin.place_of("apiVersion"))
        })?;
        item.kind = Some(found);
        item.written_as = Some(api_version.clone());
        return Ok(Some(format!(
            "{}: {} is written for {api_version}; applied as {other}",
            item.origin.show(),
            item.show()
        )));
    }
    Err(unknown(connection, patience, version, item).await?)
}

/// Why there is no such kind.
async fn unknown(
    connection: &Connection,
    patience: &Patience,
    version: &ServerVersion,
    item: &Item,
) -> Result<StepError, StepError> {
    let (api_version, kind) = (item.api_version(), item.kind_name());
    if let Some((why, instead)) = rewrite::gone(api_version, kind, version) {
        return Ok(StepError::new(
            "psprun::apply::version",
            format!("cannot apply {}: {why}", item.show()),
        )
        .help(instead)
        .at(item.origin.place_of("apiVersion")));
    }
    let known = patience
        .attempt(|| connection.discovery.kinds(&connection.client))
        .await?;
    let of_kind: Vec<&str> = known
        .iter()
        .filter(|other| other.resource.kind == kind)
        .map(|other| &*other.resource.api_version)
        .collect();
    let of_version: Vec<&str> = known
        .iter()
        .filter(|other| other.resource.api_version == api_version)
        .map(|other| &*other.resource.kind)
        .collect();
    let error = StepError::new(
        "psprun::apply::unknown_kind",
        format!(
            "cannot apply {}: the API server ({version}) has no kind `{kind}` in `{api_version}`",
            item.show()
        ),
    );
    let (help, field) = if !of_kind.is_empty() {
        (format!("it has {kind} in {}", of_kind.join(", ")), "apiVersion")
    } else if let Some(guess) = did_you_mean(kind, of_version.iter().copied()) {
        (format!("did you mean `{guess}`?"), "kind")
    } else if let Some(other) = known
        .iter()
        .find(|other| did_you_mean(kind, [&*other.resource.kind]).is_some())
    {
        (
            format!(
                "did you mean `{}` of {}?",
                other.resource.kind, other.resource.api_version
            ),
            "kind",
        )
    } else if !is_built_in(item.group()) {
        (
            "is its CustomResourceDefinition missing? Apply it before, or in the same bundle".to_owned(),
            "apiVersion",
        )
    } else {
        ("see `kubectl api-resources` for what it has".to_owned(), "kind")
    };
    Ok(error.help(help).at(item.origin.place_of(field)))
}
