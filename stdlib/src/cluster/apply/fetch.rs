//! Reads the objects of a bundle as they are on the server: one by one, or where there are many of a kind with one list.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};
use kube::core::params::ListParams;
use kube::core::request::Request;
use psprun_engine::StepError;
use serde_json::Value;

use super::IN_FLIGHT;
use super::item::{Item, Live};
use super::request::Api;

/// From how many objects of one kind and namespace on a list is asked for.
const MANY: usize = 6;

/// Fills [`Item::live`] of the items whose kind is known and that were not asked for yet.
///
/// # Errors
/// The server does not answer, or lets nobody read.
pub(super) async fn fetch(api: Api<'_>, items: &mut [Item]) -> Result<(), StepError> {
    let mut groups: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        if item.kind.is_some() && item.live == Live::NotAsked {
            groups.entry(item.path()).or_default().push(index);
        }
    }
    let mut found = Vec::new();
    let mut single = Vec::new();
    for (path, members) in groups {
        if members.len() < MANY {
            single.extend(members);
            continue;
        }
        let (mut objects, complete) = list(api, &path, members.len()).await?;
        for index in members {
            match objects.remove(items[index].name()) {
                Some(object) => found.push((index, Live::There(with_type(object, &items[index])))),
                None if complete => found.push((index, Live::Absent)),
                None => single.push(index),
            }
        }
    }
    let gotten: Vec<(usize, Live)> = stream::iter(single)
        .map(|index| get(api, &items[index], index))
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await?;
    for (index, live) in found.into_iter().chain(gotten) {
        items[index].live = live;
    }
    Ok(())
}

async fn get(api: Api<'_>, item: &Item, index: usize) -> Result<(usize, Live), StepError> {
    let found = api.find(&format!("read {}", item.show()), item.get()).await?;
    Ok((index, found.map_or(Live::Absent, Live::There)))
}

/// The first objects of a collection by name, and whether these are all.
async fn list(api: Api<'_>, path: &str, wanted: usize) -> Result<(HashMap<String, Value>, bool), StepError> {
    // Not a collection of any size for the sake of some of its objects.
    let limit = u32::try_from(wanted.saturating_mul(2))
        .unwrap_or(u32::MAX)
        .max(500);
    let request = Request::new(path).list(&ListParams::default().limit(limit));
    let mut list = api.send(&format!("list {path}"), request).await?.object;
    let complete = list["metadata"]["continue"].as_str().is_none_or(str::is_empty);
    let Value::Array(objects) = list["items"].take() else {
        return Ok((HashMap::new(), true));
    };
    let by_name = |object: Value| Some((object["metadata"]["name"].as_str()?.to_owned(), object));
    Ok((objects.into_iter().filter_map(by_name).collect(), complete))
}

/// Objects in lists do not say what they are.
fn with_type(mut object: Value, item: &Item) -> Value {
    object["apiVersion"] = item.api_version().into();
    object["kind"] = item.kind_name().into();
    object
}
