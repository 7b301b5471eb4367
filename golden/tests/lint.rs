//! Every case of `cases/lint` prints what its file says, and every rule across files has a set in which it
//! finds something and one in which it does not.

use std::collections::{BTreeMap, BTreeSet};

use engine_core::lint;
use golden::cases;
use golden::lint_cases::{code_of, run_case};
use grammar::error::Code;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut sides: BTreeMap<Code, BTreeSet<bool>> = BTreeMap::new();
    let all = cases::read("lint", &[]).unwrap_or_else(|wrong| panic!("{wrong}"));
    for case in all {
        let code = code_of(&case.name);
        let ran = code.and_then(|code| Ok((code, run_case(code, &case.text)?)));
        if let Ok((code, (_, looks))) = &ran {
            let seen = sides.entry(*code).or_default();
            seen.extend(looks.iter().map(|found| found.contains(code)));
        }
        let wanted = ran.map(|(_, (transcript, _))| transcript);
        trials.push(Trial::test(format!("lint/{}", case.name), move || {
            cases::hold(&case.path, &case.text, &wanted?)?;
            Ok(())
        }));
    }
    trials.push(Trial::test("both-sides", move || both_sides(&sides)));
    libtest_mimic::run(&arguments, trials).exit();
}

/// A rule that never fires is no rule, and one that always fires is none either.
fn both_sides(sides: &BTreeMap<Code, BTreeSet<bool>>) -> Result<(), Failed> {
    let rules: BTreeSet<Code> = lint::rules().map(|rule| rule.code).collect();
    let has = |code: &Code, side| sides.get(code).is_some_and(|seen| seen.contains(&side));
    let mut wrong = Vec::new();
    for code in &rules {
        if !has(code, true) {
            wrong.push(format!("{code} finds nothing in any case"));
        }
        if !has(code, false) {
            wrong.push(format!("{code} has no case in which it finds nothing"));
        }
    }
    wrong.extend(sides.keys().filter(|c| !rules.contains(c)).map(|c| format!("{c} is no rule")));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
