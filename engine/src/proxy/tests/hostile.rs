//! Requests that two programs in a row could read differently, and sockets that are not what they should be.

use std::os::unix::fs::symlink;

use super::*;

/// What becomes of a request.
enum Fate {
    /// Refused with one of these (0 = closed without a word); the session sees nothing.
    Refused(&'static [u16]),
    /// The session sees exactly these.
    Passed(&'static [&'static str]),
}

use Fate::{Passed, Refused};

/// The raw text after which the connection is done; `{C}` = a good cookie line.
fn cases() -> Vec<(&'static str, Fate)> {
    const BAD: Fate = Refused(&[400]);
    const ELSEWHERE: Fate = Refused(&[404]);
    vec![
        // Framing.
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            BAD,
        ),
        ("POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Content-Length: 5, 6\r\n\r\nhello!", BAD),
        ("POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Content-Length: +5\r\n\r\nhello", BAD),
        ("POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Content-Length: -1\r\n\r\n", BAD),
        ("POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Content-Length: 0x5\r\n\r\nhello", BAD),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Content-Length: 99999999999999999999\r\n\r\n",
            BAD,
        ),
        ("POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Transfer-Encoding: identity\r\n\r\nhello", BAD),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        (
            "POST /s/demo/a HTTP/1.0\r\nHost: h\r\n{C}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            BAD,
        ),
        // Header lines.
        ("GET /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}X: a\r\n b\r\n\r\n", BAD),
        ("GET /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}X\0: a\r\n\r\n", BAD),
        ("GET /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}X: a\0b\r\n\r\n", BAD),
        ("GET /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}X: a\rGET / HTTP/1.1\r\n\r\n", BAD),
        ("GET /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}: nameless\r\n\r\n", BAD),
        ("GET /s/demo/a HTTP/1.1\r\n Host: h\r\n{C}\r\n", BAD),
        (
            "GET /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: Content-Length\r\nContent-Length: 3\r\n\r\nabc",
            BAD,
        ),
        ("GET /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close, Cookie\r\n\r\n", BAD),
        ("GET /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: X-Forwarded-For\r\n\r\n", BAD),
        // Host and target.
        ("GET /s/demo/a HTTP/1.1\r\n{C}\r\n", BAD),
        ("GET /s/demo/a HTTP/1.1\r\nHost: h\r\nHost: i\r\n{C}\r\n", BAD),
        ("GET /s/demo/a HTTP/1.1\r\nHost: h\";x=\"\r\n{C}\r\n", BAD),
        ("GET /s/demo/a HTTP/1.1\r\nHost: h/evil\r\n{C}\r\n", BAD),
        ("GET /s/demo/a HTTP/1.1\r\nHost:\r\n{C}\r\n", BAD),
        ("GET http://h/s/demo/a HTTP/1.1\r\nHost: h\r\n{C}\r\n", BAD),
        ("GET h/s/demo/a HTTP/1.1\r\nHost: h\r\n{C}\r\n", BAD),
        ("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n{C}\r\n", BAD),
        ("CONNECT /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}\r\n", BAD),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n{C}\r\n", BAD),
        ("GET  /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}\r\n", BAD),
        ("GET /s/demo/a b HTTP/1.1\r\nHost: h\r\n{C}\r\n", BAD),
        ("GET /s/demo/a\r\nHost: h\r\n{C}\r\n", BAD),
        ("GET /s/demo/a HTTP/1.2\r\nHost: h\r\n{C}\r\n", BAD),
        ("GET /s/demo/a HTTP/2.0\r\nHost: h\r\n{C}\r\n", BAD),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused(&[0])),
        ("\x16\x03\x01\x02\0\x01\0", BAD),
        ("GET /s/demo/../other/a HTTP/1.1\r\nHost: h\r\n{C}\r\n", BAD),
        ("GET /s/demo/%2e%2E/other/a HTTP/1.1\r\nHost: h\r\n{C}\r\n", BAD),
        ("GET /s/demo/x/.%2e/../a HTTP/1.1\r\nHost: h\r\n{C}\r\n", BAD),
        ("GET /s/../s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\n\r\n", ELSEWHERE),
        ("GET /s/de%6do/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\n\r\n", ELSEWHERE),
        ("GET /s%2fdemo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\n\r\n", ELSEWHERE),
        ("GET /s/demo%2fa HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\n\r\n", ELSEWHERE),
        ("GET //s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\n\r\n", ELSEWHERE),
        ("GET /%73/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\n\r\n", ELSEWHERE),
        ("GET /S/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\n\r\n", ELSEWHERE),
        // A body after a request for another protocol.
        (
            "GET /s/demo/ws HTTP/1.1\r\nHost: h\r\n{C}Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc",
            BAD,
        ),
        // Passed on, and read by the session as we read it.
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\nContent-Length: 5\r\n\r\nhelloGET /s/demo/evil HTTP/1.1\r\nHost: h\r\n\r\n",
            Passed(&["POST /s/demo/a hello"]),
        ),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Content-Length: 5\r\n\r\nhelloGET /s/demo/b HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\n\r\n",
            Passed(&["POST /s/demo/a hello", "GET /s/demo/b "]),
        ),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            Passed(&["POST /s/demo/a hello"]),
        ),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Content-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /s/demo/evil HTTP/1.1\r\nHost: h\r\n{C}\r\n",
            Passed(&["POST /s/demo/a abc"]),
        ),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Transfer-Encoding: chunked\r\nContent-Length: 30\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /s/demo/evil HTTP/1.1\r\nHost: h\r\n{C}\r\n",
            Passed(&["POST /s/demo/a abc"]),
        ),
        (
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            Passed(&["POST /s/demo/a abc"]),
        ),
        (
            "GET /s/demo/a%2f..%2f..%2fother HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\n\r\n",
            Passed(&["GET /s/demo/a%2f..%2f..%2fother "]),
        ),
        (
            "GET /s/demo//b HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\n\r\n",
            Passed(&["GET /s/demo//b "]),
        ),
        ("GET /s/demo/a HTTP/1.0\r\n{C}\r\n", Passed(&["GET /s/demo/a "])),
        (
            "GET /s/demo/a HTTP/1.1\r\nHost: h\r\n{C}Connection: close\r\nContent_Length: 9\r\n\r\n",
            Passed(&["GET /s/demo/a "]),
        ),
    ]
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_or_passed_on_in_one() {
    let mut bench = Bench::new();
    let session = bench.session("demo");
    let other = bench.session("other");
    let cookie = format!("Cookie: {}\r\n", bench.cookie("alice"));
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    for (text, fate) in cases {
        session.seen.lock().unwrap().clear();
        let answer = raw(bench.at, text.replace("{C}", &cookie).as_bytes()).await;
        let status = answer.get(9..12).and_then(|digits| digits.parse::<u16>().ok()).unwrap_or(0);
        let saw: Vec<String> = session
            .seen
            .lock()
            .unwrap()
            .iter()
            .map(|seen| format!("{} {}", seen.line, seen.body))
            .collect();
        match fate {
            Refused(allowed) => {
                assert!(allowed.contains(&status), "{text:?} got {answer}");
                assert!(saw.is_empty(), "{text:?} reached the session as {saw:?}");
            }
            Passed(wanted) => {
                assert_eq!(saw, wanted, "{text:?} got {answer}");
                assert_eq!(status, 200, "{text:?}");
            }
        }
    }
    assert!(other.lines().is_empty(), "nothing reaches another session");
}

