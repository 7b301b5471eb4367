//! Requests and answers through the proxy.

use super::*;

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_and_its_answer_comes_back() {
    let mut bench = Bench::new();
    let session = bench.session("demo");
    let cookie = format!("_xsrf=2; {}; a=1", bench.cookie("alice"));
    let headers = [("cookie", cookie.as_str()), ("x-kept", "yes"), ("host", "hub:8787")];
    let reply = ask(bench.at, "POST", "/s/demo/api/x%2Fy?q=1&r=%20", &headers, "hello").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
    let seen = session.last();
    assert_eq!(seen.line, "POST /s/demo/api/x%2Fy?q=1&r=%20");
    assert_eq!(seen.body, "hello");
    assert_eq!(seen.headers["cookie"], "_xsrf=2; a=1", "the engine's cookie stays here");
    assert_eq!(seen.headers["x-kept"], "yes");
    assert_eq!(seen.headers["host"], "hub:8787");
    assert_eq!(seen.headers["forwarded"], "for=127.0.0.1;host=\"hub:8787\";proto=http");
}

#[tokio::test]
async fn a_session_that_does_not_know_its_prefix_does_not_see_it() {
    let mut bench = Bench::new();
    let session = bench.session("demo");
    let route = RouteSpec { base: BasePath::Strip, ..bench.route("demo") };
    bench.proxy.set_route(&route);
    assert_eq!(bench.get("/s/demo/api?x=1").await.status, 200);
    assert_eq!(session.last().line, "GET /api?x=1");
    assert_eq!(bench.get("/s/demo/moved").await.header("location"), "/s/demo/s/demo/there");
}

#[tokio::test]
async fn answers_of_every_shape_pass() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    assert_eq!(bench.get("/s/demo/missing").await.status, 404);
    for (path, status) in [("none", 204), ("unchanged", 304)] {
        let reply = bench.get(&format!("/s/demo/{path}")).await;
        assert_eq!((reply.status, reply.body.as_str()), (status, ""));
    }
    let cookie = bench.cookie("alice");
    let head = ask(bench.at, "HEAD", "/s/demo/large", &[("cookie", &cookie)], "").await;
    assert_eq!((head.header("content-length"), head.body.as_str()), ("10485760", ""));
    let moved = bench.get("/s/demo/moved").await;
    assert_eq!((moved.status, moved.header("location")), (302, "/s/demo/there"));
    let hop = bench.get("/s/demo/hop").await;
    assert!(!hop.headers.contains_key("x-private") && !hop.headers.contains_key("keep-alive"));
}

#[tokio::test]
async fn a_long_answer_comes_whole_and_trailers_come_after_it() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let reply = bench.get("/s/demo/large").await;
    assert_eq!(reply.body.len(), 10 * 1_024 * 1_024);
    assert!(reply.body.as_bytes().chunks(16).all(|chunk| chunk == b"0123456789abcdef"));
    let cookie = bench.cookie("alice");
    let reply =
        bench.get_with("/s/demo/trailers", &[("cookie", &cookie), ("te", "trailers")]).await;
    assert_eq!(reply.trailers.expect("trailers")["x-sum"], "42");
}

#[tokio::test]
async fn a_body_without_a_length_and_its_trailers_arrive_even_with_a_get() {
    let mut bench = Bench::new();
    let session = bench.session("demo");
    let cookie = bench.cookie("alice");
    for method in ["POST", "GET"] {
        let request = format!(
            "{method} /s/demo/echo HTTP/1.1\r\nHost: hub\r\nCookie: {cookie}\r\nConnection: close\r\n\
             Trailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nx-sum: 7\r\n\r\n"
        );
        let answer = raw(bench.at, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("hello world"), "{answer}");
        let seen = session.last();
        assert_eq!(
            (seen.body.as_str(), seen.line.as_str()),
            ("hello world", format!("{method} /s/demo/echo").as_str())
        );
        assert_eq!(seen.trailers.expect("trailers")["x-sum"], "7");
    }
}

