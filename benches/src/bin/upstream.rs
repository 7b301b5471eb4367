//! What a proxy leads to in the benchmarks: `upstream --socket PATH`.
//!
//! Below any prefix: `/1k` is a body of 1 KiB, `/accepted` the number of connections so far, `/echo`
//! switches protocols and sends back every byte, everything else is a short text.

use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use benches::Outcome;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

static BODY: [u8; 1024] = [b'x'; 1024];

fn main() -> Outcome<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [flag, socket] = args.as_slice() else { return Err("upstream --socket PATH".into()) };
    if flag != "--socket" {
        return Err("upstream --socket PATH".into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(socket))
}

async fn serve(socket: &str) -> Outcome<()> {
    // Sessions begin with a login's 1,024, and several proxies keep connections to this one.
    benches::machine::raise_descriptor_limit()?;
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, PermissionsExt::from_mode(0o660))?;
    let accepted = Arc::new(AtomicU64::new(0));
    loop {
        let (stream, _) = listener.accept().await?;
        accepted.fetch_add(1, Ordering::Relaxed);
        let accepted = Arc::clone(&accepted);
        let service = service_fn(move |request| {
            let accepted = accepted.load(Ordering::Relaxed);
            async move { Ok::<_, Infallible>(answer(request, accepted)) }
        });
        tokio::spawn(async move {
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // How a connection ends is its client's affair.
            let _ = served.with_upgrades().await;
        });
    }
}

fn answer(request: Request<Incoming>, accepted: u64) -> Response<Full<Bytes>> {
    match request.uri().path().rsplit('/').next() {
        Some("1k") => Response::new(Full::new(Bytes::from_static(&BODY))),
        Some("accepted") => Response::new(Full::from(accepted.to_string())),
        Some("echo") => echo(request),
        _ => Response::new(Full::from("upstream\n")),
    }
}

fn echo(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
        let mut io = TokioIo::new(upgraded);
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = io.read(&mut buffer).await {
            if io.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response
}
