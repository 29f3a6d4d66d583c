//! The load generator: keep-alive connections, requests prepared as bytes, one in flight on each.
//!
//! It deliberately knows next to nothing of HTTP. On two cores a full client would measure itself.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    machine::{Random, per_second},
    server::Server,
};

/// The largest answer.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How many clients ask at the same time.
pub(crate) const CLIENTS: usize = 64;

/// What the mutations, queries and subscriptions of the benchmark are.
pub(crate) mod document {
    pub(crate) const PING_MUTATION: &str = "mutation Ping($input: PingInput!) { ping(input: $input) { message } }";
    pub(crate) const PING_QUERY: &str = "query Ping($message: String!) { ping(message: $message) }";
    pub(crate) const ORDER_PLACE: &str = "mutation Place($input: OrderPlaceInput!) { orderPlace(input: $input) { order { id } userErrors { code } position } }";
    pub(crate) const ORDER_SHIP: &str =
        "mutation Ship($input: OrderShipInput!) { orderShip(input: $input) { order { id } userErrors { code } } }";
    pub(crate) const ORDER: &str =
        "query Order($id: ID!) { order(id: $id) { id status total { amount currencyCode } version } }";
    pub(crate) const ORDER_AT: &str = "query OrderAt($id: ID!, $minPosition: Position) { order(id: $id, minPosition: $minPosition) { id status total { amount currencyCode } version } }";
    pub(crate) const PRODUCT_REGISTER: &str = "mutation Register($input: ProductRegisterInput!) { productRegister(input: $input) { product { id } userErrors { code } } }";
    pub(crate) const ORDER_UPDATES: &str = "subscription Watch($id: ID!) { orderUpdates(id: $id) { __typename cursor ... on OrderChanged { kind version order { id status } } } }";
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

/// Something to ask, again and again.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Whole requests; each time one of them is sent.
    requests: Vec<Vec<u8>>,
    /// What an answer holds if all went well.
    mark: &'static str,
}

/// What came of asking for a while.
#[derive(Debug, Default)]
pub(crate) struct Load {
    time: Duration,
    /// The server's processor time.
    cpu_time: Duration,
    pub(crate) latencies: Vec<Duration>,
}

impl Load {
    pub(crate) fn add(&mut self, other: Self) {
        self.time += other.time;
        self.cpu_time += other.cpu_time;
        self.latencies.extend(other.latencies);
    }

    pub(crate) fn per_second(&self) -> f64 {
        per_second(self.latencies.len(), self.time)
    }

    /// The server's processor time for one request, in microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        1e6 / per_second(self.latencies.len(), self.cpu_time)
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; ANSWER_BYTES_MAX].into() })
    }

    /// Sends a request and reads the body of its answer, whose status must be 200.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<&[u8]> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            if let Some((start, end)) = body(&self.buffer[..filled])?
                && filled >= end
            {
                return Ok(&self.buffer[start..end]);
            }
        }
    }
}