#[tokio::test]
async fn an_answer_streams_while_it_is_being_made_and_a_body_while_it_is_being_sent() {
    let mut bench = Bench::new();
    let dir = bench.dir.path().join("demo");
    std::fs::create_dir_all(&dir).unwrap();
    let listener = UnixListener::bind(dir.join("app.sock")).unwrap();
    bench.proxy.set_route(&bench.route("demo"));
    let mut client = TcpStream::connect(bench.at).await.unwrap();
    let cookie = bench.cookie("alice");
    let head = format!(
        "POST /s/demo/x HTTP/1.1\r\nhost: hub\r\ncookie: {cookie}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let (mut session, _) = listener.accept().await.unwrap();
    let mut so_far = String::new();
    // Each part is sent only after the one before has arrived at the other end.
    for part in ["one", "two", "three"] {
        client.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).await.unwrap();
        read_until(&mut session, &mut so_far, part).await;
    }
    client.write_all(b"0\r\n\r\n").await.unwrap();
    session.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let mut so_far = String::new();
    for part in ["eins", "zwei"] {
        session.write_all(format!("4\r\n{part}\r\n").as_bytes()).await.unwrap();
        read_until(&mut client, &mut so_far, part).await;
    }
}

async fn read_until(from: &mut (impl AsyncReadExt + Unpin), so_far: &mut String, wanted: &str) {
    let read = async {
        while !so_far.contains(wanted) {
            let mut buffer = [0; 1_024];
            let read = from.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "ended before {wanted:?}: {so_far}");
            so_far.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    };
    tokio::time::timeout(LIMIT, read).await.expect("it streams");
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_session_back() {
    let mut bench = Bench::new();
    let dir = bench.dir.path().join("demo");
    std::fs::create_dir_all(&dir).unwrap();
    let listener = UnixListener::bind(dir.join("app.sock")).unwrap();
    bench.proxy.set_route(&bench.route("demo"));
    let mut client = TcpStream::connect(bench.at).await.unwrap();
    let head =
        format!("GET /s/demo/x HTTP/1.1\r\nhost: hub\r\ncookie: {}\r\n\r\n", bench.cookie("alice"));
    client.write_all(head.as_bytes()).await.unwrap();
    let (mut session, _) = listener.accept().await.unwrap();
    session.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await.unwrap();
    let mut sent = 0_usize;
    // Sockets buffer some megabytes at the most; a proxy that collects would take all of it.
    let block = vec![b'x'; 64 * 1_024];
    let stuck = async {
        while sent < 200_000_000 {
            match tokio::time::timeout(Duration::from_millis(500), session.write(&block)).await {
                Ok(written) => sent += written.unwrap(),
                Err(_) => return true,
            }
        }
        false
    };
    assert!(stuck.await, "200 MB went into nowhere");
}

#[tokio::test]
async fn one_connection_to_the_session_serves_many_requests() {
    let mut bench = Bench::new();
    let session = bench.session("demo");
    let cookie = bench.cookie("alice");
    let mut client = Client::connect(bench.at).await.unwrap();
    for n in 0..50 {
        let path = format!("/s/demo/echo/{n}");
        let reply = client.ask("POST", &path, &[("cookie", &cookie)], "x").await.unwrap();
        assert_eq!(reply.status, 200);
    }
    assert_eq!(session.lines().len(), 50);
    // A connection that is given back in the same moment as the next request comes may not be ready yet.
    assert!(session.connections() <= 5, "{} connections for 50 requests", session.connections());
}

#[tokio::test]
async fn a_stale_connection_costs_a_get_nothing() {
    let mut bench = Bench::new();
    let dir = bench.dir.path().join("demo");
    std::fs::create_dir_all(&dir).unwrap();
    let listener = UnixListener::bind(dir.join("app.sock")).unwrap();
    bench.proxy.set_route(&bench.route("demo"));
    let cookie = bench.cookie("alice");
    // Answers one request on each connection, takes a second one, and breaks off without an answer.
    let taken = Arc::<Mutex<Vec<String>>>::default();
    let (log, stale) = (
        Arc::clone(&taken),
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = String::new();
                read_until(&mut stream, &mut head, "\r\n\r\n").await;
                log_line(&taken, &head);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                let taken = Arc::clone(&taken);
                tokio::spawn(async move {
                    let mut head = String::new();
                    read_until(&mut stream, &mut head, "\r\n\r\n").await;
                    log_line(&taken, &head);
                });
            }
        }),
    );
    let mut client = Client::connect(bench.at).await.unwrap();
    for _ in 0..10 {
        let reply = client.ask("GET", "/s/demo/x", &[("cookie", &cookie)], "").await.unwrap();
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
    }
    log.lock().unwrap().clear();
    let reply = client.ask("POST", "/s/demo/post", &[("cookie", &cookie)], "x").await.unwrap();
    assert!(reply.status == 200 || reply.status == 502, "{}", reply.status);
    let posts = log.lock().unwrap().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 1, "a POST is never sent twice");
    stale.abort();
}

