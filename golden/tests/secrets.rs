//! Secrets of a site are in its files and in the sessions that they are for, and nowhere else.
//!
//! A site with canaries is served for real, edited, refused and killed; then everything that the engine
//! said, wrote and started is searched for them. What a session itself writes is its own affair: its log is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use golden::real::engine::{Ran, ran, session};
use golden::real::process::all_of;
use golden::real::site::wharf_toml;
use golden::real::{Engine, Process, Site, wait_for};

/// One secret for each place where a file may hold one, so that a finding names it.
const CANARIES: [(&str, &str); 17] = [
    ("launcher-env: MODEL_KEY", "canary-a-7f3a91"),
    ("launcher-env: MODEL_KEY after an edit", "canary-b-7f3a91"),
    ("launcher-env: a password in a URL", "canary-c-7f3a91"),
    ("sessions.d: [env] API_TOKEN", "canary-d-7f3a91"),
    ("sessions.d: [env] API_TOKEN after an edit", "canary-e-7f3a91"),
    ("sessions.d: [env] a password in a URL", "canary-f-7f3a91"),
    ("database.conf: password", "canary-g-7f3a91"),
    ("database.conf: a password in connection-uri", "canary-h-7f3a91"),
    ("secure-cookie-key", "canary-i-7f3a91"),
    ("wharf.toml: [workbenches.NAME] env", "canary-j-7f3a91"),
    ("wharf.toml: a password in a URL", "canary-l-7f3a91"),
    ("launcher-env: a password in a URL after an edit", "canary-n-7f3a91"),
    ("sessions.d: [env] a password in a URL after an edit", "canary-o-7f3a91"),
    ("database.conf: after an edit", "canary-p-7f3a91"),
    ("templates.d: [env] API_TOKEN", "canary-q-7f3a91"),
    ("launcher-env: of one workbench", "canary-r-7f3a91"),
    ("a refused line", "canary-k-7f3a91"),
];

fn canary(place: &str) -> &'static str {
    let found = CANARIES.iter().find(|(name, _)| *name == place);
    found.unwrap_or_else(|| panic!("no canary for {place}")).1
}

/// What was found where.
#[derive(Default)]
struct Search {
    findings: BTreeSet<String>,
    looked: usize,
}

impl Search {
    /// Looks for every canary, as it is and as hex.
    fn look(&mut self, place: &str, bytes: &[u8]) {
        self.looked += 1;
        for (name, canary) in CANARIES {
            let hex: String = canary.bytes().map(|byte| format!("{byte:02x}")).collect();
            for needle in [canary, &hex] {
                if bytes.windows(needle.len()).any(|part| part == needle.as_bytes()) {
                    self.findings.insert(format!("{place}: {name}"));
                }
            }
        }
    }

    fn look_ran(&mut self, place: &str, ran: &Ran) {
        assert!(ran.code.is_some(), "{place}: {ran:?}");
        self.look(&format!("{place}, stdout"), ran.stdout.as_bytes());
        self.look(&format!("{place}, stderr"), ran.stderr.as_bytes());
    }

    /// Looks into all files below `dir` but logs of sessions; how many there were.
    fn look_below(&mut self, dir: &Path) -> usize {
        let mut files = 0;
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(meta) = path.symlink_metadata() else { continue };
            if meta.is_dir() {
                files += self.look_below(&path);
            } else if meta.is_file() && !is_log_of_a_session(&path) {
                // What went away meanwhile holds nothing.
                let Ok(bytes) = std::fs::read(&path) else { continue };
                self.look(&path.display().to_string(), &bytes);
                files += 1;
            }
        }
        files
    }

    #[track_caller]
    fn end(self, at_least: usize) {
        assert!(self.looked >= at_least, "looked at {} places only", self.looked);
        let findings: Vec<String> = self.findings.into_iter().collect();
        assert!(findings.is_empty(), "secrets were found:\n  {}", findings.join("\n  "));
    }
}

/// `.../sessions/ID/N/log`
fn is_log_of_a_session(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "log")
        && path.ancestors().nth(3).is_some_and(|dir| dir.ends_with("sessions"))
}

