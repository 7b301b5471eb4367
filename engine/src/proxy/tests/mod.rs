//! The data path over real sockets: a proxy with its threads, sessions behind Unix sockets, clients over TCP.

mod forwarding;
mod gateways;
mod hostile;
mod listeners;
mod tunnels;
mod who;

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use engine_core::desired::{Access, BasePath, ListenAddress, ListenerId};
use engine_core::ids::{Incarnation, Moment, UserName};
use engine_core::known::Known;
use engine_core::plan::RouteSpec;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener};

use super::{Limits, Proxy, Surroundings};
use crate::identity::{GroupLookup, Identity, Key, Person};
use crate::ports::{Clock, Routes, Warden, WardenError};
use crate::status::StatusView;
use crate::warden::protocol::{Answer, Call};

/// Longest wait for anything.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// Binds what a test has bound before, or what is asked for.
#[derive(Default)]
pub(super) struct TestWarden {
    bound: Mutex<HashMap<SocketAddr, TcpListener>>,
}

impl TestWarden {
    /// A free port of 127.0.0.1, already bound: nobody else can take it meanwhile.
    pub(super) fn free(&self) -> ListenAddress {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        self.bound.lock().unwrap().insert(address, socket);
        ListenAddress { ip: address.ip(), port: address.port() }
    }
}

impl Warden for TestWarden {
    fn call(&self, call: &Call) -> Result<(Answer, Vec<OwnedFd>), WardenError> {
        let Call::Bind { address } = call else {
            return Err(WardenError::Refused { what: "do it".into(), reason: "a test".into() });
        };
        let address = SocketAddr::new(address.ip, address.port);
        let ready = self.bound.lock().unwrap().remove(&address);
        let bound = ready.map_or_else(|| TcpListener::bind(address), Ok);
        let what = format!("listen at {address}");
        let socket = bound.map_err(|source| WardenError::System { what, source })?;
        Ok((Answer::Descriptor, vec![socket.into()]))
    }
}

/// The real time, which a test may move.
#[derive(Default)]
pub(super) struct TestClock {
    pub(super) ahead_ms: std::sync::atomic::AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Moment {
        Moment(1_800_000_000_000 + self.ahead_ms.load(std::sync::atomic::Ordering::Relaxed))
    }
}

struct TestGroups;

impl GroupLookup for TestGroups {
    fn look_up(&self, user: &UserName, now: Moment) -> Known<BTreeSet<String>> {
        match user.as_str() {
            "member" => Known::Present(BTreeSet::from(["genomics".to_owned()])),
            "silent" => Known::Unknown { since: now, reason: "no answer".to_owned() },
            _ => Known::Present(BTreeSet::new()),
        }
    }
}

/// A proxy with a listener and a directory for sockets.
pub(super) struct Bench {
    pub(super) proxy: Proxy,
    pub(super) warden: Arc<TestWarden>,
    pub(super) identity: Arc<Identity>,
    pub(super) clock: Arc<TestClock>,
    pub(super) status: Arc<ArcSwap<StatusView>>,
    pub(super) at: SocketAddr,
    pub(super) dir: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let warden = Arc::new(TestWarden::default());
        let clock = Arc::new(TestClock::default());
        let status = Arc::new(ArcSwap::from_pointee(StatusView::default()));
        let key = Key::from_bytes([7; 32]);
        let identity = Arc::new(Identity::new("main", &key, Box::new(TestGroups)));
        let surroundings = Surroundings {
            warden: Arc::clone(&warden) as Arc<dyn Warden>,
            status: Arc::clone(&status),
            identity: Arc::clone(&identity),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        };
        let mut proxy = Proxy::start(surroundings, limits, Some(2)).unwrap();
        let address = warden.free();
        proxy.listen(&ListenerId::Www, &address, Moment(0)).unwrap();
        let at = SocketAddr::new(address.ip, address.port);
        let dir = tempfile::tempdir().unwrap();
        Self { proxy, warden, identity, clock, status, at, dir }
    }

    /// A route to the session `id`, whose socket is in a directory of its own.
    pub(super) fn route(&self, id: &str) -> RouteSpec {
        RouteSpec {
            incarnation: Incarnation::new(id.parse().unwrap(), 1),
            socket_dir: self.dir.path().join(id).to_str().unwrap().to_owned(),
            socket: "app.sock".to_owned(),
            uid: rustix::process::getuid().as_raw(),
            base: BasePath::Keep,
            access: Access { owner: Some("alice".parse().unwrap()), ..Access::default() },
            ready: true,
            display_name: format!("The {id}"),
            workbench: "demo".parse().unwrap(),
        }
    }

    /// Starts a session and routes to it.
    pub(super) fn session(&mut self, id: &str) -> Session {
        let session = Session::start(&self.dir.path().join(id));
        let route = self.route(id);
        self.proxy.set_route(&route);
        session
    }

    /// The `Cookie` line of somebody who has signed in.
    pub(super) fn cookie(&self, user: &str) -> String {
        self.cookie_of(&Person { user: user.parse().unwrap(), admin: user == "root" })
    }

    pub(super) fn cookie_of(&self, person: &Person) -> String {
        let issued = self.identity.cookies.issue(person, self.clock.now(), false).unwrap();
        issued.split(';').next().unwrap().to_owned()
    }

    /// A GET as `alice`.
    pub(super) async fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[("cookie", &self.cookie("alice"))]).await
    }

    pub(super) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        ask(self.at, "GET", path, headers, "").await
    }
}

/// A session: answers `/echo` and others, and remembers what it saw.
pub(super) struct Session {
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) connections: Arc<std::sync::atomic::AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

