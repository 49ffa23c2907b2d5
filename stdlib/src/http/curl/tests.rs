#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Mutex;

use psprun_engine::plan::Files;
use serde_json::json;

use super::*;
use crate::host::place::sha256;
use crate::target::live::LiveTarget;
use crate::target::{ClusterRef, HostRef, Http};
use crate::testing::tls;

/// Answers as told, and remembers what it was asked.
struct Answers {
    response: HttpResponse,
    asked: Mutex<Vec<HttpRequest>>,
}

#[async_trait]
impl Http for Answers {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, StepError> {
        self.asked.lock().unwrap().push(request);
        Ok(self.response.clone())
    }
}

/// This machine, with another way to HTTP servers.
struct Fake {
    live: Arc<dyn Target>,
    http: Arc<Answers>,
}

#[async_trait]
impl Target for Fake {
    fn host(&self, host: Option<&HostRef>) -> Result<Arc<dyn Host>, StepError> {
        self.live.host(host)
    }

    async fn cluster(&self, cluster: &ClusterRef) -> Result<kube::Client, StepError> {
        self.live.cluster(cluster).await
    }

    fn http(&self) -> Arc<dyn Http> {
        self.http.clone()
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Arc<Fake> {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Arc::new(Fake {
        live: LiveTarget::new(),
        http: Arc::new(Answers {
            response: HttpResponse {
                status,
                headers,
                body: body.into(),
                took_ms: 7,
            },
            asked: Mutex::default(),
        }),
    })
}

async fn run(target: &Arc<Fake>, args: Value) -> Result<Outcome<CurlOutput>, StepError> {
    let (context, _told) = Context::detached(Files::default());
    let curl = Curl(target.clone());
    curl.check(&args)?;
    curl.run(serde_json::from_value(args).unwrap(), context).await
}

#[tokio::test]
async fn an_answer_is_text_and_json() {
    let target = answer(
        200,
        &[("content-type", "application/json"), ("x-a", "1"), ("x-a", "2")],
        "{\"a\": [1]}",
    );
    let outcome = run(
        &target,
        json!({"url": "http://x/", "headers": {"Host": "h", "N": 1, "L": ["a", "b"]}}),
    )
    .await
    .unwrap();
    assert!(!outcome.changed);
    assert_eq!(outcome.summary.unwrap(), "200 in 7 ms");
    assert_eq!(
        (outcome.output.json, &*outcome.output.body),
        (json!({"a": [1]}), "{\"a\": [1]}")
    );
    assert_eq!(outcome.output.headers["x-a"], "1, 2");
    let asked = target.http.asked.lock().unwrap();
    let headers: Vec<String> = asked[0]
        .headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}"))
        .collect();
    assert_eq!(headers, ["Host:h", "L:a", "L:b", "N:1"]);
    assert_eq!((&*asked[0].method, asked[0].timeout), ("GET", Some(TIMEOUT)));
}

#[tokio::test]
async fn a_body_is_posted_and_a_change() {
    let target = answer(201, &[], "no json");
    let outcome = run(
        &target,
        json!({"url": "http://x/", "json": {"a": 1}, "timeout": "5s"}),
    )
    .await
    .unwrap();
    assert!(outcome.changed);
    assert_eq!(outcome.output.json, Value::Null);
    let asked = target.http.asked.lock().unwrap();
    assert_eq!(
        (&*asked[0].method, asked[0].body.as_deref()),
        ("POST", Some(&b"{\"a\":1}"[..]))
    );
    assert_eq!(
        asked[0].headers,
        [("Content-Type".to_owned(), "application/json".to_owned())]
    );
    assert_eq!(asked[0].timeout, Some(Duration::from_secs(5)));
}

#[tokio::test]
async fn another_status_is_an_error_with_the_servers_words() {
    let args = json!({"url": "http://x/y"});
    let error = run(&answer(404, &[], "default backend - 404\n"), args.clone())
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::curl::status");
    assert_eq!(
        error.message,
        "GET http://x/y answered 404 Not Found, not 200-399:\n  default backend - 404"
    );
    assert!(error.help.unwrap().contains("`Host`") && !error.heals);
    let error = run(&answer(503, &[("retry-after", "3")], ""), args.clone())
        .await
        .unwrap_err();
    assert_eq!((error.heals, error.retry_after_ms), (true, Some(3000)));
    run(
        &answer(503, &[], ""),
        json!({"url": "http://x/", "expect": "any"}),
    )
    .await
    .unwrap();
    let error = run(
        &answer(200, &[], ""),
        json!({"url": "http://x/", "expect": [404]}),
    )
    .await
    .unwrap_err();
    assert_eq!(error.message, "GET http://x/ answered 200 OK, not 404");
}

#[tokio::test]
async fn another_sum_is_refused_and_both_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("x");
    let wanted = sha256(b"right");
    let args = json!({"url": "http://x/", "sha256": wanted, "to": to});
    let error = run(&answer(200, &[("content-type", "text/html")], "wrong"), args)
        .await
        .unwrap_err();
    assert_eq!(error.code, "psprun::curl::sha256");
    assert!(error.message.contains(&wanted) && error.message.contains(&sha256(b"wrong")));
    assert!(error.message.ends_with("(5 bytes, text/html)"));
    assert!(!to.exists());
}

