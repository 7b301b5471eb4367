//! The demo's WebSocket: a tick a second, and what is sent comes back.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Serves one visitor until they leave. `since` is when the session began.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    since: Instant,
) -> Result<(), Error> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let seconds = since.elapsed().as_secs();
                socket.send(Message::text(format!("tick {seconds}"))).await?;
            }
            message = socket.next() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    socket.send(message).await?;
                }
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                // Pings are answered by the library.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
            },
        }
    }
}
