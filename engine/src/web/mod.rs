//! The engine's own pages, its read-only API, health and metrics.
//!
//! Everything here is a function of the [`StatusView`] of the last round, of who asks, and of the request's
//! head; nothing is computed a second time from the world, and nothing here knows sockets or routes.
//! Read next: [`status_page`], [`startup`], [`metrics`]; `proxy` calls [`Pages::answer`].

mod html;
mod layout;
pub mod metrics;
pub mod origin;
pub mod startup;
pub mod status_page;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use engine_core::ids::Moment;
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};

use crate::identity::{Identity, SignedIn};
use crate::status::{SessionView, StatusView};

use self::html::Html;
use self::layout::{Frame, render_notice, set_safe_headers, words_for};
use self::metrics::{Counters, Kind, render_metrics};
use self::startup::{Startup, render_startup};
use self::status_page::render_status;

/// Longest body that a form of ours has.
pub const LONGEST_FORM: usize = 4_096;

/// A request to the engine itself.
pub struct Ask<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path, as it came.
    pub path: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, at most [`LONGEST_FORM`] bytes.
    pub form: &'a [u8],
    /// Who asks.
    pub signed_in: Option<&'a SignedIn>,
    /// Whether the request was made on this machine and passed on by nobody.
    pub local: bool,
    /// Whether the connection has TLS.
    pub secure: bool,
    /// When.
    pub now: Moment,
    /// Whether a session is theirs to see.
    pub may_see: &'a dyn Fn(&SessionView) -> bool,
    /// The counters of the data path.
    pub counters: &'a dyn Fn() -> Counters,
}

/// Answers requests to the engine itself.
pub struct Pages {
    status: Arc<ArcSwap<StatusView>>,
    identity: Arc<Identity>,
}

/// What kind of request a path of the engine stands for.
#[must_use]
pub fn kind_of(path: &str) -> Kind {
    match path {
        "/healthz" | "/readyz" | "/health-check" | "/metrics" => Kind::Health,
        _ if path.starts_with("/api/") => Kind::Api,
        _ => Kind::Page,
    }
}

impl Pages {
    /// Pages that show `status` to whom `identity` knows.
    #[must_use]
    pub fn new(status: Arc<ArcSwap<StatusView>>, identity: Arc<Identity>) -> Self {
        Self { status, identity }
    }

    /// The status of the last round.
    #[must_use]
    pub fn status(&self) -> Arc<StatusView> {
        self.status.load_full()
    }

