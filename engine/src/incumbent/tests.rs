//! A recorded tree of processes, and what is found in it.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;

use engine_core::desired::Mode;
use engine_core::incumbent::{Kind, Service};
use engine_core::settings::Settings;

use super::*;

/// A directory that looks like `/proc`.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.write("stat", "cpu  1 2 3\nbtime 1795269600\n");
        tree.write("net/tcp", "  sl  local_address rem_address\n");
        tree.process(1, 0, "systemd", 0, "/sbin/init");
        tree
    }

    fn procfs(&self) -> PathBuf {
        self.0.path().join("proc")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.procfs().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn process(&self, pid: u32, parent: u32, name: &str, uid: u32, args: &str) {
        let fields = "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0";
        self.write(
            &format!("{pid}/stat"),
            &format!("{pid} ({name}) S {parent} {fields} 6000 0 0\n"),
        );
        self.write(
            &format!("{pid}/status"),
            &format!("Name:\t{name}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"),
        );
        self.write(&format!("{pid}/cmdline"), &args.replace(' ', "\0"));
    }

    fn look(&self, questions: &Questions) -> Known<Arc<Found>> {
        look(&self.procfs(), questions, true, Moment(7))
    }
}

/// Questions of a site that names nothing, but for a port where nobody listens.
fn questions() -> Questions {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let mut questions =
        Questions::of(&Settings::default(), std::iter::empty(), true, Mode::Observe).unwrap();
    questions.www_port = free.port();
    questions
}

#[test]
fn services_sessions_and_the_held_port_are_found() {
    let tree = Tree::new();
    let questions = questions();
    tree.process(812, 1, "rserver", 0, "/usr/lib/rstudio-server/bin/rserver");
    tree.process(820, 812, "rsession", 1, "rsession -u x");
    let port = format!("0100007F:{:04X}", questions.www_port);
    tree.write("net/tcp", &format!("   0: {port} 00000000:0000 0A 0:0 0:0 0 0 0 4711 1\n"));
    std::fs::create_dir(tree.procfs().join("812/fd")).unwrap();
    symlink("socket:[4711]", tree.procfs().join("812/fd/5")).unwrap();
    tree.write("../usr/lib/rstudio-server/VERSION", "2026.07.0+139.pro3\n");
    symlink("/usr/lib/rstudio-server/bin/rserver", tree.procfs().join("812/exe")).unwrap();
    let found = tree.look(&questions);
    let found = found.present().unwrap();
    assert_eq!(found.name(), "Workbench 2026.07.0+139.pro3");
    assert_eq!(found.main(Service::Server).unwrap().pid, 812);
    assert_eq!(found.main(Service::Server).unwrap().since, Moment(1_795_269_660_000));
    assert_eq!(found.holder(questions.www_port).unwrap().pid, 812);
    let [session] = found.local() else { panic!("{found:?}") };
    assert_eq!((session.kind, session.held_by), (Kind::Rstudio, Some(Service::Server)));
    let reason = found.nodes.unknown_reason().unwrap();
    assert!(reason.contains("nobody listens"), "{reason}");
}

#[test]
fn a_machine_without_it_is_not_one_whose_processes_are_hidden() {
    let tree = Tree::new();
    tree.process(50, 1, "bash", 1000, "bash");
    assert_eq!(tree.look(&questions()), Known::Absent);
    std::fs::remove_dir_all(tree.procfs().join("1")).unwrap();
    assert!(tree.look(&questions()).unknown_reason().unwrap().contains("hidden"));
    tree.process(60, 1, "rserver", 0, "rserver");
    let found = tree.look(&questions());
    assert!(found.present().unwrap().sessions.is_unknown());
    std::fs::remove_dir_all(tree.procfs()).unwrap();
    assert!(tree.look(&questions()).unknown_reason().unwrap().contains("cannot be seen"));
}

#[test]
fn a_program_that_somebody_calls_by_its_name_is_not_trusted() {
    let tree = Tree::new();
    tree.process(60, 1, "rserver", 4_000_000, "rserver");
    let found = tree.look(&questions());
    let found = found.present().unwrap();
    assert!(!found.services[0].trusted);
    assert_eq!(found.services[0].user, "4000000");
}

#[test]
fn torn_and_hostile_texts_are_no_processes() {
    let tree = Tree::new();
    for (at, text) in ["", "x", "9 (rserver", "9 (rserver) S", "\u{0}\u{1b}[2J"].iter().enumerate()
    {
        tree.write(&format!("{}/stat", 900 + at), text);
    }
    tree.write("950/stat/x", "a directory");
    assert_eq!(tree.look(&questions()), Known::Absent);
}

#[test]
fn who_is_there_is_known_before_anything_is_begun() {
    struct Fixed;
    impl Clock for Fixed {
        fn now(&self) -> Moment {
            Moment(1)
        }
    }
    let mut watch = IncumbentWatch::start(Arc::new(Fixed), || {}).unwrap();
    // No files are in force, or none can be read: nobody knows what to look for.
    assert_eq!(watch.observe(None, Moment(1)), nobody_looked());
    // This machine's own processes: whether the product is among them or not, somebody looked.
    assert_ne!(watch.observe(Some(&questions()), Moment(1)), nobody_looked());
}
