//! One apply: what is looked at before anything is written, and what is written in which order.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures::{StreamExt, stream};
use kube::core::params::GetParams;
use psprun_engine::{Context, Outcome, StepError};

use super::item::{Item, Live};
use super::order::Rank;
use super::outcome::{ApplyOutput, outcome};
use super::prune::Inventory;
use super::write::{Writer, Written};
use super::{Apply, ApplyArgs, IN_FLIGHT, all, fetch, prune, resolve};
use crate::cluster::connection::Connection;
use crate::cluster::discovery::ServerVersion;
use crate::cluster::heal::Patience;

/// How long a CRD has to become established, and its kind to be served.
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(60);

/// One apply.
pub(super) struct Bundle<'a> {
    pub(super) apply: &'a Apply,
    pub(super) args: &'a ApplyArgs,
    pub(super) context: &'a Context,
    pub(super) connection: &'a Connection,
    pub(super) patience: &'a Patience,
    pub(super) version: &'a ServerVersion,
    pub(super) writer: Writer<'a>,
}

impl Bundle<'_> {
    /// Applies the objects.
    ///
    /// # Errors
    /// What is wrong with them, or what the server refuses.
    pub(super) async fn apply(&self, mut items: Vec<Item>) -> Result<Outcome<ApplyOutput>, StepError> {
        let told = resolve::resolve(self.connection, self.patience, self.version, &mut items).await?;
        self.tell(told);
        for item in &mut items {
            self.prepare(item);
        }
        let mut items = self.without_doubles(items);

        // All that can be found wrong is found before anything is written.
        self.missing_namespaces(&items).await?;
        fetch::fetch(self.writer.api, &mut items).await?;
        self.validate(&mut items).await?;

        let mut inventory = match &self.args.prune {
            Some(name) => {
                prune::check_name(name)?;
                let namespace = self.default_namespace();
                let server_side = self.writer.server_side;
                Some(Inventory::open(self.connection, self.writer.api, namespace, name, server_side).await?)
            }
            None => None,
        };
        // Its namespace may be one of the bundle.
        let mut announced = false;
        let mut written: HashMap<usize, Written> = HashMap::with_capacity(items.len());
        for rank in Rank::ALL {
            if rank > Rank::Namespaces
                && !announced
                && let Some(inventory) = &mut inventory
            {
                inventory.announce(&items).await?;
                announced = true;
            }
            if rank > Rank::Definitions && items.iter().any(|item| item.kind.is_none()) {
                self.learn_new_kinds(&mut items).await?;
            }
            self.write_rank(rank, &items, &mut written).await?;
            if rank == Rank::Definitions {
                self.wait_until_established(&items).await?;
            }
        }
        let pruned = match &mut inventory {
            Some(inventory) => {
                let (pruned, told) = inventory.prune(&items).await?;
                self.tell(told);
                pruned
            }
            None => Vec::new(),
        };
        Ok(outcome(items, written, pruned))
    }

    fn tell(&self, told: Vec<String>) {
        told.into_iter().for_each(|text| self.context.warn(text));
    }

    fn default_namespace(&self) -> &str {
        self.args
            .namespace
            .as_deref()
            .unwrap_or_else(|| self.connection.client.default_namespace())
    }

    /// Gives an object its namespace, and takes out what is the server's.
    fn prepare(&self, item: &mut Item) {
        let Some(namespaced) = item.kind.as_ref().map(|kind| kind.namespaced) else {
            return;
        };
        let given = item.namespace().map(str::to_owned);
        let show = item.show();
        if let Some(metadata) = item.object["metadata"].as_object_mut() {
            match given {
                None if namespaced => {
                    metadata.insert("namespace".into(), self.default_namespace().into());
                }
                Some(_) if !namespaced => {
                    metadata.remove("namespace");
                    self.context.warn(format!(
                        "{}: {show} names a namespace, which its kind does not have",
                        item.origin.show()
                    ));
                }
                _ => {}
            }
        }
        let told = item.clean();
        self.tell(told);
    }

    /// Of two objects of one name the last one counts, as it would when they are applied one after the other.
    fn without_doubles(&self, items: Vec<Item>) -> Vec<Item> {
        let mut last: HashMap<[String; 4], usize> = HashMap::new();
        let id = |item: &Item| {
            let namespace = item.namespace().unwrap_or_default();
            [item.group(), item.kind_name(), namespace, item.name()].map(str::to_owned)
        };
        for (index, item) in items.iter().enumerate() {
            if let Some(earlier) = last.insert(id(item), index) {
                let earlier = &items[earlier].origin;
                self.context.warn(format!(
                    "{} is in the bundle twice, at {} and {}: the last one counts",
                    item.show(),
                    earlier.show(),
                    item.origin.show()
                ));
            }
        }
        let keep: BTreeSet<usize> = last.into_values().collect();
        items
            .into_iter()
            .enumerate()
            .filter(|(index, _)| keep.contains(index))
            .map(|(_, item)| item)
            .collect()
    }

    /// Namespaces that neither the cluster nor the bundle has are found before half of the bundle is applied.
    async fn missing_namespaces(&self, items: &[Item]) -> Result<(), StepError> {
        let made: BTreeSet<&str> = items
            .iter()
            .filter(|item| item.rank == Rank::Namespaces)
            .map(Item::name)
            .collect();
        let mut wanted: BTreeSet<&str> = items.iter().filter_map(Item::namespace).collect();
        if self.args.prune.is_some() {
            wanted.insert(self.default_namespace());
        }
        wanted.retain(|name| !made.contains(name) && *name != "default" && *name != "kube-system");
        let mut asked = Vec::with_capacity(wanted.len());
        for name in &wanted {
            asked.push(self.is_missing(name, items));
        }
        let errors = futures::future::join_all(asked).await;
        match all(errors.into_iter().flatten().collect()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    async fn is_missing(&self, name: &str, items: &[Item]) -> Option<StepError> {
        let request = kube::core::Request::new("/api/v1/namespaces").get(name, &GetParams::default());
        let there = self
            .writer
            .api
            .find(&format!("read Namespace {name}"), request)
            .await;
        // Who may not look finds out when it writes.
        if !matches!(there, Ok(None)) {
            return there.err().filter(|error| error.heals);
        }
        let inside: Vec<&Item> = items
            .iter()
            .filter(|item| item.namespace() == Some(name))
            .collect();
        let who = match inside.as_slice() {
            [] => "the inventory".to_owned(),
            [one] => one.show(),
            [first, ..] => format!("{} and {} more", first.show(), inside.len() - 1),
        };
        let error = StepError::new(
            "psprun::cluster::no_namespace",
            format!("cannot apply {who}: there is no namespace `{name}`"),
        )
        .help(format!(
            "make it first with `cluster.namespace(\"{name}\")`, or put a Namespace into the same bundle"
        ));
        Some(match inside.first() {
            Some(item) => error.at(item.origin.place_of("metadata.namespace")),
            None => error,
        })
    }

    async fn validate(&self, items: &mut [Item]) -> Result<(), StepError> {
        let writer = &self.writer;
        // What the server has exactly so has no unknown fields.
        let fresh = items
            .iter_mut()
            .filter(|item| item.kind.is_some() && item.live != Live::NotAsked && !writer.is_applied(item));
        let told = self
            .apply
            .validator
            .check(
                &self.args.cluster,
                writer.api,
                self.version,
                self.args.validate,
                fresh,
            )
            .await?;
        self.tell(told);
        Ok(())
    }

    async fn write_rank(
        &self,
        rank: Rank,
        items: &[Item],
        written: &mut HashMap<usize, Written>,
    ) -> Result<(), StepError> {
        let members: Vec<usize> = (0..items.len())
            .filter(|index| items[*index].rank == rank)
            .collect();
        let total = items.len();
        let mut errors: Vec<(usize, StepError)> = Vec::new();
        let mut results = stream::iter(members)
            .map(|index| async move { (index, self.writer.write(&items[index]).await) })
            .buffer_unordered(IN_FLIGHT);
        while let Some((index, result)) = results.next().await {
            match result {
                Ok(done) => {
                    done.warnings
                        .iter()
                        .for_each(|warning| self.context.warn(format!("{}: {warning}", items[index].show())));
                    written.insert(index, done);
                    if total >= 50 && written.len().is_multiple_of(50) {
                        self.context
                            .progress(format!("applied {} of {total} objects", written.len()));
                    }
                }
                Err(error) => errors.push((index, error)),
            }
        }
        errors.sort_by_key(|(index, _)| *index);
        match all(errors.into_iter().map(|(_, error)| error).collect()) {
            Some(error) => Err(error.output(serde_json::json!({
                "applied": written.keys().map(|index| items[*index].show()).collect::<BTreeSet<_>>(),
            }))),
            None => Ok(()),
        }
    }

    async fn wait_until_established(&self, items: &[Item]) -> Result<(), StepError> {
        let target = self.apply.clusters.target();
        let begin = target.now();
        for item in items.iter().filter(|item| item.rank == Rank::Definitions) {
            let mut pause = Duration::from_millis(20);
            loop {
                let doing = format!("read {}", item.show());
                let object = self.writer.api.send(&doing, item.get()).await?.object;
                let conditions = object["status"]["conditions"]
                    .as_array()
                    .map_or(&[][..], Vec::as_slice);
                let is = |kind: &str, status: &str| {
                    conditions
                        .iter()
                        .find(|c| c["type"] == kind && c["status"] == status)
                };
                if is("Established", "True").is_some() {
                    break;
                }
                if let Some(refused) = is("NamesAccepted", "False") {
                    let why = refused["message"].as_str().unwrap_or_default();
                    return Err(StepError::new(
                        "psprun::apply::crd",
                        format!(
                            "{} is not established: its names are not accepted: {why}",
                            item.show()
                        ),
                    )
                    .at(item.origin.place_of("spec.names")));
                }
                if target.now().duration_since(begin).unwrap_or_default() > ESTABLISHED_WITHIN {
                    return Err(StepError::new(
                        "psprun::apply::crd",
                        format!(
                            "{} is not established after {} s",
                            item.show(),
                            ESTABLISHED_WITHIN.as_secs()
                        ),
                    )
                    .heals());
                }
                self.context
                    .progress(format!("waiting until {} is established", item.show()));
                target.sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
        Ok(())
    }

    /// The kinds that the bundle's own CRDs made: the server begins to serve them a moment after they are established.
    async fn learn_new_kinds(&self, items: &mut [Item]) -> Result<(), StepError> {
        let target = self.apply.clusters.target();
        let begin = target.now();
        for item in items.iter_mut().filter(|item| item.kind.is_none()) {
            let (api_version, kind) = (item.api_version().to_owned(), item.kind_name().to_owned());
            let mut pause = Duration::from_millis(20);
            item.kind = loop {
                let found = self
                    .patience
                    .attempt(|| self.connection.kind_of(&api_version, &kind))
                    .await?;
                if found.is_some() {
                    break found;
                }
                if target.now().duration_since(begin).unwrap_or_default() > ESTABLISHED_WITHIN {
                    return Err(StepError::new(
                        "psprun::apply::unknown_kind",
                        format!(
                            "cannot apply {}: the bundle's CRD does not make `{kind}` in `{api_version}`",
                            item.show()
                        ),
                    )
                    .help("compare the CRD's `versions` (one must be `served`) and `names.kind`")
                    .at(item.origin.place_of("apiVersion")));
                }
                target.sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            };
            self.prepare(item);
        }
        fetch::fetch(self.writer.api, items).await?;
        self.validate(items).await
    }
}