#[tokio::test]
async fn a_download_goes_to_a_file_once() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("bin/x");
    let target = answer(200, &[], "\u{0}content");
    let args = json!({"url": "http://x/", "to": to, "mode": "0755"});
    let outcome = run(&target, args.clone()).await.unwrap();
    assert!(outcome.changed && outcome.output.body.is_empty());
    assert_eq!(outcome.output.path.as_deref(), to.to_str());
    assert_eq!(std::fs::read(&to).unwrap(), b"\x00content");
    assert!(!run(&target, args).await.unwrap().changed);
    assert_eq!(target.http.asked.lock().unwrap().len(), 2);
    // With a pin the server is not even asked.
    let pinned = json!({"url": "http://x/", "to": to, "sha256": sha256(b"\x00content")});
    let outcome = run(&target, pinned).await.unwrap();
    assert!(!outcome.changed && outcome.output.from_cache);
    assert_eq!(target.http.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_cached_is_not_asked_for_again() {
    let content = format!("cached by a test of process {}", std::process::id());
    let pin = sha256(content.as_bytes());
    let host = LiveTarget::new().host(None).unwrap();
    let home = host.user().await.unwrap().home;
    let file = std::path::Path::new(&home)
        .join(".cache/psprun/downloads")
        .join(&pin);
    let target = answer(200, &[], content.clone());
    let args = json!({"url": "http://x/", "sha256": pin.to_uppercase(), "cache": true});
    let first = run(&target, args.clone()).await.unwrap();
    let second = run(&target, args.clone()).await.unwrap();
    std::fs::write(&file, "broken").unwrap();
    run(&target, args).await.unwrap();
    let mended = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!((first.output.from_cache, second.output.from_cache), (false, true));
    assert_eq!(second.output.body, content);
    assert_eq!(second.summary.unwrap(), "from the cache");
    assert_eq!(mended, content);
    assert_eq!(target.http.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn arguments_that_cannot_be_are_refused_while_planning() {
    let check = |args| Curl(LiveTarget::new()).check(&args);
    for (args, words) in [
        (json!({"url": "example.com"}), "no URL"),
        (
            json!({"url": "http://x/", "body": "a", "json": 1}),
            "exclude each other",
        ),
        (
            json!({"url": "http://x/", "cache": true}),
            "`cache` needs `sha256`",
        ),
        (json!({"url": "http://x/", "sha256": "abc"}), "64 hex digits"),
        (json!({"url": "http://x/", "timeout": "soon"}), "no duration"),
        (
            json!({"url": "http://x/", "mode": "0755"}),
            "`to`, which is not given",
        ),
    ] {
        let error = check(args).unwrap_err();
        assert!(error.message.contains(words), "{}", error.message);
    }
    check(json!({"url": "http://${a.b}/", "sha256": "${x.y}"})).unwrap();
    check(json!({"url": "${a.url}"})).unwrap();
}

#[test]
fn describes_what_it_asks_for() {
    let describe = |args| Curl(LiveTarget::new()).describe(&args);
    assert_eq!(
        describe(
            json!({"url": "http://${c.items[0].status.podIP}/get", "headers": {"Host": "my.httpbin.com"}})
        ),
        "get http://${c.items[0].status.podIP}/get as my.httpbin.com"
    );
    assert_eq!(
        describe(json!({"url": "http://x/", "to": "/y"})),
        "download http://x/ to /y"
    );
    assert_eq!(
        describe(json!({"url": "http://x/", "json": 1, "expect": 201})),
        "post http://x/ expecting 201"
    );
}

#[tokio::test]
async fn speaks_to_a_real_server_with_a_certificate_of_the_playbooks_own_authority() {
    let server = tls::Server::start().await;
    let mut files = Files::default();
    files.insert("ca.crt", server.ca.clone().into_bytes());
    let (context, _told) = Context::detached(files);
    let args = json!({"url": format!("https://localhost:{}/", server.port), "ca": "ca.crt", "proxy": ""});
    let outcome = Curl(LiveTarget::new())
        .run(serde_json::from_value(args).unwrap(), context)
        .await
        .unwrap();
    assert_eq!(outcome.output.status, 200);
    assert!(outcome.output.body.contains("TLSv1.3"));
}

#[test]
fn examples_plan() {
    crate::testing::plan_examples("curl");
}
