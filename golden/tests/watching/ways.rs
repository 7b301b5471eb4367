//! The table: every way in which people and tools write a file, with the real programs where there are any.
//!
//! Each row is one edit of a file that says a number. It comes into force by its event alone (nothing else is read
//! for ten hours), as one generation, and nobody who is connected notices. What raises no event is found by
//! the slow reading, and by whoever asks for a look.

use std::any::Any;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engine::status::StatusView;
use golden::real::Site;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{Bench, Connected, NEVER, text, wharf_toml};

/// What is done; the script that brings the site into the shape that it needs; the script that writes the number
/// ([`Bench::sh`] has its variables).
type Way = (&'static str, &'static str, &'static str);

/// A file that programs write where it is, or put another one in its place.
const FILES: &[Way] = &[
    ("in place, by a shell", "", r#"echo "weight = $N" >"$F""#),
    ("in place, by tee", "", r#"echo "weight = $N" | tee "$F" >"$O/out""#),
    ("in place, by dd, without cutting it", "", r#"dd if="$T" of="$F" conv=notrunc status=none"#),
    ("in place, by cp", "", r#"cp "$T" "$F""#),
    ("appended to", r#"printf '%s' "weight = ${N%?}" >"$F""#, r#"echo "${N#?}" >>"$F""#),
    ("cut by truncate(1)", r#"printf '%s' "weight = ${N}0" >"$F""#, r#"truncate -s -1 "$F""#),
    ("cp -a", "", r#"cp -a "$T" "$F""#),
    ("cp --remove-destination", "", r#"cp --remove-destination "$T" "$F""#),
    ("install", "", r#"install -m 644 "$T" "$F""#),
    ("mv", "", r#"mv "$T" "$F""#),
    ("mv from another file system", "", r#"t=$(mktemp -p /dev/shm); cat "$T" >"$t"; mv "$t" "$F""#),
    ("removed and written anew", "", r#"rm "$F"; cat "$T" >"$F""#),
    ("sed -i", "", r#"sed -i "s/=.*/= $N/" "$F""#),
    ("tar x", "", r#"tar -C "$S" -cf - "$B" | tar -C "$D" -xf -"#),
    ("rsync", "", r#"rsync --checksum "$T" "$F""#),
    ("rsync --inplace", "", r#"rsync --checksum --inplace "$T" "$F""#),
    (
        "rsync --delete --delay-updates",
        "",
        r#"rsync -r --checksum --delete --delay-updates "$S/" "$D""#,
    ),
    (
        "git checkout",
        r#"cd "$D"; g() { git -c user.name=a -c user.email=a@b "$@"; }; git init -q .
           git checkout -q -b old; git add "$B"; g commit -q -m old
           git checkout -q -b new; cp "$T" "$F"; g commit -q -a -m new; git checkout -q old"#,
        r#"cd "$D"; git checkout -q new"#,
    ),
    (
        "vim, backupcopy=no",
        "",
        r#"touch "$D/.$B.swp" "$D/4913"; rm "$D/4913"; mv "$F" "$F~"; cat "$T" >"$F"; chmod 644 "$F"
           rm "$F~" "$D/.$B.swp""#,
    ),
    (
        "vim, backupcopy=yes",
        "",
        r#"touch "$D/.$B.swp"; cp "$F" "$F~"; cat "$T" >"$F"; rm "$F~" "$D/.$B.swp""#,
    ),
    (
        "emacs",
        "",
        r##"ln -s me@here.1:2 "$D/.#$B"; cat "$T" >"$D/#$B#"; mv "$F" "$F~"; cat "$T" >"$F"
            rm "$D/.#$B" "$D/#$B#""##,
    ),
    ("GNOME's editor", "", r#"cat "$T" >"$D/.goutputstream-A1"; mv "$D/.goutputstream-A1" "$F""#),
    (
        "Ansible: a file beside, renamed over",
        "",
        r#"cp "$T" "$D/.ansible_tmpk3x$B"; chmod 644 "$D/.ansible_tmpk3x$B"; mv "$D/.ansible_tmpk3x$B" "$F""#,
    ),
    (
        "Puppet: the same, the name first",
        "",
        r#"cp "$T" "${F}20261126-7-1ab"; chmod 644 "${F}20261126-7-1ab"; mv "${F}20261126-7-1ab" "$F""#,
    ),
];

/// Links, and directories as a whole.
const LINKS: &[Way] = &[
    ("a link in the file's place", "", r#"ln -sf "$T" "$F""#),
    ("a hard link swapped", "", r#"ln -f "$T" "$F""#),
    (
        "a link to the file swapped",
        r#"mv "$F" "$O/x"; ln -s "$O/x" "$F""#,
        r#"ln -s "$T" "$D/next"; mv -T "$D/next" "$F""#,
    ),
    (
        "the middle of a chain of links swapped",
        r#"mkdir "$O/v1"; mv "$F" "$O/v1"; ln -s v1 "$O/live"; ln -s "$O/live/$B" "$O/hop"; ln -s "$O/hop" "$F""#,
        r#"ln -s "$S" "$O/next"; mv -T "$O/next" "$O/live""#,
    ),
    (
        "the file at the end of a chain of links",
        r#"mkdir "$O/v1"; mv "$F" "$O/v1"; ln -s v1 "$O/live"; ln -s "$O/live/$B" "$O/hop"; ln -s "$O/hop" "$F""#,
        r#"cp "$T" "$O/v1""#,
    ),
    ("ln -sfn of the directory", r#"mv "$D" "$O/d"; ln -s "$O/d" "$D""#, r#"ln -sfn "$S" "$D""#),
    ("a file in a linked directory", r#"mv "$D" "$O/d"; ln -s "$O/d" "$D""#, r#"cp "$T" "$O/d""#),
    (
        "a ConfigMap, as Kubernetes swaps it",
        r#"mkdir "$D/..1"; mv "$F" "$D/..1"; ln -s ..1 "$D/..data"; ln -s "..data/$B" "$F""#,
        r#"mkdir "$D/..2"; cp "$T" "$D/..2"; ln -s ..2 "$D/..data_tmp"; mv -T "$D/..data_tmp" "$D/..data"
           rm -r "$D/..1""#,
    ),
    ("the directory renamed away and made anew", "", r#"mv "$D" "$O"; mkdir "$D"; cp "$T" "$D""#),
    ("the directory removed and made anew", "", r#"rm -r "$D"; mkdir "$D"; cp "$T" "$D""#),
];

/// What is done, and what writes the number.
type Call = (&'static str, fn(&Bench, u32));

/// What no program of the shell does.
const CALLS: &[Call] = &[
    ("in place, slowly and in parts", |bench, n| {
        let mut file = File::create(bench.file()).expect("it is ours");
        for part in text(n).as_bytes().chunks(3) {
            file.write_all(part).expect("it is ours");
            std::thread::sleep(Duration::from_millis(100));
        }
    }),
    ("two files exchanged", |bench, n| exchange(bench, &bench.file(), n, r#"cp "$T" "$O/x""#)),
    ("two directories exchanged", |bench, n| exchange(bench, &bench.dir(), n, r#"mv "$S" "$O/x""#)),
];

fn exchange(bench: &Bench, with: &Path, n: u32, script: &str) {
    bench.sh(script, n);
    let other = bench.outside(&format!("row-{n}/x"));
    renameat_with(CWD, other, CWD, with, RenameFlags::EXCHANGE).expect("one file system");
}

/// Puts a plain directory with a plain file of this content in place of whatever else is there, at once.
fn plain(bench: &Bench, n: u32) {
    let is_link = |path: &Path| path.symlink_metadata().expect("it is there").is_symlink();
    if fs::read_dir(bench.dir()).expect("it is there").count() == 1
        && ![bench.dir(), bench.file()].iter().any(|path| is_link(path))
    {
        return;
    }
    exchange(bench, &bench.dir(), n, r#"rm -rf "$O/x"; mkdir "$O/x"; cat "$F" >"$O/x/$B""#);
    bench.reload();
}

/// One way: one generation, and nobody notices.
fn comes_into_force(bench: &mut Bench, what: &str, n: u32, write: impl FnOnce(&Bench)) {
    let before = bench.status().generation;
    write(bench);
    let after = bench.in_force(n);
    assert_eq!(after.generation.0, before.0 + 1, "{what}: {}", bench.engine.said());
    assert!(after.problems.is_empty(), "{what}: {after:?}");
    plain(bench, n);
}

fn site(poll: &str) -> Site {
    let site = Site::demo();
    site.write("wharf.toml", &wharf_toml(poll, "60s"));
    site
}

fn all_come_into_force(ways: &[Way]) {
    let mut bench = Bench::new(site(NEVER));
    let mut demo = Connected::to(&mut bench.engine, &["demo"]);
    for ((what, prepare, write), n) in ways.iter().zip(11..) {
        if !prepare.is_empty() {
            bench.sh(prepare, n);
            bench.reload();
        }
        comes_into_force(&mut bench, what, n, |bench| bench.sh(write, n));
    }
    let last = bench.status().generation;
    assert_eq!(
        bench.reload().generation,
        last,
        "none has another generation left: {}",
        bench.engine.said()
    );
    demo.are_known_to(&mut bench.engine);
}

#[test]
fn a_file_in_place_or_another_in_its_place() {
    all_come_into_force(FILES);
}

#[test]
fn links_and_whole_directories() {
    all_come_into_force(LINKS);
}

#[test]
fn what_no_program_of_the_shell_does() {
    let mut bench = Bench::new(site(NEVER));
    for ((what, write), n) in CALLS.iter().zip(11..) {
        comes_into_force(&mut bench, what, n, |bench| write(bench, n));
    }
}

/// A session whose file is written slowly begins once, from the whole of it.
#[test]
fn a_new_file_written_slowly_is_one_generation() {
    let site = site(NEVER);
    // As shipped: half a file is looked at again after this time.
    site.write("wharf.toml", &wharf_toml(NEVER, "60s").replace("500ms", "2s"));
    let mut bench = Bench::new(site);
    let before = bench.reload().generation;
    let mut file =
        File::create(bench.engine.site.path("sessions.d/slow.toml")).expect("it is ours");
    for part in ["workbench =", " \"demo\"\n", "state = \"stopped\"", "\n"] {
        std::thread::sleep(Duration::from_millis(300));
        file.write_all(part.as_bytes()).expect("it is ours");
    }
    drop(file);
    bench.engine.wait_status("the session is known", |status| {
        status.session("slow").map(|slow| assert_eq!(slow.state, "stopped"))
    });
    assert_eq!(bench.reload().generation.0, before.0 + 1, "{}", bench.engine.said());
}

/// What is done, and what does it to a file; what is given back has to live on.
type SilentWay = (&'static str, fn(&Bench, &Path) -> Box<dyn Any>);

/// Each writes a name over the one in a file of its own, of the same length, in a way that raises no event.
const SILENT: &[SilentWay] = &[
    ("never closed by its writer", |_, file| {
        let mut open = fs::OpenOptions::new().write(true).open(file).expect("it is there");
        open.write_all(named("new").as_bytes()).expect("it is ours");
        Box::new(open)
    }),
    ("written by another of its names", |bench, file| {
        let other = bench.outside("other");
        fs::hard_link(file, &other).expect("one file system");
        fs::write(other, named("new")).expect("it is ours");
        Box::new(())
    }),
    ("cut by truncate(2), which opens nothing", |_, file| {
        let longer = format!("{}#", named("new"));
        fs::write(file, &longer).expect("it is ours");
        python("import os, sys; os.truncate(sys.argv[1], os.stat(sys.argv[1]).st_size - 1)", file);
        Box::new(())
    }),
    ("written through a mapping, long after it was closed", |_, file| Box::new(mapped(file))),
];

/// A session that does not run, by its file.
fn named(name: &str) -> String {
    format!("workbench = \"demo\"\nstate = \"stopped\"\ndisplay-name = \"{name}\"\n")
}

fn python(script: &str, file: &Path) {
    let done = Command::new("python3").args(["-c", script]).arg(file).status();
    assert!(done.expect("python3 is there").success());
}

/// Maps the file and closes it; writes when a line comes.
const MAPS: &str = "import mmap, sys
with open(sys.argv[1], 'r+b') as file:
    mapping = mmap.mmap(file.fileno(), 0)
print('mapped', flush=True)
sys.stdin.readline()
mapping[:] = mapping[:].replace(b'old', b'new')
print('written', flush=True)
sys.stdin.read()";

/// A program that has written through a mapping which it still has.
struct Mapped(Child);

impl Drop for Mapped {
    fn drop(&mut self) {
        // Its standard input is closed by this, too.
        let _ = self.0.wait();
    }
}

fn mapped(file: &Path) -> Mapped {
    let mut writer = Command::new("python3")
        .args(["-c", MAPS])
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let tell = writer.stdin.as_mut().expect("a pipe");
    let mut said = BufReader::new(writer.stdout.take().expect("a pipe")).lines();
    assert_eq!(said.next().expect("it says so").expect("a line"), "mapped");
    tell.write_all(b"\n").expect("it reads");
    assert_eq!(said.next().expect("it says so").expect("a line"), "written");
    Mapped(writer)
}

/// Writes all of them, and gives back what must live on.
fn write_silently(bench: &Bench) -> Vec<Box<dyn Any>> {
    let file = |n: usize| bench.engine.site.path(&format!("sessions.d/silent-{n}.toml"));
    for n in 0..SILENT.len() {
        fs::write(file(n), named("old")).expect("it is ours");
    }
    bench.reload();
    SILENT.iter().enumerate().map(|(n, (_, write))| write(bench, &file(n))).collect()
}

#[track_caller]
fn all_are_new(status: &StatusView) -> Option<()> {
    let name = |n: usize| Some(&status.session(&format!("silent-{n}"))?.display_name);
    (0..SILENT.len()).all(|n| name(n).is_some_and(|name| name == "new")).then_some(())
}

#[test]
fn what_raises_no_event_is_found_by_the_slow_reading() {
    let mut bench = Bench::new(site("1s"));
    let _alive = write_silently(&bench);
    bench.engine.wait_status("all are read", all_are_new);
}

#[test]
fn what_raises_no_event_is_found_by_who_asks_for_a_look() {
    let bench = Bench::new(site(NEVER));
    let _alive = write_silently(&bench);
    assert!(all_are_new(&bench.reload()).is_some(), "{:?}", bench.status());
}