/// The site's secrets at first, or after an edit.
fn write_secrets(site: &Site, edited: bool) {
    let canary = |place: &str| {
        canary(&if edited { format!("{place} after an edit") } else { place.to_owned() })
    };
    let (key, url) =
        (canary("launcher-env: MODEL_KEY"), canary("launcher-env: a password in a URL"));
    site.write(
        "launcher-env",
        &format!(
            "JobType: session\nEnvironment: MODEL_KEY={key}\n   DATABASE_URL=postgresql://me:{url}@host/db\n\n\
             JobType: session\nWorkbench: vs-code\nEnvironment: CODE_KEY={}\n",
            self::canary("launcher-env: of one workbench")
        ),
    );
    let token = canary("sessions.d: [env] API_TOKEN");
    let url = canary("sessions.d: [env] a password in a URL");
    site.write(
        "sessions.d/demo.toml",
        &format!(
            "workbench = \"demo\"\n[env]\nAPI_TOKEN = \"{token}\"\nSTORE = \"https://me:{url}@host/\"\n"
        ),
    );
}

fn database_conf(password: &str, in_uri: &str) -> String {
    format!(
        "provider=sqlite\npassword={password}\nconnection-uri=postgresql://me:{in_uri}@host/db\n"
    )
}

fn site() -> Site {
    let site = Site::empty();
    let workbenches = format!(
        "[workbenches.broken]\nexe = \"/bin/sh\"\nargs = [\"-c\", \"env; exit 3\"]\n\
         [workbenches.vs-code]\nexe = \"/bin/sh\"\nargs = [\"-c\", \"exec sleep 600\"]\n\
         [workbenches.tool]\nexe = \"/bin/sh\"\nargs = [\"-c\", \"exec sleep 600\"]\n\
         env = {{ TOOL_PASSWORD = \"{}\", TOOL_URL = \"https://me:{}@host/\" }}\n",
        canary("wharf.toml: [workbenches.NAME] env"),
        canary("wharf.toml: a password in a URL"),
    );
    site.write("wharf.toml", &(wharf_toml("60s") + &workbenches));
    site.write("sessions.d/broken.toml", "workbench = \"broken\"\nrestart = \"no\"\n");
    site.write("sessions.d/tool.toml", "workbench = \"tool\"\n");
    let token = canary("templates.d: [env] API_TOKEN");
    site.write(
        "templates.d/code.toml",
        &format!("workbench = \"vs-code\"\n[env]\nAPI_TOKEN = \"{token}\"\n"),
    );
    write_secrets(&site, false);
    let password = canary("database.conf: password");
    let in_uri = canary("database.conf: a password in connection-uri");
    site.write("database.conf", &database_conf(password, in_uri));
    // A shorter one is refused (WH0631).
    site.write("secure-cookie-key", &format!("{}{}", canary("secure-cookie-key"), "-".repeat(20)));
    for name in ["secure-cookie-key", "launcher-env", "database.conf"] {
        let mode = PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(site.path(name), mode).expect("it is ours");
    }
    site
}

fn environ(process: Process) -> Vec<u8> {
    std::fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default()
}

/// The environment of a session's process, once it is the session's.
#[track_caller]
fn own_environ(process: Process) -> Vec<u8> {
    wait_for("the child has become the session", || {
        let bytes = environ(process);
        if has(&bytes, "WHARF_SESSION=") { Ok(bytes) } else { Err("it is not yet".to_owned()) }
    })
}

fn has(bytes: &[u8], canary: &str) -> bool {
    bytes.windows(canary.len()).any(|part| part == canary.as_bytes())
}