/// Where the body of an answer begins and ends; none if the head is not complete.
fn body(answer: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let Some(start) = find(answer, b"\r\n\r\n").map(|at| at + 4) else { return Ok(None) };
    let head = &answer[..start];
    if !head.starts_with(b"HTTP/1.1 200 ") {
        return Err(io::Error::other(String::from_utf8_lossy(answer).into_owned()));
    }
    let name = b"\r\ncontent-length: ";
    let length = find(head, name).map(|at| &head[at + name.len()..]).and_then(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        digits.map(|digit| usize::from(digit - b'0')).reduce(|number, digit| number * 10 + digit)
    });
    match length {
        Some(length) if start + length <= ANSWER_BYTES_MAX => Ok(Some((start, start + length))),
        _ => Err(io::Error::other("the answer has no usable length")),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

impl Operation {
    pub(crate) fn new(requests: Vec<Vec<u8>>, mark: &'static str) -> Self {
        Self { requests, mark }
    }

    /// One of the requests, for this number always the same.
    pub(crate) fn nth(&self, number: u32) -> &[u8] {
        &self.requests[number as usize % self.requests.len()]
    }

    /// Nothing is measured that did not work.
    pub(crate) fn check(&self, answer: &[u8]) {
        let has_worked = find(answer, self.mark.as_bytes()).is_some();
        assert!(has_worked, "no {} in {}", self.mark, String::from_utf8_lossy(answer));
    }
}

/// The bytes of a request.
pub(crate) fn request(server: &Server, document: &str, variables: &serde_json::Value) -> Vec<u8> {
    request_of(server, &server.token, document, variables)
}

/// The same of whoever has this token.
pub(crate) fn request_of(server: &Server, token: &str, document: &str, variables: &serde_json::Value) -> Vec<u8> {
    let body = json!({ "query": document, "variables": variables }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         accept: application/graphql-response+json\r\ncontent-length: {}\r\n\r\n{body}",
        server.address,
        token,
        body.len()
    )
    .into_bytes()
}

/// The value of a text field in an answer, which must be there.
pub(crate) fn text_field(answer: &[u8], name: &str) -> String {
    let mark = format!("\"{name}\":\"");
    let value = find(answer, mark.as_bytes()).map(|at| &answer[at + mark.len()..]);
    let value = value.and_then(|rest| Some(&rest[..find(rest, b"\"")?]));
    let value = value.unwrap_or_else(|| panic!("no {name} in {}", String::from_utf8_lossy(answer)));
    String::from_utf8_lossy(value).into_owned()
}

/// So many connections.
pub(crate) async fn clients(server: &Server, count: usize) -> Vec<Client> {
    let connect = (0..count).map(|_| async { Client::connect(server.address).await.expect("the server accepts") });
    join_all(connect).await
}

/// Every client asks, waits for the answer and asks again, for this long.
pub(crate) async fn closed_loop(
    server: &Server,
    clients: &mut [Client],
    operation: &Operation,
    length: Duration,
) -> Load {
    let cpu_before = server.cpu_time();
    let started = Instant::now();
    let deadline = started + length;
    let work = (1..).zip(clients).map(|(seed, client)| async move {
        let mut random = Random::new(seed);
        let mut latencies = Vec::new();
        while Instant::now() < deadline {
            let request = &operation.requests[random.below(operation.requests.len())];
            let sent = Instant::now();
            let answer = client.ask(request).await.expect("the server answers");
            latencies.push(sent.elapsed());
            operation.check(answer);
        }
        latencies
    });
    let latencies = join_all(work).await.concat();
    Load { time: started.elapsed(), cpu_time: server.cpu_time().saturating_sub(cpu_before), latencies }
}

/// A product to order; its global id.
pub(crate) async fn register_product(server: &Server, client: &mut Client) -> String {
    let price = json!({ "amount": "19.90", "currencyCode": "EUR" });
    let variables = json!({ "input": { "sku": "TEA-1", "name": "Green tea", "price": price, "tracksStock": false } });
    let answer = client.ask(&request(server, document::PRODUCT_REGISTER, &variables)).await.expect("it answers");
    text_field(answer, "id")
}

/// The request that orders it.
pub(crate) fn place_request(server: &Server, product: &str) -> Vec<u8> {
    let variables = json!({ "input": { "lines": [{ "productId": product, "quantity": 2 }] } });
    request(server, document::ORDER_PLACE, &variables)
}

/// Places so many orders; their global ids, and the position of the last one.
pub(crate) async fn place_orders(clients: &mut [Client], request: &[u8], count: usize) -> (Vec<String>, String) {
    let each = count.div_ceil(clients.len());
    let work = clients.iter_mut().map(|client| async move {
        let mut placed = Vec::with_capacity(each);
        for _ in 0..each {
            let answer = client.ask(request).await.expect("the server answers");
            placed.push((text_field(answer, "position"), text_field(answer, "id")));
        }
        placed
    });
    let placed = join_all(work).await.concat();
    // Position tokens of one server grow as texts do: they are fixed-width numbers.
    let last = placed.iter().map(|(position, _)| position.clone()).max().expect("orders were placed");
    (placed.into_iter().map(|(_, id)| id).take(count).collect(), last)
}
