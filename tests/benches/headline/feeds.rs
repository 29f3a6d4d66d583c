//! Home feeds: read by who follows a thousand, written for twenty thousand, looked up by a million, told to a thousand.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    client::{Client, Operation, clients, request_of, text_field},
    executor,
    http::block_on,
    machine::{Random, data_dir, percentile_ms},
    report::{self, Goal, Report, number},
    server::Server,
    society::{self, HOST, LIVE_READERS, LOUD, LOUD_FOLLOWERS, READER, STAR, STAR_FOLLOWERS, fan},
    socket::Socket,
};

const CREATE: &str = "mutation Create($input: ProfileCreateInput!) { profileCreate(input: $input) { profile { id } userErrors { code } } }";
const PUBLISH: &str = "mutation Publish($input: PostPublishInput!) { postPublish(input: $input) { post { id } position userErrors { code } } }";
const FEED: &str = "query Feed($first: Int!, $after: Cursor, $minPosition: Position) { homeFeed(first: $first, after: $after, minPosition: $minPosition) { nodes { id text author { handle } likeCount viewerHasLiked publishedAt } pageInfo { hasNextPage endCursor } } }";
const UPDATES: &str = "subscription Live { homeFeedUpdates { __typename cursor ... on HomeFeedPosted { post { id text author { handle } } } } }";
/// How long a log of posts is, and how long the long one.
const SHORT: usize = 10_000;
const LONG: usize = 1_000_000;
/// Pages are asked for so often in a second, by so many clients, in turns of this length.
const RATE: u32 = 200;
const READERS: usize = 4;
const TURN: Duration = Duration::from_secs(2);
const TURNS: usize = 3;
/// Posts on a page.
const PAGE: usize = 20;
/// Pages that are read one after the other, from the newest on.
const PAGES: usize = 10;
/// Posts that are written into feeds as fast as they are taken, and by how many clients.
const FANNED_OUT: usize = 50;
const SENDERS: usize = 8;
/// Posts of the author whom a million follow, and of the one to whom a thousand listen.
const STAR_POSTS: usize = 50;
const LIVE_POSTS: usize = 40;
/// From one of these to the next.
const BETWEEN_POSTS: Duration = Duration::from_millis(200);
/// How long the last message may take.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Measures all of it.
pub(crate) fn feeds(report: &mut Report) {
    reads(report);
    let directory = data_dir();
    report::progress("a log of a million followers");
    executor::block_on(society::of_followers(directory.path()));
    block_on(async {
        let server = Server::start(directory.path());
        let took = server.ready().await;
        report::progress(&format!("its read models are built after {:.0} s", took.as_secs_f64()));
        fan_out(report, &server).await;
        star(report, &server).await;
        push(report, &server).await;
    });
}

/// Pages of a feed with ten thousand posts in store, and with a million.
fn reads(report: &mut Report) {
    let (short_dir, long_dir) = (data_dir(), data_dir());
    for (directory, posts) in [(&short_dir, SHORT), (&long_dir, LONG)] {
        report::progress(&format!("a log of {posts} posts"));
        executor::block_on(society::of_posts(directory.path(), posts));
    }
    let (mut of_short, mut of_long) = block_on(async {
        let (short, long) = (start(short_dir.path()).await, start(long_dir.path()).await);
        let mut askers = (clients(&short, READERS).await, clients(&long, READERS).await);
        let pages = (pages_of(&short, &mut askers.0[0]).await, pages_of(&long, &mut askers.1[0]).await);
        steadily(&mut askers.0, &pages.0).await;
        steadily(&mut askers.1, &pages.1).await;
        let (mut of_short, mut of_long) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            of_short.extend(steadily(&mut askers.0, &pages.0).await);
            of_long.extend(steadily(&mut askers.1, &pages.1).await);
        }
        (of_short, of_long)
    });
    let (short, long) = (percentile_ms(&mut of_short, 50), percentile_ms(&mut of_long, 50));
    let p99 = percentile_ms(&mut of_long, 99);
    report.value("feed_read_p99_ms", p99);
    report.value("feed_read_10k_p50_ms", short);
    report.value("feed_read_1m_p50_ms", long);
    let detail = format!("p50 {long:.2} ms, {PAGES} pages of {PAGE} posts, at {RATE} pages/s");
    report.row("a page of a feed from 1,000 authors, p99", Goal::AtMost(5.0), p99, "ms", &detail);
    let detail = format!("p50 {long:.2} ms of {short:.2} ms");
    report.row("the same of 1,000,000 posts, over 10,000", Goal::AtMost(1.5), long / short, "times", &detail);
}

