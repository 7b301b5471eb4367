//! Who gets in: cookies, links, access, and the pages of the engine.

use std::sync::atomic::Ordering;

use crate::status::{HoldView, SessionView};

use super::*;

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml");

#[tokio::test]
async fn who_may_enter_is_said_by_name_group_or_role() {
    let mut bench = Bench::new();
    let session = bench.session("demo");
    let mut route = bench.route("demo");
    route.access = Access {
        owner: Some("alice".parse().unwrap()),
        users: BTreeSet::from(["bob".parse().unwrap()]),
        groups: BTreeSet::from(["genomics".to_owned()]),
        admins: BTreeSet::from(["carol".parse().unwrap()]),
    };
    bench.proxy.set_route(&route);
    for (user, status) in [
        ("alice", 200),
        ("bob", 200),
        ("carol", 200),
        ("member", 200),
        ("root", 200),
        ("mallory", 404),
        ("silent", 404),
    ] {
        let before = session.lines().len();
        let reply = bench.get_with("/s/demo/x", &[("cookie", &bench.cookie(user))]).await;
        assert_eq!(reply.status, status, "{user}");
        assert_eq!(session.lines().len() - before, usize::from(status == 200), "{user}");
    }
}

#[tokio::test]
async fn to_a_stranger_what_is_not_theirs_and_what_is_not_there_look_the_same() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let mallory = bench.cookie("mallory");
    for headers in
        [&[("cookie", mallory.as_str())][..], &[("cookie", &mallory), HTML], &[], &[HTML]]
    {
        let theirs = bench.get_with("/s/demo/x", headers).await;
        let nobodys = bench.get_with("/s/nowhere/x", headers).await;
        assert_eq!((theirs.status, &theirs.body), (nobodys.status, &nobodys.body));
        let names = |reply: &Reply| reply.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&theirs), names(&nobodys));
    }
    assert_eq!(bench.get_with("/s/demo/x", &[]).await.status, 401);
    let page = bench.get_with("/s/demo/x", &[HTML]).await;
    assert_eq!((page.status, page.header("location")), (303, "/sign-in"));
    assert!(bench.get_with("/sign-in", &[HTML]).await.body.contains("wharf open"));
}

#[tokio::test]
async fn only_a_cookie_of_this_instance_that_is_good_now_signs_in() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let key = Key::from_bytes([7; 32]);
    let other = Identity::new("other", &key, Box::new(TestGroups));
    let alice = Person { user: "alice".parse().unwrap(), admin: true };
    let issued = other.cookies.issue(&alice, bench.clock.now(), false).unwrap();
    let foreign = issued.split(';').next().unwrap().replace("wharf-other-id", "wharf-main-id");
    let good = bench.cookie("alice");
    let forged = format!("{}0", &good[..good.len() - 1]);
    let forged = if forged == good { format!("{}1", &good[..good.len() - 1]) } else { forged };
    let two = format!("{}; {good}", bench.cookie("mallory"));
    for bad in [foreign.as_str(), &forged, "wharf-main-id=", "wharf-main-id=1.2.3", &two] {
        assert_eq!(bench.get_with("/s/demo/x", &[("cookie", bad)]).await.status, 401, "{bad}");
    }
    let twice = format!("{good}; {good}");
    assert_eq!(bench.get_with("/s/demo/x", &[("cookie", &twice)]).await.status, 200);
    let mut client = Client::connect(bench.at).await.unwrap();
    let ask = [("cookie", good.as_str())];
    assert_eq!(client.ask("GET", "/s/demo/x", &ask, "").await.unwrap().status, 200);
    bench.clock.ahead_ms.store(12 * 3_600_000, Ordering::Relaxed);
    assert_eq!(client.ask("GET", "/s/demo/x", &ask, "").await.unwrap().status, 401, "it is over");
}

