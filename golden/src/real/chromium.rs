//! A headless Chromium driven over its DevTools protocol, from outside: what a person would see and do.
//!
//! Speaks the protocol's JSON over a WebSocket, one command at a time. Pages are looked at through the
//! accessibility tree, which is what assistive software reads, and keys are pressed as a keyboard does.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client::client_with_config};

use super::{LIMIT, wait_for};

/// Names under which distributions install it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser with one page.
pub struct Chromium {
    child: Child,
    socket: WebSocket<TcpStream>,
    session: String,
    commands: u64,
    _profile: TempDir,
}

/// A node of the accessibility tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accessible {
    /// Its role: `button`, `heading`.
    pub role: String,
    /// Its name, as it is read out.
    pub name: String,
}

impl Chromium {
    /// Starts one with a new profile.
    ///
    /// # Panics
    /// There is none, with what to install, or it does not start.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        let exe = find().unwrap_or_else(|| {
            panic!("no {} in PATH: run golden/run, or apt-get install chromium", NAMES.join(" or "))
        });
        let profile = tempfile::Builder::new().prefix("wh-web-").tempdir().expect("a directory");
        let mut command = Command::new(exe);
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            "--window-size=1280,900",
            "--remote-debugging-port=0",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Its helpers end with it: they are in its group.
        let mut child = command.process_group(0).spawn().expect("Chromium can be started");
        let answer = profile.path().join("DevToolsActivePort");
        let (port, path) = wait_for("Chromium tells its port", || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("Chromium ended with {status}");
            }
            let text = std::fs::read_to_string(&answer).map_err(|error| error.to_string())?;
            let (port, path) = text.split_once('\n').ok_or("half written")?;
            Ok((port.parse::<u16>().map_err(|error| error.to_string())?, path.trim().to_owned()))
        });
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("Chromium listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a socket takes a limit");
        // A screenshot or a whole accessibility tree is one message.
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let url = format!("ws://127.0.0.1:{port}{path}");
        let (socket, _) =
            client_with_config(url, stream, Some(config)).expect("Chromium speaks DevTools");
        let mut browser =
            Self { child, socket, session: String::new(), commands: 0, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &attach);
        session["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Accessibility", "DOM"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Opens an address and waits until the document is there.
    ///
    /// # Panics
    /// It cannot be opened.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        let opened = self.call("Page.navigate", &json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
        wait_for(url, || match self.try_evaluate("document.readyState") {
            Ok(Value::String(state)) if state == "complete" => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    /// All that assistive software reads of the page, without what has neither name nor role.
    ///
    /// # Panics
    /// Chromium gives no tree.
    #[track_caller]
    pub fn accessible(&mut self) -> Vec<Accessible> {
        let tree = self.call("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().expect("a tree has nodes");
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().trim().to_owned();
        nodes
            .iter()
            .filter(|node| !node["ignored"].as_bool().unwrap_or(false))
            .map(|node| Accessible { role: text(&node["role"]), name: text(&node["name"]) })
            .filter(|node| !node.name.is_empty())
            .collect()
    }

    /// Waits until assistive software reads something that `is` looks for.
    ///
    /// # Panics
    /// It never does: with all that it reads instead.
    #[track_caller]
    pub fn wait_accessible(&mut self, what: &str, is: impl Fn(&Accessible) -> bool) -> Accessible {
        wait_for(what, || {
            let all = self.accessible();
            let found = all.iter().find(|node| is(node)).cloned();
            found.ok_or_else(|| format!("{all:?}"))
        })
    }

    /// The value of an expression in the page.
    ///
    /// # Errors
    /// It throws: what.
    pub fn try_evaluate(&mut self, expression: &str) -> Result<Value, String> {
        let wanted =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.try_call("Runtime.evaluate", &wanted)?;
        match answer.get("exceptionDetails") {
            Some(thrown) => Err(thrown.to_string()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Waits for an element and clicks into its middle, as a mouse does.
    ///
    /// # Panics
    /// There is none that can be seen.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let quoted = Value::from(selector);
        let all = format!("[...document.querySelectorAll({quoted})]");
        self.click_on(&format!("{all}.find(e => e.offsetParent)"));
    }

    /// The same for the element that an expression gives.
    ///
    /// # Panics
    /// It gives none that can be seen.
    #[track_caller]
    pub fn click_on(&mut self, element: &str) {
        let middle = format!(
            "(() => {{ const e = {element}; \
             if (!e?.offsetParent) return null; e.scrollIntoView({{block: 'nearest'}}); \
             const b = e.getBoundingClientRect(); \
             return [b.x + b.width / 2, b.y + Math.min(b.height / 2, 12)]; }})()"
        );
        let (x, y) = wait_for(element, || {
            let at = self.try_evaluate(&middle)?;
            match (at[0].as_f64(), at[1].as_f64()) {
                (Some(x), Some(y)) => Ok((x, y)),
                _ => Err("no such element".to_owned()),
            }
        });
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Types a text where the cursor is.
    #[track_caller]
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Presses a key with Shift held: `shift_press("Enter", 13)`.
    #[track_caller]
    pub fn shift_press(&mut self, key: &str, code: u32) {
        self.press(key, code, 8);
    }

    /// Presses a key with modifiers (1 Alt, 2 Control, 8 Shift), by its name and its Windows key code.
    #[track_caller]
    pub fn press(&mut self, key: &str, code: u32, modifiers: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                "modifiers": modifiers,
            });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Keeps a picture of the page as `target/golden/NAME.png`.
    ///
    /// # Panics
    /// It cannot be taken or written.
    #[track_caller]
    pub fn keep_picture(&mut self, name: &str) -> PathBuf {
        let taken = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let bytes = from_base64(taken["data"].as_str().expect("a picture has data"));
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/golden");
        std::fs::create_dir_all(&dir).expect("target is ours");
        let path = dir.join(format!("{name}.png"));
        std::fs::write(&path, bytes).expect("target is ours");
        path
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_call(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        self.commands += 1;
        let mut command = json!({ "id": self.commands, "method": method, "params": params });
        if !self.session.is_empty() {
            command["sessionId"] = Value::from(self.session.as_str());
        }
        self.socket.send(Message::text(command.to_string())).map_err(|error| error.to_string())?;
        loop {
            let message = self.socket.read().map_err(|error| error.to_string())?;
            let Message::Text(text) = message else { continue };
            let answer: Value =
                serde_json::from_str(text.as_str()).map_err(|error| error.to_string())?;
            // Events come in between; nobody here waits for one.
            if answer["id"].as_u64() != Some(self.commands) {
                continue;
            }
            return match answer.get("error") {
                Some(error) => Err(error.to_string()),
                None => Ok(answer["result"].clone()),
            };
        }
    }
}

impl std::fmt::Debug for Chromium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chromium").field("pid", &self.child.id()).finish_non_exhaustive()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A second panic would hide the first: the picture is kept if it can be.
            let kept = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                self.keep_picture(&format!("failed-{}", std::process::id()))
            }));
            if let Ok(path) = kept {
                eprintln!("what the browser showed last: {}", path.display());
            }
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            match kill_process_group(group, Signal::KILL) {
                Ok(()) => {}
                Err(error) => debug_assert_eq!(
                    std::io::Error::from(error).kind(),
                    ErrorKind::NotFound,
                    "its group is ours"
                ),
            }
        }
        let _ = self.child.wait();
    }
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|dir| NAMES.map(|name| dir.join(name)))
        .find(|path| path.is_file())
}

/// Standard base64, as DevTools writes pictures.
fn from_base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for six in text.bytes().filter_map(value) {
        bits = (bits << 6 | six) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).expect("eight bits"));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_and_without_padding() {
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg", "foob")]
        {
            assert_eq!(from_base64(text), bytes.as_bytes(), "{text}");
        }
    }
}
