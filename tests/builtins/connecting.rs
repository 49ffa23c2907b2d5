//! `kubeconfig` and the way to the server: what can be wrong with it, each said as such.

use std::path::Path;

use psprun_engine::event::Failure;

use super::bench::{Bench, Run};
use crate::support::apiserver::ApiServer;

struct Cluster {
    server: ApiServer,
    bench: Bench,
    folder: tempfile::TempDir,
}

impl Cluster {
    fn up() -> Self {
        let server = ApiServer::start(&[]);
        let bench = Bench::new(server.kubeconfig());
        Self {
            server,
            bench,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Connects by a changed copy of the kubeconfig.
    fn with(&self, change: impl Fn(&str) -> String) -> Run {
        let text = std::fs::read_to_string(self.server.kubeconfig()).expect("a kubeconfig");
        let path = self.folder.path().join("config");
        std::fs::write(&path, change(&text)).expect("it can be written");
        self.by(&path, "")
    }

    fn by(&self, path: &Path, options: &str) -> Run {
        self.bench.run(&format!(
            "let other = kubeconfig({:?}{options});\nlet pods = other.get(\"pods\");",
            path.display().to_string()
        ))
    }
}

fn help(failure: &Failure) -> &str {
    failure.help.as_deref().unwrap_or_default()
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_good_kubeconfig_says_where_it_leads() {
    let cluster = Cluster::up();
    let run = cluster.by(&cluster.server.kubeconfig(), ", #{ context: \"real\" }");
    let output = &run.good("other").output;
    assert_eq!(output["version"], "v1.20.2");
    assert!(
        output["server"]
            .as_str()
            .is_some_and(|url| url.starts_with("https://127.0.0.1:")),
        "{output}"
    );
    assert_eq!(output["context"], "real");
    run.good("pods");
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn what_is_wrong_with_a_kubeconfig_is_said() {
    let cluster = Cluster::up();
    let wrong = |run: &Run| run.failure("other").clone();

    let error = wrong(&cluster.by(Path::new("/no/such/config"), ""));
    assert_eq!(error.message, "kubeconfig /no/such/config: there is no such file");
    let error = wrong(&cluster.by(&cluster.server.kubeconfig(), ", #{ context: \"reel\" }"));
    assert!(
        error.message.ends_with("has no context `reel`"),
        "{}",
        error.message
    );
    assert!(help(&error).contains("did you mean `real`?"), "{error:?}");

    // Another cluster's CA, as after a reset.
    let other = ApiServer::start(&[]);
    let ca_of = |text: &str| {
        text.lines()
            .find(|line| line.contains("certificate-authority-data"))
            .unwrap_or_default()
            .to_owned()
    };
    let text = std::fs::read_to_string(other.kubeconfig()).expect("a kubeconfig");
    let error = wrong(&cluster.with(|own| own.replace(&ca_of(own), &ca_of(&text))));
    assert_eq!(error.code, "psprun::cluster::tls");
    assert!(
        error
            .message
            .ends_with("its certificate is not signed by the CA of the kubeconfig"),
        "{}",
        error.message
    );
    let error = wrong(&cluster.with(|own| own.replace("https://127.0.0.1", "https://127.0.0.2")));
    assert_eq!(error.code, "psprun::cluster::refused");
    let error = wrong(&cluster.with(|own| own.replace("https://127.0.0.1", "https://no.such.host.invalid")));
    assert_eq!(error.code, "psprun::cluster::dns");
    let error = wrong(&cluster.with(|own| own.replace("https://", "http://")));
    assert_eq!(error.code, "psprun::cluster::tls");
    assert!(help(&error).contains("https://"), "{error:?}");
    let error = wrong(&cluster.with(|own| format!("{own}\n\tx: y\n")));
    assert!(error.message.contains("is no kubeconfig"), "{}", error.message);
    assert!(error.file.is_some(), "{error:?}");

    // Credentials that the server does not take. Everybody may read the version, but not without being somebody.
    let error = wrong(&cluster.with(|own| own.replace("admintoken", "wrong-token-here")));
    assert_eq!(error.code, "psprun::cluster::unauthorized");
    assert!(!error.message.contains("wrong-token-here"));
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_missing_right_names_the_user_and_the_right() {
    let cluster = Cluster::up();
    let run = cluster.with(|own| own.replace("token: admintoken", "token: admintoken\n    as: jane"));
    let error = run.failure("pods");
    assert_eq!(error.code, "psprun::cluster::forbidden");
    assert!(
        error
            .message
            .contains("User \"jane\" cannot list resource \"pods\""),
        "{}",
        error.message
    );
    assert!(help(error).contains("`jane`"), "{error:?}");
}