#[tokio::test]
async fn a_body_with_broken_chunks_never_looks_complete_to_the_session() {
    let mut bench = Bench::new();
    let session = bench.session("demo");
    let cookie = bench.cookie("alice");
    for chunks in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc",
        "3\rabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nbad trailer\r\n\r\n",
    ] {
        let text = format!(
            "POST /s/demo/a HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
        );
        let answer = raw(bench.at, text.as_bytes()).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{chunks:?}: {answer}");
        assert!(session.lines().is_empty(), "{chunks:?}: {:?}", session.lines());
    }
}

#[tokio::test]
async fn heads_that_are_too_long_or_too_slow_are_cut_off() {
    let bench =
        Bench::with(Limits { head_timeout: Duration::from_millis(100), ..Limits::default() });
    let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "a".repeat(70_000));
    assert!(raw(bench.at, long.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let many: String = (0..200).map(|n| format!("X-{n}: a\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n");
    assert!(raw(bench.at, many.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let path = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(66_000));
    let answer = raw(bench.at, path.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let head_timeout = Duration::from_millis(100);
    let impatient = Bench::with(Limits { head_timeout, ..Limits::default() });
    let slow = raw(impatient.at, b"GET / HTTP/1.1\r\nHost: h\r\nX: ").await;
    assert!(!slow.contains(" 200 "), "{slow}");
    until("all are counted", || {
        let malformed = crate::web::metrics::Dropped::Malformed as usize;
        bench.proxy.counters().dropped[malformed] == 3
            && impatient.proxy.counters().dropped[malformed] == 1
    })
    .await;
}

#[tokio::test]
async fn a_socket_that_is_not_the_sessions_own_gets_not_a_byte() {
    let mut bench = Bench::new();
    let _elsewhere = bench.session("elsewhere");
    let listening = bench.dir.path().join("elsewhere");
    std::fs::create_dir(bench.dir.path().join("linked")).unwrap();
    symlink(listening.join("app.sock"), bench.dir.path().join("linked/app.sock")).unwrap();
    symlink(&listening, bench.dir.path().join("linked-dir")).unwrap();
    let mut stolen = bench.route("stolen");
    stolen.socket_dir = listening.to_str().unwrap().to_owned();
    stolen.uid += 1;
    bench.proxy.set_route(&stolen);
    let mut climbing = bench.route("linked");
    climbing.incarnation.session = "climbing".parse().unwrap();
    climbing.socket = "../elsewhere/app.sock".to_owned();
    bench.proxy.set_route(&climbing);
    for id in ["linked", "linked-dir"] {
        bench.proxy.set_route(&bench.route(id));
    }
    for id in ["linked", "linked-dir", "stolen", "climbing"] {
        assert_eq!(bench.get(&format!("/s/{id}/x")).await.status, 502, "{id}");
    }
    assert!(_elsewhere.lines().is_empty());
    let counters = bench.proxy.counters();
    assert_eq!(counters.dropped[crate::web::metrics::Dropped::Impostor as usize], 4);
}

#[tokio::test]
async fn a_path_without_its_last_slash_leads_to_it() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let reply = bench.get("/s/demo?x=1").await;
    assert_eq!((reply.status, reply.header("location")), (307, "demo/?x=1"));
    assert_eq!(bench.get("/s/DEMO").await.status, 404);
    assert_eq!(bench.get("/s/").await.status, 404);
}
