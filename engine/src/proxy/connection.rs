//! One client connection: who it is, which of its requests goes where.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use engine_core::desired::{BasePath, ListenerId};
use engine_core::ids::{GatewayId, SessionId};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::identity::SignedIn;
use crate::status::SessionView;
use crate::web::metrics::{Dropped, Kind};
use crate::web::startup::Startup;
use crate::web::{self, Ask, LONGEST_FORM, Pages};

use super::access;
use super::body::ToBrowser;
use super::cookies;
use super::forward::{self, Passage};
use super::headers::Via;
use super::table::Route;
use super::target::{Target, check_request, climbs, parse_target};
use super::thread::{Admission, Worker};

/// One client connection.
pub(super) struct Connection {
    pub(super) worker: Rc<Worker>,
    pub(super) via: Via,
    listener: Arc<ListenerId>,
    peer: IpAddr,
    secure: bool,
    /// The last good cookie line: most requests of a connection carry the same.
    remembered: RefCell<Option<(HeaderValue, SignedIn)>>,
}

impl Connection {
    /// A connection of `peer` to `listener`.
    pub(super) fn new(worker: Rc<Worker>, listener: Arc<ListenerId>, peer: IpAddr) -> Self {
        let secure = false;
        let via = Via::new(peer, secure);
        Self { worker, via, listener, peer, secure, remembered: RefCell::new(None) }
    }

