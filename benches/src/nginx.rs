//! nginx as a proxy, at its best: one worker, no logs, connections to the upstream kept open.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Outcome;
use crate::http::Client;
use crate::running::{terminate, wait_for};

/// An nginx that runs.
pub struct Nginx {
    child: Child,
    /// Its port on the loopback.
    pub port: u16,
}

impl Nginx {
    /// Starts nginx in `dir`, which passes everything on to the Unix socket `upstream`.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn start(dir: &Path, upstream: &Path) -> Outcome<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let conf = dir.join("nginx.conf");
        fs::write(&conf, configuration(dir, upstream, port))?;
        let log = fs::File::create(dir.join("nginx.log"))?;
        let child = Command::new("nginx")
            .arg("-p")
            .arg(dir)
            .arg("-c")
            .arg(&conf)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("nginx: {error}; apt-get install nginx-light"))?;
        let mut nginx = Self { child, port };
        let said = dir.join("nginx.log");
        wait_for("nginx", || {
            if let Some(ended) = nginx.child.try_wait()? {
                return Err(format!("{ended}: {}", fs::read_to_string(&said)?).into());
            }
            Ok(Client::connect(port, "").is_ok() && nginx.worker().is_ok())
        })?;
        Ok(nginx)
    }

    /// Its worker, which does the work; the master only waits.
    ///
    /// # Errors
    /// There is none.
    pub fn worker(&self) -> Outcome<u32> {
        let master = self.child.id();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children"))?;
        let first = children.split_ascii_whitespace().next().ok_or("nginx has no worker")?;
        Ok(first.parse()?)
    }

    /// Its master.
    #[must_use]
    pub fn master(&self) -> u32 {
        self.child.id()
    }

    /// Ends it.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(mut self) -> Outcome<()> {
        terminate(&mut self.child)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = terminate(&mut self.child);
    }
}

fn configuration(dir: &Path, upstream: &Path, port: u16) -> String {
    let root = rustix::process::geteuid().is_root();
    let (user, dir, upstream) =
        (if root { "user root;" } else { "" }, dir.display(), upstream.display());
    format!(
        "{user}
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  keepalive_requests 100000000;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream session {{ server unix:{upstream}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://session;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"
    )
}
