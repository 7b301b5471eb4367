//! One file of each kind in which every key stands once: what the manual shows.

use crate::own::OwnKind;

/// Every sample with its kind.
pub(super) const ALL: [(OwnKind, &str); 5] = [
    (OwnKind::Wharf, WHARF),
    (OwnKind::Session, SESSION),
    (OwnKind::Template, TEMPLATE),
    (OwnKind::Gateway, GATEWAY),
    (OwnKind::Node, NODE),
];

pub(super) const WHARF: &str = r#"format = 1
mode   = "beside"
instance = "main"

[site]
config-dir   = "/etc/rstudio"
settle       = { quiet = "100ms", invalid = "2s", max = "5s" }
poll         = "30s"

[listen]
admin-socket = "/run/wharf/admin.sock"
www-port     = 18787

[store]
path = "/var/lib/wharf/store"

[policy]
apply            = "auto"
session-restart  = "next-start"
harm-delay       = "60s"
max-harmed       = 5
max-unavailable  = 1
concurrent-starts = "cores"
back-off         = { first = "2s", max = "5m", give-up-after = 5, within = "10m" }
windows          = ["Sun 02:00-05:00"]

[limits]
sessions-per-user  = 4
sessions-per-group = { students = 2 }

[history]
keep = 50

[accept]
codes = { WH0412 = "firewall in front" }
files = ["nginx.site.conf"]

[beside]
clusters = ["Local"]

[clusters.Containers]
type = "podman"

[workbenches.marimo]
exe = "/opt/marimo/bin/marimo"
args = ["edit", "--socket={SOCKET}", "--base-url", "{BASE}"]
env = { MARIMO_HOME = "{HOME}/.marimo/{ID}", OWNER = "{USER}" }
ready-path = "/health"
base = "keep"
install = "pinned"
requirements = "requirements/marimo.txt"
display-name = "marimo"
"#;

pub(super) const SESSION: &str = r#"workbench    = "jupyterlab"
display-name = "Genomics shared lab"
user         = "genomics-svc"
cluster      = "Local"
state        = "running"
restart      = "always"
on-removal   = "when-idle"

working-dir  = "/srv/genomics"
args         = ["--collaborative"]

[access]
users  = ["alice", "bob"]
groups = ["genomics"]
admins = ["alice"]

[resources]
cpus           = 8
memory         = "32GiB"
request.cpus   = 2
request.memory = "8GiB"

[env]
MLFLOW_TRACKING_URI = "http://mlflow:5000"

[health]
path          = "/api"
start-timeout = "90s"

[idle]
timeout = "never"

[stop]
signal            = "SIGTERM"
stop-grace-period = "30s"

[update]
apply  = "when-idle"
window = "Sun 02:00-05:00"

[publish]
gateway = "lab"
port    = 10001

[placement]
nodes   = ["node1", "node2"]
require = { gpu = "a100" }
"#;

pub(super) const TEMPLATE: &str = r#"display-name = "RStudio, small"
description  = "2 cores, up to 16 GiB, for teaching"
version      = "2026.11"
workbench    = "rstudio"
start        = "on-demand"

[resources]
cpus   = 2
memory = { choose = ["4GiB", "8GiB", "16GiB"], default = "8GiB", label = "Memory" }

[choices]
r-version = { from = "r-versions", default = "latest" }

[env]
COURSE = "stats101"
HOME_SCRATCH = "/scratch/{USER}"

[allow]
groups       = ["students", "staff"]
clusters     = ["Local", "Slurm"]
max-per-user = 2
max-total    = 60

[publish]
gateway     = "auto"
target-port = 8787

[idle]
timeout = "2h"
action  = "suspend"
"#;

pub(super) const GATEWAY: &str = r#"address        = "0.0.0.0"
port-range     = "10000-10100"
public-address = "lab.example.org"
protocol       = "http"
tls            = "server"
sign-in        = "required"
allow-from     = ["10.0.0.0/8"]
lease          = "session"
hold           = { requests = 200, bytes = "8MiB", time = "60s" }
on-removal     = "refuse"
"#;

pub(super) const NODE: &str = r#"weight       = 3
schedulable  = false
max-sessions = 60
labels       = { gpu = "a100", rack = "b2" }
reserve      = { cpus = 1, memory = "4GiB" }

[drain]
reason    = "kernel update, CHG0012345"
deadline  = "2h"
at-deadline = "wait"
notify    = ["30m", "10m", "2m"]
jobs      = "wait"
"#;
