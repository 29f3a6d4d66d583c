//! `millrace demo`: a server with a shop in it, people who buy, and people who talk: life within seconds of the first start.
//!
//! Slice map: script.rs decides what is done next to orders, people.rs and words.rs who follows whom and who says what,
//! driver.rs does it, shop.rs speaks the public API for it. The traffic goes where everybody's goes, with the rights of whom
//! it plays; it can do nothing that a client could not.

mod driver;
mod people;
mod random;
mod script;
mod shop;
mod tally;
#[cfg(test)]
mod tests;
mod words;

use std::{fs, io, path::Path, time::Duration};

use infrastructure::lifecycle::Lifecycle;
use serde::{Deserialize, Serialize};

use self::{
    driver::{Driver, Plan},
    shop::Shop,
};
use super::{Failure, all, asked_to_stop, output::print};
use crate::{
    bootstrap::{Duty, Server},
    cli::DemoArgs,
    config::{Config, Mode, PaymentProvider},
    data_dir,
    telemetry::Telemetry,
};

/// The file in the data directory that says that it is a demonstration's.
const MARK: &str = "demo.json";
/// How long requests under way may take once it is to stop.
const GRACE: Duration = Duration::from_secs(10);

/// What the mark says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// How many starts there were on this data.
    starts: u64,
}

/// Serves, with traffic, until it is asked to stop or its time is over.
pub async fn run(config: &Config, args: &DemoArgs) -> Result<(), Failure> {
    check(config)?;
    let run = next_start(&config.data_dir)?;
    let broken = |error| Failure::new("TELEMETRY_FAILED", &error, "check the settings under [log] and [otlp]");
    let telemetry = Telemetry::install(config).map_err(broken)?;
    let server = Server::start(config, telemetry, Duty::All).await?;
    let engine = server.engine().expect("a server that does everything serves").clone();
    print(&banner(config, args, &format!("http://{}", server.address())));

    let traffic = Lifecycle::new();
    let DemoArgs { rate, seed, customers, people, .. } = *args;
    let plan = Plan { rate, seed, run, customers, people };
    let driver = Driver::new(plan, Shop::new(engine), traffic.clone());
    let driving = traffic.spawn(std::sync::Arc::clone(&driver).run());
    let (time, ending) = (args.seconds.map(Duration::from_secs), traffic.clone());
    let ended = server
        .run(async move {
            tokio::select! {
                () = asked_to_stop() => {}
                () = over(time) => {}
                () = ending.stopping() => {}
            }
            // Whatever it has asked for is answered before the server stops.
            ending.stop(GRACE).await;
        })
        .await;
    traffic.stop(GRACE).await;
    print(&format!("{}\nMillrace demo has stopped; start it again and it goes on", driver.tally()));
    ended?;
    driving.await.unwrap_or(Ok(()))
}

/// Resolves after this time, or never.
async fn over(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// A demonstration has customers that do not exist: it keeps away from whatever others rely on, and from real money.
fn check(config: &Config) -> Result<(), Failure> {
    let refused = |what: &str| {
        let message = format!("a demonstration does not run {what}");
        Failure::said("DEMO_REFUSED", message, "run it without these settings, on a machine of your own").typed()
    };
    if config.mode == Mode::Production {
        return Err(refused("in production mode"));
    }
    if config.event_store.url.is_some() || config.read_store.url.is_some() {
        return Err(refused("on stores that others share (`event_store.url`, `read_store.url`)"));
    }
    if config.payments.provider != PaymentProvider::Sandbox {
        return Err(refused("with a payment provider (`payments.provider`)"));
    }
    Ok(())
}

/// Which start on this data this is, counted from 1. Data of a real shop is left alone.
fn next_start(data_dir: &Path) -> Result<u64, Failure> {
    let file = data_dir.join(MARK);
    let unusable = |error: io::Error| {
        Failure::new(
            "DATA_DIR_UNUSABLE",
            &error,
            "check that the directory is on a local disk and belongs to this user",
        )
    };
    let mark = match fs::read(&file) {
        Ok(json) => serde_json::from_slice(&json).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if data_dir.join("events.db").exists() {
                let message = format!("`{}` holds a shop that is no demonstration", data_dir.display());
                let advice = "choose another directory with `--data-dir`";
                return Err(Failure::said("DEMO_REFUSED", message, advice).typed());
            }
            Mark::default()
        }
        Err(error) => return Err(unusable(error)),
    };
    let mark = Mark { starts: mark.starts + 1 };
    data_dir::create(data_dir).map_err(crate::bootstrap::StartError::from)?;
    let draft = data_dir.join("demo.json.new");
    let json = serde_json::to_vec(&mark).expect("a number is JSON");
    fs::write(&draft, json).and_then(|()| fs::rename(&draft, &file)).map_err(unusable)?;
    Ok(mark.starts)
}

fn banner(config: &Config, args: &DemoArgs, url: &str) -> String {
    let command = all::command(config);
    let DemoArgs { rate, seed, customers, people, .. } = args;
    let mut lines = vec![
        all::banner(config, url, Duty::All),
        format!("  customers  {command} token --subject {} --role customer", shop::customer_name(1)),
        format!("             ... to {}", shop::customer_name(*customers)),
        format!("  operator   {command} token --subject olga --role operator"),
        format!("Demonstration: {rate} orders a second of {customers} customers, seed {seed}. Ctrl-C stops it."),
    ];
    if *people > 1 {
        let last = shop::customer_name(*people);
        let talk =
            format!("  people     customer-1 to {last} follow each other and talk; the first have the most followers");
        lines.insert(lines.len() - 2, talk);
    }
    lines.join("\n")
}