/// Starts a session from a template and waits for its process.
#[track_caller]
fn requested(engine: &mut Engine, template: &str) -> Process {
    let status = engine.status().expect("it answers");
    let user = session(&status, "demo").expect("it is there").user.clone();
    let known: Vec<String> = status.sessions.iter().map(|session| session.id.clone()).collect();
    let ran = engine.admin(&["session", "start", "--template", template, "--user", &user]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    engine.wait_status("the requested session has a process", |status| {
        let new = status.sessions.iter().find(|session| !known.contains(&session.id))?;
        Process::of(new.pid?)
    })
}

/// Everything that a person may ask of a running engine.
fn look_at_answers(search: &mut Search, engine: &Engine, when: &str) {
    let dir = engine.site.dir().display().to_string();
    // Below `state`, where every file is searched in the end.
    let below = |name: String| engine.site.around().join("state").join(name).display().to_string();
    let kept = below("kept.plan".to_owned());
    let (archive, copy) = (below(format!("{when}.tar")), below(format!("{when}.jsonl")));
    let questions: [&[&str]; 25] = [
        &["status"],
        &["status", "--json"],
        &["plan"],
        &["plan", "-v"],
        &["plan", "--json"],
        &["plan", "--markdown", "--people"],
        &["plan", "--pending", "-v"],
        &["plan", "--out", &kept],
        &["diff"],
        &["diff", "1", "disk", "--json"],
        &["support", "--out", &archive],
        &["state", "export", "--out", &copy],
        &["state", "check"],
        &["uninstall", "--plan"],
        &["apply", "--dry-run"],
        &["apply", "--dry-run", "--json"],
        &["why", "demo"],
        &["why", "broken"],
        &["why", "listener"],
        &["session", "list"],
        &["reload"],
        &["check", &dir],
        &["check", &dir, "--message-format", "json"],
        &["check", &dir, "--message-format", "short"],
        &["check", &dir, "--message-format", "github"],
    ];
    for question in questions {
        search.look_ran(&format!("wharf {} ({when})", question.join(" ")), &engine.admin(question));
    }
    for made in [kept, archive, copy] {
        assert!(Path::new(&made).is_file(), "{made} was not made ({when})");
    }
}

#[test]
fn secrets_are_in_the_sessions_that_they_are_for_and_nowhere_else() {
    let site = site();
    let serves = site.dir();
    let mut engine = Engine::start_told(site, serves, &["-vv"]);
    let demo = engine.running("demo");
    engine.wait_status("the other one has failed", |status| {
        session(status, "broken")?.reason.contains("exit code 3").then_some(())
    });
    let mut search = Search::default();

    // The session has what is for it.
    let tool = engine
        .wait_status("the tool has a process", |status| Process::of(session(status, "tool")?.pid?));
    assert!(has(&own_environ(tool), canary("wharf.toml: [workbenches.NAME] env")));
    let code = requested(&mut engine, "code");
    for place in ["templates.d: [env] API_TOKEN", "launcher-env: of one workbench"] {
        assert!(has(&own_environ(code), canary(place)), "the requested session lacks {place}");
    }
    let own = own_environ(demo);
    for place in [
        "launcher-env: MODEL_KEY",
        "sessions.d: [env] API_TOKEN",
        "launcher-env: a password in a URL",
    ] {
        assert!(has(&own, canary(place)), "the session lacks {place}");
    }
    look_at_answers(&mut search, &engine, "at first");

    // Planned and edited: what a change of a secret is shown as.
    let stage = engine.site.stage();
    write_secrets(&engine.site, true);
    let after = canary("database.conf: after an edit");
    let dir = stage.display().to_string();
    std::fs::write(stage.join("database.conf"), database_conf(after, after)).expect("it is ours");
    for name in ["launcher-env", "sessions.d/demo.toml"] {
        std::fs::copy(engine.site.path(name), stage.join(name)).expect("both are ours");
    }
    let forms = [
        &["plan", &dir][..],
        &["plan", "--json", &dir],
        // Against the first generation: what is written meanwhile may be in force already.
        &["diff", "1", &dir],
        &["diff", "--json", "1", &dir],
    ];
    for form in forms {
        let ran = engine.admin(form);
        for name in ["MODEL_KEY", "DATABASE_URL", "API_TOKEN", "STORE", "connection-uri"] {
            assert!(ran.stdout.contains(name), "the change itself is shown: {name}: {ran:?}");
        }
        search.look_ran(&format!("wharf {}", form.join(" ")), &ran);
    }
    engine.site.write("database.conf", &database_conf(after, after));
    engine.wait_status("the session is outdated", |status| {
        let outdated = &session(status, "demo")?.outdated;
        let is = |name: &str| outdated.iter().any(|what| what.contains(name));
        (is("API_TOKEN") && is("MODEL_KEY") && is("DATABASE_URL") && is("STORE")).then_some(())
    });
    look_at_answers(&mut search, &engine, "edited");

    // Refused on the very line of a secret.
    let refused = canary("a refused line");
    engine.site.write(
        "database.conf",
        &format!(
            "provider=sqlite\npasswrd={refused}\npassword {refused}\npassword=\"{refused}\\q\"\n"
        ),
    );
    engine.wait_status("refused", |status| status.refused.as_ref().map(|_| ()));
    engine.site.write(
        "sessions.d/demo.toml",
        &format!("workbench = \"demo\"\n[env]\nAPI_TOKEN = [\"{refused}\"]\n"),
    );
    look_at_answers(&mut search, &engine, "refused");
    look_at_pages(&mut search, &mut engine);
    look_at_processes(&mut search, &engine, &[demo, tool, code]);

    // Killed, and started again from what it has stored.
    engine.kill_9();
    let archive = engine.site.around().join("state/without an engine.tar").display().to_string();
    let made = ran(engine.command().args(["support", "--out", &archive]).arg(engine.site.dir()));
    assert_eq!(made.code, Some(0), "{made:?}");
    search.look_ran("wharf support (without an engine)", &made);
    engine.restart();
    look_at_answers(&mut search, &engine, "started again");
    assert!(demo.is_alive());

    search.look("what the engine said", engine.said().as_bytes());
    for dir in ["state", "run"] {
        let files = search.look_below(&engine.site.around().join(dir));
        assert!(files > 0, "{dir} is empty");
    }
    search.end(100);
}

/// What people see who have signed in, and what anybody sees.
fn look_at_pages(search: &mut Search, engine: &mut Engine) {
    let port = engine.listening();
    let mut browser = engine.sign_in();
    for path in ["/", "/metrics", "/healthz", "/readyz", "/api/status", "/s/broken/", "/s/none/"] {
        let page = browser.get(port, path).expect("the listener answers");
        search.look(&format!("page {path}"), page.body.as_bytes());
        search.look(&format!("page {path}, headers"), format!("{:?}", page.headers).as_bytes());
    }
}

/// Arguments of every process of the machine; the environment of the engine and of keepers.
fn look_at_processes(search: &mut Search, engine: &Engine, sessions: &[Process]) {
    for entry in std::fs::read_dir("/proc").expect("it is there").flatten() {
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let shown = String::from_utf8_lossy(&arguments).replace('\0', " ");
        search.look(&format!("arguments of {shown}"), &arguments);
    }
    let ours = all_of(engine.site.around());
    assert!(ours.len() >= 7, "an engine, and a keeper for each session: {ours:?}");
    for process in ours.into_iter().filter(|process| !sessions.contains(process)) {
        let arguments = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        let shown = String::from_utf8_lossy(&arguments).replace('\0', " ");
        search.look(&format!("environment of {shown}"), &environ(process));
    }
}

/// Mistakes on the line of a secret, or beside it: each file is checked as it is, in every format.
#[test]
fn no_mistake_shows_the_secret_on_its_line() {
    let secret = "canary-m-51d0c2";
    let mistakes: BTreeMap<&str, Vec<String>> = BTreeMap::from([
        (
            "launcher-env",
            vec![
                format!("JobType: session\nEnvironment: BAD NAME_TOKEN={secret}\n"),
                format!("JobType: session\nEnvironment: A=b\n   DB_PASSWORD {secret}\n"),
                format!("JobType: session\nMODEL_KEY={secret}\n"),
                format!("Enviroment: MODEL_KEY={secret}\n"),
                format!(
                    "JobType: session\nEnvironment: A=b\nJobType: any\nEnvironment: API_TOKEN={secret}\n"
                ),
            ],
        ),
        (
            "database.conf",
            vec![
                format!("password=x\npassword={secret}\n"),
                format!("passwrd={secret}\n"),
                format!("pasword = {secret}\n"),
                format!("password {secret}\n"),
                format!("pg-password={secret}\n"),
                format!("conection-uri=postgresql://u:{secret}@host/db\n"),
                format!("port=postgresql://u:{secret}@host/db\n"),
                format!("connection-uri=postgresql://u:{secret}/with/slashes@host/db\nport=5432\n"),
            ],
        ),
        (
            "sessions.d/demo.toml",
            [
                format!("API_TOKEN = [\"{secret}\"]"),
                format!("\"API_TOKEN\" = [\"{secret}\"]"),
                format!("MODEL_KEY = \"a\"\nMODEL_KEY = \"{secret}\""),
                format!("DB_PASSWORD = \"{secret}"),
                format!("MODEL_KEY = \"{secret}\" trailing"),
                format!("DB_PASSWORD = {{ x = \"{secret}\" }}"),
                format!("\"SECRET KEY\" = \"{secret}\""),
                format!("\"=TOKEN\" = \"{secret}\""),
                format!("MODEL_KEY = \"{secret}\\u0000\""),
                format!("[evn]\nAPI_TOKEN = \"{secret}\""),
                format!("[health]\nAPI_TOKEN = \"{secret}\""),
            ]
            .map(|line| format!("workbench = \"demo\"\n[env]\n{line}\n"))
            .to_vec(),
        ),
    ]);
    let mut findings = Vec::new();
    for (file, texts) in &mistakes {
        for text in texts {
            let site = Site::demo();
            site.write(file, text);
            let dir = site.dir().display().to_string();
            for format in ["human", "short", "json", "github"] {
                let mut command = golden::real::engine::command(site.around());
                let checked = ran(command.args(["check", &dir, "--message-format", format]));
                assert!(!checked.stdout.is_empty(), "{text}: {checked:?}");
                if checked.stdout.contains(secret) || checked.stderr.contains(secret) {
                    findings.push(format!("{file}, {format}: {text:?}"));
                }
            }
        }
    }
    assert!(findings.is_empty(), "the secret is shown:\n  {}", findings.join("\n  "));
}
