//! The headline numbers of Millrace, measured on this machine:
//! `cargo bench -p tests --bench headline [-- --json FILE] [-- --only NAME]`.
//!
//! Every number that depends on the machine is a share of a floor that is measured beside it, in turns, so that a
//! machine that is slow or busy moves both. The server is this program, started a second time with the data directory
//! on the real disk; the load comes from the first process over loopback. Nothing here asserts a time: it prints what
//! it found next to the goal. Slice map: http.rs (orders over HTTP), orders.rs (with all processes, and in lists), visible.rs, push.rs,
//! feeds.rs, executor.rs, stock.rs, replay.rs, live.rs, cluster.rs (what is measured); server.rs, client.rs, socket.rs, history.rs,
//! society.rs (what it is measured with); report.rs.

mod client;
mod cluster;
mod executor;
mod feeds;
mod history;
mod http;
mod live;
mod machine;
mod orders;
mod push;
mod replay;
mod report;
mod server;
mod society;
mod socket;
mod stock;
mod visible;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use report::Report;

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Section {
    /// `orderPlace` and its floor.
    OrderPlace,
    /// `order(id)` and its floor.
    OrderQuery,
    /// Orders from the placement to the confirmation.
    Orders,
    /// Lists of ten thousand orders and of a million.
    OrdersPage,
    /// The executor over many streams, and raw appends.
    Commands,
    /// The executor on one stream.
    HotStream,
    /// Reservations of one SKU.
    HotSku,
    /// A stock of a million events that is not in memory.
    ColdStock,
    /// The executor on EventStoreDB's double.
    EventStoreDb,
    /// Commands and a rebuild with the read models in PostgreSQL.
    Postgres,
    /// A rebuild, and a bare scan.
    Rebuild,
    /// Commands during a rebuild, and its memory.
    RebuildLive,
    /// From the acknowledgement to the query.
    Visible,
    /// From the change to the subscriber.
    Push,
    /// Home feeds: read, written, looked up and live.
    Feeds,
    /// Memory and start-up with a long log.
    Memory,
}

/// Measures one section and reports it.
type Measure = fn(&mut Report);

/// Measures Millrace against its goals.
#[derive(Debug, Parser)]
struct Args {
    /// Cargo says so when it means business; without it (`cargo test --benches`) nothing is measured.
    #[arg(long)]
    bench: bool,
    /// Writes the numbers to this file as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measures only this; may be given several times.
    #[arg(long)]
    only: Vec<Section>,
    /// Is the server, on this data directory, until its standard input ends.
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
}

fn main() {
    let args = Args::parse();
    if let Some(data_dir) = args.serve {
        return server::serve(&data_dir);
    }
    if !args.bench {
        return report::say("run it with `cargo bench -p tests --bench headline`");
    }
    machine::allow_files(push::FILES_NEEDED);
    let mut report = Report::default();
    let is_wanted = |section| args.only.is_empty() || args.only.contains(&section);
    // What works in this process comes last, so that the load generator of the others starts lean.
    let sections: [(Section, Measure); 13] = [
        (Section::OrderPlace, http::order_place),
        (Section::OrderQuery, http::order_query),
        (Section::Visible, visible::visible),
        (Section::Push, push::push),
        (Section::Orders, orders::completed),
        (Section::OrdersPage, orders::pages),
        (Section::Feeds, feeds::feeds),
        (Section::Commands, executor::many_streams),
        (Section::HotStream, executor::hot_stream),
        (Section::HotSku, stock::hot_sku),
        (Section::ColdStock, stock::cold_load),
        (Section::EventStoreDb, cluster::event_store),
        (Section::Postgres, cluster::read_store),
    ];
    for (section, measure) in sections.into_iter().filter(|(section, _)| is_wanted(*section)) {
        report::progress(&format!("{section:?}"));
        measure(&mut report);
    }
    let of_history = [Section::Rebuild, Section::RebuildLive, Section::Memory].map(is_wanted);
    if of_history.contains(&true) {
        replay::replay(&mut report, of_history);
    }
    report.print();
    if let Some(file) = args.json {
        report.write_json(&file);
    }
}