#[tokio::test]
async fn a_link_signs_in_once_and_looking_ahead_does_not_use_it_up() {
    let bench = Bench::new();
    let person = Person { user: "alice".parse().unwrap(), admin: false };
    let path = bench.identity.links.mint(&person, bench.clock.now()).unwrap();
    for ahead in
        [("sec-purpose", "prefetch"), ("purpose", "preview"), ("sec-fetch-mode", "no-cors")]
    {
        let reply = bench.get_with(&path, &[ahead]).await;
        assert_eq!((reply.status, reply.headers.contains_key("set-cookie")), (200, false));
        assert!(reply.body.contains("<form method=\"post\">"));
    }
    assert_eq!(ask(bench.at, "HEAD", &path, &[], "").await.status, 200);
    let reply = bench.get_with(&path, &[("sec-fetch-mode", "navigate"), HTML]).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/"));
    let set = reply.header("set-cookie").to_owned();
    assert!(set.contains("HttpOnly; SameSite=Lax") && !set.contains("Secure"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let front = bench.get_with("/", &[("cookie", cookie), HTML]).await;
    assert!(front.status == 200 && front.body.contains("alice"));
    assert_eq!(bench.get_with(&path, &[HTML]).await.status, 410, "once");

    let path = bench.identity.links.mint(&person, bench.clock.now()).unwrap();
    assert_eq!(ask(bench.at, "POST", &path, &[], "").await.status, 303, "the button");
    assert_eq!(bench.get_with("/in/", &[]).await.status, 410);
    assert_eq!(ask(bench.at, "DELETE", &path, &[], "").await.status, 405);
}

#[tokio::test]
async fn signing_out_takes_a_form_of_our_own_page() {
    let bench = Bench::new();
    let cookie = bench.cookie("alice");
    let front = bench.get_with("/", &[("cookie", &cookie)]).await.body;
    let token = front.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = format!("token={token}");
    let origin = ("origin", "http://hub");
    let from = |page| [("cookie", cookie.as_str()), origin, ("referer", page)];
    let own = from("http://hub/");
    assert_eq!(
        ask(bench.at, "POST", "/sign-out", &from("http://hub/s/demo/"), &form).await.status,
        403
    );
    assert_eq!(ask(bench.at, "POST", "/sign-out", &own[..2], &form).await.status, 403);
    assert_eq!(ask(bench.at, "POST", "/sign-out", &own, "token=00").await.status, 403);
    assert_eq!(ask(bench.at, "GET", "/sign-out", &own, "").await.status, 405);
    let long = "x".repeat(5_000);
    assert_eq!(ask(bench.at, "POST", "/sign-out", &own, &long).await.status, 413);
    assert_eq!(bench.get_with("/", &[("cookie", &cookie)]).await.status, 200);
    let out = ask(bench.at, "POST", "/sign-out", &own, &form).await;
    assert_eq!(out.status, 303);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(bench.get_with("/", &[("cookie", &cookie)]).await.status, 303, "a copy is no good");
}

fn view(id: &str, user: &str, state: &str) -> SessionView {
    SessionView {
        id: id.to_owned(),
        display_name: format!("The {id}"),
        user: user.to_owned(),
        state: state.to_owned(),
        reason: "installing JupyterLab".to_owned(),
        progress: Some((41, 63)),
        path: format!("/s/{id}/"),
        ..SessionView::default()
    }
}

#[tokio::test]
async fn a_session_that_is_not_ready_shows_why_and_asks_again_by_itself() {
    let mut bench = Bench::new();
    let hold = HoldView {
        resource: "session/demo".into(),
        wanted: "starts".into(),
        ..HoldView::default()
    };
    let status = StatusView {
        sessions: vec![view("demo", "alice", "waiting"), view("routed", "alice", "starting")]
            .into(),
        holds: vec![hold],
        ..StatusView::default()
    };
    bench.status.store(Arc::new(status));
    bench.proxy.set_route(&RouteSpec { ready: false, ..bench.route("routed") });
    let cookie = bench.cookie("alice");
    for id in ["demo", "routed"] {
        let path = format!("/s/{id}/lab");
        let page = bench.get_with(&path, &[("cookie", &cookie), HTML]).await;
        assert_eq!((page.status, page.header("retry-after")), (503, "2"));
        for wanted in ["http-equiv=\"refresh\"", "installing JupyterLab", "max=\"63\"", "The "] {
            assert!(page.body.contains(wanted), "{wanted}: {}", page.body);
        }
        let tool = bench.get_with(&path, &[("cookie", &cookie)]).await;
        assert_eq!((tool.status, tool.header("content-type")), (503, "text/plain; charset=utf-8"));
        let mallory = bench.get_with(&path, &[("cookie", &bench.cookie("mallory")), HTML]).await;
        assert_eq!(mallory.status, 404);
    }
    assert!(bench.get("/s/unknown/").await.status == 404);
}

#[tokio::test]
async fn everybody_sees_what_is_theirs() {
    let mut bench = Bench::new();
    let _session = bench.session("shared");
    let mut route = bench.route("shared");
    route.access.groups.insert("genomics".to_owned());
    bench.proxy.set_route(&route);
    let status = StatusView {
        site: "/etc/secret-site".into(),
        sessions: vec![
            view("mine", "member", "running"),
            view("shared", "alice", "running"),
            view("bobs-own", "bob", "running"),
        ]
        .into(),
        store_problem: Some("disk full".into()),
        ..StatusView::default()
    };
    bench.status.store(Arc::new(status));
    for path in ["/", "/api/status"] {
        let member = bench.get_with(path, &[("cookie", &bench.cookie("member"))]).await.body;
        assert!(member.contains("mine") && member.contains("shared"), "{member}");
        assert!(
            !member.contains("bobs-own")
                && !member.contains("secret-site")
                && !member.contains("disk full")
        );
        let root = bench.get_with(path, &[("cookie", &bench.cookie("root"))]).await.body;
        assert!(root.contains("bobs-own") && root.contains("disk full"));
    }
    assert_eq!(bench.get_with("/api/status", &[]).await.status, 401);
    let json = bench.get("/api/status").await;
    assert!(serde_json::from_str::<StatusView>(&json.body).is_ok());
}

#[tokio::test]
async fn health_needs_no_sign_in_and_metrics_are_for_this_machine() {
    let bench = Bench::new();
    assert_eq!(bench.get_with("/healthz", &[]).await.body, "ok\n");
    assert_eq!(bench.get_with("/health-check", &[]).await.status, 200);
    assert_eq!(bench.get_with("/readyz", &[]).await.status, 503, "no round has ended");
    bench.status.store(Arc::new(StatusView { rounds: 1, ..StatusView::default() }));
    assert_eq!(bench.get_with("/readyz", &[]).await.status, 200);
    let metrics = bench.get_with("/metrics", &[]).await;
    assert!(metrics.body.contains("wharf_proxy_requests_total{kind=\"health\",class=\"2xx\"} 3\n"));
    for name in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
        assert_eq!(bench.get_with("/metrics", &[(name, "1.2.3.4")]).await.status, 403, "{name}");
    }
}

#[tokio::test]
async fn every_page_of_ours_carries_the_headers_that_keep_it_safe() {
    let bench = Bench::new();
    for path in ["/", "/sign-in", "/healthz", "/nowhere", "/in/x", "/api/status"] {
        let reply = bench.get_with(path, &[HTML]).await;
        let policy = reply.header("content-security-policy");
        assert!(
            policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'self'"),
            "{path}"
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
}