async fn start(directory: &Path) -> Server {
    let server = Server::start(directory);
    let took = server.ready().await;
    report::progress(&format!("its read models are built after {:.0} s", took.as_secs_f64()));
    server
}

/// The first pages of the reader's feed.
async fn pages_of(server: &Server, client: &mut Client) -> Operation {
    let token = server.token_of(READER);
    let (mut requests, mut after) = (Vec::new(), Value::Null);
    for _ in 0..PAGES {
        let page = request_of(server, &token, FEED, &json!({ "first": PAGE, "after": after }));
        let answer = client.ask(&page).await.expect("the server answers");
        after = text_field(answer, "endCursor").into();
        requests.push(page);
    }
    Operation::new(requests, "\"hasNextPage\":true")
}

/// Asks at a steady rate. A latency counts from the moment at which a page was due.
async fn steadily(askers: &mut [Client], pages: &Operation) -> Vec<Duration> {
    let step = Duration::from_secs(1) / RATE;
    let count = u32::try_from(askers.len()).expect("there are few");
    let started = Instant::now();
    let work = (0..).zip(askers).map(|(turn, client)| async move {
        let mut latencies = Vec::new();
        let mut nth = turn;
        while step * nth < TURN {
            let due = started + step * nth;
            tokio::time::sleep_until(due.into()).await;
            pages.check(client.ask(pages.nth(nth)).await.expect("the server answers"));
            latencies.push(due.elapsed());
            nth += count;
        }
        latencies
    });
    join_all(work).await.concat()
}

/// Somebody who posts.
struct Author<'a> {
    server: &'a Server,
    token: String,
}

impl<'a> Author<'a> {
    async fn join(server: &'a Server, client: &mut Client, subject: &str) -> Self {
        let author = Self { server, token: server.token_of(subject) };
        let profile = json!({ "input": { "handle": subject, "displayName": subject } });
        let answer = client.ask(&request_of(server, &author.token, CREATE, &profile)).await;
        text_field(answer.expect("the server answers"), "id");
        author
    }

    /// Publishes a post. Gives its id and position.
    async fn post(&self, client: &mut Client, text: &str) -> (String, String) {
        let publish = request_of(self.server, &self.token, PUBLISH, &json!({ "input": { "text": text } }));
        let answer = client.ask(&publish).await.expect("the server answers");
        (text_field(answer, "id"), text_field(answer, "position"))
    }
}

/// Waits until this reader's feed begins with what was posted at the position.
async fn until_seen(server: &Server, client: &mut Client, reader: &str, position: &str, post: Option<&str>) {
    let variables = json!({ "first": 1, "minPosition": position });
    let page = request_of(server, &server.token_of(reader), FEED, &variables);
    loop {
        let answer = String::from_utf8_lossy(client.ask(&page).await.expect("the server answers")).into_owned();
        if !answer.contains("PROJECTION_TIMEOUT") {
            assert!(answer.contains(post.unwrap_or("\"nodes\":[{")), "it is not in the feed: {answer}");
            return;
        }
    }
}

