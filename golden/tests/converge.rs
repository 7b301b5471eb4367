//! Every script of `cases/converge` and `cases/lower` prints what its file says, and all scripts
//! together reach every cell of the table.

use golden::cases::{self, Case};
use golden::converge::table::Reached;
use golden::converge::{lowering, run};
use libtest_mimic::{Arguments, Failed, Trial};

const TABLE: &str = "TABLE.md";

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut reached = Reached::default();
    for case in read("converge", &[TABLE]) {
        let ran = run::run_script(&case.text);
        if let Ok((_, of)) = &ran {
            reached.join(of);
        }
        let wanted = ran.map(|(transcript, _)| transcript);
        trials.push(trial("converge", case, wanted));
    }
    for case in read("lower", &[]) {
        let wanted = lowering::run_script(&case.text);
        trials.push(trial("lower", case, wanted));
    }
    for case in read("plan", &[]) {
        if let Ok((_, of)) = run::run_script(&case.text) {
            reached.join(&of);
        }
    }
    trials.push(Trial::test("table", move || table(&reached)));
    libtest_mimic::run(&arguments, trials).exit();
}

fn read(directory: &str, besides: &[&str]) -> Vec<Case> {
    match cases::read(directory, besides) {
        Ok(cases) => cases,
        Err(wrong) => panic!("{wrong}"),
    }
}

fn trial(of: &str, case: Case, wanted: Result<String, String>) -> Trial {
    Trial::test(format!("{of}/{}", case.name), move || {
        cases::hold(&case.path, &case.text, &wanted?)?;
        Ok(())
    })
}

fn table(reached: &Reached) -> Result<(), Failed> {
    let path = cases::root().join("converge").join(TABLE);
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    cases::hold(&path, &before, &reached.render())?;
    let missing = reached.missing();
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n").into()) }
}