fn log_line(log: &Mutex<Vec<String>>, head: &str) {
    log.lock().unwrap().push(head.lines().next().unwrap_or("").to_owned());
}

#[tokio::test]
async fn a_session_that_breaks_off_or_is_gone_or_is_late_gives_an_answer_of_ours() {
    let limits = Limits { response_timeout: Duration::from_millis(100), ..Limits::default() };
    let mut late = Bench::with(limits);
    let _session = late.session("late");
    assert_eq!(late.get("/s/late/never").await.status, 504);
    assert_eq!(late.proxy.counters().dropped[crate::web::metrics::Dropped::Timeout as usize], 1);

    let mut bench = Bench::new();
    let cookie = bench.cookie("alice");
    let page = [("cookie", cookie.as_str()), ("accept", "text/html")];

    bench.proxy.set_route(&bench.route("gone"));
    let gone = bench.get_with("/s/gone/", &page).await;
    assert_eq!((gone.status, gone.header("retry-after")), (503, "2"));
    assert!(
        gone.body.contains("The gone does not answer")
            && gone.body.contains("http-equiv=\"refresh\"")
    );
    assert_eq!(bench.get("/s/gone/").await.status, 503);

    let dir = bench.dir.path().join("odd");
    std::fs::create_dir_all(&dir).unwrap();
    let listener = UnixListener::bind(dir.join("app.sock")).unwrap();
    bench.proxy.set_route(&bench.route("odd"));
    let odd = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").await.unwrap();
        }
    });
    assert_eq!(bench.get("/s/odd/").await.status, 502);
    odd.abort();
    let counters = bench.proxy.counters();
    assert_eq!(counters.dropped[crate::web::metrics::Dropped::Upstream as usize], 3);
}

#[tokio::test]
async fn cookies_of_a_session_stay_below_its_path() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let reply = bench.get("/s/demo/cookies").await;
    let set: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(set, ["a=1; Path=/s/demo/", "b=2; Path=/s/demo/"]);
}

#[tokio::test]
async fn use_is_counted_per_session_and_seen() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let id: engine_core::ids::SessionId = "demo".parse().unwrap();
    let seen = bench.proxy.observe(Moment(0));
    assert_eq!((seen.connections[&id], seen.last_used.get(&id)), (0, None));
    let (at, cookie) = (bench.at, bench.cookie("alice"));
    let waiting =
        tokio::spawn(
            async move { ask(at, "GET", "/s/demo/never", &[("cookie", &cookie)], "").await },
        );
    until("one is open", || bench.proxy.observe(Moment(0)).connections[&id] == 1).await;
    waiting.abort();
    until("none is open", || bench.proxy.observe(Moment(0)).connections[&id] == 0).await;
    assert_eq!(bench.proxy.observe(Moment(0)).last_used[&id], bench.clock.now());
    assert_eq!(bench.proxy.observe(Moment(0)).routes[&id], bench.route("demo"));
}
