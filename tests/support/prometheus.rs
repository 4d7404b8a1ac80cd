//! The real Prometheus: a server of our own that scrapes, and `promtool`. Debian has both in one package.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// So long until something is there that has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

fn missing(program: &str, error: &std::io::Error) -> ! {
    panic!("`{program}` does not start ({error}): apt-get install -y prometheus")
}

/// What the server logs once it has its port and is ready.
const READY: &str = "Server is ready to receive web requests";

/// So long until a server answers that is ready.
const ANSWER: Duration = Duration::from_secs(30);

/// Runs `promtool` with this text as its input, if any.
#[allow(dead_code, reason = "not every test checks with it")]
pub(crate) fn promtool(arguments: &[&str], input: Option<&str>) -> Output {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped());
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| missing("promtool", &error));
    let mut stdin = child.stdin.take().unwrap();
    if let Some(input) = input {
        stdin.write_all(input.as_bytes()).unwrap();
    }
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// A folder that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let (process, nth) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("fanfare-prometheus-{process}-{nth}"));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server that ends with this value.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    http: reqwest::Client,
    folder: Folder,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Starts a server that scrapes `/metrics` of these addresses twice a second, each as a job of that name, and evaluates the rules of these files.
    pub(crate) async fn start(jobs: &[(&str, SocketAddr)], rules: &[&Path]) -> Self {
        let mut config = "global:\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\n  evaluation_interval: 500ms\n".to_owned();
        config.push_str("rule_files:\n");
        for rule in rules {
            let rule = fs::canonicalize(rule).unwrap();
            writeln!(config, "  - '{}'", rule.display()).unwrap();
        }
        config.push_str("scrape_configs:\n");
        for (job, address) in jobs {
            writeln!(
                config,
                "  - job_name: {job}\n    static_configs: [{{targets: ['{address}']}}]"
            )
            .unwrap();
        }
        // Another process may take the port before the server does.
        for _ in 0..5 {
            if let Some(server) = Self::try_start(&config).await {
                return server;
            }
        }
        panic!("five servers ended as they began");
    }

    async fn try_start(config: &str) -> Option<Self> {
        let folder = Folder::new();
        fs::write(folder.0.join("prometheus.yml"), config).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let log = fs::File::create(folder.0.join("log")).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!(
                "--config.file={}",
                folder.0.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.0.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| missing("prometheus", &error));
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER);
        let mut server = Self {
            child,
            address,
            http: http.build().unwrap(),
            folder,
        };
        let begin = Instant::now();
        loop {
            let ready = server
                .http
                .get(format!("http://{address}/-/ready"))
                .send()
                .await;
            if let Some(status) = server.child.try_wait().unwrap() {
                eprintln!("prometheus ended: {status}\n{}", server.log());
                return None;
            }
            // Whoever answers there, it is ours if ours says that it is ready: one that finds the port taken ends without.
            let is_ours = server.log().contains(READY);
            if is_ours && ready.is_ok_and(|response| response.status().is_success()) {
                return Some(server);
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "prometheus is not ready\n{}",
                server.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.0.join("log")).unwrap_or_default()
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let mut url =
            reqwest::Url::parse(&format!("http://{}/api/v1/{path}", self.address)).unwrap();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let response = self.http.get(url).send().await.unwrap();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["status"], "success", "{path} {query:?}: {answer}");
        answer["data"].clone()
    }

    /// The series of an instant query: the labels of each, and its value.
    pub(crate) async fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let data = self.ask("query", &[("query", query)]).await;
        let series = data["result"].as_array().unwrap().iter();
        let series = series.map(|series| {
            let value = series["value"][1].as_str().unwrap().parse();
            (series["metric"].clone(), value.unwrap())
        });
        series.collect()
    }

    /// Waits until a query has one series and its value is such, and gives the value.
    pub(crate) async fn until(&self, query: &str, is_it: impl Fn(f64) -> bool) -> f64 {
        let begin = Instant::now();
        loop {
            let series = self.query(query).await;
            if let [(_, value)] = series[..] {
                if is_it(value) {
                    return value;
                }
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{query} is {series:?}\n{}\n{}",
                self.targets()
                    .await
                    .iter()
                    .map(Value::to_string)
                    .collect::<String>(),
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the last scrape of each target was well.
    #[allow(dead_code, reason = "not every test looks at the targets")]
    pub(crate) async fn until_all_are_up(&self) {
        let begin = Instant::now();
        loop {
            let targets = self.targets().await;
            let is_up = |target: &Value| target["health"] == "up" && target["lastError"] == "";
            if targets.iter().all(is_up) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{targets:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What is scraped, as the server has it: `labels.job`, `health`, `lastError`.
    pub(crate) async fn targets(&self) -> Vec<Value> {
        let data = self.ask("targets", &[]).await;
        data["activeTargets"].as_array().unwrap().clone()
    }

    /// What the rules say that fires now: the labels of each alert.
    #[allow(dead_code, reason = "not every test has rules")]
    pub(crate) async fn alerts(&self) -> Vec<Value> {
        let data = self.ask("alerts", &[]).await;
        data["alerts"].as_array().unwrap().clone()
    }
}
