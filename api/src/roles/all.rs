//! `millrace`, or `millrace all`: the API and the workers in one process. `millrace serve` and `millrace work`: the one or
//! the other, beside more of them.

use super::{Failure, asked_to_stop, output::print};
use crate::{
    bootstrap::{Duty, Server},
    config::{Config, Mode},
    telemetry::Telemetry,
};

/// Serves until it is asked to stop.
pub async fn run(config: &Config, duty: Duty) -> Result<(), Failure> {
    let broken = |error| Failure::new("TELEMETRY_FAILED", &error, "check the settings under [log] and [otlp]");
    let telemetry = Telemetry::install(config).map_err(broken)?;
    let server = Server::start(config, telemetry, duty).await?;
    let address = server.address();
    let what = if duty == Duty::Work { "works; metrics and health" } else { "serves" };
    tracing::info!(server.address = %address, "millrace {what} on http://{address}");
    print(&banner(config, &format!("http://{address}"), duty));
    server.run(asked_to_stop()).await?;
    tracing::info!("millrace has stopped; everything acknowledged is on disk");
    Ok(())
}

/// How this binary was called, so that the line can be pasted.
pub(super) fn command(config: &Config) -> String {
    let binary = std::env::args().next().unwrap_or_else(|| "millrace".to_owned());
    let data_dir = config.data_dir.display();
    if config.data_dir == Config::default().data_dir { binary } else { format!("{binary} --data-dir {data_dir}") }
}

/// Where everything is.
pub(super) fn banner(config: &Config, url: &str, duty: Duty) -> String {
    if duty == Duty::Work {
        return format!("Millrace works; metrics and health on {url}");
    }
    let mut lines = vec![format!("Millrace serves on {url}"), format!("  GraphQL    {url}/graphql")];
    if config.mode == Mode::Development {
        lines.push(format!("  GraphiQL   {url}/graphiql"));
        lines.push(format!("  token      {} token --subject alice --role customer", command(config)));
    }
    if duty == Duty::All {
        lines.push(format!("  data       {}", config.data_dir.display()));
    }
    lines.join("\n")
}
