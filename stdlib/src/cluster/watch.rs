//! Watches: what becomes of the objects of a scope, from a first list on, whatever happens to the connection.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use kube::core::WatchEvent;
use kube::core::request::Request;
use psprun_engine::StepError;
use serde_json::Value;

use super::error::explain;
use super::object;
use super::requests;
use super::scope::Scope;
use crate::target::Target;

/// The server ends a watch after so many seconds and it is begun anew: a connection that died without a word is found
/// out in little more than that.
const WATCH_SECONDS: u32 = 60;

/// How long after that end nothing may come before the connection is taken for dead.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 15);

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long a server that has answered before may refuse our credentials: while it starts it does not have its roles
/// and accounts yet.
const REFUSALS: u32 = 10;

/// What happened to the objects.
#[derive(Debug)]
pub(crate) enum Change {
    /// All objects, as they are now. Those of before that are not among them are gone.
    Listed(Vec<Value>),
    /// An object came or changed.
    Applied(Value),
    /// An object went.
    Deleted(Value),
    /// The server is away; the watch goes on when it is back.
    Away(String),
}

/// Watches the objects of a scope. The stream ends only after an error that does not heal: no right, no such kind.
///
/// A list comes first; then changes as they are written, without polling. A watch that ends is taken up where it was,
/// and after a gap (410) the objects are listed anew.
pub(crate) fn watch(
    client: &kube::Client,
    target: &Arc<dyn Target>,
    scope: Scope,
) -> BoxStream<'static, Result<Change, StepError>> {
    let watcher = Watcher {
        client: client.clone(),
        target: target.clone(),
        scope,
        state: State::Empty,
        pause: Duration::ZERO,
        refused: 0,
        answered: false,
    };
    // The work in progress lives in the stream: a consumer may drop the future of `next` at any time.
    stream::unfold(Some(watcher), |watcher| async {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(change) => Some((Ok(change), Some(watcher))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

type Events = BoxStream<'static, Result<WatchEvent<Value>, kube::Error>>;

enum State {
    /// Nothing is known.
    Empty,
    /// All is known up to this version.
    Listed(String),
    /// Changes after this version are on their way.
    Watching(String, Events),
}

struct Watcher {
    client: kube::Client,
    target: Arc<dyn Target>,
    scope: Scope,
    state: State,
    /// Before the next request.
    pause: Duration,
    /// How often in a row our credentials were refused.
    refused: u32,
    /// Whether the server has ever answered.
    answered: bool,
}

impl Watcher {
    async fn next(&mut self) -> Result<Change, StepError> {
        loop {
            match std::mem::replace(&mut self.state, State::Empty) {
                State::Empty => {
                    self.rest().await;
                    match requests::list(&self.client, &self.scope).await {
                        Ok((mut objects, version)) => {
                            self.well();
                            objects.retain(|object| self.scope.holds(object));
                            self.state = State::Listed(version);
                            return Ok(Change::Listed(objects));
                        }
                        Err(error) => return self.trouble("list", &error).map(Change::Away),
                    }
                }
                State::Listed(version) => {
                    self.rest().await;
                    match self.begin(&version).await {
                        Ok(events) => self.state = State::Watching(version, events),
                        Err(error) if is_gone(&error) => self.slow_down(),
                        Err(error) => {
                            self.state = State::Listed(version);
                            return self.trouble("watch", &error).map(Change::Away);
                        }
                    }
                }
                State::Watching(version, mut events) => {
                    let next = tokio::time::timeout(SILENCE, events.next()).await;
                    if let Some(change) = self.take(version, events, next.ok().flatten())
                        && self.concerns(&change)
                    {
                        return Ok(change);
                    }
                }
            }
        }
    }

    /// Takes what a watch gave: sets the next state, and gives the change if it is one.
    fn take(
        &mut self,
        version: String,
        events: Events,
        next: Option<Result<WatchEvent<Value>, kube::Error>>,
    ) -> Option<Change> {
        let at = |object: &Value| object::resource_version(object).to_owned();
        match next {
            Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                self.well();
                self.state = State::Watching(at(&object), events);
                Some(Change::Applied(object))
            }
            Some(Ok(WatchEvent::Deleted(object))) => {
                self.well();
                self.state = State::Watching(at(&object), events);
                Some(Change::Deleted(object))
            }
            Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                self.well();
                self.state = State::Watching(bookmark.metadata.resource_version, events);
                None
            }
            // What was missed cannot be told any more (410), or the server has trouble: see all anew.
            Some(Ok(WatchEvent::Error(_)) | Err(kube::Error::Api(_))) => {
                self.slow_down();
                self.state = State::Empty;
                None
            }
            // The connection broke or was silent: go on from where we were.
            Some(Err(_)) => {
                self.slow_down();
                self.state = State::Listed(version);
                None
            }
            // A watch ends every minute. One that ends at once must not become a busy loop.
            None => {
                self.slow_down();
                self.state = State::Listed(version);
                None
            }
        }
    }

    fn concerns(&self, change: &Change) -> bool {
        match change {
            Change::Applied(object) | Change::Deleted(object) => self.scope.holds(object),
            Change::Listed(_) | Change::Away(_) => true,
        }
    }

    async fn begin(&mut self, version: &str) -> Result<Events, kube::Error> {
        let request = Request::new(self.scope.path())
            .watch(&self.scope.watch_params(WATCH_SECONDS), version)
            .map_err(kube::Error::BuildRequest)?;
        let events = self.client.request_events::<Value>(request).await?;
        Ok(events.boxed())
    }

    /// Whether the trouble heals: what it is, in a few words; else the error.
    fn trouble(&mut self, verb: &str, error: &kube::Error) -> Result<String, StepError> {
        let explained = explain(&format!("{verb} {}", self.scope.show()), error);
        let refusal = matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403));
        if refusal {
            self.refused += 1;
        }
        let starts_up = refusal && self.answered && self.refused <= REFUSALS;
        if explained.heals || starts_up {
            self.slow_down();
            Ok(explained.message)
        } else {
            Err(explained)
        }
    }

    fn well(&mut self) {
        self.pause = Duration::ZERO;
        self.refused = 0;
        self.answered = true;
    }

    fn slow_down(&mut self) {
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
    }

    async fn rest(&mut self) {
        if !self.pause.is_zero() {
            self.target.sleep(self.pause).await;
        }
    }
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 410)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use serde_json::json;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::super::testing::kind;
    use super::*;
    use crate::target::live::LiveTarget;

    /// What the server does at one request, in order.
    enum Act {
        /// Answers a list with these names at this version.
        List(&'static [&'static str], u32),
        /// Begins to answer a watch, sends these lines, and ends it.
        Watch(Vec<Value>),
        /// Answers with this status.
        Refuse(u16),
        /// Breaks the connection.
        Break,
    }

    fn pod(name: &str, version: u32) -> Value {
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "n", "uid": name,
            "resourceVersion": version.to_string() } })
    }

    fn event(kind: &str, name: &str, version: u32) -> Value {
        json!({ "type": kind, "object": pod(name, version) })
    }

    fn bookmark(version: u32) -> Value {
        json!({ "type": "BOOKMARK", "object": { "apiVersion": "v1", "kind": "Pod",
            "metadata": { "resourceVersion": version.to_string() } } })
    }

    fn too_old() -> Value {
        json!({ "type": "ERROR", "object": { "kind": "Status", "code": 410, "reason": "Expired", "message": "too old" } })
    }

    /// Plays the acts; gives the queries that it was asked, and the watch's changes until it ends or waits for long.
    async fn play(acts: Vec<Act>) -> (Vec<String>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = kube::Config::new(url.parse().unwrap());
        let client = kube::Client::try_from(config).unwrap();
        let server = tokio::spawn(async move {
            let mut asked = Vec::new();
            for act in acts {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                asked.push(line.split(' ').nth(1).unwrap_or_default().to_owned());
                while line.trim() != "" {
                    line.clear();
                    stream.read_line(&mut line).await.unwrap();
                }
                let (status, body) = match act {
                    Act::Break => continue,
                    Act::List(names, version) => {
                        let items: Vec<Value> = names.iter().map(|name| pod(name, version)).collect();
                        let list = json!({ "kind": "PodList", "metadata": { "resourceVersion": version.to_string() }, "items": items });
                        (200, list.to_string())
                    }
                    Act::Watch(events) => (200, events.iter().map(|event| format!("{event}\n")).collect()),
                    Act::Refuse(code) => {
                        let status =
                            json!({ "kind": "Status", "status": "Failure", "code": code, "message": "no" });
                        (code, status.to_string())
                    }
                };
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
                );
                stream
                    .write_all(format!("{head}{body}").as_bytes())
                    .await
                    .unwrap();
                stream.shutdown().await.unwrap();
            }
            asked
        });
        let target = LiveTarget::new();
        let scope = Scope::all(kind("", "v1", "Pod", true), Some("n".to_owned()));
        let mut changes = watch(&client, &target, scope);
        let mut seen = Vec::new();
        loop {
            let next = tokio::select! {
                next = changes.next() => next,
                () = tokio::time::sleep(Duration::from_secs(1)), if server.is_finished() => break,
            };
            let names = |objects: &[Value]| objects.iter().map(object::name).collect::<Vec<_>>().join(" ");
            match next {
                Some(Ok(Change::Listed(objects))) => seen.push(format!("all: {}", names(&objects))),
                Some(Ok(Change::Applied(object))) => seen.push(format!("+{}", object::name(&object))),
                Some(Ok(Change::Deleted(object))) => seen.push(format!("-{}", object::name(&object))),
                Some(Ok(Change::Away(_))) if server.is_finished() => break,
                Some(Ok(Change::Away(_))) => seen.push("away".to_owned()),
                Some(Err(error)) => {
                    seen.push(error.code.to_owned());
                    break;
                }
                None => break,
            }
        }
        drop(changes);
        (server.await.unwrap(), seen)
    }

    fn version(query: &str) -> &str {
        query
            .rsplit_once("resourceVersion=")
            .map_or("", |(_, version)| version)
    }

    #[tokio::test]
    async fn a_watch_that_ends_goes_on_where_it_was() {
        let (asked, seen) = play(vec![
            Act::List(&["a"], 5),
            Act::Watch(vec![event("ADDED", "b", 6), event("DELETED", "a", 7)]),
            Act::Watch(vec![bookmark(9)]),
            Act::Break,
            Act::Watch(vec![event("MODIFIED", "b", 10)]),
        ])
        .await;
        assert_eq!(seen, ["all: a", "+b", "-a", "away", "+b"]);
        let versions: Vec<&str> = asked.iter().map(|query| version(query)).collect();
        assert_eq!(versions, ["", "5", "7", "9", "9"]);
        assert!(asked[1].contains("watch=true") && asked[1].contains("allowWatchBookmarks=true"));
    }

    #[tokio::test]
    async fn after_a_gap_all_is_listed_anew() {
        let (asked, seen) = play(vec![
            Act::List(&["a"], 5),
            Act::Watch(vec![event("ADDED", "b", 6), too_old()]),
            Act::List(&["b"], 90),
            Act::Refuse(410),
            Act::List(&["b", "c"], 95),
            Act::Watch(vec![event("ADDED", "d", 96)]),
        ])
        .await;
        assert_eq!(seen, ["all: a", "+b", "all: b", "all: b c", "+d"]);
        assert_eq!(version(&asked[5]), "95");
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_waited_for() {
        let (_, seen) = play(vec![
            Act::Break,
            Act::Refuse(500),
            Act::List(&[], 5),
            // It starts anew, and does not know its roles yet.
            Act::Refuse(403),
            Act::Watch(vec![event("ADDED", "a", 6)]),
        ])
        .await;
        assert_eq!(seen, ["away", "away", "all: ", "away", "+a"]);
    }

    #[tokio::test]
    async fn what_does_not_heal_is_an_error() {
        for (code, expected) in [
            (403, "psprun::cluster::forbidden"),
            (404, "psprun::cluster::not_found"),
        ] {
            let (_, seen) = play(vec![Act::Refuse(code)]).await;
            assert_eq!(seen, [expected]);
        }
    }
}