    /// Serves its requests until it ends.
    pub(super) async fn serve(self, stream: TcpStream, admission: Admission) {
        let worker = Rc::clone(&self.worker);
        let _open = worker.counts.connection();
        let limits = &worker.shared.limits;
        let connection = Rc::new(self);
        let service = service_fn(move |request| {
            let connection = Rc::clone(&connection);
            async move { Ok::<_, Infallible>(connection.count(request).await) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_header_size(limits.head_bytes)
            .max_buf_size(limits.head_bytes * 2)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
        if served.is_err_and(|error| error.is_parse() || error.is_timeout()) {
            worker.counts.drop_one(Dropped::Malformed);
        }
        drop(admission);
    }

    async fn count(&self, request: Request<Incoming>) -> Response<ToBrowser> {
        let (kind, response) = self.answer(request).await;
        self.worker.counts.request(kind, response.status());
        response
    }

    async fn answer(&self, request: Request<Incoming>) -> (Kind, Response<ToBrowser>) {
        if let Err(malformed) = check_request(&request) {
            tracing::debug!(peer = %self.peer, reason = malformed.0, "a malformed request");
            self.worker.counts.drop_one(Dropped::Malformed);
            return (Kind::Page, closing(web::failure(StatusCode::BAD_REQUEST, request.headers())));
        }
        if let ListenerId::Gateway { gateway, port } = &*self.listener {
            return (Kind::Session, self.gateway(request, &(gateway.clone(), *port)).await);
        }
        let uri = request.uri().clone();
        match parse_target(uri.path()) {
            Target::Own => (web::kind_of(uri.path()), self.own(request).await),
            Target::Bare { id } => (Kind::Session, add_slash(&request, id)),
            Target::Session { id, rest } => (Kind::Session, self.session(request, id, rest).await),
        }
    }

    /// A request below `/s/<id>/`.
    async fn session(
        &self,
        request: Request<Incoming>,
        id: &str,
        rest: &str,
    ) -> Response<ToBrowser> {
        let Some(signed_in) = self.who(request.headers()) else {
            return whole(Pages::stranger(request.headers()));
        };
        self.enter(request, id, rest, signed_in).await
    }

    /// A request to the port of a gateway: it serves the one session that has the port, at `/` as well as
    /// below `/s/<id>/`, so that the session's own absolute paths, redirects and cookies lead back to it.
    async fn gateway(
        &self,
        request: Request<Incoming>,
        port: &(GatewayId, u16),
    ) -> Response<ToBrowser> {
        let Some(signed_in) = self.who(request.headers()) else {
            return whole(self.worker.shared.pages.stranger_at_gateway(request.headers()));
        };
        let Some(session) = self.worker.shared.table.leased(port) else {
            return whole(web::failure(StatusCode::NOT_FOUND, request.headers()));
        };
        let (uri, id) = (request.uri().clone(), session.as_str());
        match parse_target(uri.path()) {
            Target::Session { id: named, rest } if named == id => {
                self.enter(request, id, rest, signed_in).await
            }
            Target::Bare { id: named } if named == id => add_slash(&request, id),
            _ if self.keeps_no_prefix(&session) && web::is_navigation(request.headers()) => {
                // Its cookies are scoped below its prefix, so people have to be there.
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                redirect_to(&format!("/s/{id}{path}"))
            }
            _ => self.enter(request, id, uri.path(), signed_in).await,
        }
    }

    fn keeps_no_prefix(&self, session: &SessionId) -> bool {
        let route = self.worker.shared.table.get(session.as_str()).and_then(|slot| slot.route());
        route.is_some_and(|route| route.spec.base == BasePath::Strip)
    }

    /// Somebody who has signed in asks for `rest` of session `id`. An id that is not theirs and one that
    /// does not exist look the same.
    async fn enter(
        &self,
        request: Request<Incoming>,
        id: &str,
        rest: &str,
        signed_in: SignedIn,
    ) -> Response<ToBrowser> {
        if climbs(rest) {
            self.worker.counts.drop_one(Dropped::Malformed);
            return closing(web::failure(StatusCode::BAD_REQUEST, request.headers()));
        }
        let shared = &self.worker.shared;
        let slot = shared.table.get(id);
        let Some((slot, route)) = slot.and_then(|slot| slot.route().map(|route| (slot, route)))
        else {
            return self.without_route(&request, id, &signed_in);
        };
        if !access::may(shared, &route.spec.access, &signed_in.person).await {
            return whole(web::failure(StatusCode::NOT_FOUND, request.headers()));
        }
        if !route.spec.ready {
            return self.not_answering(request.headers(), &route, "");
        }
        let passage = Passage { slot, route, signed_in };
        forward::forward(self, passage, rest, request).await
    }

    /// A session that has no route: whoever it belongs to is told why.
    fn without_route(
        &self,
        request: &Request<Incoming>,
        id: &str,
        signed_in: &SignedIn,
    ) -> Response<ToBrowser> {
        let pages = &self.worker.shared.pages;
        let status = pages.status();
        let person = &signed_in.person;
        let theirs = |session: &&SessionView| person.admin || session.user == person.user.as_str();
        match status.session(id).filter(theirs) {
            Some(session) => {
                whole(pages.starting(&Startup::of(session, &status), request.headers()))
            }
            None => whole(web::failure(StatusCode::NOT_FOUND, request.headers())),
        }
    }

    /// A session that has a route and does not answer.
    pub(super) fn not_answering(
        &self,
        headers: &HeaderMap,
        route: &Route,
        reason: &str,
    ) -> Response<ToBrowser> {
        let pages = &self.worker.shared.pages;
        let status = pages.status();
        let id = &route.spec.incarnation.session;
        let session = status.session(id.as_str());
        let mut startup = Startup {
            display_name: &route.spec.display_name,
            workbench: route.spec.workbench.as_str(),
            state: "starting",
            ..Startup::default()
        };
        if let Some(session) = session.filter(|session| session.state != "running") {
            startup = Startup::of(session, &status);
        }
        if !reason.is_empty() {
            (startup.state, startup.reason) = ("silent", reason);
        }
        whole(pages.starting(&startup, headers))
    }

    /// A request to the engine itself.
    async fn own(&self, request: Request<Incoming>) -> Response<ToBrowser> {
        let signed_in = self.who(request.headers());
        let shared = &self.worker.shared;
        let (head, body) = request.into_parts();
        let mut form = Bytes::new();
        if head.method == Method::POST {
            match Limited::new(body, LONGEST_FORM).collect().await {
                Ok(collected) => form = collected.to_bytes(),
                Err(_) => {
                    return closing(web::failure(StatusCode::PAYLOAD_TOO_LARGE, &head.headers));
                }
            }
        }
        if let Some(signed_in) = signed_in.as_ref().filter(|signed_in| !signed_in.person.admin) {
            // So that the page below knows what is theirs by membership.
            access::groups_of(shared, &signed_in.person).await;
        }
        let may_see = |session: &SessionView| {
            signed_in.as_ref().is_some_and(|signed_in| self.may_see(session, signed_in))
        };
        let response = shared.pages.answer(&Ask {
            method: &head.method,
            path: head.uri.path(),
            headers: &head.headers,
            form: &form,
            signed_in: signed_in.as_ref(),
            local: self.peer.is_loopback() && !is_passed_on(&head.headers),
            secure: self.secure,
            now: shared.clock.now(),
            may_see: &may_see,
            counters: &|| shared.counters(),
        });
        whole(response)
    }

    fn may_see(&self, session: &SessionView, signed_in: &SignedIn) -> bool {
        let shared = &self.worker.shared;
        session.user == signed_in.person.user.as_str()
            || shared
                .table
                .get(&session.id)
                .and_then(|slot| slot.route())
                .is_some_and(|route| access::may_now(shared, &route.spec.access, &signed_in.person))
    }

    /// Who makes a request. Several good cookies of different people are nobody's: one of them was put
    /// there by somebody else.
    fn who(&self, headers: &HeaderMap) -> Option<SignedIn> {
        let line = headers.get(header::COOKIE)?;
        let shared = &self.worker.shared;
        let (cookies, now) = (&shared.identity.cookies, shared.clock.now());
        let only = headers.get_all(header::COOKIE).iter().count() == 1;
        if only
            && let Some((known, signed_in)) = &*self.remembered.borrow()
            && equal(known.as_bytes(), line.as_bytes())
        {
            return cookies.is_good(signed_in, now).then(|| signed_in.clone());
        }
        let mut good =
            cookies::values(headers, cookies.name()).filter_map(|value| cookies.verify(value, now));
        let first = good.next()?;
        if good.any(|other| other.person != first.person) {
            return None;
        }
        if only {
            *self.remembered.borrow_mut() = Some((line.clone(), first.clone()));
        }
        Some(first)
    }
}

/// Compares in a time that depends on the lengths only: clients of a proxy before us share a connection.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// Whether a proxy before us passed the request on: then it is not from this machine, whoever connects.
fn is_passed_on(headers: &HeaderMap) -> bool {
    [header::FORWARDED.as_str(), header::VIA.as_str(), "x-forwarded-for", "x-real-ip"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// A text of ours as an answer.
pub(super) fn whole(response: Response<Bytes>) -> Response<ToBrowser> {
    response.map(ToBrowser::Whole)
}

/// The same, as the last one on its connection.
pub(super) fn closing(response: Response<Bytes>) -> Response<ToBrowser> {
    let mut response = whole(response);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// `/s/<id>` leads to `<id>/` beside it, whatever name a proxy before us is known by.
fn add_slash(request: &Request<Incoming>, id: &str) -> Response<ToBrowser> {
    if SessionId::new(id).is_err() {
        return whole(web::failure(StatusCode::NOT_FOUND, request.headers()));
    }
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    redirect_to(&format!("{id}/{query}"))
}

/// Sends the client elsewhere with the same method.
fn redirect_to(to: &str) -> Response<ToBrowser> {
    let mut response = whole(web::plain(StatusCode::TEMPORARY_REDIRECT, ""));
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}