/// Posts of an author whose followers all get entries, as fast as they are taken.
async fn fan_out(report: &mut Report, server: &Server) {
    let mut senders = clients(server, SENDERS).await;
    let author = Author::join(server, &mut senders[0], LOUD).await;
    let (_, warm) = author.post(&mut senders[0], "is anybody there?").await;
    until_seen(server, &mut senders[0], &fan(0), &warm, None).await;
    let started = Instant::now();
    let each = FANNED_OUT / SENDERS;
    let author = &author;
    let work = senders.iter_mut().map(|sender| async move {
        let mut last = String::new();
        for _ in 0..each {
            last = author.post(sender, "listen!").await.1;
        }
        last
    });
    // Position tokens of one server grow as texts do: they are fixed-width numbers.
    let last = join_all(work).await.into_iter().max().expect("somebody posted");
    until_seen(server, &mut senders[0], &fan(LOUD_FOLLOWERS - 1), &last, None).await;
    let entries = u32::try_from(each * SENDERS * LOUD_FOLLOWERS).expect("it is some millions");
    let rate = f64::from(entries) / started.elapsed().as_secs_f64();
    report.value("fanout_entries_per_s", rate);
    let detail = format!("{} entries, from the first command to the last one that can be read", number(entries.into()));
    report.row("entries written into home feeds", Goal::AtLeast(300_000.0), rate, "/s", &detail);
}

/// From a post of somebody whom a million follow to a page of one of them that has it.
async fn star(report: &mut Report, server: &Server) {
    let mut askers = clients(server, 2).await;
    let [sender, reader] = askers.as_mut_slice() else { unreachable!("there are two") };
    let author = Author::join(server, sender, STAR).await;
    let (mut random, mut latencies) = (Random::new(3), Vec::new());
    for _ in 0..STAR_POSTS {
        let somebody = fan(random.below(STAR_FOLLOWERS));
        let sent = Instant::now();
        let (post, position) = author.post(sender, "good morning, everybody").await;
        until_seen(server, reader, &somebody, &position, Some(&post)).await;
        latencies.push(sent.elapsed());
        tokio::time::sleep(BETWEEN_POSTS / 4).await;
    }
    let (p50, worst) = (percentile_ms(&mut latencies, 50), percentile_ms(&mut latencies, 100));
    report.value("celebrity_visible_ms", worst);
    let detail = format!("the longest of {STAR_POSTS}; p50 {p50:.1} ms");
    report.row("a post by whom 1,000,000 follow, readable", Goal::AtMost(100.0), worst, "ms", &detail);
}

/// From a post to a thousand people who listen, each on a socket of their own.
async fn push(report: &mut Report, server: &Server) {
    let author = Author::join(server, &mut clients(server, 1).await[0], HOST).await;
    let mut opened = Vec::new();
    for number in 0..LIVE_READERS {
        let token = server.token_of(&fan(number));
        let mut socket = Socket::subscribe(server.address, &token, UPDATES, json!({})).await.expect("it is taken");
        let first = socket.next().await.expect("the server answers");
        assert!(first.contains("CaughtUp"), "{first}");
        opened.push(socket);
    }
    let mut listening = JoinSet::new();
    for mut socket in opened {
        listening.spawn(async move {
            let mut heard = Vec::new();
            while heard.len() < LIVE_POSTS {
                let message = socket.next().await.expect("the message arrives");
                heard.push((text_field(message.as_bytes(), "text"), Instant::now()));
            }
            (heard, socket)
        });
    }
    // Not before: the server closes what is idle for as long as it took to open the sockets.
    let mut senders = clients(server, 1).await;
    let mut sent = Vec::new();
    for nth in 0..LIVE_POSTS {
        sent.push(Instant::now());
        author.post(&mut senders[0], &format!("news {nth:02}")).await;
        tokio::time::sleep(BETWEEN_POSTS).await;
    }
    let heard = tokio::time::timeout(ARRIVAL_TIMEOUT, listening.join_all()).await.expect("every message arrives");
    let mut latencies = Vec::new();
    for (heard, _) in &heard {
        for (nth, (text, at)) in heard.iter().enumerate() {
            assert_eq!(text, &format!("news {nth:02}"), "each hears everything in order");
            latencies.push(at.duration_since(sent[nth]));
        }
    }
    let (p50, p99) = (percentile_ms(&mut latencies, 50), percentile_ms(&mut latencies, 99));
    report.value("publish_to_push_p50_ms", p50);
    report.value("publish_to_push_p99_ms", p99);
    let detail = format!("p50 {p50:.1} ms, {LIVE_POSTS} posts to each of {LIVE_READERS} people");
    report.row("a post to 1,000 live home feeds, p99", Goal::AtMost(50.0), p99, "ms", &detail);
}
