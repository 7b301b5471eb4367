//! Each mistake with its place, its message and its advice.
//!
//! An expected line is: the marked places with their text, the code and message, then labels and advice.

use super::said;
use crate::own::OwnKind::{self, Gateway, Node, Session, Template, Wharf};

#[track_caller]
fn check(kind: OwnKind, text: &str, expected: &[&str]) {
    assert_eq!(said(kind, text), expected, "{kind:?}:\n{text}");
}

#[test]
fn mistakes_in_a_node_file_are_told_with_place_and_advice() {
    check(
        Node,
        "weight = 1\nwieght = 2\n",
        &["2:1 `wieght` WH0502: unknown key `wieght` | did you mean `weight`?"],
    );
    check(
        Node,
        r#"weight = "3"
"#,
        &[r#"1:10 `"3"` WH0503: `weight` takes a whole number, not a string | write 3, no quotes"#],
    );
    check(
        Node,
        r#"[drain]
reason = "a"
reason = "b"
"#,
        &[
            "3:1 `reason` 2:1 `reason` WH0501: `reason` is written twice | the second one | the first one | keep one of them",
        ],
    );
    check(
        Node,
        "weight = -1\n",
        &["1:10 `-1` WH0504: bad value for `weight`: must be from 0 to 1000000"],
    );
    check(
        Node,
        "weight = 9999999\n",
        &["1:10 `9999999` WH0504: bad value for `weight`: must be from 0 to 1000000"],
    );
    check(
        Node,
        "weight = 1.5\n",
        &["1:10 `1.5` WH0503: `weight` takes a whole number, not a number with a fraction"],
    );
    check(Node, "weight = 0x10\n", &[]);
    check(
        Node,
        r#"schedulable = "no"
"#,
        &[
            r#"1:15 `"no"` WH0503: `schedulable` takes true or false, not a string | write false, no quotes"#,
        ],
    );
    check(
        Node,
        "schedulable = 0\n",
        &["1:15 `0` WH0503: `schedulable` takes true or false, not a whole number | write false"],
    );
    check(
        Node,
        "drain = true\n",
        &[
            "1:9 `true` WH0503: `drain` takes a table, not true or false | its keys are: reason, deadline, at-deadline, notify, jobs",
        ],
    );
    check(
        Node,
        "[[drain]]\n",
        &[
            "1:1 `[[drain]]` WH0503: `drain` takes a table, not a list | there is one of it: write [drain], in single brackets",
        ],
    );
    check(
        Node,
        "schedulable = true\n[drain]\n",
        &[
            "1:15 `true` 2:1 `[drain]` WH0506: schedulable = true, but a node with [drain] takes no new sessions | remove [drain] to end the drain, or leave `schedulable` out",
        ],
    );
}

#[test]
fn mistakes_in_a_node_file_are_told_with_place_and_advice_2() {
    check(
        Node,
        r#"[drain]
at-deadline = "stop"
"#,
        &[
            r#"2:15 `"stop"` warning WH0506: `at-deadline` has no effect: the drain has no deadline | write deadline = "2h", or leave it out"#,
        ],
    );
    check(
        Node,
        r#"[drain]
deadline = "20m"
notify = ["30m", "2m"]
"#,
        &[
            r#"3:10 `["30m", "2m"]` 2:12 `"20m"` warning WH0506: the notice of 30m comes too late: the deadline is 20m | notices are counted back from the deadline, so they must be shorter"#,
        ],
    );
    check(
        Node,
        "[drain]\ndeadline = 7200\n",
        &[
            r#"2:12 `7200` WH0503: `drain.deadline` takes a duration in quotes, not a whole number | write it with its unit, such as "7200s""#,
        ],
    );
    check(
        Node,
        r#"[drain]
deadline = "2 hours"
"#,
        &[
            r#"2:12 `"2 hours"` WH0504: bad value for `drain.deadline`: a unit is missing | units are: d, h, m, s, ms"#,
        ],
    );
    check(
        Node,
        r#"[drain]
deadline = "0s"
"#,
        &[r#"2:12 `"0s"` WH0504: bad value for `drain.deadline`: must be longer than nothing"#],
    );
    check(
        Node,
        r#"[drain]
jobs = "igonre"
"#,
        &[
            r#"2:8 `"igonre"` WH0504: `drain.jobs` cannot be "igonre" | did you mean "ignore"? | one of: wait, ignore, stop"#,
        ],
    );
    check(
        Node,
        r#"[drain]
jobs = "whatever"
"#,
        &[
            r#"2:8 `"whatever"` WH0504: `drain.jobs` cannot be "whatever" | not one of the words for it | one of: wait, ignore, stop"#,
        ],
    );
    check(
        Node,
        "[drain]\nweight = 2\n",
        &[
            "2:1 `weight` WH0502: `weight` belongs at the top of the file | move it above the first [table]: below one, it is that table's key",
        ],
    );
    check(
        Node,
        r#"port-range = "1-2"
"#,
        &[
            "1:1 `port-range` WH0502: `port-range` is a key of gateways.d, not of nodes.d | write it into a file of gateways.d, or leave it out",
        ],
    );
    check(
        Node,
        r#"labels = { gpu = 1, "a b" = "x" }
"#,
        &[
            r#"1:18 `1` WH0503: `labels.gpu` takes a string, not a whole number | write "1""#,
            r#"1:21 `"a b"` WH0504: `a b` cannot be a name here: a name has no blanks and no `/`, and does not begin with `-` or `.`"#,
        ],
    );
    check(
        Node,
        r#"reserve = { cpus = 0, memory = "4G" }
"#,
        &[
            "1:20 `0` WH0504: bad value for `reserve.cpus`: must be from 0.001 to 100000, with at most three decimals",
            r#"1:32 `"4G"` WH0504: bad value for `reserve.memory`: unknown unit | units are: B, KiB, MiB, GiB, TiB, KB, MB, GB, TB"#,
        ],
    );
    check(
        Node,
        "weight = 1\nweight = 2\n",
        &[
            "2:1 `weight` 1:1 `weight` WH0501: `weight` is written twice | the second one | the first one | keep one of them",
        ],
    );
}

#[test]
fn mistakes_in_a_node_file_are_told_with_place_and_advice_3() {
    check(
        Node,
        r#"[drain]
reason = "a"
[drain]
"#,
        &[
            "3:2 `drain` 1:1 `[drain]` WH0501: `drain` is written twice | the second one | the first one | keep one of them",
        ],
    );
    check(Node, "weight = \n", &["1:10 `` WH0501: this is no TOML: a value is missing"]);
    check(
        Node,
        r#"weight = 1
max-sessions = = 2
schedulable = "x"
foo = 1
"#,
        &[
            "2:16 `=` WH0501: this is no TOML: extra `=`, expected nothing",
            r#"3:15 `"x"` WH0503: `schedulable` takes true or false, not a string"#,
            "4:1 `foo` WH0502: unknown key `foo` | the keys here are: weight, schedulable, max-sessions, labels, reserve, drain",
        ],
    );
    check(
        Node,
        r#"[drain
reason = "a"
foo = 1
"#,
        &["1:7 `` WH0501: this is no TOML: unclosed table, expected `]`"],
    );
    check(
        Node,
        "reason = 'x\nweight = 2\n",
        &["1:12 `` WH0501: this is no TOML: invalid literal string, expected `'`"],
    );
}

#[test]
fn mistakes_in_a_session_file_are_told_with_place_and_advice() {
    check(
        Session,
        "",
        &[
            "WH0505: `workbench` is missing | name what is started: rstudio, jupyterlab, jupyter-notebook, vs-code, or a [workbenches.NAME] of wharf.toml",
        ],
    );
    check(
        Session,
        r#"workbench = "a b"
"#,
        &[
            r#"1:13 `"a b"` WH0504: bad value for `workbench`: a name has no blanks and no `/`, and does not begin with `-` or `.`"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[access]
working-dir = "/x"
"#,
        &[
            "3:1 `working-dir` WH0502: `working-dir` belongs at the top of the file | move it above the first [table]: below one, it is that table's key",
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
cpus = 2
"#,
        &["2:1 `cpus` WH0502: `cpus` belongs in [resources] | move it below [resources]"],
    );
    check(
        Session,
        r#"workbench = "rstudio"
description = "x"
"#,
        &[
            "2:1 `description` WH0502: `description` is a key of templates.d, not of sessions.d | write it into a file of templates.d, or leave it out",
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
memory_limit = "x"
"#,
        &[
            "2:1 `memory_limit` WH0502: unknown key `memory_limit` | the keys here are: workbench, display-name, user, cluster, state, restart, on-removal, working-dir, args, access, resources, env, health, idle, stop, update, publish, placement",
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[resources]
memory = { choose = ["4GiB"] }
"#,
        &[
            r#"3:10 `{ choose = ["4GiB"] }` WH0503: `resources.memory` takes a size in quotes, not a table | only a template (templates.d) can offer a choice: write one value"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[resources]
memory = { a = 1 }
"#,
        &["3:10 `{ a = 1 }` WH0503: `resources.memory` takes a size in quotes, not a table"],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[resources]
memory = "8GiB"
profile = "large"
request.memory = "9GiB"
"#,
        &[
            r#"4:11 `"large"` 3:10 `"8GiB"` WH0506: `profile` and `memory` both set the limit | keep one of them"#,
            r#"5:18 `"9GiB"` 3:10 `"8GiB"` WH0506: `request.memory` is more than the limit `memory` | a session is never given more than its limit: lower the request, or raise the limit"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
args = "--x"
"#,
        &[
            r#"2:8 `"--x"` WH0503: `args` takes a list, not a string | a list stands in brackets: ["...", "..."]"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
args = ["--x={USR}", 3, "{SOCKET}"]
"#,
        &[
            r#"2:9 `"--x={USR}"` WH0504: bad value for `args`: unknown placeholder {USR} | did you mean {USER}?"#,
            r#"2:22 `3` WH0503: `args` takes a string, not a whole number | write "3""#,
            r#"2:25 `"{SOCKET}"` WH0504: bad value for `args`: unknown placeholder {SOCKET} | {SOCKET} is filled in [workbenches.NAME] of wharf.toml only"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
working-dir = "scratch"
"#,
        &[
            r#"2:15 `"scratch"` WH0504: bad value for `working-dir`: a path from the root or from {HOME} is needed"#,
        ],
    );
}

#[test]
fn mistakes_in_a_session_file_are_told_with_place_and_advice_2() {
    check(
        Session,
        r#"workbench = "rstudio"
[env]
1X = "a"
Y = 3
Z = "${USER}"
"#,
        &[
            "3:1 `1X` WH0504: `1X` cannot be a name here: a variable's name is letters, digits and `_`, no digit first",
            r#"4:5 `3` WH0503: `env.Y` takes a string, not a whole number | write "3""#,
            r#"5:5 `"${USER}"` WH0504: bad value for `env.Z`: no shell reads this, so variables are not filled in | write {USER}, without `$`"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[idle]
timeout = "0m"
"#,
        &[
            r#"3:11 `"0m"` WH0504: bad value for `idle.timeout`: would end it at once | for ever is "never""#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[idle]
timeout = 30
"#,
        &[
            r#"3:11 `30` WH0503: `idle.timeout` takes "never" or a duration, not a whole number | write it with its unit, such as "30s""#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[idle]
timeout = "never"
action = "stop"
"#,
        &[
            r#"4:10 `"stop"` 3:11 `"never"` warning WH0506: `action` has no effect: the session is never idle | leave `action` out, or give `timeout` a duration"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[stop]
signal = "TERM"
"#,
        &[
            r#"3:10 `"TERM"` WH0504: `stop.signal` cannot be "TERM" | not one of the words for it | one of: SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGKILL"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[update]
apply = "next-start"
window = "Sun 2-5"
"#,
        &[
            r#"4:10 `"Sun 2-5"` WH0504: bad value for `update.window`: times are 00:00 to 24:00, two digits each | write it like "Sun 02:00-05:00""#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[update]
apply = "next-start"
window = "Sun 02:00-05:00"
"#,
        &[
            r#"4:10 `"Sun 02:00-05:00"` 3:9 `"next-start"` warning WH0506: `window` has no effect: with apply = "next-start" nothing is restarted | leave `window` out, or write apply = "when-idle""#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[publish]
port = 70000
"#,
        &[
            "2:1 `[publish]` WH0505: `publish.gateway` is missing | it belongs in here",
            "3:8 `70000` WH0504: bad value for `publish.port`: must be from 1 to 65535",
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[publish]
gateway = "auto"
port = 7000
"#,
        &[
            r#"4:8 `7000` 3:11 `"auto"` WH0506: a fixed `port` needs a gateway: with gateway = "auto" any may be taken | name the gateway, or leave `port` out"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[placement]
nodes = []
"#,
        &[
            "3:9 `[]` WH0504: bad value for `placement.nodes`: an empty list: no node is allowed | leave it out to allow every node",
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
[health]
path = "api"
"#,
        &[
            r#"3:8 `"api"` WH0504: bad value for `health.path`: a path of a URL is needed: it begins with `/` and has no blanks"#,
        ],
    );
    check(
        Session,
        r#"workbench = "rstudio"
user = "a:b"
state = "on"
"#,
        &[
            r#"2:8 `"a:b"` WH0504: bad value for `user`: no name of an account: no blanks, `:`, `/` or `,` in it"#,
            r#"3:9 `"on"` WH0504: `state` cannot be "on" | not one of the words for it | one of: running, suspended, stopped"#,
        ],
    );
}

#[test]
fn mistakes_in_a_template_are_told_with_place_and_advice() {
    check(
        Template,
        r#"workbench = "rstudio"
user = "x"
state = "running"
"#,
        &[
            "2:1 `user` WH0502: `user` is a key of sessions.d, not of templates.d | write it into a file of sessions.d, or leave it out",
            "3:1 `state` WH0502: `state` is a key of sessions.d, not of templates.d | write it into a file of sessions.d, or leave it out",
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[resources]
memory = { choose = [] }
"#,
        &["3:21 `[]` WH0504: bad value for `resources.memory.choose`: nothing to choose from"],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[resources]
memory = { choose = ["4GiB", "4096MiB"], default = "5GiB", lable = "x" }
"#,
        &[
            r#"3:21 `["4GiB", "4096MiB"]` WH0504: bad value for `resources.memory.choose`: one of them stands here twice"#,
            r#"3:52 `"5GiB"` WH0504: bad value for `resources.memory.default`: not one of those to choose from"#,
            "3:60 `lable` WH0502: unknown key `lable` in `resources.memory` | did you mean `label`?",
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[resources]
memory = { default = "5GiB" }
"#,
        &[
            r#"3:10 `{ default = "5GiB" }` WH0505: `resources.memory.choose` is missing | it belongs in here | a choice is { choose = [...], default = ..., label = "..." }"#,
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[resources]
memory = { choose = ["4GiB", "8GB", 3] }
"#,
        &[
            r#"3:37 `3` WH0503: `resources.memory.choose` takes a size in quotes, not a whole number | write it with its unit, such as "3GiB""#,
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[resources]
memory = { choose = ["4GiB", "8GiB"] }
request.memory = "6GiB"
"#,
        &[
            r#"4:18 `"6GiB"` 3:10 `{ choose = ["4GiB", "8GiB"] }` WH0506: `request.memory` is more than the limit `memory` | a session is never given more than its limit: lower the request, or raise the limit"#,
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[choices]
r-version = { form = "r-versions" }
x = { from = "y" }
"#,
        &[
            "3:15 `form` WH0502: unknown key `form` in `choices.r-version` | did you mean `from`?",
            r#"4:14 `"y"` WH0504: `choices.x.from` cannot be "y" | not one of the words for it | one of: r-versions"#,
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[allow]
max-per-user = 5
max-total = 2
[publish]
gateway = "lab"
port = 10001
"#,
        &[
            "3:16 `5` 4:13 `2` WH0506: one person may start more than all people together | lower `max-per-user`, or raise `max-total`",
            "7:8 `10001` 4:13 `2` WH0506: a fixed port can be held by one session only, but a template has many | leave `port` out: each session gets the first that is free, and keeps it",
        ],
    );
    check(
        Template,
        r#"workbench = "rstudio"
[allow]
max-per-user = 0
"#,
        &["3:16 `0` WH0504: bad value for `allow.max-per-user`: must be from 1 to 1000000"],
    );
}

#[test]
fn mistakes_in_a_gateway_file_are_told_with_place_and_advice() {
    check(
        Gateway,
        "",
        &[r#"WH0505: `port-range` is missing | write it like port-range = "10000-10100""#],
    );
    check(
        Gateway,
        "port-range = 10000\n",
        &[
            r#"1:14 `10000` WH0503: `port-range` takes a range of ports in quotes, not a whole number | write it like "10000-10100""#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "10100-10000"
address = "localhost"
"#,
        &[
            r#"1:14 `"10100-10000"` WH0504: bad value for `port-range`: the first port is above the last | write it like "10000-10100""#,
            r#"2:11 `"localhost"` WH0504: bad value for `address`: no IP address | such as "0.0.0.0", "::" or "127.0.0.1""#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
sign-in = "off"
"#,
        &[
            r#"2:11 `"off"` WH0506: sign-in = "off" is for protocol = "tcp" only: over HTTP anybody could open a session | leave `sign-in` out, or write protocol = "tcp""#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
protocol = "http"
sign-in = "off"
"#,
        &[
            r#"3:11 `"off"` 2:12 `"http"` WH0506: sign-in = "off" is for protocol = "tcp" only: over HTTP anybody could open a session | leave `sign-in` out, or write protocol = "tcp""#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
protocol = "tpc"
sign-in = "off"
"#,
        &[
            r#"2:12 `"tpc"` WH0504: `protocol` cannot be "tpc" | did you mean "tcp"? | one of: http, tcp"#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
tls = { certificate = "c.pem" }
"#,
        &[
            r#"2:7 `{ certificate = "c.pem" }` WH0505: `tls.key` is missing | it belongs in here"#,
            r#"2:23 `"c.pem"` WH0504: bad value for `tls.certificate`: a path from the root is needed, it begins with `/`"#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
tls = "sever"
"#,
        &[
            r#"2:7 `"sever"` WH0504: `tls` cannot be "sever" | did you mean "server"? | one of: server, off"#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
tls = true
"#,
        &[
            r#"2:7 `true` WH0503: `tls` takes "server", "off" or a table, not true or false | write "server", "off" or { certificate = , key = }"#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
allow-from = []
"#,
        &[
            r#"2:14 `[]` WH0504: bad value for `allow-from`: an empty list lets nobody in | leave it out to let everybody in, "0.0.0.0/0" and "::/0" say so too"#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
allow-from = ["10.0.0.1/8", "x"]
"#,
        &[
            r#"2:15 `"10.0.0.1/8"` WH0504: bad value for `allow-from`: an address inside a range, not a range | write "10.0.0.0/8" for the range, or "10.0.0.1" for the one host"#,
            r#"2:29 `"x"` WH0504: bad value for `allow-from`: no IP address | write it like "10.0.0.0/8" or "2001:db8::/32""#,
        ],
    );
    check(
        Gateway,
        r#"port-range = "1-2"
public-address = "https://lab"
"#,
        &[
            r#"2:18 `"https://lab"` WH0504: bad value for `public-address`: only the host is needed, such as "lab.example.org""#,
        ],
    );
}

#[test]
fn mistakes_in_a_gateway_file_are_told_with_place_and_advice_2() {
    check(
        Gateway,
        r#"port-range = "1-2"
hold = { requests = "many" }
"#,
        &[r#"2:21 `"many"` WH0503: `hold.requests` takes a whole number, not a string"#],
    );
}

#[test]
fn mistakes_in_wharf_toml_are_told_with_place_and_advice() {
    check(
        Wharf,
        "format = 2\n",
        &[
            "1:10 `2` WH0504: bad value for `format`: newer than this wharf reads (1) | update wharf, or write the file in the older format",
        ],
    );
    check(
        Wharf,
        r#"mode = "serv"
"#,
        &[
            r#"1:8 `"serv"` WH0504: `mode` cannot be "serv" | did you mean "serve"? | one of: observe, beside, serve"#,
        ],
    );
    check(
        Wharf,
        r#"instance = "My Site"
"#,
        &[
            r#"1:12 `"My Site"` WH0504: bad value for `instance`: it names cookies and directories: a-z, 0-9 and `-`, not first, at most 32"#,
        ],
    );
    check(
        Wharf,
        r#"mode = "serve"
[listen]
www-port = 18787
"#,
        &[
            r#"3:12 `18787` 1:8 `"serve"` WH0506: `listen.www-port` acts with mode = "beside" only | in mode "serve" www-port of rserver.conf is taken; set mode = "beside", or leave it out"#,
        ],
    );
    check(
        Wharf,
        r#"mode = "observe"
[listen]
www-port = 18787
[beside]
clusters = ["Local"]
"#,
        &[
            r#"3:12 `18787` 1:8 `"observe"` warning WH0506: `listen.www-port` acts with mode = "beside" only | in mode "serve" www-port of rserver.conf is taken; set mode = "beside", or leave it out"#,
            r#"4:1 `[beside]` 1:8 `"observe"` warning WH0506: [beside] acts with mode = "beside" only | set mode = "beside", or leave it out"#,
        ],
    );
    check(
        Wharf,
        "[listen]\nwww-port = 18787\n",
        &[
            r#"2:12 `18787` WH0506: `listen.www-port` acts with mode = "beside" only | in mode "serve" www-port of rserver.conf is taken; set mode = "beside", or leave it out"#,
        ],
    );
    check(
        Wharf,
        r#"[listen]
admin-socket = "admin.sock"
"#,
        &[
            r#"2:16 `"admin.sock"` WH0504: bad value for `listen.admin-socket`: a path from the root is needed, it begins with `/`"#,
        ],
    );
    check(
        Wharf,
        r#"mode = "serve"
[store]
url = "postgresql://u:p@h/d"
"#,
        &[
            r#"3:7 `"postgresql://u:p@h/d"` 1:8 `"serve"` WH0506: `store.url` does not act with mode = "serve": there database.conf names the database | write it into database.conf, and leave it out here"#,
        ],
    );
    check(
        Wharf,
        r#"[store]
path = "/s"
url = "mysql://u:p@h/d"
"#,
        &[
            r#"2:8 `"/s"` 3:7 `"mysql://u:p@h/d"` WH0506: `path` and `url` name two stores | keep `path` for one node, `url` for several"#,
            r#"3:7 `"mysql://u:p@h/d"` WH0504: bad value for `store.url`: no URL of a database that is understood | it begins with postgresql://"#,
        ],
    );
    check(
        Wharf,
        r#"[site]
poll = "10ms"
settle = { quiet = "9s", max = "5s" }
"#,
        &[
            r#"2:8 `"10ms"` WH0504: bad value for `site.poll`: less than 1s would only read files all the time"#,
            r#"3:20 `"9s"` 3:32 `"5s"` WH0506: `quiet` is 9s, but `max` decides after 5s | `max` is the end of all waiting: it must be the longest"#,
        ],
    );
    check(
        Wharf,
        r#"[policy]
concurrent-starts = 0
max-unavailable = 0
windows = ["Sun"]
"#,
        &[
            "2:21 `0` WH0504: bad value for `policy.concurrent-starts`: must be from 1 to 1000000",
            "3:19 `0` WH0504: bad value for `policy.max-unavailable`: must be from 1 to 1000000",
            r#"4:12 `"Sun"` WH0504: bad value for `policy.windows`: two times with `-` between are needed | write it like "Sun 02:00-05:00""#,
        ],
    );
    check(
        Wharf,
        r#"[policy]
concurrent-starts = "core"
back-off = { first = "9m", max = "5m" }
"#,
        &[
            r#"2:21 `"core"` WH0504: bad value for `policy.concurrent-starts`: neither "cores" nor a number"#,
            r#"3:22 `"9m"` 3:34 `"5m"` WH0506: the first wait (9m) is longer than the longest (5m) | lower `first`, or raise `max`"#,
        ],
    );
}

#[test]
fn mistakes_in_wharf_toml_are_told_with_place_and_advice_2() {
    check(
        Wharf,
        r#"[accept]
codes = { WH412 = "x", WH0412 = "" }
"#,
        &[
            r#"2:11 `WH412` WH0504: `WH412` cannot be a name here: a code is WH and four digits | such as WH0412 = "reason""#,
            r#"2:33 `""` WH0504: bad value for `accept.codes.WH0412`: a value is needed here"#,
        ],
    );
    check(
        Wharf,
        r#"[clusters.Containers]
[clusters.K]
type = "kubernetes"
"#,
        &[
            "1:1 `[clusters.Containers]` WH0505: `clusters.Containers.type` is missing | it belongs in here",
            r#"3:8 `"kubernetes"` WH0504: `clusters.K.type` cannot be "kubernetes" | not one of the words for it | one of: podman"#,
        ],
    );
    check(
        Wharf,
        r#"[workbenches.marimo]
args = ["{SOKCET}"]
install = "pinned"
"#,
        &[
            "1:1 `[workbenches.marimo]` WH0505: `workbenches.marimo.exe` is missing | it belongs in here | name the program; only rstudio, jupyterlab, jupyter-notebook, vs-code have one",
            r#"1:1 `[workbenches.marimo]` WH0505: `workbenches.marimo.requirements` is missing | it belongs in here | install = "pinned" needs a file with exact versions"#,
            r#"2:9 `"{SOKCET}"` WH0504: bad value for `workbenches.marimo.args`: unknown placeholder {SOKCET} | did you mean {SOCKET}?"#,
        ],
    );
    check(
        Wharf,
        r#"[workbenches.rstudio]
requirements = "../r.txt"
"#,
        &[
            r#"2:16 `"../r.txt"` WH0504: bad value for `workbenches.rstudio.requirements`: a path below this file's directory is needed: no `/` first, no `..`"#,
        ],
    );
    check(
        Wharf,
        r#"[workbenches.rstudio]
requirements = "r.txt"
"#,
        &[
            r#"2:16 `"r.txt"` WH0506: `requirements` acts with install = "pinned" only | write install = "pinned", or leave `requirements` out"#,
        ],
    );
    check(
        Wharf,
        r#"[limits]
sessions-per-group = { students = "2" }
"#,
        &[
            r#"2:35 `"2"` WH0503: `limits.sessions-per-group.students` takes a whole number, not a string | write 2, no quotes"#,
        ],
    );
    check(
        Wharf,
        r#"cluster = "x"
"#,
        &[
            "1:1 `cluster` WH0502: `cluster` is a key of sessions.d, not of wharf.toml | write it into a file of sessions.d, or leave it out",
        ],
    );
}

#[test]
fn what_is_no_toml_is_told_in_words_of_the_file() {
    let missing = "this is no TOML: a value is missing";
    check(Node, "weight =\n", &[&format!("1:9 `` WH0501: {missing}")]);
    check(
        Session,
        "workbench = rstudio\nargs = [one, 'two']\n",
        &[
            r#"1:13 `rstudio` WH0501: this is no TOML: a text stands in quotes | write "rstudio""#,
            r#"2:9 `one` WH0501: this is no TOML: a text stands in quotes | write "one""#,
        ],
    );
    check(
        Node,
        "schedulable = True\nlabels = { gpu = }\n",
        &[
            "1:15 `True` WH0501: this is no TOML: true and false are written in small letters | write true",
            &format!("2:18 `` WH0501: {missing}"),
        ],
    );
}
