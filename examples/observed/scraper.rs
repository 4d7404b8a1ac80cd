//! The real Prometheus, which scrapes the example and says what it saw.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io};

use fanfare::Outcome;
use fanfare::observe::Snapshot;
use serde_json::Value;

/// So long until it is ready, and until it has seen the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of our own, which ends with this value.
pub struct Scraper {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    http: reqwest::Client,
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Scraper {
    /// Starts one that scrapes this address twice a second, and waits until it has done so: that takes some five seconds.
    pub async fn start(target: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("fanfare-observed-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/observed/alerts.yml");
        let config = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}\n\
             rule_files: ['{}']\n\
             scrape_configs:\n  - job_name: quakes\n    static_configs: [{{targets: ['{target}']}}]\n",
            rules.display()
        );
        let file = folder.join("prometheus.yml");
        fs::write(&file, config)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log"))?)
            .spawn();
        let child = child.map_err(|error| {
            let _ = fs::remove_dir_all(&folder);
            io::Error::other(format!(
                "prometheus does not start ({error}); install it: apt-get install -y prometheus"
            ))
        })?;
        let mut scraper = Self {
            child,
            address,
            folder,
            http: reqwest::Client::builder().no_proxy().build()?,
        };
        let began = Instant::now();
        let ready = format!("http://{address}/-/ready");
        loop {
            let answer = scraper.http.get(&ready).send().await;
            let is_ready = answer.is_ok_and(|answer| answer.status().is_success());
            if is_ready && scraper.value("up").await? == Some(1) {
                return Ok(scraper);
            }
            let ended = scraper.child.try_wait()?;
            if ended.is_some() || began.elapsed() > PATIENCE {
                let log = fs::read_to_string(scraper.folder.join("log"))?;
                return Err(format!("prometheus is not ready ({ended:?})\n{log}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Box<dyn Error>> {
        let mut url = reqwest::Url::parse(&format!("http://{}/api/v1/{path}", self.address))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let answer: Value = self.http.get(url).send().await?.json().await?;
        Ok(answer["data"].clone())
    }

    /// The value of a query that has one.
    async fn value(&self, query: &str) -> Result<Option<u64>, Box<dyn Error>> {
        let data = self.ask("query", &[("query", query)]).await?;
        let value = data["result"][0]["value"][1].as_str();
        Ok(value.and_then(|value| value.parse().ok()))
    }

    /// What fires, or is about to, by the rules of `alerts.yml`.
    pub async fn print_alerts(&self) -> Result<(), Box<dyn Error>> {
        let data = self.ask("alerts", &[]).await?;
        println!("Its alerts:");
        for alert in data["alerts"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let name = text(&alert["labels"]["alertname"]);
            let summary = text(&alert["annotations"]["summary"]);
            println!("- {name} ({}): {summary}", text(&alert["state"]));
        }
        Ok(())
    }

    /// Waits until Prometheus has seen the last of it, and says what it has counted beside what the bus has.
    pub async fn compare(&self, snapshot: &Snapshot) -> Result<(), Box<dyn Error>> {
        let totals = snapshot.totals;
        let rows = [
            ("sum(fanfare_emissions_total)", totals.emissions()),
            ("sum(fanfare_deliveries_total)", totals.deliveries()),
            (
                "sum(fanfare_outcomes_total{outcome='panicked'})",
                totals.count(Outcome::Panicked),
            ),
            ("sum(fanfare_retries_total)", totals.retries()),
            ("sum(fanfare_dead_letters_total)", totals.dead_letters()),
            ("sum(fanfare_enqueued_events_total)", totals.enqueued()),
            ("sum(fanfare_dropped_events_total)", totals.dropped()),
        ];
        let began = Instant::now();
        // Counters are still by now: one scrape after the end has all of them.
        while self.value("fanfare_bus_closed").await? != Some(1) {
            if began.elapsed() > PATIENCE {
                return Err("prometheus has not seen the end".into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("\nWhat Prometheus has, and what the bus counted:");
        let mut differ = 0;
        for (query, counted) in rows {
            let seen = self.value(query).await?;
            let seen_text = seen.map_or("nothing".to_owned(), |seen| seen.to_string());
            println!("{query:<50} {seen_text:>10} {counted:>10}");
            differ += u32::from(seen != Some(counted));
        }
        if differ > 0 {
            return Err(format!("{differ} of them differ").into());
        }
        println!("OK: Prometheus has counted what the bus has");
        Ok(())
    }
}