    /// Answers a request to the engine itself.
    #[must_use]
    pub fn answer(&self, ask: &Ask<'_>) -> Response<Bytes> {
        let reads = *ask.method == Method::GET || *ask.method == Method::HEAD;
        let posts = *ask.method == Method::POST;
        if let Some(token) = ask.path.strip_prefix("/in/") {
            return if reads || posts { self.sign_in(ask, token) } else { not_here("GET, POST") };
        }
        match ask.path {
            "/sign-out" => return if posts { self.sign_out(ask) } else { not_here("POST") },
            "/" | "/sign-in" | "/api/status" | "/healthz" | "/health-check" | "/readyz"
            | "/metrics" => {}
            _ => return failure(StatusCode::NOT_FOUND, ask.headers),
        }
        if !reads {
            return not_here("GET, HEAD");
        }
        match ask.path {
            "/sign-in" => page(StatusCode::OK, sign_in_words(&self.status.load())),
            "/healthz" | "/health-check" => plain(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready(),
            "/metrics" if ask.local => {
                let text = render_metrics(&self.status.load(), &(ask.counters)());
                plain(StatusCode::OK, text)
            }
            "/metrics" => plain(StatusCode::FORBIDDEN, "metrics are given on this machine only\n"),
            "/api/status" => self.api_status(ask),
            _ => self.front(ask),
        }
    }

    /// What somebody gets who opens a session's path without having signed in.
    #[must_use]
    pub fn stranger(headers: &HeaderMap) -> Response<Bytes> {
        if is_navigation(headers) {
            redirect("/sign-in")
        } else {
            plain(StatusCode::UNAUTHORIZED, "not signed in\n")
        }
    }

    /// The same on an address that belongs to a session: there is no page of ours to send them to.
    #[must_use]
    pub fn stranger_at_gateway(&self, headers: &HeaderMap) -> Response<Bytes> {
        if is_navigation(headers) {
            page(StatusCode::UNAUTHORIZED, sign_in_words(&self.status.load()))
        } else {
            plain(StatusCode::UNAUTHORIZED, "not signed in\n")
        }
    }

    /// What somebody gets who opens a session that does not answer.
    #[must_use]
    pub fn starting(&self, startup: &Startup<'_>, headers: &HeaderMap) -> Response<Bytes> {
        let mut response = if is_navigation(headers) {
            page(StatusCode::SERVICE_UNAVAILABLE, render_startup(startup))
        } else {
            let text = format!("{}: {}\n", startup.state, startup.reason);
            plain(StatusCode::SERVICE_UNAVAILABLE, text)
        };
        let seconds = HeaderValue::from(startup.refresh_s());
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
        response
    }

    fn front(&self, ask: &Ask<'_>) -> Response<Bytes> {
        let Some(signed_in) = ask.signed_in else { return redirect("/sign-in") };
        let token = self.identity.cookies.form_token(signed_in);
        let seen = self.seen_by(ask, signed_in);
        page(StatusCode::OK, render_status(&seen, &signed_in.person, &token))
    }

    fn api_status(&self, ask: &Ask<'_>) -> Response<Bytes> {
        let Some(signed_in) = ask.signed_in else {
            return plain(StatusCode::UNAUTHORIZED, "not signed in\n");
        };
        match serde_json::to_vec(&self.seen_by(ask, signed_in)) {
            Ok(json) => reply(StatusCode::OK, "application/json", json),
            Err(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, ask.headers),
        }
    }

    /// The status as far as it is this person's to see.
    fn seen_by(&self, ask: &Ask<'_>, signed_in: &SignedIn) -> StatusView {
        let mut seen = StatusView::clone(&self.status.load());
        if signed_in.person.admin {
            return seen;
        }
        seen.sessions.retain(|session| (ask.may_see)(session));
        let theirs = |resource: &str| {
            resource
                .strip_prefix("session/")
                .or_else(|| resource.strip_prefix("route/"))
                .is_some_and(|id| seen.sessions.get(id).is_some())
        };
        seen.holds.retain(|hold| theirs(&hold.resource));
        seen.hide_what_is_an_administrators();
        seen.listeners.clear();
        seen.nodes.clear();
        seen
    }

    fn ready(&self) -> Response<Bytes> {
        let status = self.status.load();
        if let Some(problem) = &status.store_problem {
            return plain(StatusCode::SERVICE_UNAVAILABLE, format!("store: {problem}\n"));
        }
        if status.rounds == 0 {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "no round has ended yet\n");
        }
        plain(StatusCode::OK, "ready\n")
    }

    /// A link is used up by a person's navigation or by the button, not by what looks at links ahead of them.
    fn sign_in(&self, ask: &Ask<'_>, token: &str) -> Response<Bytes> {
        let links = &self.identity.links;
        let posts = *ask.method == Method::POST;
        let ahead = *ask.method == Method::HEAD
            || ask.headers.contains_key("purpose")
            || ask.headers.contains_key("sec-purpose")
            || ask.headers.get("sec-fetch-mode").is_some_and(|mode| mode != "navigate");
        if ahead && !posts && links.is_good(token, ask.now) {
            return page(StatusCode::OK, sign_in_button());
        }
        let Some(person) = links.redeem(token, ask.now) else {
            let words = "It was used already, or it is older than ten minutes. \
                         Ask for a new one with `wharf open` on the machine where the engine runs.";
            return page(StatusCode::GONE, render_notice("This link is used up", &[words]));
        };
        let issued = self.identity.cookies.issue(&person, ask.now, ask.secure).ok();
        let Some(cookie) = issued.and_then(|cookie| HeaderValue::try_from(cookie).ok()) else {
            return failure(StatusCode::SERVICE_UNAVAILABLE, ask.headers);
        };
        let mut response = redirect("/");
        response.headers_mut().insert(header::SET_COOKIE, cookie);
        response
            .headers_mut()
            .insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }

