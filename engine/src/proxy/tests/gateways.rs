//! Ports of gateways: one session each.

use engine_core::ids::GatewayId;

use super::*;

fn gateway(bench: &mut Bench) -> (GatewayId, u16, SocketAddr) {
    let address = bench.warden.free();
    let id: GatewayId = "lab".parse().unwrap();
    let listener = ListenerId::Gateway { gateway: id.clone(), port: address.port };
    bench.proxy.listen(&listener, &address, Moment(0)).unwrap();
    (id, address.port, SocketAddr::new(address.ip, address.port))
}

#[tokio::test]
async fn a_gateways_port_serves_its_session_and_no_other() {
    let mut bench = Bench::new();
    let demo = bench.session("demo");
    let other = bench.session("other");
    let (id, port, at) = gateway(&mut bench);
    let cookie = bench.cookie("alice");
    let get = |path: &'static str| {
        let cookie = cookie.clone();
        async move { ask(at, "GET", path, &[("cookie", &cookie)], "").await }
    };
    assert_eq!(get("/x").await.status, 404, "nobody has the port");
    bench.proxy.lead(&id, port, Some(&"demo".parse().unwrap()));
    for (path, line) in [
        ("/", "GET /s/demo/"),
        ("/lab/tree?a=1", "GET /s/demo/lab/tree?a=1"),
        ("/s/demo/lab", "GET /s/demo/lab"),
        ("/s/other/lab", "GET /s/demo/s/other/lab"),
        ("/metrics", "GET /s/demo/metrics"),
    ] {
        assert_eq!(get(path).await.status, 200);
        assert_eq!(demo.last().line, line);
    }
    assert_eq!(get("/s/demo").await.header("location"), "demo/");
    assert_eq!(get("/../other/x").await.status, 400);
    assert!(other.lines().is_empty());
    bench.proxy.lead(&id, port, None);
    assert_eq!(get("/x").await.status, 404);
}

#[tokio::test]
async fn who_has_not_signed_in_or_may_not_does_not_get_through() {
    let mut bench = Bench::new();
    let demo = bench.session("demo");
    let (id, port, at) = gateway(&mut bench);
    bench.proxy.lead(&id, port, Some(&"demo".parse().unwrap()));
    let page = ask(at, "GET", "/", &[("accept", "text/html")], "").await;
    assert_eq!(page.status, 401);
    assert!(page.body.contains("wharf open"));
    assert_eq!(ask(at, "GET", "/", &[], "").await.status, 401);
    let mallory = bench.cookie("mallory");
    assert_eq!(ask(at, "GET", "/", &[("cookie", &mallory)], "").await.status, 404);
    assert!(demo.lines().is_empty());
}

#[tokio::test]
async fn people_are_led_below_the_prefix_of_a_session_that_does_not_know_it() {
    let mut bench = Bench::new();
    let demo = bench.session("demo");
    let route = RouteSpec { base: BasePath::Strip, ..bench.route("demo") };
    bench.proxy.set_route(&route);
    let (id, port, at) = gateway(&mut bench);
    bench.proxy.lead(&id, port, Some(&"demo".parse().unwrap()));
    let cookie = bench.cookie("alice");
    let headers = [("cookie", cookie.as_str()), ("accept", "text/html")];
    let led = ask(at, "GET", "/app?x=1", &headers, "").await;
    assert_eq!((led.status, led.header("location")), (307, "/s/demo/app?x=1"));
    assert_eq!(ask(at, "GET", "/s/demo/app?x=1", &headers, "").await.status, 200);
    assert_eq!(demo.last().line, "GET /app?x=1");
    assert_eq!(ask(at, "GET", "/api", &headers[..1], "").await.status, 200);
    assert_eq!(demo.last().line, "GET /api");
}
