//! The session of the first minute: a page that shows what survives.
//!
//! Hidden command `wharf __demo --socket PATH`. Counts its visits in memory and sends a tick a second
//! over a WebSocket: while the engine restarts underneath, the count goes on and, once the page has
//! connected again, so do the ticks. All addresses in the page are relative, so it works wherever it
//! is reached. Knows nothing of the engine.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    UPGRADE,
};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

mod ticker;

/// Is the demo session.
pub const DEMO: &str = "__demo";

/// Longest message that is sent back.
const LONGEST_MESSAGE: usize = 64 << 10;

/// What the page shows.
struct Demo {
    session: String,
    base: String,
    since: Instant,
    visits: AtomicU64,
}

/// Runs the demo if `args` (without the program's name) ask for it.
#[must_use]
pub fn dispatch(args: &[OsString]) -> Option<ExitCode> {
    let (verb, args) = args.split_first()?;
    if verb != DEMO {
        return None;
    }
    let [flag, socket] = args else { return Some(ExitCode::from(64)) };
    if flag != "--socket" {
        return Some(ExitCode::from(64));
    }
    Some(match run(&PathBuf::from(socket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    })
}

fn run(socket: &Path) -> io::Result<()> {
    let demo = Demo {
        session: std::env::var("WHARF_SESSION").unwrap_or_else(|_| "demo".to_owned()),
        base: std::env::var("WHARF_BASE").unwrap_or_default(),
        since: Instant::now(),
        visits: AtomicU64::new(0),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(socket, Arc::new(demo)))
}

async fn serve(socket: &Path, demo: Arc<Demo>) -> io::Result<()> {
    // Of an earlier process at the same path; in a session's own directory there is none.
    match std::fs::remove_file(socket) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(socket)?;
    // Its owner and the engine's group; the directory keeps everybody else out.
    std::fs::set_permissions(socket, PermissionsExt::from_mode(0o660))?;
    println!("demo: listening on {}", socket.display());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, mostly: it passes.
                eprintln!("demo: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        tokio::spawn(connection(stream, Arc::clone(&demo)));
    }
}

async fn connection(stream: UnixStream, demo: Arc<Demo>) {
    let service = service_fn(move |request| {
        let demo = Arc::clone(&demo);
        async move { Ok::<_, Infallible>(demo.answer(request)) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // A visitor who leaves in the middle is no event.
    let _ = served.await;
}

impl Demo {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let below = path.strip_prefix(self.base.as_str()).unwrap_or(path).to_owned();
        match below.as_str() {
            "/" => {
                self.visits.fetch_add(1, Ordering::Relaxed);
                text(StatusCode::OK, "text/html; charset=utf-8", self.page())
            }
            "/status" => text(StatusCode::OK, "application/json", self.status()),
            "/ws" => self.web_socket(request),
            "" => {
                let mut answer = text(StatusCode::FOUND, "text/plain", String::new());
                // Relative, so that it holds behind any prefix: the last part of the path and a slash.
                let last = path.rsplit('/').next().unwrap_or_default();
                if let Ok(value) = HeaderValue::from_str(&format!("{last}/")) {
                    answer.headers_mut().insert(hyper::header::LOCATION, value);
                }
                answer
            }
            _ => text(StatusCode::NOT_FOUND, "text/plain", "not found\n".to_owned()),
        }
    }

    fn status(&self) -> String {
        serde_json::json!({
            "session": self.session,
            "pid": std::process::id(),
            "visits": self.visits.load(Ordering::Relaxed),
            "running-s": self.since.elapsed().as_secs(),
        })
        .to_string()
    }

    fn page(&self) -> String {
        include_str!("demo/page.html")
            .replace("{SESSION}", &escape(&self.session))
            .replace("{PID}", &std::process::id().to_string())
            .replace("{VISITS}", &self.visits.load(Ordering::Relaxed).to_string())
    }

    fn web_socket(&self, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY).cloned() else {
            return text(StatusCode::BAD_REQUEST, "text/plain", "a WebSocket\n".to_owned());
        };
        let since = self.since;
        tokio::spawn(async move {
            let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
            let config = WebSocketConfig::default().max_message_size(Some(LONGEST_MESSAGE));
            let io = TokioIo::new(upgraded);
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
            // It ends with the visitor.
            let _ = ticker::run(socket, since).await;
        });
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        answer
    }
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
