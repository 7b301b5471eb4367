//! WebSockets and other protocols after a 101.

use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::*;

type Socket = WebSocketStream<TcpStream>;

async fn open(bench: &Bench, path: &str, user: &str) -> Socket {
    let url = format!("ws://{}{path}", bench.at);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("cookie", bench.cookie(user).parse().unwrap());
    let stream = TcpStream::connect(bench.at).await.unwrap();
    tokio_tungstenite::client_async(request, stream).await.unwrap().0
}

async fn says(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
    let answer =
        tokio::time::timeout(LIMIT, socket.next()).await.expect("an echo").unwrap().unwrap();
    assert_eq!(answer, Message::text(text));
}

async fn ends(socket: &mut Socket) {
    let end = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(Duration::from_secs(1), end).await.expect("it ends within a second");
}

#[tokio::test]
async fn a_websocket_passes_frames_and_outlives_what_does_not_concern_it() {
    let mut bench = Bench::new();
    let session = bench.session("demo");
    let mut socket = open(&bench, "/s/demo/ws", "alice").await;
    says(&mut socket, "first").await;
    assert!(!session.last().headers.contains_key("cookie"), "the engine's cookie stays here");
    assert_eq!(session.last().headers["upgrade"], "websocket");
    for n in 0..1_000 {
        let other = RouteSpec { ready: n % 2 == 0, ..bench.route(&format!("other-{}", n % 100)) };
        bench.proxy.set_route(&other);
        if n % 100 == 0 {
            says(&mut socket, &format!("after {n}")).await;
        }
    }
    // Its own route changes in what does not concern it, and the listener moves.
    let renamed = RouteSpec { ready: false, display_name: "new".into(), ..bench.route("demo") };
    bench.proxy.set_route(&renamed);
    let address = bench.warden.free();
    bench.proxy.listen(&ListenerId::Www, &address, Moment(0)).unwrap();
    bench.proxy.unlisten(&ListenerId::Www);
    says(&mut socket, "last").await;
    let counters = bench.proxy.counters();
    assert_eq!(counters.open_tunnels, 1);
    assert_eq!(counters.dropped, [0; 6]);
    drop(socket);
    until("the tunnel is gone", || bench.proxy.counters().open_connections == 0).await;
}

#[tokio::test]
async fn a_tunnel_ends_with_its_sessions_route() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let _other = bench.session("other");
    let mut socket = open(&bench, "/s/demo/ws", "alice").await;
    let mut stays = open(&bench, "/s/other/ws", "alice").await;
    says(&mut socket, "x").await;
    bench.proxy.drop_route(&"demo".parse().unwrap());
    ends(&mut socket).await;
    says(&mut stays, "still here").await;
}

#[tokio::test]
async fn a_tunnel_ends_when_its_session_starts_anew_or_its_person_is_locked_out() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let mut socket = open(&bench, "/s/demo/ws", "alice").await;
    says(&mut socket, "x").await;
    let mut route = bench.route("demo");
    route.incarnation.n = 2;
    bench.proxy.set_route(&route);
    ends(&mut socket).await;

    route.access.users.insert("bob".parse().unwrap());
    bench.proxy.set_route(&route);
    let mut bob = open(&bench, "/s/demo/ws", "bob").await;
    let mut alice = open(&bench, "/s/demo/ws", "alice").await;
    says(&mut bob, "x").await;
    says(&mut alice, "x").await;
    route.access.users.clear();
    bench.proxy.set_route(&route);
    ends(&mut bob).await;
    says(&mut alice, "still here").await;
}

#[tokio::test]
async fn large_and_many_frames_arrive_byte_for_byte() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let mut socket = open(&bench, "/s/demo/ws", "alice").await;
    for size in [0, 1, 125, 126, 65_535, 65_536, 300_000, 5_000_000] {
        let bytes: Vec<u8> = (0..size).map(|at: u32| (at % 251) as u8).collect();
        socket.send(Message::binary(bytes.clone())).await.unwrap();
        let answer = tokio::time::timeout(LIMIT, socket.next()).await.unwrap().unwrap().unwrap();
        assert!(answer == Message::binary(bytes), "{size} bytes");
    }
}

#[tokio::test]
async fn any_protocol_passes_with_what_was_sent_right_after_the_head() {
    let mut bench = Bench::new();
    let dir = bench.dir.path().join("demo");
    std::fs::create_dir_all(&dir).unwrap();
    let listener = UnixListener::bind(dir.join("app.sock")).unwrap();
    bench.proxy.set_route(&bench.route("demo"));
    let cookie = bench.cookie("alice");
    let session = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4_096];
        let read = stream.read(&mut head).await.unwrap();
        let head = String::from_utf8_lossy(&head[..read]).into_owned();
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly ")
            .await
            .unwrap();
        let mut got = String::new();
        stream.read_to_string(&mut got).await.unwrap();
        stream.write_all(format!("got {got}").as_bytes()).await.unwrap();
        head
    });
    let mut client = TcpStream::connect(bench.at).await.unwrap();
    let head = format!(
        "GET /s/demo/x HTTP/1.1\r\nhost: hub\r\nconnection: upgrade\r\nupgrade: echo\r\ncookie: {cookie}\r\n\r\nfirst "
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(b"second").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(LIMIT, client.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\nearly got first second"),
        "a half-closed tunnel still answers: {answer}"
    );
    let head = session.await.unwrap().to_lowercase();
    assert!(
        head.contains("connection: upgrade\r\n") && head.contains("upgrade: echo\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn an_upgrade_that_is_refused_is_an_ordinary_answer() {
    let mut bench = Bench::new();
    let _session = bench.session("demo");
    let cookie = bench.cookie("alice");
    let headers = [("cookie", cookie.as_str()), ("connection", "upgrade"), ("upgrade", "h2c")];
    assert_eq!(bench.get_with("/s/demo/echo", &headers).await.status, 200);
    let stranger = [("connection", "upgrade"), ("upgrade", "websocket")];
    assert_eq!(bench.get_with("/s/demo/ws", &stranger).await.status, 401);
}

#[tokio::test]
async fn a_session_that_switches_unasked_is_not_followed() {
    let mut bench = Bench::new();
    let dir = bench.dir.path().join("demo");
    std::fs::create_dir_all(&dir).unwrap();
    let listener = UnixListener::bind(dir.join("app.sock")).unwrap();
    bench.proxy.set_route(&bench.route("demo"));
    let session = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            )
            .await;
        std::future::pending::<()>().await;
    });
    assert_eq!(bench.get("/s/demo/x").await.status, 502);
    session.abort();
}
