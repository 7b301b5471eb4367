//! One request through to its session, and its answer back.

use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;

use engine_core::desired::BasePath;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::http::request;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};

use crate::identity::SignedIn;
use crate::web;
use crate::web::metrics::Dropped;

use super::body::{FromSession, ToBrowser, ToSession};
use super::connection::{Connection, closing, whole};
use super::headers;
use super::pool::Lease;
use super::table::{InUse, Route, Slot};
use super::thread::Admission;
use super::tunnel::Tunnel;
use super::upstream::{self, Unreached};

/// Somebody who may use a route, and the route.
pub(super) struct Passage {
    pub(super) slot: Arc<Slot>,
    pub(super) route: Arc<Route>,
    pub(super) signed_in: SignedIn,
}

/// Passes a request on. `rest` is its path below the session's prefix.
pub(super) async fn forward(
    connection: &Connection,
    passage: Passage,
    rest: &str,
    mut request: Request<Incoming>,
) -> Response<ToBrowser> {
    let worker = &connection.worker;
    let in_use = passage.slot.begin(worker.shared.clock.now());
    let upgrade = request.version() == Version::HTTP_11
        && *request.method() == Method::GET
        && headers::asks_for_upgrade(request.headers());
    let Some(uri) = target(&passage.route, rest, request.uri()) else {
        return closing(web::failure(StatusCode::BAD_REQUEST, request.headers()));
    };
    if upgrade && !request.body().is_end_stream() {
        // Bytes after the head would be a body to one and the new protocol to another.
        worker.counts.drop_one(Dropped::Malformed);
        return closing(web::failure(StatusCode::BAD_REQUEST, request.headers()));
    }
    let browser = upgrade.then(|| hyper::upgrade::on(&mut request));
    let asked = request.headers().get(header::ACCEPT).cloned();
    let fetched = request.headers().get("sec-fetch-mode").cloned();
    let (head, body) = request.into_parts();
    let sent = upstream::send(
        worker,
        &passage.route.upstream,
        to_session(connection, head, body, uri, upgrade),
    )
    .await;
    match sent {
        Ok((response, lease)) => answer(connection, passage, in_use, browser, response, lease),
        Err(unreached) => {
            // Only what decides between a page and a line is left of the request.
            let mut asked_for = header::HeaderMap::new();
            asked.map(|accept| asked_for.insert(header::ACCEPT, accept));
            fetched.map(|mode| asked_for.insert("sec-fetch-mode", mode));
            unreached_answer(connection, &passage.route, &asked_for, &unreached)
        }
    }
}

/// The path as the session knows it.
fn target(route: &Route, rest: &str, uri: &Uri) -> Option<Uri> {
    let id = route.spec.incarnation.session.as_str();
    let prefix = match route.spec.base {
        BasePath::Keep => Some(("/s/", id)),
        BasePath::Strip => None,
    };
    let path = uri.path();
    if prefix.is_some() && path.len() == 3 + id.len() + rest.len() {
        // Reached by its own path: nothing to change.
        return Some(uri.clone());
    }
    let (root, id) = prefix.unwrap_or_default();
    let (mark, query) = uri.query().map_or(("", ""), |query| ("?", query));
    Uri::try_from(format!("{root}{id}{rest}{mark}{query}")).ok()
}

fn to_session(
    connection: &Connection,
    head: request::Parts,
    body: Incoming,
    uri: Uri,
    upgrade: bool,
) -> Request<ToSession> {
    let empty = body.is_end_stream();
    let mut request = Request::new(if empty { ToSession::Empty } else { ToSession::Stream(body) });
    *request.method_mut() = head.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = head.headers;
    let passed = request.headers_mut();
    let chunked = !empty && !passed.contains_key(header::CONTENT_LENGTH);
    headers::to_session(passed, &connection.via, upgrade, chunked);
    if !passed.contains_key(header::HOST) {
        passed.insert(header::HOST, HeaderValue::from_static("localhost"));
    }
    request
}

fn answer(
    connection: &Connection,
    passage: Passage,
    in_use: InUse,
    browser: Option<OnUpgrade>,
    mut response: Response<Incoming>,
    lease: Lease,
) -> Response<ToBrowser> {
    let worker = &connection.worker;
    let spec = &passage.route.spec;
    let prefix = format!("/s/{}", spec.incarnation.session);
    let stripped = spec.base == BasePath::Strip;
    *response.version_mut() = Version::HTTP_11;
    let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    headers::to_browser(response.headers_mut(), &prefix, stripped, upgraded);
    if !upgraded {
        let worker = Rc::clone(worker);
        return response
            .map(|body| ToBrowser::Stream(FromSession::new(body, worker, lease, in_use)));
    }
    let Some(browser) = browser else {
        // It switches without having been asked to: what follows is nobody's answer.
        worker.counts.drop_one(Dropped::Upstream);
        return closing(web::failure(StatusCode::BAD_GATEWAY, response.headers()));
    };
    let session = hyper::upgrade::on(&mut response);
    let tunnel = Tunnel {
        worker: Rc::clone(worker),
        in_use,
        upstream: Arc::clone(&passage.route.upstream),
        signed_in: passage.signed_in,
        lease,
        admission: Admission::kept(&worker.shared),
    };
    tokio::task::spawn_local(tunnel.run(browser, session));
    response.map(|_| ToBrowser::Whole(bytes::Bytes::new()))
}

fn unreached_answer(
    connection: &Connection,
    route: &Route,
    asked: &header::HeaderMap,
    unreached: &Unreached,
) -> Response<ToBrowser> {
    let counts = &connection.worker.counts;
    let session = &route.spec.incarnation;
    let cause = unreached.source().map(ToString::to_string).unwrap_or_default();
    match unreached {
        Unreached::Connect(_) => {
            counts.drop_one(Dropped::Upstream);
            tracing::debug!(%session, cause, "cannot reach a session");
            connection.not_answering(asked, route, "It runs, but it cannot be reached now.")
        }
        Unreached::Impostor(_) => {
            counts.drop_one(Dropped::Impostor);
            tracing::warn!(%session, cause, "what listens at a session's socket is not the session");
            whole(web::failure(StatusCode::BAD_GATEWAY, asked))
        }
        Unreached::Broken(_) => {
            counts.drop_one(Dropped::Upstream);
            tracing::debug!(%session, cause, "a session broke off");
            whole(web::failure(StatusCode::BAD_GATEWAY, asked))
        }
        Unreached::Late => {
            counts.drop_one(Dropped::Timeout);
            whole(web::failure(StatusCode::GATEWAY_TIMEOUT, asked))
        }
    }
}
