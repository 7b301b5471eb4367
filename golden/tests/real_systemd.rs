//! The unit that is shipped, as systemd reads it, and what the engine tells systemd of itself.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use golden::real::engine::{command, is, ran};
use golden::real::{Process, Site, wait_for, wharf};
use rustix::process::Signal;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/systemd")
}

#[test]
fn the_unit_has_no_fault_and_keeps_what_sessions_need() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = std::fs::read_to_string(samples().join("wharf.service")).expect("it is shipped");
    for line in [
        "Type=notify",
        "ExecReload=/usr/bin/wharf reload --wait",
        "KillMode=process",
        "Delegate=yes",
        "RuntimeDirectoryPreserve=yes",
    ] {
        assert!(text.lines().any(|of| of == line), "{line}");
    }
    // The program as it is built, since systemd wants it to be there.
    let unit = dir.path().join("wharf.service");
    let text = text.replace("/usr/bin/wharf", &wharf().display().to_string());
    std::fs::write(&unit, text).expect("the directory is ours");
    let verified = ran(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    assert_eq!((verified.code, verified.stderr.as_str()), (Some(0), ""), "{verified:?}");
    let preset = std::fs::read_to_string(samples().join("90-wharf.preset")).expect("it is shipped");
    assert_eq!(preset, "disable wharf.service\n");
}

#[test]
fn the_settings_that_are_shipped_only_observe() {
    let site = Site::empty();
    let own = site.around().join("wharf");
    std::fs::create_dir_all(&own).expect("the directory is ours");
    std::fs::copy(samples().join("wharf.toml"), own.join("wharf.toml")).expect("it is shipped");
    let shipped = std::fs::read_to_string(own.join("wharf.toml")).expect("it was written");
    assert!(shipped.contains("\nmode   = \"observe\""), "{shipped}");
    std::fs::remove_file(site.path("wharf.toml")).expect("it is ours");
    std::fs::remove_dir(site.path("sessions.d")).expect("it is empty");
    let mut check = command(site.around());
    is(&ran(check.arg("check").arg(site.dir())), 0, "no problems");
}

/// Makes an archive of `program` in `out`: its path.
fn tarball(program: &Path, out: &Path) -> PathBuf {
    let script = samples().join("../package/tarball");
    let mut made = Command::new(script);
    made.args(["--target", "gnu", "--program"]).arg(program).arg("--out").arg(out);
    let made = ran(&mut made);
    assert_eq!(made.code, Some(0), "{made:?}");
    PathBuf::from(made.stdout.trim_end())
}

#[test]
fn the_archive_has_what_an_installation_needs_and_twice_the_same_bytes() {
    let dir = tempfile::tempdir().expect("a directory");
    // What debugging needs is most of a program that is not optimised.
    let program = dir.path().join("wharf");
    is(&ran(Command::new("strip").arg("-o").arg(&program).arg(wharf())), 0, "");
    let archives = ["a", "b"].map(|out| tarball(&program, &dir.path().join(out)));
    let [first, second] = archives.clone().map(|path| std::fs::read(path).expect("it was made"));
    assert!(first == second, "two runs differ");
    let sums = |out: &str| {
        Command::new("sha256sum")
            .arg("--check")
            .arg("--status")
            .current_dir(dir.path().join(out))
            .arg(archives[0].with_extension("gz.sha256").file_name().expect("it has a name"))
            .status()
    };
    assert!(sums("a").expect("sha256sum runs").success());

    let untar =
        ["xzf", &archives[0].display().to_string(), "--strip-components=1"].map(str::to_owned);
    is(&ran(Command::new("tar").args(untar).current_dir(dir.path())), 0, "");
    let at = |name: &str| dir.path().join(name);
    let list = std::fs::read_to_string(at("share/wharf/files")).expect("it lists its files");
    for name in [
        "bin/wharf",
        "lib/systemd/system/wharf.service",
        "lib/systemd/system-preset/90-wharf.preset",
        "share/man/man1/wharf-plan.1",
        "share/man/man5/rserver.conf.5",
        "share/bash-completion/completions/wharf",
        "share/zsh/site-functions/_wharf",
        "share/fish/vendor_completions.d/wharf.fish",
        "share/wharf/schema/session.schema.json",
        "share/wharf/samples/ansible/wharf.yml",
        "share/wharf/samples/puppet/modules/wharf_site/lib/puppet/type/wharf_plan.rb",
        "share/doc/wharf/LICENSE",
        "share/doc/wharf/LICENSES-of-dependencies.txt",
    ] {
        assert!(list.lines().any(|line| line == name) && at(name).is_file(), "{name}: {list}");
    }
    assert!(list.lines().all(|name| at(name).is_file()), "{list}");
    let licences = std::fs::read_to_string(at("share/doc/wharf/LICENSES-of-dependencies.txt"));
    let licences = licences.expect("it is there");
    let without = |line: &&str| line.split("  ").nth(1).is_none_or(str::is_empty);
    assert_eq!(licences.lines().skip(1).find(without), None);
    assert!(licences.contains("ring v0.17") && !licences.contains(env!("CARGO_MANIFEST_DIR")));
    let own = std::fs::read_to_string(at("etc/wharf/wharf.toml")).expect("it is there");
    assert!(own.contains("\nmode   = \"observe\""), "{own}");

    installs(dir.path());

    let unit =
        std::fs::read_to_string(at("lib/systemd/system/wharf.service")).expect("it is there");
    let unit = unit.replace("/usr/bin/wharf", &at("bin/wharf").display().to_string());
    std::fs::write(at("lib/systemd/system/wharf.service"), unit).expect("the directory is ours");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(at("lib/systemd/system/wharf.service"));
    let verified = ran(&mut verify);
    assert_eq!((verified.code, verified.stderr.as_str()), (Some(0), ""), "{verified:?}");
}