    fn sign_out(&self, ask: &Ask<'_>) -> Response<Bytes> {
        let Some(signed_in) = ask.signed_in else { return redirect("/sign-in") };
        if let Err(reason) = origin::check_change(ask.headers) {
            return plain(StatusCode::FORBIDDEN, format!("refused: {reason}\n"));
        }
        let cookies = &self.identity.cookies;
        let token = form_field(ask.form, "token").unwrap_or_default();
        if !cookies.is_form_token(signed_in, token) {
            return plain(StatusCode::FORBIDDEN, "refused: the form is not of this sign-in\n");
        }
        cookies.revoke(signed_in, ask.now);
        let mut response = redirect("/sign-in");
        if let Ok(cleared) = HeaderValue::try_from(cookies.clear(ask.secure)) {
            response.headers_mut().insert(header::SET_COOKIE, cleared);
        }
        response
    }
}

/// Whether a person opens a page, rather than a script or a tool fetching something.
#[must_use]
pub fn is_navigation(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let mode = headers.get("sec-fetch-mode");
    accept.is_some_and(|accept| accept.contains("text/html"))
        && mode.is_none_or(|mode| mode == "navigate")
}

/// An answer that says no, as a page to people and as a line to everything else.
#[must_use]
pub fn failure(status: StatusCode, headers: &HeaderMap) -> Response<Bytes> {
    let (heading, words) = words_for(status);
    if is_navigation(headers) {
        page(status, render_notice(heading, &[words]))
    } else {
        plain(status, format!("{}\n", heading.to_lowercase()))
    }
}

/// Sends the browser elsewhere on this origin with a GET.
#[must_use]
pub fn redirect(to: &'static str) -> Response<Bytes> {
    let mut response = plain(StatusCode::SEE_OTHER, "");
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    response
}

/// One line for tools.
#[must_use]
pub fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    reply(status, "text/plain; charset=utf-8", text)
}

fn page(status: StatusCode, html: String) -> Response<Bytes> {
    reply(status, "text/html; charset=utf-8", html)
}

fn not_here(allow: &'static str) -> Response<Bytes> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "not here\n");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

fn reply(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    set_safe_headers(headers);
    response
}

/// The page that says how to sign in.
#[must_use]
pub fn sign_in_words(status: &StatusView) -> String {
    let mut body = Html::default();
    body.markup(
        "<h1>Sign in</h1>\n<p>You sign in with a link that is good once. To get one, run on ",
    );
    body.markup("the machine where the engine runs");
    if !status.node.is_empty() {
        body.markup(" (<code>").text(&status.node).markup("</code>)");
    }
    body.markup(
        ":</p>\n<p><code>wharf open</code></p>\n<p class=\"soft\">An engine that was started in ",
    );
    body.markup("a terminal has printed one there. A link is good for ten minutes.</p>\n");
    let frame =
        Frame { title: "Sign in", refresh_s: None, narrow: true, bar: Html::default(), body };
    frame.render()
}

fn sign_in_button() -> String {
    let mut body = Html::default();
    body.markup("<h1>Sign in</h1>\n<p>This link signs you in, once.</p>\n<form method=\"post\">");
    body.markup("<button class=\"main\">Sign in</button></form>\n");
    let frame =
        Frame { title: "Sign in", refresh_s: None, narrow: true, bar: Html::default(), body };
    frame.render()
}

/// The class of a state, as the style knows it.
fn state_class(state: &str) -> &'static str {
    match state {
        "running" => "state good",
        "starting" | "waiting" | "ending" => "state wait",
        "failed" | "unknown" => "state bad",
        _ => "state",
    }
}

/// A field of a form whose values need no decoding.
fn form_field<'a>(form: &'a [u8], name: &str) -> Option<&'a str> {
    let form = std::str::from_utf8(form).ok()?;
    form.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
}
