#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::testing::tls;

/// A server that says this to every connection, and closes it.
async fn server(answer: impl Into<Vec<u8>>) -> String {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    address.to_string()
}

fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        url: url.into(),
        proxy: Some(String::new()),
        timeout: Some(Duration::from_secs(5)),
        ..HttpRequest::default()
    }
}

async fn failed(request: HttpRequest) -> StepError {
    LiveHttp::default().send(request).await.unwrap_err()
}

#[tokio::test]
async fn an_answer_has_status_headers_and_body() {
    let place = server(b"HTTP/1.1 404 Not Found\r\nX-One: a\r\nContent-Length: 4\r\n\r\n\xff\x00ok").await;
    let response = LiveHttp::default()
        .send(get(format!("http://{place}/")))
        .await
        .unwrap();
    assert_eq!(response.status, 404);
    assert!(response.headers.contains(&("x-one".to_owned(), "a".to_owned())));
    assert_eq!(response.body.len(), 4);
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let connections = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    tokio::spawn({
        let connections = connections.clone();
        async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                            .await
                            .unwrap();
                    }
                });
            }
        }
    });
    let http = LiveHttp::default();
    for _ in 0..5 {
        http.send(get(format!("http://{place}/"))).await.unwrap();
    }
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_port_at_which_nothing_listens_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    drop(listener);
    let error = failed(get(format!("http://{place}/"))).await;
    assert_eq!(error.code, "psprun::http::refused");
    assert_eq!(
        error.message,
        format!("{place} refuses the connection: nothing listens there")
    );
    assert!(error.heals);
}

#[tokio::test]
async fn a_name_that_is_not_there_is_a_dns_failure() {
    let error = failed(get("http://nonexistent.invalid/")).await;
    assert_eq!(error.code, "psprun::http::dns", "{}", error.message);
    assert!(error.message.contains("nonexistent.invalid"));
}

#[tokio::test]
async fn a_server_that_says_nothing_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let error = failed(HttpRequest {
        timeout: Some(Duration::from_millis(100)),
        ..get(format!("http://user:hush@{place}/x"))
    })
    .await;
    assert_eq!(error.code, "psprun::http::timeout");
    assert_eq!(
        error.message,
        format!("GET http://user:***@{place}/x was not answered in full within 100ms")
    );
    assert!(error.heals);
}

#[tokio::test]
async fn servers_that_break_off_are_told_from_those_that_speak_something_else() {
    let error = failed(get(format!("http://{}/", server("").await))).await;
    assert_eq!(error.code, "psprun::http::closed", "{}", error.message);
    assert!(error.heals);
    let short = server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    let error = failed(get(format!("http://{short}/"))).await;
    assert_eq!(error.code, "psprun::http::closed", "{}", error.message);
    let error = failed(get(format!(
        "http://{}/",
        server("SSH-2.0-OpenSSH_9.2\r\n").await
    )))
    .await;
    assert_eq!(error.code, "psprun::http::no_http", "{}", error.message);
    assert!(!error.heals);
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_allowed() {
    let end = server("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend").await;
    let start = server(format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{end}/\r\nContent-Length: 0\r\n\r\n"
    ))
    .await;
    let http = LiveHttp::default();
    let with = |redirects, place: &str| HttpRequest {
        redirects,
        ..get(format!("http://{place}/"))
    };
    assert_eq!(http.send(with(1, &start)).await.unwrap().body, b"end");
    assert_eq!(http.send(with(0, &start)).await.unwrap().status, 302);
    let circle =
        server("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    let error = failed(with(3, &circle)).await;
    assert_eq!(error.code, "psprun::http::redirects", "{}", error.message);
}

#[tokio::test]
async fn a_given_host_is_not_sent_to_another() {
    let end = server("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend").await;
    let port = end.rsplit(':').next().unwrap();
    let to =
        |place: &str| format!("HTTP/1.1 302 Found\r\nLocation: http://{place}/\r\nContent-Length: 0\r\n\r\n");
    let as_host = |place: &str| HttpRequest {
        headers: vec![("Host".into(), "my.example".into())],
        redirects: 2,
        ..get(format!("http://{place}/"))
    };
    let http = LiveHttp::default();
    let elsewhere = server(to(&format!("localhost:{port}"))).await;
    assert_eq!(http.send(as_host(&elsewhere)).await.unwrap().status, 302);
    let here = server(to(&end)).await;
    assert_eq!(http.send(as_host(&here)).await.unwrap().status, 200);
}

#[tokio::test]
async fn tls_mismatches_are_told_apart() {
    let server_ = tls::Server::start().await;
    let http = LiveHttp::default();
    let local = format!("https://localhost:{}/", server_.port);

    let error = failed(get(&local)).await;
    assert_eq!(error.code, "psprun::http::certificate");
    assert_eq!(
        error.message,
        format!(
            "the certificate of localhost:{} is signed by nobody who is trusted here",
            server_.port
        )
    );
    let trusted = |url: &str| HttpRequest {
        ca: Some(server_.ca.clone()),
        ..get(url)
    };
    assert_eq!(http.send(trusted(&local)).await.unwrap().status, 200);
    assert_eq!(
        http.send(HttpRequest {
            insecure: true,
            ..get(&local)
        })
        .await
        .unwrap()
        .status,
        200
    );

    let error = failed(trusted(&format!("https://127.0.0.1:{}/", server_.port))).await;
    assert!(
        error.message.contains("is not for this name, but for"),
        "{}",
        error.message
    );

    let plain = server("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = failed(get(format!("https://{plain}/"))).await;
    assert_eq!(error.message, format!("{plain} does not speak TLS"));

    let error = failed(HttpRequest {
        ca: Some("nonsense".to_owned()),
        ..get(&local)
    })
    .await;
    assert_eq!(error.message, "`ca` has no certificate in it");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    for url in [
        "example.com",
        "ftp://example.com/",
        "http://",
        "http://[::1",
        "/x",
    ] {
        assert_eq!(failed(get(url)).await.code, "psprun::http::bad_request", "{url}");
    }
    let header = HttpRequest {
        headers: vec![("a b".into(), "c".into())],
        ..get("http://localhost/")
    };
    assert_eq!(failed(header).await.message, "`a b` is no name of a header");
    let method = HttpRequest {
        method: "GET IT".into(),
        ..get("http://localhost/")
    };
    assert_eq!(failed(method).await.message, "`GET IT` is no HTTP method");
    let proxy = HttpRequest {
        proxy: Some("::".into()),
        ..get("http://localhost/")
    };
    assert_eq!(failed(proxy).await.message, "`::` is no proxy");
}

#[tokio::test]
async fn a_proxy_is_used() {
    let proxy = server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy").await;
    let request = HttpRequest {
        proxy: Some(format!("http://{proxy}")),
        ..get("http://nonexistent.invalid/")
    };
    assert_eq!(LiveHttp::default().send(request).await.unwrap().body, b"proxy");
}