/// A request as a session saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    pub(super) trailers: Option<HeaderMap>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    /// Listens at `dir/app.sock`.
    pub(super) fn start(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let socket = dir.join("app.sock");
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(socket).unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let connections = Arc::<std::sync::atomic::AtomicUsize>::default();
        let (saw, count) = (Arc::clone(&seen), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            let mut all = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let saw = Arc::clone(&saw);
                let service = service_fn(move |request| {
                    let saw = Arc::clone(&saw);
                    async move { Ok::<_, Infallible>(serve(request, &saw).await) }
                });
                all.spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades()
                        .await;
                });
            }
        });
        Self { seen, connections, task }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.line.clone()).collect()
    }

    pub(super) fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().expect("the session saw a request")
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(std::sync::atomic::Ordering::Relaxed)
    }
}

type Boxed = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn serve(mut request: Request<Incoming>, saw: &Mutex<Vec<Seen>>) -> Response<Boxed> {
    let path = request.uri().path().to_owned();
    let line = format!("{} {}", request.method(), request.uri());
    let headers = request.headers().clone();
    if headers.contains_key("upgrade") && path.ends_with("/ws") {
        let seen = Seen { line, headers, body: String::new(), trailers: None };
        let key = seen.headers["sec-websocket-key"].as_bytes().to_owned();
        saw.lock().unwrap().push(seen);
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(echo_frames(upgrade));
        return switching(&key);
    }
    let Ok(collected) = request.into_body().collect().await else {
        return whole(StatusCode::BAD_REQUEST, "broken body");
    };
    let trailers = collected.trailers().cloned();
    let body = String::from_utf8_lossy(&collected.to_bytes()).into_owned();
    saw.lock().unwrap().push(Seen { line, headers, body: body.clone(), trailers });
    let last = path.rsplit('/').next().unwrap_or("");
    let mut response = whole(StatusCode::OK, &body);
    let out = response.headers_mut();
    match last {
        "cookies" => {
            for line in ["a=1; Path=/; Domain=hub", "wharf-main-id=forged; Path=/", "b=2"] {
                out.append("set-cookie", line.parse().unwrap());
            }
        }
        "moved" => {
            out.insert("location", "/s/demo/there".parse().unwrap());
            *response.status_mut() = StatusCode::FOUND;
        }
        "missing" => *response.status_mut() = StatusCode::NOT_FOUND,
        "none" => return response_with(StatusCode::NO_CONTENT, Full::new(Bytes::new()).boxed()),
        "unchanged" => {
            return response_with(StatusCode::NOT_MODIFIED, Full::new(Bytes::new()).boxed());
        }
        "hop" => {
            out.insert("connection", "x-private".parse().unwrap());
            out.insert("x-private", "1".parse().unwrap());
            out.insert("keep-alive", "timeout=5".parse().unwrap());
        }
        "large" => return whole(StatusCode::OK, &"0123456789abcdef".repeat(640 * 1_024)),
        "trailers" => {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", "42".parse().unwrap());
            let body = Full::new(Bytes::from("body")).with_trailers(async { Some(Ok(trailers)) });
            let mut response = response_with(StatusCode::OK, body.boxed());
            response.headers_mut().insert("trailer", "x-sum".parse().unwrap());
            response.headers_mut().insert("transfer-encoding", "chunked".parse().unwrap());
            return response;
        }
        "never" => std::future::pending().await,
        _ => {}
    }
    response
}

fn whole(status: StatusCode, text: &str) -> Response<Boxed> {
    response_with(status, Full::new(Bytes::from(text.to_owned())).boxed())
}

fn response_with(status: StatusCode, body: Boxed) -> Response<Boxed> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn switching(key: &[u8]) -> Response<Boxed> {
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key);
    let mut response =
        response_with(StatusCode::SWITCHING_PROTOCOLS, Full::new(Bytes::new()).boxed());
    let headers = response.headers_mut();
    headers.insert("connection", "Upgrade".parse().unwrap());
    headers.insert("upgrade", "websocket".parse().unwrap());
    headers.insert("sec-websocket-accept", accept.parse().unwrap());
    response
}

async fn echo_frames(upgrade: hyper::upgrade::OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
    let io = TokioIo::new(upgraded);
    let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(io, role, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() || socket.send(message).await.is_err() {
            return;
        }
    }
}

/// What a client got.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    pub(super) trailers: Option<HeaderMap>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A connection to a listener, for several requests.
pub(super) struct Client {
    sender: hyper::client::conn::http1::SendRequest<Full<Bytes>>,
}

impl Client {
    pub(super) async fn connect(at: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(at).await?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Reply, hyper::Error> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "hub");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let collected = body.collect().await?;
        let trailers = collected.trailers().cloned();
        let body = String::from_utf8_lossy(&collected.to_bytes()).into_owned();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body, trailers })
    }
}

pub(super) async fn ask(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let asked = async {
        Client::connect(at).await.unwrap().ask(method, path, headers, body).await.unwrap()
    };
    tokio::time::timeout(LIMIT, asked).await.expect("an answer in time")
}

/// Sends bytes, says that no more will come, and reads all that comes back.
pub(super) async fn raw(at: SocketAddr, bytes: &[u8]) -> String {
    let talk = async {
        let mut stream = TcpStream::connect(at).await.unwrap();
        // A refused request may be answered before all of it was sent.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(LIMIT, talk).await.expect("an answer in time")
}

/// Waits until `what` holds.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(super) fn localhost(port: u16) -> ListenAddress {
    ListenAddress { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port }
}