/// The commands of INSTALL, word for word but for where they copy to: over a program that runs, with a strict umask,
/// by an unpacker that was no less strict; and again later, over settings that somebody has edited.
#[track_caller]
fn installs(unpacked: &Path) {
    let install = std::fs::read_to_string(unpacked.join("INSTALL")).expect("it is there");
    let (_, commands) = install.split_once("    umask 022").expect("it begins with a umask");
    let (commands, _) = commands.split_once("    systemctl").expect("the unit comes next");
    let root = unpacked.join("root");
    let (usr, etc) = (root.join("usr"), root.join("etc"));
    let commands = commands.replace(" /usr/ ", &format!(" {}/ ", usr.display()));
    let commands =
        format!("umask 022{}", commands.replace("/etc/", &format!("{}/", etc.display())));
    assert!(!commands.contains(" /usr") && !commands.contains(" /etc"), "{commands}");
    let program = usr.join("bin/wharf");
    for dir in [&etc, &usr.join("bin")] {
        std::fs::create_dir_all(dir).expect("the directory is ours");
    }
    std::fs::copy("/bin/sleep", &program).expect("the directory is ours");
    let mut old = Command::new(&program).arg("600").spawn().expect("it runs");
    let run = || {
        let strict = format!("umask 077; chmod -R go-rwx lib share; set -e\n{commands}");
        is(&ran(Command::new("sh").args(["-c", &strict]).current_dir(unpacked)), 0, "");
    };
    run();
    assert!(old.try_wait().expect("it is ours").is_none(), "what runs goes on");
    old.kill().and_then(|()| old.wait()).expect("it is ours");
    is(&ran(Command::new(&program).arg("version")), 0, "wharf ");
    let mode = |path: &Path| path.metadata().expect("it was copied").permissions().mode() & 0o777;
    let list = std::fs::read_to_string(usr.join("share/wharf/files")).expect("it was copied");
    for name in list.lines() {
        let (path, packed) = (usr.join(name), unpacked.join(name));
        assert_eq!(mode(&path) & 0o111 == 0, mode(&packed) & 0o111 == 0, "{name}");
        assert_eq!(mode(&path) & 0o644, 0o644, "{name}");
        assert_eq!(mode(path.parent().expect("a directory")), 0o755, "{name}");
    }
    let settings = etc.join("wharf/wharf.toml");
    assert_eq!(mode(&settings), 0o644);
    std::fs::write(&settings, "mode = \"apply\"\n").expect("the directory is ours");
    run();
    let kept = std::fs::read_to_string(&settings).expect("it is there");
    assert_eq!(kept, "mode = \"apply\"\n");
}

/// What the engine has told so far.
fn told(socket: &UnixDatagram, before: &mut Vec<String>) {
    let mut buffer = [0; 4096];
    while let Ok(length) = socket.recv(&mut buffer) {
        before.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
}

#[test]
fn systemd_is_told_of_readiness_of_each_set_of_files_of_life_and_of_the_end() {
    let site = Site::empty();
    let path = site.around().join("notify");
    let socket = UnixDatagram::bind(&path).expect("the directory is ours");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    let mut serve = command(site.around());
    serve.arg("serve").arg(site.dir()).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "60000000");
    let log = std::fs::File::create(site.around().join("log")).expect("the directory is ours");
    let mut child = serve
        .stdout(log.try_clone().expect("a descriptor more"))
        .stderr(log)
        .spawn()
        .expect("wharf can be started");
    let mut all = Vec::new();
    let mut wait = |what: &str| {
        wait_for(what, || {
            told(&socket, &mut all);
            let found = all.iter().any(|message| message.starts_with(what));
            if found { Ok(()) } else { Err(format!("{all:?}")) }
        });
    };
    wait("READY=1");
    wait("STATUS=generation 1, 0 sessions");
    wait("WATCHDOG=1");
    site.write("rserver.conf", "www-prot=1\n");
    wait("STATUS=generation 1 stays, files refused: ");
    let reload = ran(command(site.around()).args(["reload", "--wait"]));
    is(&reload, 1, "www-prot");
    Process::of(child.id()).expect("it runs").signal(Signal::TERM);
    wait("STOPPING=1");
    wait_for("the engine ends", || match child.try_wait() {
        Ok(Some(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}
