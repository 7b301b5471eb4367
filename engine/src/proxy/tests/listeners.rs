//! Listeners that come, move and go under load.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_moves_under_load_loses_nothing() {
    let linger = Duration::from_secs(2);
    let mut bench = Bench::with(Limits { linger, ..Limits::default() });
    let _session = bench.session("demo");
    let port = Arc::new(AtomicU16::new(bench.at.port()));
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let cookie = bench.cookie("alice");
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (port, stop, done) = (Arc::clone(&port), Arc::clone(&stop), Arc::clone(&done));
        let cookie = cookie.clone();
        clients.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port.load(Ordering::Acquire)));
                let mut client = Client::connect(at).await.expect("not refused");
                for _ in 0..2 {
                    let headers = [("cookie", cookie.as_str())];
                    let asked = client.ask("POST", "/s/demo/echo", &headers, "x");
                    let reply = asked.await.expect("not cut");
                    assert_eq!((reply.status, reply.body.as_str()), (200, "x"));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    for _ in 0..10 {
        let before = done.load(Ordering::Relaxed);
        until("requests flow", || done.load(Ordering::Relaxed) > before + 20).await;
        let address = bench.warden.free();
        bench.proxy.listen(&ListenerId::Www, &address, Moment(0)).unwrap();
        port.store(address.port, Ordering::Release);
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(bench.proxy.counters().dropped, [0; 6]);
    let old = bench.at;
    until("the first address is closed", || std::net::TcpStream::connect(old).is_err()).await;
}

#[tokio::test]
async fn a_connection_stays_when_its_listener_moves_or_goes() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let cookie = bench.cookie("alice");
    let mut client = Client::connect(bench.at).await.unwrap();
    client.ask("GET", "/s/demo/x", &[("cookie", &cookie)], "").await.unwrap();
    bench.proxy.unlisten(&ListenerId::Www);
    let old = bench.at;
    until("it is closed", || std::net::TcpStream::connect(old).is_err()).await;
    assert!(bench.proxy.observe(Moment(0)).listeners.is_empty());
    let reply = client.ask("GET", "/s/demo/x", &[("cookie", &cookie)], "").await.unwrap();
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_port_that_somebody_else_holds_is_refused_with_the_reason_and_the_old_one_stays() {
    let mut bench = Bench::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = localhost(taken.local_addr().unwrap().port());
    let refused = bench.proxy.listen(&ListenerId::Www, &address, Moment(5)).unwrap_err();
    assert!(refused.reason.contains("in use"), "{}", refused.reason);
    assert_eq!(refused.at, Moment(5));
    let seen = bench.proxy.observe(Moment(6));
    assert_eq!(seen.refused[&address], refused);
    assert_eq!(seen.listeners[&ListenerId::Www], localhost(bench.at.port()));
    assert_eq!(bench.get("/healthz").await.status, 200);

    drop(taken);
    bench.proxy.listen(&ListenerId::Www, &address, Moment(7)).unwrap();
    assert!(bench.proxy.observe(Moment(7)).refused.is_empty());
}

#[tokio::test]
async fn the_same_port_at_another_address_takes_over_from_itself() {
    let mut bench = Bench::new();
    let everywhere = ListenAddress { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: bench.at.port() };
    bench.proxy.listen(&ListenerId::Www, &everywhere, Moment(0)).unwrap();
    assert_eq!(bench.proxy.observe(Moment(0)).listeners[&ListenerId::Www], everywhere);
    assert_eq!(bench.get("/healthz").await.status, 200);
    bench.proxy.listen(&ListenerId::Www, &localhost(bench.at.port()), Moment(0)).unwrap();
    assert_eq!(bench.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn an_address_that_is_being_left_can_be_taken_again_at_once() {
    let mut bench = Bench::with(Limits { linger: LIMIT, ..Limits::default() });
    let (first, second) = (localhost(bench.at.port()), bench.warden.free());
    for _ in 0..5 {
        bench.proxy.listen(&ListenerId::Www, &second, Moment(0)).unwrap();
        bench.proxy.listen(&ListenerId::Www, &first, Moment(0)).unwrap();
        assert_eq!(bench.get("/healthz").await.status, 200);
    }
    bench.proxy.unlisten(&ListenerId::Www);
    bench.proxy.listen(&ListenerId::Www, &first, Moment(0)).unwrap();
    assert_eq!(bench.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn listening_where_one_listens_already_changes_nothing() {
    let mut bench = Bench::new();
    bench.proxy.listen(&ListenerId::Www, &localhost(bench.at.port()), Moment(0)).unwrap();
    assert_eq!(bench.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn more_connections_than_allowed_are_told_so() {
    let bench = Bench::with(Limits { connections: 2, ..Limits::default() });
    let mut one = Client::connect(bench.at).await.unwrap();
    let mut two = Client::connect(bench.at).await.unwrap();
    for client in [&mut one, &mut two] {
        assert_eq!(client.ask("GET", "/healthz", &[], "").await.unwrap().status, 200);
    }
    let answer = raw(bench.at, b"").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after"), "{answer}");
    drop(one);
    until("there is room again", || bench.proxy.counters().open_connections < 2).await;
    assert_eq!(bench.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn what_the_balancer_was_told_is_seen() {
    use engine_core::desired::BalancerMethod;
    let mut bench = Bench::new();
    let weights = std::collections::BTreeMap::from([("node1".parse().unwrap(), 3)]);
    bench.proxy.balance(BalancerMethod::SystemLoad, &weights);
    let seen = bench.proxy.observe(Moment(0)).balancer.unwrap();
    assert_eq!((seen.method, seen.weights), (BalancerMethod::SystemLoad, weights));
}
